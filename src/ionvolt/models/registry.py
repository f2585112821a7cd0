"""Models by name: those that come with IonVolt, or any model folder."""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path

from ionvolt.errors import ModelError
from ionvolt.models.card import ModelCard, read_card
from ionvolt.models.ensemble import CARD_FILE, Ensemble, load_ensemble

SHIPPED = Path(__file__).parent.parent / "weights"
DEFAULT_MODEL = "cgcnn-mp2020"


def shipped_models() -> dict[str, ModelCard]:
    """Cards of the models that come with IonVolt, by name."""
    return {card.parent.name: read_card(card) for card in sorted(SHIPPED.glob(f"*/{CARD_FILE}"))}


def model_folder(name: str | Path) -> Path:
    """Where a model lies: a shipped model's name or the path of a model's folder.

    Raises:
        ModelError: Neither; the message names the nearest match.
    """
    shipped = SHIPPED / str(name)
    if Path(name).name == str(name) and (shipped / CARD_FILE).is_file():
        return shipped
    if (Path(name) / CARD_FILE).is_file():
        return Path(name)
    names = [card.parent.name for card in sorted(SHIPPED.glob(f"*/{CARD_FILE}"))]
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Shipped models: {', '.join(names) or 'none'}"
    raise ModelError(f"{name}: no such model, and no folder that holds a {CARD_FILE}. {hint}")


def load_model(name: str | Path = DEFAULT_MODEL) -> Ensemble:
    """Load a shipped model by name or any model by its folder; a shipped one is read once."""
    folder = model_folder(name)
    return _load_shipped(folder.name) if folder.parent == SHIPPED else load_ensemble(folder)


@lru_cache(maxsize=4)
def _load_shipped(name: str) -> Ensemble:
    return load_ensemble(SHIPPED / name)
