"""Models by name: those that come with IonVolt, or any model folder."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionvolt.errors import ModelError
from ionvolt.models.card import ModelCard, read_card, require_ions
from ionvolt.models.storage import CARD_FILE

if TYPE_CHECKING:
    from ionvolt.models.cgcnn.ensemble import Ensemble
    from ionvolt.models.interface import Predictor
    from ionvolt.models.mlip.delta_model import DeltaModel


@dataclass(frozen=True)
class Kind:
    """A kind of model: where its reader and its writer are found, each ``module:function``; imported on first use.

    Attributes:
        reader: Takes a folder, gives a ``Predictor``.
        writer: Takes such a model and a folder.
    """

    reader: str
    writer: str

    def load(self, folder: Path) -> Predictor:
        """Read a model of this kind from its folder."""
        model: Predictor = _function(self.reader)(folder)
        return model

    def save(self, model: Predictor, folder: Path) -> None:
        """Write a model of this kind into a folder."""
        _function(self.writer)(model, folder)


def _function(name: str) -> Callable[..., Any]:
    module, function = name.split(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


KINDS: dict[str, Kind] = {
    kind: Kind(f"ionvolt.models.{module}:load_{function}", f"ionvolt.models.{module}:save_{function}")
    for kind, module, function in (
        ("cgcnn", "cgcnn.ensemble", "ensemble"),
        ("classical", "classical.model", "classical"),
        ("quick", "classical.quick", "quick"),
        ("foundation", "mlip.foundation_model", "foundation"),
        ("delta", "mlip.delta_model", "delta"),
    )
}
"""Kinds of predictors by the name that stands in their cards. Another package adds its own here."""

SHIPPED = Path(__file__).parent.parent / "weights"
PAPER_MODEL = "cgcnn-mp2020"
"""The paper's model."""
PAPER_KIND = "cgcnn"
"""Its kind."""
FOUNDATION_MODEL = "foundation-mp2025"
DELTA_MODEL = "delta-mp2025"
QUICK_MODEL = "quick-mp2025"
AUTO = "auto"
"""No folder of its own: the best of the shipped models that the input allows."""


def shipped_models() -> dict[str, ModelCard]:
    """Cards of the models that come with IonVolt, by name."""
    return {card.parent.name: read_card(card) for card in sorted(SHIPPED.glob(f"*/{CARD_FILE}"))}


def is_shipped(name: str) -> bool:
    """Whether a model comes with this IonVolt; no card is read for it."""
    return (SHIPPED / name / CARD_FILE).is_file()


def model_folder(name: str | Path) -> Path:
    """Where a model lies: a shipped model's name, with or without its data (``quick``), or a model's folder.

    Raises:
        ModelError: Neither; the message names the nearest match.
    """
    shipped = SHIPPED / str(name)
    if Path(name).name == str(name) and (shipped / CARD_FILE).is_file():
        return shipped
    if (Path(name) / CARD_FILE).is_file():
        return Path(name)
    family = sorted(SHIPPED.glob(f"{name}-*/{CARD_FILE}")) if str(name).isalnum() else []
    if len(family) == 1:
        return family[0].parent
    if str(name) == AUTO:
        raise ModelError(f"{AUTO}: no model of its own. It asks {FOUNDATION_MODEL} or {DELTA_MODEL}: name one of them")
    names = [AUTO, *(card.parent.name for card in sorted(SHIPPED.glob(f"*/{CARD_FILE}")))]
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Shipped models: {', '.join(names)}"
    raise ModelError(f"{name}: no such model, and no folder that holds a {CARD_FILE}. {hint}")


def default_model() -> str:
    """Name of the model that answers where none is named: the best, or the paper's where its parts are not there."""
    return AUTO if is_shipped(FOUNDATION_MODEL) and is_shipped(DELTA_MODEL) else PAPER_MODEL


def check_known(name: str | Path | None, ions: Sequence[str]) -> list[ModelCard]:
    """See by its cards alone that a model is there and knows some ions; nothing else of it is read.

    Returns:
        Its card, or those of its parts.

    Raises:
        ModelError: There is no such model, or it does not know one of the ions.
    """
    name = name or default_model()
    parts = [SHIPPED / FOUNDATION_MODEL, SHIPPED / DELTA_MODEL] if str(name) == AUTO else [model_folder(name)]
    cards = [read_card(part / CARD_FILE) for part in parts]
    for card in cards:
        require_ions(card, ions)
    return cards


def load_model(name: str | Path | None = None) -> Predictor:
    """Load a shipped model by name or any model by its folder; a shipped one is read once. None: the default.

    Raises:
        ModelError: There is no such model, or it cannot be read.
    """
    name = name or default_model()
    if str(name) == AUTO:
        return _load_auto()
    folder = model_folder(name)
    return _load_shipped(folder.name) if folder.parent == SHIPPED else load_folder(folder)


def load_networks(model: str | Path | Predictor | None = None) -> Ensemble:
    """An ensemble of crystal graph networks by name or folder; None: the paper's.

    Raises:
        ModelError: There is no such model, or it is of another kind.
    """
    from ionvolt.models.cgcnn.ensemble import Ensemble

    found = load_model(model or PAPER_MODEL) if isinstance(model, str | Path) or model is None else model
    if not isinstance(found, Ensemble):
        raise ModelError(f"{found.card.name}: not a crystal graph network. Take one, such as {PAPER_MODEL}")
    return found


def shipped_delta() -> DeltaModel | None:
    """The shipped Δ-model; None where it does not come along."""
    from ionvolt.models.mlip.delta_model import DeltaModel

    if not is_shipped(DELTA_MODEL):
        return None
    found = load_model(DELTA_MODEL)
    assert isinstance(found, DeltaModel)
    return found


def load_folder(folder: Path) -> Predictor:
    """Read a model of whatever kind from its folder.

    Raises:
        ModelError: It cannot be read, or its kind is not in ``KINDS``.
    """
    return _kind_of(read_card(folder / CARD_FILE), folder).load(folder)


def save_model(model: Predictor, folder: Path) -> None:
    """Write a model into a folder, from which ``load_folder`` reads it.

    Raises:
        ModelError: Its kind is not in ``KINDS``.
    """
    _kind_of(model.card, model.card.name).save(model, folder)


def _kind_of(card: ModelCard, source: object) -> Kind:
    if card.kind not in KINDS:
        raise ModelError(
            f"{source}: a model of kind {card.kind}, which is no predictor. Kinds that are: {', '.join(KINDS)}"
        )
    return KINDS[card.kind]


@lru_cache(maxsize=8)
def _load_shipped(name: str) -> Predictor:
    return load_folder(SHIPPED / name)


def auto_card() -> ModelCard | None:
    """The card of the best model; None where its parts are not there."""
    if default_model() != AUTO:
        return None
    card = read_card(SHIPPED / FOUNDATION_MODEL / CARD_FILE)
    words = f"{DELTA_MODEL} where the discharged structure is known, else {FOUNDATION_MODEL}."
    return replace(card, name=AUTO, kind=AUTO, description=words)


@lru_cache(maxsize=1)
def _load_auto() -> Predictor:
    from ionvolt.models.auto import AutoModel, Part

    card = auto_card()
    if card is None:
        raise ModelError(f"{AUTO}: its parts do not come with this IonVolt. Choose from {', '.join(shipped_models())}")
    foundation, delta = (
        Part(read_card(SHIPPED / name / CARD_FILE), partial(_load_shipped, name))
        for name in (FOUNDATION_MODEL, DELTA_MODEL)
    )
    return AutoModel(foundation, delta, card)
