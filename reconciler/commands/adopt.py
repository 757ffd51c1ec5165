"""`adopt` (alias `import`): take over jobs that were bought elsewhere, one or a CSV file of them in one transaction."""

from __future__ import annotations

import csv
from typing import NamedTuple

from reconciler.commands.context import Context, environment_name, load_catalog, open_project, open_store
from reconciler.commands.infile import read_named
from reconciler.commands.spending import Connected, connect
from reconciler.diagnostics import Diagnostic, Place
from reconciler.engine.doubt import TakeOver, ask, job_of_take_over, refuse_known, take_over
from reconciler.engine.origin import refuse_other_world
from reconciler.errors import Invalid, ReconcilerError, Usage
from reconciler.fact import Draft
from reconciler.model import Catalog
from reconciler.state import State
from reconciler.text import nearest, plural, safe

MOST_BYTES = 10_000_000
MOST_ID = 256


class Row(NamedTuple):
    """One line of the file, or the command line."""

    name: str
    request_id: str
    note: str
    place: Place | None = None


def run(context: Context, *, name: str | None, request_id: str | None, file: str | None, note: str, emulate: bool = False) -> int:
    """Take over; every id is polled before it is believed, and nothing is recorded unless all are known."""
    rows = _rows(context, file) if file is not None else [_row(name, request_id, note)]
    project = open_project(context)
    environment = environment_name(context, project)
    catalog, _ = load_catalog(context, project)
    _check(rows, catalog)
    with open_store(context, project).hold(context.owner, wait_seconds=0) as writer:
        state = writer.state()
        emulate = emulate or state.world == "emulated"
        with connect(context, project, emulate=emulate, lineage=state.lineage) as connected:
            refuse_other_world(state, connected.origin.world)
            facts, said = _take_over(context, rows, catalog, state, environment, connected)
        writer.record(facts)
    for line in said:
        context.out.line(line)
    context.out.line(f"Adopted {plural(len(rows), 'job')} for $0.00; `reconciler refresh` asks how far they are.")
    return 0


def _row(name: str | None, request_id: str | None, note: str) -> Row:
    if not name or not request_id:
        raise Usage("adopt takes NAME REQUEST_ID, or -file=ids.csv")
    return Row(name, request_id, note)


def _take_over(context: Context, rows: list[Row], catalog: Catalog, state: State, environment: str, connected: Connected) -> tuple[list[Draft], list[str]]:
    facts: list[Draft] = []
    said: list[str] = []
    problems: list[Diagnostic] = []
    for row in rows:
        model = catalog.models[row.name]
        act = TakeOver(environment, row.name, row.request_id, row.note, model)
        try:
            refuse_known(state, row.request_id)
            job = job_of_take_over(act, connected.origin, context.clock.now())
            found = ask(connected.api, job)
        except ReconcilerError as problem:
            if row.place is None:
                raise
            problems.append(Diagnostic("error", "adopt", problem.message, problem.hint, row.place))
            continue
        facts += take_over(context.clock, act, job, actor=connected.origin.actor)
        said.append(f"{safe(row.name)}: {safe(row.request_id)} is job {job.id}, {found.seen.phase or 'queued'}.")
    if problems:
        raise Invalid(problems, "nothing was adopted")
    return facts, said


def _check(rows: list[Row], catalog: Catalog) -> None:
    problems: list[Diagnostic] = []
    names: set[str] = set()
    ids: set[str] = set()
    for row in rows:
        if row.name not in catalog.models:
            near = nearest(row.name, list(catalog.models))
            hint = f"did you mean {', '.join(near)}?" if near else "declare the model first: its spec decides what the job stands for"
            problems.append(Diagnostic("error", "adopt", f"no model {safe(row.name, limit=80)!r} is declared", hint, row.place))
        if row.name in names or row.request_id in ids:
            problems.append(Diagnostic("error", "adopt", f"{safe(row.name, limit=80)} or its id stands in the file twice", "", row.place))
        if not 0 < len(row.request_id) <= MOST_ID or not row.request_id.isprintable():
            problems.append(Diagnostic("error", "adopt", "a request id has 1 to 256 visible characters", "", row.place))
        names.add(row.name)
        ids.add(row.request_id)
    if problems:
        raise Invalid(problems, "nothing was adopted")


def _rows(context: Context, file: str) -> list[Row]:
    """Rows of a CSV with the columns name, request_id and maybe note."""
    content = read_named(context.root / file, most_bytes=MOST_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Usage(f"{safe(file, limit=80)} is not UTF-8") from None
    reader = csv.DictReader(text.splitlines())
    columns = set(reader.fieldnames or ())
    if not {"name", "request_id"} <= columns:
        raise Invalid(
            [Diagnostic("error", "adopt", "the first line must name the columns: name,request_id and maybe note", "", Place(file))], "nothing was adopted"
        )
    rows = []
    for line in reader:
        place = Place(file, reader.line_num)
        rows.append(Row((line["name"] or "").strip(), (line["request_id"] or "").strip(), (line.get("note") or "").strip(), place))
    return rows
