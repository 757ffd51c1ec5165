"""`reconciler.yaml` into a Project: strict, every problem at once, and each limit with the place where it was written."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from reconciler import __version__
from reconciler.diagnostics import Place
from reconciler.manifest import keys
from reconciler.manifest.dataset import Unusable, read_address
from reconciler.manifest.fields import Fields, Marked, perhaps
from reconciler.manifest.front import decode, read_bytes
from reconciler.manifest.node import Map, Node, Scalar
from reconciler.manifest.parse import parse_map
from reconciler.manifest.requirement import REQUIREMENT, satisfies
from reconciler.manifest.scalars import Value
from reconciler.manifest.source import Problems, shown
from reconciler.manifest.trainers import read_trainers
from reconciler.money import Money, Price, PriceBook
from reconciler.policy import Budget, Guards, MonthlyBudget, Policy
from reconciler.project import PROJECT_FILE, Environment, Project
from reconciler.settings import names_a_file
from reconciler.trainer import DEFAULT_TRAINER, LIST_PRICES, Trainer

_LINEAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_BRANCH = re.compile(r"git:(?!.*(?:\.\.|//|/\.|@\{|\.lock$|/$|\.$))[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")


def read_project(root: Path, problems: Problems) -> Project | None:
    """The project of `root`, or None after problems."""
    if not (root / PROJECT_FILE).is_symlink() and not (root / PROJECT_FILE).exists():
        problems.add("E300", f"there is no {PROJECT_FILE} here", "Run `reconciler init`, or point at the project with -chdir=DIR.", place=Place(PROJECT_FILE))
        return None
    raw = read_bytes(root, PROJECT_FILE, problems)
    source = None if raw is None else decode(PROJECT_FILE, raw, problems)
    tree = parse_map(source, problems) if source is not None else None
    if raw is None or tree is None or problems.errors:
        return None
    fields = Fields(problems, lambda node: _no_variables(node, problems))
    project = _ProjectReader(fields).read(tree)
    return None if problems.errors else replace(project, digest=hashlib.sha256(raw).hexdigest())


def check_version(root: Map, fields: Fields) -> None:
    """`version: 1`, the only one there is."""
    node = root.get("version")
    if node is None:
        fields.fault("E107", root, "`version` is missing", "Write `version: 1`.")
    elif type(node) is not Scalar or type(node.value) is not int or node.value != 1:
        fields.fault("E107", node, f"unknown format version {shown(getattr(node, 'text', '…'))}", "This program reads version 1.")


def _no_variables(node: Scalar, problems: Problems) -> Value:
    problems.add("E215", "variables cannot be used here", "They work in `defaults`, in `vars`, and in manifests.", place=node.place, source=node.source)
    return node.value


class _ProjectReader:
    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._places: dict[str, Place] = {}

    def read(self, tree: Map) -> Project:
        fields, get = self._fields, tree.get
        fields.unknown(tree, PROJECT_FILE, keys.PROJECT)
        check_version(tree, fields)
        if (node := get("required_version")) is not None:
            self._required_version(node)
        trainers = read_trainers(get("trainers"), fields)
        trainer = self._trainer(get("trainer"), trainers)
        state = fields.table(node, "state", keys.STATE) if (node := get("state")) is not None else None
        polling = fields.table(node, "polling", keys.POLLING) if (node := get("polling")) is not None else None
        return Project(
            trainer=trainer,
            trainers=trainers,
            prices=self._prices(get("prices"), trainer, trainers),
            policy=Policy(self._budget(get("budget")), self._guards(get("guards")), self._places),
            manifests=self._manifests(get("manifests")),
            state_path=self._state_path(state),
            journal=self._journal(state),
            lineage=self._lineage(state),
            environments=self._environments(get("environments")),
            variables=self._block(get("variables"), "variables"),
            defaults=self._defaults(get("defaults"), trainers),
            endpoint=self._endpoint(get("endpoint")),
            polls_per_second=self._polls(polling),
        )

    def _required_version(self, node: Node) -> None:
        text = self._fields.text(node, "required_version")
        if text is None:
            return
        for part in text.split(","):
            match = REQUIREMENT.fullmatch(part)
            if match is None:
                self._fields.fault("E105", node, f"`required_version` cannot be {shown(text)}", 'Write it like ">=0.1,<2".')
                return
            if not satisfies(__version__, match[1] or "==", match[2]):
                self._fields.fault("E301", node, f"the project needs version {shown(text)[1:-1]}; this is {__version__}", "Install a version that fits.")
                return

    def _trainer(self, node: Node | None, trainers: dict[str, Trainer]) -> str:
        name = self._fields.text(node, "trainer") if node is not None else None
        if node is None or name is None:
            return DEFAULT_TRAINER
        if name not in trainers:
            self._fields.fault(
                "E114", node, f"there is no trainer {shown(name)}", f"{perhaps(name, trainers, self._fields.problems)}Known: {', '.join(sorted(trainers))}."
            )
            return DEFAULT_TRAINER
        return name

    def _prices(self, node: Node | None, default: str, trainers: dict[str, Trainer]) -> PriceBook:
        fields, prices = self._fields, dict[tuple[str, str], Price]()
        for item in (fields.items(node, "prices") or ()) if node is not None else ():
            price = self._price(item, default, trainers)
            if price is not None and (price.trainer, price.since) in prices:
                fields.fault("E303", item, f"two prices of {shown(price.trainer)} from {price.since}")
            elif price is not None:
                prices[price.trainer, price.since] = price
        own = {trainer for trainer, _ in prices}
        return PriceBook([*prices.values(), *(p for p in LIST_PRICES if p.trainer not in own)])

    def _price(self, node: Node, default: str, trainers: dict[str, Trainer]) -> Price | None:
        fields, before = self._fields, self._fields.problems.errors
        block = fields.table(node, "a price", keys.PRICE)
        if block is None:
            return None
        amounts = {key: fields.money(found, key) if (found := block.get(key)) is not None else None for key in ("per_run", "per_step", "minimum")}
        trainer = self._trainer(found, trainers) if (found := block.get("trainer")) is not None else default
        if (found := block.get("currency")) is not None:
            fields.choice(found, "currency", ["USD"])
        since = self._day(found) if (found := block.get("from")) is not None else None
        if ("per_run" in block.entries) == ("per_step" in block.entries):
            fields.fault("E303", node, "a price is either `per_run` or `per_step`")
        elif "minimum" in block.entries and "per_step" not in block.entries:
            fields.fault("E303", block.entries["minimum"][0], "`minimum` goes with `per_step` only")
        if fields.problems.errors > before or since is None:
            return None
        return Price(trainer, since, amounts["per_run"], amounts["per_step"], amounts["minimum"] or Money("0.00"))

    def _day(self, node: Node) -> str | None:
        text = self._fields.text(node, "from")
        try:
            return None if text is None else dt.date.fromisoformat(text if len(text) == 10 else "").isoformat()
        except ValueError:
            self._fields.fault("E105", node, f"{shown(text)} is not a day", "Write it like 2026-01-31.")
            return None

    def _money(self, block: Map, key: str, path: str) -> Money | None:
        node = block.get(key)
        if node is None:
            return None
        self._places[path] = node.place
        return self._fields.money(node, path)

    def _budget(self, node: Node | None) -> Budget:
        block = self._fields.table(node, "budget", keys.BUDGET) if node is not None else None
        if block is None:
            return Budget()
        month = self._month(found) if (found := block.get("per_month")) is not None else None
        return Budget(self._money(block, "per_apply", "budget.per_apply"), month, self._by_label(block.get("by_label")))

    def _month(self, node: Node) -> MonthlyBudget | None:
        fields = self._fields
        self._places["budget.per_month"] = node.place
        if type(node) is not Map:
            amount = fields.money(node, "budget.per_month")
            return None if amount is None else MonthlyBudget(amount)
        block = fields.table(node, "budget.per_month", keys.MONTH)
        limit = fields.money(found, "budget.per_month.limit") if (found := node.get("limit")) is not None else None
        if block is None or limit is None:
            return None
        self._places["budget.per_month"] = block.entries["limit"][1].place
        share = self._share(found) if (found := block.get("warn_at")) is not None else None
        zone = self._zone(found) if (found := block.get("timezone")) is not None else "UTC"
        return MonthlyBudget(limit, share, zone)

    def _share(self, node: Node) -> float | None:
        value = self._fields.value(node)
        share = None
        if type(value) is str and re.fullmatch(r"\d{1,3}(\.\d{1,4})?%", value):
            share = float(value[:-1]) / 100
        elif type(value) in (int, float):
            share = float(value)  # type: ignore[arg-type]
        if share is None or not 0 < share <= 1:
            self._fields.fault("E105", node, "`warn_at` must be a share of the limit", "Write it like 80%.")
            return None
        self._places["budget.per_month.warn_at"] = node.place
        return share

    def _zone(self, node: Node) -> str:
        import zoneinfo

        text = self._fields.text(node, "timezone")
        if text is None or text == "UTC":
            return "UTC"
        try:
            zoneinfo.ZoneInfo(text if _ZONE.fullmatch(text) else "")
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            self._fields.fault("E105", node, f"there is no time zone {shown(text)}", "Write an IANA name like Europe/Berlin.")
            return "UTC"
        return text

    def _by_label(self, node: Node | None) -> dict[str, dict[str, Money]]:
        fields = self._fields
        block = fields.mapping(node, "budget.by_label") if node is not None else None
        limits: dict[str, dict[str, Money]] = {}
        for label, (_, values) in block.entries.items() if block is not None else ():
            inner = fields.mapping(values, f"budget.by_label.{label}")
            for value in inner.entries if inner is not None else ():
                assert inner is not None, "its keys are walked"
                amount = self._money(inner, value, f"budget.by_label.{label}.{value}")
                if amount is not None:
                    limits.setdefault(label, {})[value] = amount
        return limits

    def _guards(self, node: Node | None) -> Guards:
        fields = self._fields
        block = fields.table(node, "guards", keys.GUARDS) if node is not None else None
        if block is None:
            return Guards()
        for key, (_, value) in block.entries.items():
            self._places[f"guards.{key}"] = value.place
        get = block.get
        percent = fields.number(found, "max_retrain_percent") if (found := get("max_retrain_percent")) is not None else None
        if percent is not None and not 0 <= percent <= 100:
            fields.fault("E104", block.entries["max_retrain_percent"][1], "`max_retrain_percent` must be at least 0 and at most 100")
        digest = fields.choice(found, "require_dataset_digest", ["off", "warn", "error"]) if (found := get("require_dataset_digest")) is not None else None
        return Guards(
            max_trains=fields.integer(found, "max_trains", minimum=0) if (found := get("max_trains")) is not None else None,
            max_retrain_percent=percent,
            stop_after_failures=fields.integer(found, "stop_after_failures", minimum=1) if (found := get("stop_after_failures")) is not None else None,
            confirm_over=self._money(block, "confirm_over", "guards.confirm_over"),
            require_dataset_digest=digest or "off",  # type: ignore[arg-type]
        )

    def _path(self, node: Node, what: str) -> str | None:
        text = self._fields.text(node, what, limit=1024)
        if text is None:
            return None
        if text.startswith(("/", "~")) or ".." in PurePosixPath(text).parts or "\\" in text or not text.isprintable() or re.match(r"[A-Za-z]:", text):
            self._fields.fault("E302", node, f"{shown(what)} cannot be {shown(text)}", "Paths are relative to the project folder and stay in it, with `/`.")
            return None
        return text

    def _manifests(self, node: Node | None) -> tuple[str, ...]:
        if node is None:
            return Project().manifests
        items = self._fields.items(node, "manifests")
        if items is not None and not items:
            self._fields.fault("E105", node, "`manifests` is empty", "List at least one pattern like models/**/*.yaml.")
        return tuple(path for item in items or () if (path := self._path(item, "manifests")) is not None)

    def _state_path(self, state: Map | None) -> str:
        node = state.get("path") if state is not None else None
        path = self._path(node, "state.path") if node is not None else None
        if node is not None and path is not None and not names_a_file(path):
            self._fields.fault("E302", node, f"`state.path` cannot be {shown(path)}", "It names a file: state/reconciler.db.")
            return Project().state_path
        return str(PurePosixPath(path)) if path is not None else Project().state_path

    def _journal(self, state: Map | None) -> str:
        node = state.get("journal") if state is not None else None
        text = self._fields.text(node, "state.journal") if node is not None else None
        if node is not None and text is not None and text != "file" and not _BRANCH.fullmatch(text):
            self._fields.fault("E105", node, f"`state.journal` cannot be {shown(text)}", "Write file, or git:BRANCH.")
        return text or "file"

    def _lineage(self, state: Map | None) -> str | None:
        node = state.get("lineage") if state is not None else None
        text = self._fields.text(node, "state.lineage") if node is not None else None
        if node is not None and text is not None and not _LINEAGE.fullmatch(text):
            self._fields.fault("E105", node, f"`state.lineage` cannot be {shown(text)}", "`reconciler init` writes it; do not change it.")
        return text

    def _environments(self, node: Node | None) -> dict[str, Environment]:
        fields = self._fields
        block = fields.mapping(node, "environments") if node is not None else None
        environments: dict[str, Environment] = {}
        for name, (key, value) in block.entries.items() if block is not None else ():
            if not fields.check_name(key, name, "an environment's name"):
                continue
            if getattr(value, "value", "") is None:
                environments[name] = Environment(name, place=key.place)
                continue
            inner = fields.table(value, f"the environment {name}", keys.ENVIRONMENT)
            if inner is None:
                continue
            protected = fields.flag(found, "protected") if (found := inner.get("protected")) is not None else False
            environments[name] = Environment(name, self._block(inner.get("vars"), "vars"), bool(protected), key.place)
        return environments

    def _block(self, node: Node | None, what: str) -> dict[str, object]:
        block = self._fields.mapping(node, what) if node is not None else None
        return {} if block is None else Marked(block)

    def _defaults(self, node: Node | None, trainers: dict[str, Trainer]) -> dict[str, object]:
        block = self._fields.mapping(node, "defaults") if node is not None else None
        if block is None:
            return {}
        self._fields.unknown(block, "defaults", keys.SHARED, parameter_names(trainers))
        return Marked(block)

    def _endpoint(self, node: Node | None) -> str | None:
        text = self._fields.text(node, "endpoint") if node is not None else None
        if node is None or text is None:
            return None
        try:
            identity = read_address(text).identity.removeprefix("url:")
        except Unusable as why:
            self._fields.fault("E105", node, f"`endpoint`: {why.summary}", why.detail)
            return None
        if identity.count("/") != 3 or not identity.endswith("/") or "?" in text:
            self._fields.fault("E105", node, "`endpoint` must be an origin, without path or query", "Write https://HOST.")
        return text.rstrip("/")

    def _polls(self, polling: Map | None) -> float | None:
        node = polling.get("per_second") if polling is not None else None
        value = self._fields.number(node, "polling.per_second") if node is not None else None
        if node is not None and value is not None and not 0 < value <= 1000:
            self._fields.fault("E104", node, "`polling.per_second` must be more than 0 and at most 1000")
        return value


def parameter_names(trainers: dict[str, Trainer]) -> list[str]:
    """All training parameters of all trainers."""
    return sorted({p.name for t in trainers.values() for p in t.parameters})
