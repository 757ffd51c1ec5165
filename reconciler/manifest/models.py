"""One model block, merged with its defaults, as Model values: one, or one for each cell of its matrix."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.manifest.dataset import DatasetReader
from reconciler.manifest.fields import Fields, NoValue, perhaps
from reconciler.manifest.keys import LIFECYCLE, MODEL
from reconciler.manifest.layers import FieldPlaces
from reconciler.manifest.matrix import Cell, read_matrix
from reconciler.manifest.node import Map, Node, Scalar
from reconciler.manifest.parameters import read_parameters
from reconciler.manifest.source import shown
from reconciler.manifest.variables import Variables
from reconciler.model import Dataset, Lifecycle, Model, make_spec
from reconciler.money import Money
from reconciler.project import Project
from reconciler.trainer import Trainer

MAX_LABELS = 64
_AS_USUAL = Lifecycle()
_FREE_PATHS = ("dataset", "labels", "description", "trigger", "trainer")
_DATASET_PATHS = ("dataset.url", "dataset.sha256", "dataset.id", "dataset.images", "dataset.path")


class ModelReader:
    """Reads model blocks of one environment."""

    def __init__(self, project: Project, environment: str, *, variables: Variables, fields: Fields, datasets: DatasetReader, today: str = "") -> None:
        self._project = project
        self._today = today
        self._environment = environment
        self._known_environments = sorted(project.environments) or [environment]
        self._variables = variables
        self._fields = fields
        self._datasets = datasets
        self._shapes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._keys = {trainer.id: {**MODEL, **{p.name: MODEL["generation"] for p in trainer.parameters}} for trainer in project.trainers.values()}

    def read(self, name: str, key: Scalar, own: Map, merged: Map) -> list[Model]:
        """The models of one block. Empty after problems, and when it does not exist in this environment."""
        fields = self._fields
        before = fields.problems.errors
        here = True
        try:
            here = self._exists_here(merged)
            self._variables.lenient = not here
            models = self._read(name, key, own, merged)
        except NoValue:
            models = []
        finally:
            self._variables.lenient = False
        return models if here and fields.problems.errors == before else []

    def _exists_here(self, merged: Map) -> bool:
        node = merged.get("environments")
        if node is None:
            return True
        items = self._fields.items(node, "environments")
        names = []
        for item in items or ():
            name = self._fields.text(item, "environments")
            if name is not None and name not in self._known_environments:
                self._fields.fault(
                    "E120",
                    item,
                    f"there is no environment {shown(name)}",
                    f"{perhaps(name, self._known_environments, self._fields.problems)}Known: {', '.join(self._known_environments)}.",
                )
            names.append(name)
        return self._environment in names

    def _read(self, name: str, key: Scalar, own: Map, merged: Map) -> list[Model]:
        fields = self._fields
        fields.check_name(key, name, "a model's name")
        trainer = self._trainer(merged)
        if trainer is None:
            return []
        if not own.entries.keys() <= self._keys[trainer.id].keys():
            fields.unknown(own, f"the model {shown(name)[1:-1]}", self._keys[trainer.id])
        dataset = self._dataset(name, merged)
        facts = self._facts(name, merged, trainer)
        generation = fields.integer(found, "generation", minimum=1, maximum=1_000_000) if (found := merged.get("generation")) is not None else 1
        cells = self._cells(name, merged, trainer)
        models = []
        for cell in cells:
            parameters = read_parameters(trainer, merged, cell.nodes, fields)
            if parameters is None or dataset is None or facts is None or generation is None:
                continue
            labels, description, trigger, lifecycle = facts
            spec = make_spec(trainer.id, dataset.identity, parameters, generation=generation, salt=None if lifecycle.reuse else cell.salt)
            places = FieldPlaces.of(merged, cell.nodes, self._shapes)
            models.append(Model(cell.name, spec, dataset, key.place, labels, description, trigger, lifecycle, places))
        return models

    def _cells(self, name: str, merged: Map, trainer: Trainer) -> list[Cell]:
        entries = merged.entries
        if "matrix" not in entries:
            for word in ("winner", "max_combinations"):
                if word in entries:
                    self._fields.fault("E220", entries[word][0], f"`{word}` without `matrix`")
            return [Cell(name, {}, name)]
        sweep = read_matrix(name, merged, trainer, self._fields, price_of=lambda given: self._price(trainer, merged, given))
        if sweep is None:
            return []
        winner = [] if sweep.winner is None else [sweep.winner._replace(name=name)]
        return [*winner, *sweep.cells]

    def _price(self, trainer: Trainer, merged: Map, given: Mapping[str, object]) -> Money | None:
        """Today's price of one run; None without a day or a price."""
        steps = trainer.parameter("steps")
        written = node.value if type(node := merged.get("steps")) is Scalar else None
        values: dict[str, object] = {"steps": written if type(written) is int else steps.default if steps is not None else None, **given}
        quote = self._project.prices.quote(trainer.id, values, day=self._today)
        return None if quote is None else quote.amount

    def _trainer(self, merged: Map) -> Trainer | None:
        node = merged.get("trainer")
        known = self._project.trainers
        if node is None:
            return known[self._project.trainer]
        name = self._fields.text(node, "trainer")
        if name is None:
            return None
        if name not in known:
            self._fields.fault(
                "E114", node, f"there is no trainer {shown(name)}", f"{perhaps(name, known, self._fields.problems)}Known: {', '.join(sorted(known))}."
            )
            return None
        return known[name]

    def _dataset(self, name: str, merged: Map) -> Dataset | None:
        node = merged.get("dataset")
        if node is None:
            self._fields.fault("E101", merged, f"the model {shown(name)} has no `dataset`", "Give it a URL: `dataset: https://…`.")
            return None
        return self._datasets.read(node)

    def _facts(self, name: str, merged: Map, trainer: Trainer) -> tuple[tuple[tuple[str, str], ...], str, str, Lifecycle] | None:
        """Labels, description, trigger, lifecycle: what is free to change."""
        fields, get = self._fields, merged.get
        labels = self._labels(found) if (found := get("labels")) is not None else ()
        description = fields.text(found, "description", empty=True) if (found := get("description")) is not None else ""
        trigger = fields.text(found, "trigger", limit=256, empty=True) if (found := get("trigger")) is not None else ""
        lifecycle = self._lifecycle(found, name, trainer) if (found := get("lifecycle")) is not None else _AS_USUAL
        if labels is None or description is None or trigger is None or lifecycle is None:
            return None
        return labels, description, trigger, lifecycle

    def _labels(self, node: Node) -> tuple[tuple[str, str], ...] | None:
        fields = self._fields
        block = fields.mapping(node, "labels")
        if block is None:
            return None
        if len(block.entries) > MAX_LABELS:
            fields.fault("E104", node, f"{len(block.entries)} labels; the limit is {MAX_LABELS}")
            return None
        pairs = [(name, fields.text(value, f"labels.{name}", limit=256, empty=True)) for name, (_, value) in block.entries.items()]
        return tuple(sorted((name, text) for name, text in pairs if text is not None))

    def _lifecycle(self, node: Node, name: str, trainer: Trainer) -> Lifecycle | None:
        fields, before = self._fields, self._fields.problems.errors
        block = fields.table(node, "lifecycle", LIFECYCLE)
        if block is None:
            return None
        get = block.get
        values: dict[str, object] = {}
        for word in ("prevent_retrain", "suspend", "reuse"):
            if (found := get(word)) is not None:
                values[word] = fields.flag(found, word)
        for word in ("on_failure", "on_remove"):
            if (found := get(word)) is not None:
                values[word] = fields.choice(found, word, LIFECYCLE[word].schema["enum"])
        if (found := get("max_attempts")) is not None:
            values["max_attempts"] = fields.integer(found, "max_attempts", minimum=1, maximum=100)
        if (found := get("ignore_changes")) is not None:
            values["ignore_changes"] = self._ignored(found, trainer)
        if fields.problems.errors > before:
            return None
        lifecycle = Lifecycle(**values)  # type: ignore[arg-type]
        if lifecycle.on_failure == "hold" and lifecycle.max_attempts > 1:
            fields.fault("W012", block.entries["max_attempts"][0], f"`max_attempts` does nothing for {shown(name)}", "It counts with `on_failure: retry` only.")
        return lifecycle

    def _ignored(self, node: Node, trainer: Trainer) -> tuple[str, ...]:
        known = [*_FREE_PATHS, *_DATASET_PATHS, *(p.name for p in trainer.parameters)]
        paths: list[str] = []
        for item in self._fields.items(node, "ignore_changes") or ():
            path = self._fields.text(item, "ignore_changes")
            if path is None:
                continue
            if path not in known and not re.fullmatch(r"labels\..+", path):
                self._fields.fault(
                    "E105",
                    item,
                    f"`ignore_changes` cannot name {shown(path)}",
                    f"{perhaps(path, known, self._fields.problems)}Allowed: {', '.join(sorted(known))}.",
                )
            paths.append(path)
        return tuple(sorted(set(paths)))
