"""Models by whatever names them."""

from __future__ import annotations

from pathlib import Path

from ionvolt.errors import ModelError
from ionvolt.models.interface import Predictor


def as_model(model: str | Path | Predictor | None) -> Predictor:
    """A loaded model of whatever names one; None is the default."""
    from ionvolt.models.registry import load_model

    return load_model(model) if isinstance(model, str | Path) or model is None else model


def by_name(model: str | Path | Predictor | None) -> str | Path | None:
    """The same model for another process.

    Raises:
        ModelError: It is loaded already, and may be none that is on disk.
    """
    if model is None or isinstance(model, str | Path):
        return model
    raise ModelError(f"{model.card.name}: several processes load it themselves. Give its name or folder, or n_jobs=1")
