"""The models that a server answers with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ionvolt.errors import ModelError
from ionvolt.models.card import ModelCard, read_card
from ionvolt.models.registry import AUTO, PAPER_MODEL, SHIPPED, auto_card, load_folder, shipped_models
from ionvolt.models.storage import CARD_FILE


def model_folders(given: Mapping[str, Path]) -> dict[str, Path]:
    """Folders by name, the default first; by default those that come along, in the order of the command line.

    ``auto`` has no folder of its own: it stands for its name.

    Raises:
        ModelError: There is none.
    """
    if given:
        return dict(given)
    names = sorted(shipped_models(), key=lambda name: (name != PAPER_MODEL, name))
    found = {name: SHIPPED / name for name in names}
    if auto_card():
        found = {AUTO: Path(AUTO)} | found
    if not found:
        raise ModelError("no model comes with this IonVolt. Name a model's folder: --model FOLDER")
    return found


def card_of(name: str, folder: Path) -> ModelCard:
    """The card of a model; one of the user's is loaded first, which shows whether it can be.

    Raises:
        ModelError: It cannot be used.
    """
    best = auto_card() if name == AUTO else None
    if best is None and folder.parent == SHIPPED:
        return read_card(folder / CARD_FILE)
    return best or load_folder(folder).card


def described(card: ModelCard, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A model as plain JSON types; ``facts`` are what the workers say of it."""
    return {
        "description": card.description,
        "ions": facts.get("ions", list(card.ions)),
        "local_ions": facts.get("local_ions", []),
        "n_members": card.n_members,
        "errors": {ion: _errors(card, ion) for ion in card.ions},
    }


_SHOWN = ("n", "mae", "mae_low", "mae_high", "median", "within_01", "within_03", "rmse")


def _errors(card: ModelCard, ion: str) -> dict[str, dict[str, float]]:
    """Errors (V) and shares within 0.1 and 0.3 V of held-out electrodes, by protocol; older cards lack some."""
    return {
        protocol: {key: numbers[key] for key in _SHOWN if key in numbers}
        for protocol, numbers in card.errors(ion).items()
        if "mae_low" in numbers
    }
