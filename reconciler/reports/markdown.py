"""The comment on a pull request and the job summary: one plan as Markdown within a number of bytes.

Title, totals, warnings, refusals, doubts and digests always stay. The rows of changes degrade in levels, never in the
middle of a row: with their reasons, without, then the first by risk and cost and a count of the rest. Rendering stops
at the limit, so a plan of any size takes the same time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import islice

from reconciler.diagnostics import Diagnostic
from reconciler.plan.action import ORDER, Action, Reason
from reconciler.plan.change import BudgetLine, Change, Plan
from reconciler.reports.markdown_text import markdown_code, markdown_place, markdown_text, row
from reconciler.reports.places import row_place
from reconciler.reports.reasons import cost_text, counts_text, reason_text, share_percent
from reconciler.reports.run import Run
from reconciler.reports.style import Style
from reconciler.reports.summary import summary_text
from reconciler.text import format_money, money_text, plural, redact, short_digest

COMMENT_BYTES = 60_000
"""The strictest reading of the forges' limits, with room for what they add."""
SUMMARY_BYTES = 1_000_000
"""GitHub drops a larger summary whole."""
MOST_NOTICES = 10
NO_CHANGES = "no changes"
"""How the title of a plan ends that leaves everything as it is: no comment is begun for it."""
SINCE = "<!--since-->"
"""`reconciler comment` puts the difference to the last comment here."""

_FULL_HEAD = "| | model | action | cost | why | where |\n|---|---|---|--:|---|---|\n"
_SLIM_HEAD = "| | model | action | cost |\n|---|---|---|--:|\n"
_MORE_BYTES = 200
_ADDRESS = re.compile(r"https://[A-Za-z0-9/:._~%-]{1,500}")
_RESTING = (Action.UNCHANGED, Action.WAIT)
_WORSE = (Action.IN_DOUBT, Action.HELD)
_GOOD = (0, 2)
"""Exit codes of a plan that is as it should be: 2 says that there are changes."""


def comment_markdown(plan: Plan | None, run: Run, *, most_bytes: int = COMMENT_BYTES) -> str:
    """The comment, with the marker by which it is found again. `plan` None: the manifests are invalid."""
    return _markdown(plan, run, most_bytes=most_bytes, marker=marker(plan, run))


def summary_markdown(plan: Plan | None, run: Run, *, most_bytes: int = SUMMARY_BYTES) -> str:
    """The job summary: the comment without its marker."""
    return _markdown(plan, run, most_bytes=most_bytes, marker="")


def marker(plan: Plan | None, run: Run) -> str:
    """The hidden first line: key, digests, due amount, commit, time. Its JSON never holds `--` or `>`."""
    facts = {
        "v": 1,
        "key": f"{plan.lineage[:8]}/{plan.environment}" if plan is not None else run.key,
        "plan": plan.plan_digest if plan is not None else "",
        "spend": plan.spend_digest if plan is not None else "",
        "due": "" if plan is None else str(run.result.get("not_bought_amount", "0.00")) if _is_applied(run) else money_text(plan.cost.due),
        "sha": run.commit,
        "at": run.at,
    }
    text = json.dumps({key: redact(value) if isinstance(value, str) else value for key, value in facts.items()}, ensure_ascii=True, separators=(",", ":"))
    # escapes are the same text to every JSON reader, and nothing to Markdown, HTML and runners
    text = re.sub(r"[<>@#|&`\[\]]", lambda m: f"\\u{ord(m[0]):04x}", text).replace("--", "-\\u002d")
    return f"<!-- reconciler {text} -->\n"


def _markdown(plan: Plan | None, run: Run, *, most_bytes: int, marker: str) -> str:
    head = marker + _title(plan, run) + _result(run)
    if plan is None:
        return head + _problems(run.problems(None)) + _foot(plan, run)
    head += (
        f"{counts_text(plan.counts)}\n\n"
        + _totals(plan, since="" if _is_applied(run) else SINCE)
        + _problems(run.problems(plan))
        + _refusals(plan)
        + _doubts(plan)
    )
    foot = _foot(plan, run)
    return head + _details(plan, most_bytes - _size(head) - _size(foot)) + foot


def _title(plan: Plan | None, run: Run) -> str:
    if plan is None:
        return f"### {_without_plan(run)}\n\n"
    name = f"LoRA catalog {markdown_code(plan.environment)}"
    if run.result:
        done = "refreshed" if run.result.get("command") == "refresh" else "applied in part" if run.result.get("not_bought") else "applied"
        return f"### {'⚠️' if run.exit_code else '✅'} {name}: {done}\n\n"
    if plan.refusals:
        return f"### ⛔ {name}: **refused**, nothing is bought\n\n"
    if run.exit_code not in _GOOD:
        return f"### ⛔ {name}: **stopped** ({markdown_text(run.reason(plan).replace('_', ' ') or 'error')}), nothing was bought\n\n"
    if all(c.action in _RESTING or c.reason is Reason.SUSPENDED for c in plan.changes):
        return f"### ✅ {name}: {NO_CHANGES}\n\n"
    worrying = any(plan.counts[action] for action in _WORSE) or any(d.severity == "warning" for d in run.problems(plan))
    return f"### {'⚠️ ' if worrying else ''}{name}: **+{format_money(plan.cost.due)}** to apply\n\n"


def _without_plan(run: Run) -> str:
    """What there is to say when no plan was made: manifests were read, or something forbade it."""
    match run.reason(None):
        case "":
            return "✅ LoRA catalog: the manifests are valid"
        case "invalid":
            return "⛔ LoRA catalog: the manifests are not valid"
        case "plan_changed":
            return "⛔ LoRA catalog: the plan is not the approved one, nothing was bought"
        case reason:
            return f"⛔ LoRA catalog: no plan could be made ({markdown_text(reason.replace('_', ' '))})"


def _result(run: Run) -> str:
    if not run.result:
        return ""
    said = summary_text(run.result, Style.plain(400)).splitlines()
    return "".join(f"> {markdown_text(line, limit=2000)}\\\n" for line in said[:MOST_NOTICES]).removesuffix("\\\n") + "\n\n"


def _is_applied(run: Run) -> bool:
    """Whether this is the result of an apply: what was due is bought then, or stands among what was not."""
    return bool(run.result) and run.result.get("command", "apply") == "apply"


def _totals(plan: Plan, *, since: str) -> str:
    cost = plan.cost
    monthly = next((b for b in plan.budgets if b.name == "budget.per_month"), None)
    limit = "" if monthly is None else f"{share_percent(monthly.after, monthly.limit)} % of {format_money(monthly.limit)}"
    after = format_money(cost.spent_month + cost.worst)
    so_far = f"{format_money(cost.spent_month)} ({plural(cost.jobs_month, 'job')})"
    text = row("", "due", "at worst", f"{markdown_text(cost.month)} so far", "after apply, at worst", "limit") + "|---|--:|--:|--:|--:|--:|\n"
    text += row("**total**", f"**+{format_money(cost.due)}** {since}".rstrip(), format_money(cost.worst), so_far, after, limit)
    labelled = [b for b in plan.budgets if b.name.startswith("budget.by_label.")]
    for budget in sorted(labelled, key=_fullest)[:MOST_NOTICES]:
        text += _label_row(budget)
    if len(labelled) > MOST_NOTICES:
        text += row(f"{len(labelled) - MOST_NOTICES:,} more, none fuller", "", "", "", "", "")
    notes = [f"{format_money(monthly.limit - monthly.after)} left of {monthly.name}"] if monthly is not None and monthly.after < monthly.limit else []
    notes += [f"{format_money(cost.avoided)} avoided by using jobs again"] if cost.avoided else []
    return text + (f"\n{'; '.join(notes)}.\n\n" if notes else "\n")


def _fullest(budget: BudgetLine) -> tuple[int, str]:
    return (-share_percent(budget.after, budget.limit), budget.name)


def _label_row(budget: BudgetLine) -> str:
    key, _, value = budget.name.removeprefix("budget.by_label.").partition(".")
    share = f"{share_percent(budget.after, budget.limit)} % of {format_money(budget.limit)}"
    return row(
        markdown_code(f"{key}={value}"), f"+{format_money(budget.after - budget.spent)}", "", format_money(budget.spent), format_money(budget.after), share
    )


def _problems(problems: Sequence[Diagnostic]) -> str:
    ranked = sorted(problems, key=lambda d: d.severity != "error")
    lines = [_problem(d) for d in ranked[:MOST_NOTICES]]
    if len(ranked) > MOST_NOTICES:
        lines.append(f"- and {plural(len(ranked) - MOST_NOTICES, 'more problem', 'more problems')}\n")
    return "".join(lines) + "\n" if lines else ""


def _problem(problem: Diagnostic) -> str:
    icon = "❌" if problem.severity == "error" else "⚠️"
    detail = f": {markdown_text(problem.detail)}" if problem.detail else ""
    place = f" ({markdown_place(problem.place)})" if problem.place is not None else ""
    return f"- {icon} {markdown_text(problem.summary)}{detail}{place}\n"


def _refusals(plan: Plan) -> str:
    if not plan.refusals:
        return ""
    lines = []
    for refusal in plan.refusals[:MOST_NOTICES]:
        lift = f"; lifted by {markdown_code(refusal.lift)}" if refusal.lift else ""
        place = f" ({markdown_place(refusal.place)})" if refusal.place is not None else ""
        lines.append(f"> - {markdown_text(refusal.message)}{lift}{place}\n")
    if len(plan.refusals) > MOST_NOTICES:
        lines.append(f"> - and {len(plan.refusals) - MOST_NOTICES:,} more\n")
    return f"> [!CAUTION]\n> Refused; nothing of this plan is bought.\n{''.join(lines)}\n"


def _doubts(plan: Plan) -> str:
    doubts = [c for c in plan.changes if c.action is Action.IN_DOUBT]
    if not doubts:
        return ""
    amount = format_money(plan.cost.in_doubt)
    text = f"> [!WARNING]\n> {plural(len(doubts), 'attempt')} got no answer; {amount} may have been charged. Nothing is sent again until someone decides:\n"
    for change in doubts[:MOST_NOTICES]:
        text += f"> - {markdown_code(f'reconciler resolve {change.name} -request-id ID -reason TEXT', limit=300)} or `… -not-submitted -reason TEXT`, "
        text += "or `resolutions:` in a manifest\n"
    if len(doubts) > MOST_NOTICES:
        text += f"> - and {len(doubts) - MOST_NOTICES:,} more: `reconciler status`\n"
    return text + "\n"


def _details(plan: Plan, room: int) -> str:
    changes = sorted((c for c in plan.changes if not c.is_unchanged), key=lambda c: (ORDER[c.action], -c.cost, c.name))
    if not changes:
        return ""
    opening = f"<details{' open' if len(changes) <= 50 else ''}><summary>{plural(len(changes), 'change')}</summary>\n\n"
    closing = "\n</details>\n\n"
    room -= _size(opening) + _size(closing)
    full = _within((_full_row(c) for c in changes), room - len(_FULL_HEAD))
    if len(full) == len(changes):
        return opening + _FULL_HEAD + "".join(full) + closing
    slim = _within((_slim_row(c) for c in changes), room - len(_SLIM_HEAD))
    if len(slim) < len(changes):
        slim = _within(islice(map(_slim_row, changes), len(slim)), room - len(_SLIM_HEAD) - _MORE_BYTES)
        rest = len(changes) - len(slim)
        slim.append(f"\n{plural(rest, 'more change')} not shown; all are in `-report json` and `-report jsonl`.\n")
    return opening + (_SLIM_HEAD if len(slim) > 1 else "") + "".join(slim) + closing


def _within(rows: Iterable[str], room: int) -> list[str]:
    """The first rows that fit; what comes after is not even rendered."""
    kept: list[str] = []
    for text in rows:
        room -= _size(text)
        if room < 0:
            break
        kept.append(text)
    return kept


def _full_row(change: Change) -> str:
    why = reason_text(change, markdown_text)
    return row(change.action.sign, markdown_code(change.name), change.action.word, cost_text(change), why, markdown_place(row_place(change)))


def _slim_row(change: Change) -> str:
    return row(change.action.sign, markdown_code(change.name), change.action.word, cost_text(change))


def _foot(plan: Plan | None, run: Run) -> str:
    parts = []
    if plan is not None:
        parts += [f"Plan `{short_digest(plan.plan_digest)}`", f"spend `{short_digest(plan.spend_digest)}`"]
    if run.commit:
        parts.append(f"commit {markdown_code(run.commit[:12])}")
    if plan is not None:
        parts.append(f"state serial {plan.serial}")
    if (link := _link(run.run_url)) is not None:
        parts.append(link)
    return f"<sub>{' · '.join([*parts, 'updated in place'])}</sub>\n"


def _link(url: str) -> str | None:
    """A link to the CI run, only where its address cannot be anything else."""
    return f"[run]({url})" if _ADDRESS.fullmatch(url) else None


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
