"""The life of a model, through the command, real files and a real server: what each change costs (manifest.md, last table)."""

from __future__ import annotations

import json
import time

from reconciler.emulator.faults import Fault
from reconciler.emulator.server import Emulator
from tests.life.folder import Folder

OTTER = {"steps": 1000, "learning_rate": 3e-5}


def test_a_model_is_trained_once_and_found_again(folder: Folder, emulator: Emulator) -> None:
    """init → validate → plan → apply → -wait → succeeded with an artifact; a second apply buys nothing."""
    folder.models(otter=OTTER)
    assert folder.run("validate").code == 0
    plan = folder.plan()
    assert [c["action"] for c in plan["changes"]] == ["train"]
    assert plan["cost"]["due"] == "8.00"
    assert folder.apply().code == 0
    assert folder.apply("-wait=60s").code == 0
    assert folder.run("plan", "-detailed-exitcode").code == 0
    output = folder.run("output", "otter", "-format=raw")
    assert ".safetensors" in output.out or output.out.startswith("http")
    status = folder.run("status", "-json").json
    assert status["models"][0]["phase"] == "succeeded"
    assert any(a["url"].endswith(".safetensors") for a in status["models"][0]["artifacts"])
    assert len(emulator.books.charges()) == 1


def test_the_request_on_the_wire_is_the_documented_one(one_folder: Folder, one_emulator: Emulator) -> None:
    one_folder.models(otter={})
    assert one_folder.apply().code == 0
    entry = one_emulator.books.charges()[0]
    assert entry.path == "/flux-2-pro-text-to-image-trainer-712/v1/flux-2-pro-text-to-image-trainer-request"
    assert entry.parameters == {"steps": 1000, "learning_rate": 5e-05}


def test_what_changes_cost(folder: Folder, emulator: Emulator) -> None:
    """Labels, description, rename, second name, revert, remove, re-add, spelling, signature: $0; new steps: one purchase."""

    def buys(expected: int, **specs: dict[str, object]) -> dict[str, str]:
        folder.models(**specs)
        actions = folder.actions()
        before = len(emulator.books.charges())
        assert folder.apply("-wait=60s").code == 0
        assert len(emulator.books.charges()) - before == expected
        assert folder.actions() == {}
        return actions

    assert buys(1, otter=OTTER) == {"otter": "train"}
    assert buys(0, otter={**OTTER, "labels": {"team": "brand"}, "description": "An otter"}) == {"otter": "update"}
    assert buys(0, lutra=OTTER) == {"lutra": "move"}
    assert buys(0, lutra=OTTER, second=OTTER) == {"second": "reuse"}
    assert buys(1, lutra={**OTTER, "steps": 1100}, second=OTTER) == {"lutra": "retrain"}
    assert buys(0, lutra=OTTER, second=OTTER) == {"lutra": "reuse"}
    assert buys(0, second=OTTER) == {"lutra": "forget"}
    assert buys(0, second=OTTER, lutra=OTTER) == {"lutra": "reuse"}
    assert buys(0, second={**OTTER, "learning_rate": 0.00003}, lutra={**OTTER, "steps": 1000.0}) == {}
    signed = "https://data.example.com/otter.zip?X-Amz-Signature=%d&X-Amz-Date=1"
    assert buys(0, second={**OTTER, "dataset": signed % 1}, lutra={**OTTER, "dataset": signed % 2}) == {}
    assert buys(1, second={**OTTER, "generation": 2}, lutra=OTTER) == {"second": "retrain"}


def test_a_failed_job_is_held_until_somebody_says_so(folder: Folder, emulator: Emulator) -> None:
    failing = {"dataset": "https://data.example.com/fail-training.zip"}
    folder.models(otter=failing)
    assert folder.apply("-wait=60s").code == 8
    assert folder.actions() == {"otter": "held"}
    assert folder.apply().code == 0
    folder.models(renamed=failing)
    assert "train" not in folder.actions().values()
    folder.models(otter=failing)
    assert len(emulator.books.charges()) == 1
    assert folder.run("plan", "-replace=otter", "-json").json["cost"]["due"] == "8.00"
    assert folder.apply("-replace=otter", "-wait=60s").code == 8
    assert len(emulator.books.charges()) == 2
    folder.models(otter={**failing, "generation": 2})
    assert folder.apply("-wait=60s").code == 8
    assert len(emulator.books.charges()) == 3


def test_the_state_that_vanished_is_folded_and_buys_nothing_again(one_folder: Folder, one_emulator: Emulator) -> None:
    """P4: a fresh runner has the journal alone."""
    one_folder.models(otter=OTTER, heron={"steps": 500})
    assert one_folder.apply("-wait=60s").code == 0
    for content in (None, b""):
        path = one_folder.path / "state" / "reconciler.db"
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        before = one_folder.state_bytes()
        seen = one_folder.run("plan", "-detailed-exitcode")
        assert seen.code == 0
        assert "folded" in seen.text
        assert one_folder.state_bytes() == before
        assert one_folder.apply().code == 0
    assert len(one_emulator.books.charges()) == 2


def test_memory_that_is_missing_foreign_or_broken_sends_nothing(one_folder: Folder, one_emulator: Emulator) -> None:
    """P4."""
    one_folder.models(otter=OTTER)
    assert one_folder.apply("-wait=60s").code == 0
    one_folder.models(otter=OTTER, heron={"steps": 500})
    journal, state = one_folder.path / "state" / "purchases.jsonl", one_folder.path / "state" / "reconciler.db"
    whole, rows = journal.read_bytes(), state.read_bytes()
    lines = whole.splitlines(keepends=True)
    foreign = Folder.new(one_folder.path / "other").path / "state" / "purchases.jsonl"
    damages = {
        "missing": None,
        "empty": b"",
        "foreign": foreign.read_bytes(),
        "cut": b"".join(lines[:-1]),
        "hole": b"".join(lines[:1] + lines[2:]),
        "altered": whole.replace(b"8.00", b"0.00"),
        "junk": b"\x00\xff" * 100,
    }
    for name, content in damages.items():
        journal.unlink(missing_ok=True)
        if content is not None:
            journal.write_bytes(content)
        for command in (("plan",), ("apply", "-auto-approve")):
            result = one_folder.run(*command)
            assert result.code == 1, (name, command, result)
            assert "Traceback" not in result.text
    journal.write_bytes(whole)
    for content in (b"junk" * 2000, rows[:5000], rows[:8192] + b"\xff" * 4096 + rows[12288:]):
        state.write_bytes(content)
        result = one_folder.apply()
        assert result.code == 1, result
    state.write_bytes(rows)
    assert len(one_emulator.books.charges()) == 1
    assert one_folder.apply().code == 0
    assert len(one_emulator.books.charges()) == 2


def test_eight_applies_at_once_buy_each_model_once(one_folder: Folder, one_emulator: Emulator) -> None:
    """P5: who comes while another works exits 6; nobody buys what another has bought."""
    one_emulator.latency_seconds = 0.15
    one_folder.models(**{f"m{i}": {"steps": 100 + i} for i in range(24)})
    processes = [one_folder.start("apply", "-auto-approve") for _ in range(8)]
    ends = [(p.communicate(timeout=60), p.returncode) for p in processes]
    assert {code for _, code in ends} <= {0, 6}, ends
    assert len(one_emulator.books.charges()) == 24


def test_while_one_works_seven_are_turned_away_and_told_by_whom(one_folder: Folder, one_emulator: Emulator) -> None:
    """P5."""
    one_emulator.plan.replace([Fault("delay", settings={"seconds": 60.0})])
    one_folder.models(otter=OTTER)
    holder = one_folder.start("apply", "-auto-approve")
    until = time.monotonic() + 30
    while not one_emulator.books.charges() and time.monotonic() < until:
        time.sleep(0.01)
    others = [one_folder.start("apply", "-auto-approve") for _ in range(7)]
    ends = [(p.communicate(timeout=60), p.returncode) for p in others]
    assert holder.poll() is None
    assert [code for _, code in ends] == [6] * 7
    assert all(f"process {holder.pid}" in err and "apply" in err for (_, err), _ in ends)
    holder.kill()
    holder.communicate()
    assert len(one_emulator.books.charges()) == 1


def test_an_emulated_state_never_mixes_with_another(one_folder: Folder, one_emulator: Emulator) -> None:
    one_folder.models(otter=OTTER)
    assert one_folder.apply("-emulate").code == 0
    one_folder.models(otter=OTTER, heron={"steps": 500})
    mixed = one_folder.apply()
    assert mixed.code == 1
    assert "emulator" in mixed.err
    assert not one_emulator.books.charges()


def test_apply_without_an_approval_or_a_ceiling_is_a_usage_error(one_folder: Folder, one_emulator: Emulator) -> None:
    one_folder.models(otter=OTTER)
    assert one_folder.run("apply").code == 64
    text = (one_folder.path / "reconciler.yaml").read_text()
    (one_folder.path / "reconciler.yaml").write_text(text.replace("  per_apply: 1000.00\n", "  per_month: {limit: 100.00}\n"))
    assert one_folder.run("apply", "-auto-approve").code == 64
    assert one_folder.run("apply", "-auto-approve", "-max-cost=7.99").code == 4
    assert not one_emulator.books.charges()
    assert one_folder.run("apply", "-auto-approve", "-max-cost=8").code == 0
    assert len(one_emulator.books.charges()) == 1


def test_pause_stops_purchases_everywhere_until_resume(one_folder: Folder, one_emulator: Emulator) -> None:
    one_folder.models(otter=OTTER)
    assert one_folder.run("pause", "-reason", "holiday").code == 0
    refused = one_folder.apply()
    assert refused.code == 4
    assert "holiday" in refused.text
    assert one_folder.run("plan").code == 4
    assert one_folder.run("resume").code == 0
    assert one_folder.apply().code == 0
    assert len(one_emulator.books.charges()) == 1


def test_a_saved_plan_buys_exactly_what_was_reviewed(one_folder: Folder, one_emulator: Emulator) -> None:
    """P8."""
    one_folder.models(otter=OTTER, heron={"steps": 500})
    assert one_folder.run("plan", "-out=plan.json").code == 0
    one_folder.models(otter=OTTER, heron={"steps": 501})
    changed = one_folder.run("apply", "plan.json")
    assert changed.code == 5, changed
    assert "heron" in changed.err
    assert not one_emulator.books.charges()
    one_folder.models(otter=OTTER, heron={"steps": 500})
    document = json.loads((one_folder.path / "plan.json").read_text())
    forged = json.loads(json.dumps(document).replace('"8.00"', '"0.01"'))
    (one_folder.path / "forged.json").write_text(json.dumps(forged))
    assert one_folder.run("apply", "forged.json").code == 5
    assert one_folder.run("apply", "plan.json", "-expect-spend=" + "0" * 64).code == 5
    assert one_folder.run("apply", "plan.json", "-expect-spend=" + document["spend_digest"]).code == 0
    assert len(one_emulator.books.charges()) == 2
    assert one_folder.run("apply", "plan.json").code == 0
    assert len(one_emulator.books.charges()) == 2
