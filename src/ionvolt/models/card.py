"""The card of a model: what it needs to answer, how it came about, how well it does, where it must not be trusted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ionvolt.errors import InputError, ModelError
from ionvolt.models.card_upgrades import upgraded
from ionvolt.models.structured import structured
from ionvolt.store import read_regular, write_text

FORMAT_VERSION = 2
MOST_BYTES = 20_000_000
"""Of a card; the largest that is shipped has 0.1 MB."""
ALL = "all"
"""In the place of an ion: all ions together."""
TEST = "test"
"""The test of a model that was trained on one split: its test part."""

T = TypeVar("T")


@dataclass(frozen=True)
class Record:
    """One line of an evaluation.

    Attributes:
        test: What was tested, such as ``framework 5-fold``.
        ion: Symbol of the working ion; ``all``.
        learner: Which learner; empty for the model itself.
        subset: Which part of the rows, such as ``anion F+O``; empty for all of them.
        values: Numbers by name: ``n`` rows, ``mae`` with its 95 % interval ``mae_low`` to ``mae_high`` and ``rmse`` in
            V, ``coverage_90`` of intervals, and whatever else was measured.
        note: What the reader should know.
    """

    test: str
    ion: str = ALL
    learner: str = ""
    subset: str = ""
    values: Mapping[str, int | float | Sequence[int | float] | None] = field(default_factory=dict)
    note: str = ""


@dataclass
class ModelCard:
    """Everything about a model but its numbers.

    Attributes:
        name: Short name, such as ``cgcnn-mp2020``.
        kind: Which predictor reads the weights (``registry.KINDS``); ``cgcnn`` is an ensemble of networks.
        ions: Symbols of the working ions that it knows.
        hyperparameters: What is needed to answer, besides the weights; each kind checks its own (``parameters_of``).
        elements: For each working ion the atomic numbers that its training hosts hold.
        weights_sha256: SHA-256 of ``weights.safetensors``, checked on loading.
        description: A few sentences for the reader.
        training: How it came about: data set, split, seeds, settings, software versions. ``frameworks`` lists those of
            the training rows; ``ions`` has the facts of each ion (``n_rows``, ``mode``, ``frameworks``). Nothing that
            answers reads it.
        evaluation: How well it does.
        limits: Known limits, one sentence each.
        licence: Licence of the weights.
        attribution: Whose data they rest on.
        format_version: Version of the format of this card and its weights file.
    """

    name: str
    kind: str = "cgcnn"
    ions: list[str] = field(default_factory=list)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    elements: dict[str, list[int]] = field(default_factory=dict)
    weights_sha256: str = ""
    description: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    evaluation: list[Record] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    licence: str = "MIT"
    attribution: str = ""
    format_version: int = FORMAT_VERSION

    @property
    def n_members(self) -> int:
        """Networks in the ensemble."""
        return int(self.hyperparameters.get("n_members", 1))

    def add_ion(self, ion: str, elements: Sequence[int], facts: Mapping[str, Any]) -> None:
        """Make an ion known, with the elements of its training hosts and facts of its training."""
        if ion not in self.ions:
            self.ions.append(ion)
        self.elements[ion] = list(elements)
        self.training.setdefault("ions", {})[ion] = dict(facts)

    def ion_training(self, ion: str) -> dict[str, Any]:
        """Training facts of an ion; none where the card has none."""
        return dict(self.training.get("ions", {}).get(ion, {}))

    def frameworks(self, ions: Iterable[str] | None = None) -> set[str]:
        """Frameworks that it was trained on: those listed for the whole, and for some ions (by default all)."""
        of_ions = self.training.get("ions", {})
        chosen = of_ions if ions is None else ions
        return {
            *self.training.get("frameworks", ()),
            *(f for ion in chosen for f in of_ions.get(ion, {}).get("frameworks", ())),
        }

    def record(self, test: str, ion: str = ALL, learner: str = "", subset: str = "") -> Record | None:
        """A line of the evaluation; None where there is none."""
        wanted = (test, ion, learner, subset)
        return next((r for r in self.evaluation if (r.test, r.ion, r.learner, r.subset) == wanted), None)

    def values(self, test: str, ion: str = ALL, learner: str = "", subset: str = "") -> dict[str, Any]:
        """Numbers of a line of the evaluation; none where there is no such line."""
        found = self.record(test, ion, learner, subset)
        return dict(found.values) if found else {}

    def errors(self, ion: str = ALL) -> dict[str, dict[str, Any]]:
        """Numbers of the model itself on all rows of an ion, by test; tests that state a mean absolute error."""
        return {
            r.test: dict(r.values)
            for r in self.evaluation
            if r.ion == ion and not r.learner and not r.subset and "mae" in r.values
        }


def require_ions(card: ModelCard, ions: Sequence[str]) -> None:
    """Raise ``ModelError`` where a model was not trained for one of the ions."""
    for ion in ions:
        if ion not in card.ions:
            raise ModelError(f"{card.name}: not trained for {ion}; it knows {', '.join(card.ions)}")


def parameters_of(card: ModelCard, kind: type[T], source: object) -> T:
    """A card's hyperparameters as the dataclass of its kind.

    Raises:
        ModelError: One is unknown, missing or of another type.
    """
    try:
        return structured(kind, card.hyperparameters, "hyperparameters")
    except ValueError as error:
        raise ModelError(f"{source}: not a {card.kind} model ({error}). Write the model again") from None


def write_card(card: ModelCard, path: Path) -> None:
    """Write a card as indented JSON."""
    write_text(path, json.dumps(asdict(card), indent=1, ensure_ascii=False) + "\n")


def read_card(path: Path) -> ModelCard:
    """Read and check a card; one of an older format is upgraded.

    Raises:
        ModelError: No card there, not JSON, unknown or missing fields, or a newer format.
    """
    if not path.exists():
        raise ModelError(f"{path}: there is no model card. Give a model's folder (weights.safetensors and card.json)")
    try:
        content = json.loads(read_regular(path, MOST_BYTES, "Write the model again"))
    except InputError as error:
        raise ModelError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: the model card cannot be read ({error}). Write the model again") from error
    version = content.get("format_version", 0) if isinstance(content, dict) else 0
    if isinstance(version, int) and version > FORMAT_VERSION:  # asked first: it may well hold unknown fields
        raise ModelError(
            f"{path}: format {version} is newer than this IonVolt reads ({FORMAT_VERSION}). Upgrade IonVolt"
        )
    try:
        card = structured(ModelCard, upgraded(content))
        _check_history(card)
    except ValueError as error:
        raise ModelError(f"{path}: not a model card of IonVolt ({error}). Write the model again") from None
    return card


def _check_history(card: ModelCard) -> None:
    """Of what is free to grow, the parts that are read by name."""
    of_ions = card.training.get("ions", {})
    if not isinstance(of_ions, dict) or not all(isinstance(facts, dict) for facts in of_ions.values()):
        raise ValueError("training.ions is no object of objects")
    for where, facts in (("training", card.training), *((f"training.ions.{i}", f) for i, f in of_ions.items())):
        listed = facts.get("frameworks", [])
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise ValueError(f"{where}.frameworks is no list of formulas")
