"""`refresh`: ask how far the bought jobs are. Never buys."""

from __future__ import annotations

from reconciler.commands.context import Context, environment_name, open_project, open_store
from reconciler.commands.ending import waited_code
from reconciler.commands.options import PlanOptions, RefreshOptions
from reconciler.commands.plan import planned
from reconciler.commands.problems import show_notes
from reconciler.commands.reports import CHANGES, Reporting, reported
from reconciler.commands.spending import connect, stoppable, world_of
from reconciler.commands.status import status_json
from reconciler.commands.telling import telling
from reconciler.engine.doubt import in_doubt, salvage
from reconciler.engine.origin import refuse_other_world
from reconciler.engine.pace import pace_of
from reconciler.engine.refresh import POLLS_AT_ONCE, Poller, to_poll
from reconciler.engine.stop import Stop
from reconciler.errors import ApiProblem, Invalid, ReconcilerError
from reconciler.errors import InDoubt as Doubtful
from reconciler.event import Event
from reconciler.job import Job, Phase
from reconciler.money import ZERO
from reconciler.ports import Writer
from reconciler.project import Project
from reconciler.state import State
from reconciler.text import money_text, nearest, safe


def run(context: Context, options: RefreshOptions) -> int:
    """Poll pending jobs once, or until they are settled. The exit code is the most urgent thing that is left."""
    return reported(context, options.reports, lambda report: _reported(context, options, report))


def _reported(context: Context, options: RefreshOptions, report: Reporting) -> int:
    """The reports show what is still to be done; the JSON document is that of `status`."""
    report.documents["json"] = lambda: status_json(context)
    try:
        return _run(context, options, report)
    finally:
        if options.reports:
            _look(context, options, report)


def _look(context: Context, options: RefreshOptions, report: Reporting) -> None:
    try:
        report.plan = planned(context, PlanOptions(emulate=options.emulate))[0]
    except Invalid as error:
        report.diagnostics = error.diagnostics
    except ReconcilerError:
        return  # whatever forbids to look was said by the refresh itself


def _run(context: Context, options: RefreshOptions, report: Reporting) -> int:
    project = open_project(context)
    environment = environment_name(context, project)
    with open_store(context, project).hold(context.owner, wait_seconds=options.lock_timeout_seconds) as writer, stoppable() as stop:
        state = writer.state()
        show_notes(context, state)
        refuse_other_world(state, world_of(context, project, emulate=options.emulate))
        jobs = _chosen(state, options.names, environment)
        if not jobs and not any(a.salvaged for a in state.doubts):
            return _nothing(context, options, state, report)
        return _poll(context, options, project, writer, stop, jobs, report)


def _chosen(state: State, names: tuple[str, ...], environment: str) -> list[Job]:
    known = sorted({b.name for b in state.bindings.values() if b.environment == environment} | {j.name for j in state.jobs.values()})
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise Invalid((), f"no job was bought for {safe(name, limit=80)!r}", hint=f"did you mean {', '.join(near)}?" if near else "")
    return to_poll(state, names, environment=environment)


def _nothing(context: Context, options: RefreshOptions, state: State, report: Reporting) -> int:
    report.result = _summary(state, [])
    with telling(context, as_json=options.json) as teller:
        teller.tell(Event("change_summary", context.clock.now(), "nothing to poll", data=report.result))
    return Doubtful.exit_code if in_doubt(state) else 0


def _poll(context: Context, options: RefreshOptions, project: Project, writer: Writer, stop: Stop, jobs: list[Job], report: Reporting) -> int:
    lineage = writer.state().lineage
    with (
        connect(context, project, emulate=options.emulate, lineage=lineage) as connected,
        telling(context, as_json=options.json, name_width=max((len(j.name) for j in jobs), default=14), all_polls=options.wait_seconds is None) as teller,
    ):
        poller = Poller(writer, connected.api, context.clock, stop, pace_of(connected.origin.world), options.poll_parallelism or POLLS_AT_ONCE)
        poller.seconds_per_step = connected.seconds_per_step
        poller.learn(writer.state())
        problem: ReconcilerError | None = None
        try:
            teller.tell_all(salvage(writer, connected.api, context.clock, None, actor=connected.origin.actor))
            teller.tell_all(poller.round(jobs))
            if options.wait_seconds is not None:
                pending = [j for j in (writer.job(job.id) for job in jobs) if j.phase.is_pending]
                teller.tell_all(poller.wait(pending, seconds=options.wait_seconds))
        except ReconcilerError as error:
            problem = error
        state = writer.state()
        report.result = _summary(state, poller.settled)
        teller.tell(Event("change_summary", context.clock.now(), "refresh ended", data=report.result))
    if problem is not None:
        raise problem
    return _code(state, poller, stop, options)


def _summary(state: State, settled: list[Job]) -> dict[str, object]:
    return {
        "command": "refresh",
        **{str(phase): sum(j.phase is phase for j in settled) for phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.LOST)},
        "failed_names": sorted({j.name for j in settled if j.phase is not Phase.SUCCEEDED}),
        "in_doubt": len(in_doubt(state)),
        "in_doubt_amount": money_text(sum((a.price for a in in_doubt(state)), ZERO)),
        "in_doubt_names": sorted({a.name for a in in_doubt(state)}),
        "training": sum(j.phase.is_pending for j in state.jobs.values()),
    }


def _code(state: State, poller: Poller, stop: Stop, options: RefreshOptions) -> int:
    if in_doubt(state):
        return Doubtful.exit_code
    if stop.is_requested:
        return 128 + stop.signal_number
    if poller.refused or poller.trouble:
        raise ApiProblem(f"{poller.refused or poller.trouble}; phases are unchanged, nothing was bought", hint="try again later; jobs go on training meanwhile")
    if options.wait_seconds is not None and (code := waited_code(state, poller.settled)):
        return code
    return CHANGES if options.detailed_exitcode and poller.changed else 0
