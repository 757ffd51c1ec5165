"""Everything that is measured, side by side with Terraform where it is installed, into docs/PERFORMANCE.md and its plots.

    python -m bench [--full] [--rounds N] [--sizes 100,1000] [--out FILE]

The default takes minutes and goes to 10,000 models; `--full` goes to 100,000, and gives Terraform 10,000. Wall time
decides nothing on a loaded machine: compare the columns of one run, and the CPU seconds beside them.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.inputs import write_apart as write_project
from bench.measure import Cost, Work, in_turns, measure
from bench.network import OURS, Bought, Polled, lines_of_network, polls, purchases
from bench.plot import plot

NO_CACHE = {"RECONCILER_CACHE_DIR": os.devnull}
REPO = Path(__file__).resolve().parent.parent
Rows = dict[int, dict[str, Cost]]


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--full", action="store_true", help="to 100,000 models (Terraform to 10,000)")
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--sizes", help="numbers of models, separated by commas")
    ask.add_argument("--out", type=Path, default=REPO / "docs" / "PERFORMANCE.md")
    given = ask.parse_args()
    sizes = [int(n) for n in given.sizes.split(",")] if given.sizes else [100, 1_000, 10_000, *([100_000] if given.full else [])]
    terraform = shutil.which("terraform")
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name:
        work = Path(name)
        start = in_turns(startup(terraform), rounds=max(given.rounds, 9))
        rows = {size: at_size(work, size, given.rounds, terraform if size <= (10_000 if given.full else 1_000) else None) for size in sizes}
        bought = purchases(work, full=given.full)
        polled = polls(work, 10_000 if given.full else 3_000)
    given.out.write_text(page(start, rows, bought, polled), encoding="utf-8")
    given.out.with_suffix(".svg").write_text(plot("Seconds of a whole process, by number of models", lines_of(rows)), encoding="utf-8")
    print(f"{given.out} and {given.out.with_suffix('.svg').name}")
    return 0


def startup(terraform: str | None) -> dict[str, Work]:
    works = {"python -c pass": Work([sys.executable, "-c", "pass"]), "version": Work([*OURS, "version"]), "--help": Work([*OURS, "--help"])}
    return works | ({"terraform version": Work([terraform, "version"])} if terraform else {})


def at_size(work: Path, size: int, rounds: int, terraform: str | None) -> dict[str, Cost]:
    """Every command on a project of `size` models in at most 100 files, all bought and settled."""
    print(f"{size:,} models …", flush=True)
    ours, fresh = work / f"ours-{size}", work / f"fresh-{size}"
    write_project(ours, size, min(100, max(1, size // 10)))
    write_project(fresh, size, min(100, max(1, size // 10)), bought=False)
    old = time.time() - 60
    for path in [*ours.rglob("*"), *fresh.rglob("*")]:
        os.utime(path, (old, old))
    time.sleep(2.1)  # younger files are read, not looked at
    plan = [*OURS, "plan", "-detailed-exitcode"]
    works = {
        "plan, nothing changed, warm": Work(plan, ours),
        "plan, nothing changed, fresh checkout": Work(plan, ours, before=lambda: [os.utime(p) for p in (ours / "models").iterdir()]),
        "plan, 1 % changed": Work(plan, ours, before=lambda: change_ours(ours)),
        "plan, nothing changed, cold": Work(plan, ours, environment=NO_CACHE),
        "plan, all new, cold": Work(plan, fresh, environment=NO_CACHE),
        "validate": Work([*OURS, "validate"], ours),
        "status": Work([*OURS, "status"], ours),
        "jobs list": Work([*OURS, "jobs"], ours),
        "cost": Work([*OURS, "cost"], ours),
    }
    # what changes files comes last in a round and is taken back, so that the next one begins warm
    works = {name: works[name] for name in works if name != "plan, 1 % changed"} | {"plan, 1 % changed": works["plan, 1 % changed"]}
    works["plan, nothing changed, warm"] = works["plan, nothing changed, warm"]._replace(before=lambda: measure(Work(plan, ours, before=lambda: restore(ours))))
    if terraform:
        theirs = work / f"terraform-{size}"
        make_terraform(theirs, size, terraform)
        tf = [terraform, "plan", "-input=false", "-detailed-exitcode"]
        works |= {
            "terraform plan, nothing changed": Work(tf, theirs),
            "terraform validate": Work([terraform, "validate"], theirs),
            "terraform state list": Work([terraform, "state", "list"], theirs),
        }
    return in_turns(works, rounds=rounds if size <= 10_000 else 1)


def change_ours(folder: Path) -> None:
    """Other steps for one model in a hundred, all in one file."""
    path = min((folder / "models").glob("*.yaml"))
    kept = path.with_suffix(".kept")
    if not kept.exists():
        shutil.copy2(path, kept)
    count = max(1, sum(p.read_text().count("steps:") for p in (folder / "models").glob("*.yaml")) // 100)
    path.write_text(kept.read_text().replace("    steps: 1", f"    steps: {time.time_ns() % 8 + 2}", count))


def restore(folder: Path) -> None:
    for kept in (folder / "models").glob("*.kept"):
        shutil.copy2(kept, kept.with_suffix(".yaml"))
        time.sleep(2.1)


def make_terraform(folder: Path, count: int, terraform: str) -> None:
    """As many resources, one block each, applied."""
    folder.mkdir()
    blocks = [f'resource "terraform_data" "model_{n:06}" {{\n  input = {{ dataset = "{n:06}.zip", steps = {1000 + n % 7 * 100} }}\n}}\n' for n in range(count)]
    (folder / "main.tf").write_text("".join(blocks), encoding="utf-8")
    measure(Work([terraform, "init", "-input=false"], folder))
    measure(Work([terraform, "apply", "-input=false", "-auto-approve"], folder), timeout_seconds=3600)


def lines_of(rows: Rows) -> dict[str, dict[int, float]]:
    names = list(dict.fromkeys(name for costs in rows.values() for name in costs))
    return {name: {size: costs[name].seconds for size, costs in rows.items() if name in costs} for name in names}


def page(start: dict[str, Cost], rows: Rows, bought: list[Bought], polled: list[Polled]) -> str:
    load = os.getloadavg()[0]
    out = [
        "# Performance",
        "",
        f"Made by `python -m bench {' '.join(sys.argv[1:])}`".rstrip("` ") + f"` on {datetime.now(UTC):%Y-%m-%d}: Python {platform.python_version()}, "
        f"{platform.system()}, {os.cpu_count()} CPUs, load {load:.1f} at the end. Medians of whole processes that run in turns;",
        "compare within this page, not with another machine. `s` is wall time, `cpu` user and system time, both in seconds; MB is the largest memory.",
        "",
        "![seconds by models](PERFORMANCE.svg)",
        "",
        "## By number of models",
        "",
        "| work | " + " | ".join(f"{size:,}: s · cpu · MB" for size in rows) + " |",
        "|---|" + "--:|" * len(rows),
    ]
    for name in lines_of(rows):
        cells = [f"{c.seconds:.2f} · {c.cpu:.2f} · {c.megabytes:.0f}" if (c := costs.get(name)) else "–" for costs in rows.values()]
        out.append(f"| {name} | {' | '.join(cells)} |")
    out += ["", *ratios(rows), "", "## Start-up", "", "| command | s | cpu | × `python -c pass` (cpu) |", "|---|--:|--:|--:|"]
    base = start["python -c pass"].cpu
    out += [f"| {name} | {c.seconds:.3f} | {c.cpu:.3f} | {c.cpu / base:.1f} |" for name, c in start.items()]
    out += ["", *lines_of_network(bought, polled)]
    return "\n".join(out)


def ratios(rows: Rows) -> list[str]:
    """Per model against Terraform's plan of the largest size that it was given."""
    theirs = [(size, costs["terraform plan, nothing changed"]) for size, costs in rows.items() if "terraform plan, nothing changed" in costs]
    if not theirs:
        return ["Terraform is not installed here."]
    size, cost = theirs[-1]
    largest = max(rows)
    each = f"{1e6 * cost.seconds / size:.0f} µs of wall time each, {1e6 * cost.cpu / size:.0f} µs of CPU"
    out = [f"Per model, against Terraform's plan of {size:,} unchanged resources ({each}):", ""]
    for name in ("plan, nothing changed, warm", "plan, 1 % changed", "plan, nothing changed, cold"):
        mine = rows[largest][name]
        wall, cpu = cost.seconds / size / (mine.seconds / largest), cost.cpu / size / (mine.cpu / largest)
        out.append(
            f"- {name}, {largest:,} models: {1e6 * mine.seconds / largest:.1f} µs, {wall:.0f} × cheaper; by CPU {1e6 * mine.cpu / largest:.1f} µs, {cpu:.0f} ×"
        )
    return out


if __name__ == "__main__":
    sys.exit(main())
