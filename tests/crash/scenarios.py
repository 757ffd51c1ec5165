"""What is interrupted: for each scenario how it begins, the command that dies, and the commands that a person runs next."""

from __future__ import annotations

import hashlib
import inspect
import shutil
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.engine.purchase import Buyer, job_id
from reconciler.engine.refresh import Poller
from reconciler.fact import outcome
from reconciler.job import Sent
from reconciler.journal.chain import encode
from reconciler.journal.file import FileJournal
from reconciler.trainer import BUILT_IN
from tests.crash.commands import KEY, Place
from tests.crash.world import APPLY, Project, Verdict, World, now

Words = Sequence[str]


@dataclass(frozen=True)
class Scenario:
    """`after`: what is run next, each with the exit codes it may have. `buys`: complete POSTs that the end may show at most."""

    name: str
    begin: Callable[[World], Project]
    words: Callable[[Project], Words]
    after: Callable[[Project], Sequence[tuple[Words, Sequence[int]]]]
    final: Callable[[Project, Verdict], None] = lambda project, verdict: None
    """Adds to the verdict what only this scenario promises."""


def _first_line(function: Callable[..., object]) -> int:
    lines, start = inspect.getsourcelines(function)
    body = next(i for i, line in enumerate(lines) if line.rstrip().endswith(":") and not line.lstrip().startswith(("@", "#"))) + 1
    if '"""' in lines[body]:
        while not lines[body].rstrip().endswith('"""'):
            body += 1
        body += 1
    return start + body


BEFORE_THE_ANSWER_IS_KEPT = Place("engine/purchase.py", _first_line(Buyer._settle), 1)
BEFORE_THE_FIRST_POLL = Place("engine/refresh.py", _first_line(Poller.round), 1)


def _killed(world: World, place: Place, models: int = 1) -> Project:
    project = world.project(models)
    ended = world.commands.kill_at(project.folder, place, *APPLY)
    assert ended.was_killed, (place, ended)
    return project


def _bought(world: World) -> Project:
    project = world.project(2)
    assert project.run(*APPLY).code == 0
    return project


def _in_doubt(world: World) -> Project:
    project = world.project(1, ("accept_then_close", {}))
    assert project.run(*APPLY).code == 7
    return project


def _bought_by_hand(world: World) -> Project:
    """The same training was ordered outside of this tool: one charge, and its id is known to a person."""
    project = world.project(1)
    body = f'{{"image_data_url": "{project.dataset}", "steps": 100, "learning_rate": 5e-05}}'.encode()
    url = world.emulator.url + BUILT_IN["pixazo-flux2-pro"].submit_url_path
    headers = {"Content-Type": "application/json", "Ocp-Apim-Subscription-Key": KEY}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
        assert answer.status < 300
    return project


def _kept_aside(world: World) -> Project:
    """The answer did not fit into the journal and was kept in the state."""
    project = world.project(1)
    ended = project.run(*APPLY, patches=["outcomes do not reach the journal"])
    assert ended.code in (1, 7), ended
    return project


def _torn(world: World) -> Project:
    """The machine died while the answer was being appended: its id stands in an unfinished line."""
    project = _killed(world, BEFORE_THE_ANSWER_IS_KEPT)
    journal = project.folder / "state" / "purchases.jsonl"
    head, facts = FileJournal(journal).read(None)
    attempt = str(facts[-1].data["attempt"])
    line = encode(outcome(now(), attempt, Sent.ACCEPTED, job=job_id(attempt), request_id=project.charges()[0].request_id, http_status=202), head.hashes)
    with journal.open("ab") as stream:
        stream.write(line.raw[:-30])
    return project


def _merged(world: World) -> Project:
    """Two clones bought apart, and git joined their journals by lines."""
    project = world.project(1)
    other = world.project(1)
    shutil.rmtree(other.folder)
    shutil.copytree(project.folder, other.folder)
    other.dataset = project.dataset
    other.want(1, first_step=500)
    assert project.run(*APPLY).code == 0
    assert other.run(*APPLY).code == 0
    journals = [p.folder / "state" / "purchases.jsonl" for p in (project, other)]
    ours, theirs = (j.read_text().splitlines() for j in journals)
    journals[0].write_text("".join(f"{line}\n" for line in [*ours, *(t for t in theirs if t not in ours)]))
    return project


def _two_clones(world: World) -> Project:
    """Two clones bought apart; their journals are to be joined by the command."""
    project, other = world.project(1), world.project(1)
    shutil.rmtree(other.folder)
    shutil.copytree(project.folder, other.folder)
    other.dataset = project.dataset
    other.want(1, first_step=500)
    assert project.run(*APPLY).code == 0
    assert other.run(*APPLY).code == 0
    project.beside = other.folder
    return project


def _kept_aside_and_merged(world: World) -> Project:
    """Both at once: the state is folded anew while an answer waits in the old one."""
    project = world.project(1)
    journal = project.folder / "state" / "purchases.jsonl"
    other = world.project(1)
    shutil.rmtree(other.folder)
    shutil.copytree(project.folder, other.folder)
    other.dataset = project.dataset
    other.want(1, first_step=500)
    assert other.run(*APPLY).code == 0
    ended = project.run(*APPLY, patches=["outcomes do not reach the journal"])
    assert ended.code in (1, 7), ended
    ours, theirs = (j.read_text().splitlines() for j in (journal, other.folder / "state" / "purchases.jsonl"))
    journal.write_text("".join(f"{line}\n" for line in [*ours, *(t for t in theirs if t not in ours)]))
    return project


def _request_id(project: Project) -> str:
    return str(project.charges()[0].request_id)


def _applies(project: Project) -> Sequence[tuple[Words, Sequence[int]]]:
    return [(APPLY, (0, 7))]


def _no_doubt(project: Project, verdict: Verdict) -> None:
    if verdict.doubts:
        verdict.wrong.append("an id that was on disk was forgotten")


def _bought_once(project: Project, verdict: Verdict) -> None:
    if verdict.charges != 1:
        verdict.wrong.append(f"{verdict.charges} charges for what was bought already")


def _one_genesis(project: Project, verdict: Verdict) -> None:
    _, facts = FileJournal(project.folder / "state" / "purchases.jsonl").read(None)
    if len(facts) != 1:
        verdict.wrong.append("not one beginning")


def _all_known(project: Project, verdict: Verdict) -> None:
    if verdict.charges != 2 or verdict.doubts:
        verdict.wrong.append("a purchase of a merged history was forgotten")


def _consented(world: World) -> Project:
    project = _in_doubt(world)
    project.consents = 1
    return project


FRESH = Scenario("fresh", lambda w: w.project(1), lambda p: APPLY, _applies)
SCENARIOS = (
    FRESH,
    Scenario("four at once", lambda w: w.project(8), lambda p: APPLY, _applies),
    Scenario("resume", lambda w: _killed(w, BEFORE_THE_ANSWER_IS_KEPT), lambda p: APPLY, _applies),
    Scenario("poll", lambda w: _killed(w, BEFORE_THE_FIRST_POLL), lambda p: ("refresh",), lambda p: [(("refresh",), (0,)), (APPLY, (0,))], _bought_once),
    Scenario("retry", lambda w: w.project(1, ("rate_limit", {"retry_after": 0})), lambda p: APPLY, _applies),
    Scenario(
        "adopt",
        _bought_by_hand,
        lambda p: ("adopt", "m00", _request_id(p)),
        lambda p: [(("adopt", "m00", _request_id(p)), (0, 1)), (APPLY, (0,))],
        _bought_once,
    ),
    Scenario(
        "resolve: found",
        _in_doubt,
        lambda p: ("resolve", "m00", "-request-id", _request_id(p), "-reason", "seen"),
        lambda p: [(("resolve", "m00", "-request-id", _request_id(p), "-reason", "seen"), (0, 1)), (APPLY, (0,))],
        _bought_once,
    ),
    Scenario(
        "resolve: not submitted",
        _consented,
        lambda p: ("resolve", "m00", "-not-submitted", "-reason", "asked", "-auto-approve"),
        lambda p: [(("resolve", "m00", "-not-submitted", "-reason", "asked", "-auto-approve"), (0, 1)), (APPLY, (0, 7))],
        lambda p, v: None,
    ),
    Scenario("kept aside", _kept_aside, lambda p: APPLY, _applies, _no_doubt),
    Scenario("torn", _torn, lambda p: APPLY, _applies, _no_doubt),
    Scenario(
        "merge",
        _two_clones,
        lambda p: ("state", "merge", str(p.beside)),
        lambda p: [(("state", "merge", str(p.beside)), (0,)), (APPLY, (0, 7))],
        _all_known,
    ),
    Scenario("merged", _merged, lambda p: APPLY, _applies, _all_known),
    Scenario("kept aside and merged", _kept_aside_and_merged, lambda p: APPLY, _applies, _all_known),
    Scenario("rebuild", _bought, lambda p: ("state", "rebuild"), lambda p: [(APPLY, (0,))], _all_known),
    Scenario("init", lambda w: w.empty(), lambda p: ("init",), lambda p: [(("init",), (0,)), (("plan",), (0,))], _one_genesis),
)


def settle(scenario: Scenario, project: Project) -> Verdict:
    """Run what a person runs next and judge the end. The doubt of a killed resolve without a reason of its own is no fault."""
    wrong: list[str] = []
    for words, codes in scenario.after(project):
        ended = project.run(*words)
        if ended.code not in codes:
            wrong.append(f"`{words[0]}` exit {ended.code}: {ended.err.strip()[:300]}")
    verdict = project.judge(ended, codes=(0, 7))
    verdict.wrong = wrong + verdict.wrong
    scenario.final(project, verdict)
    return verdict


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
