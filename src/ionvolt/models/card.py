"""The card of a model: what it was trained on, how well it does, where it must not be trusted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from ionvolt.errors import InputError, ModelError
from ionvolt.graphs import Ties
from ionvolt.store import read_regular, write_text

FORMAT_VERSION = 1
MOST_BYTES = 20_000_000
"""Of a card; the largest that is shipped has 0.1 MB."""
KINDS = ("cgcnn", "classical", "foundation", "delta", "measured")


@dataclass
class ModelCard:
    """Everything about a model but its numbers.

    Attributes:
        name: Short name, such as ``cgcnn-mp2020``.
        kind: Which predictor reads the weights; ``cgcnn`` is an ensemble of ``models.cgcnn.CGCNN``.
        n_members: Networks in the ensemble.
        ions: For each working ion the training facts and test errors (see ``docs/models.md``).
        elements: For each working ion the atomic numbers that its training hosts hold.
        ties: How its graphs choose among neighbours at equal distance (``graphs.neighbours.Ties``).
        weights_sha256: SHA-256 of ``weights.safetensors``, checked on loading.
        description: A few sentences for the reader.
        training: Data set, split, seeds, settings, software versions.
        limits: Known limits, one sentence each.
        licence: Of the weights.
        attribution: Whose data they rest on.
        format_version: Of this card and its weights file.
    """

    name: str
    kind: str = "cgcnn"
    n_members: int = 1
    ions: dict[str, dict[str, Any]] = field(default_factory=dict)
    elements: dict[str, list[int]] = field(default_factory=dict)
    ties: Ties = "invariant"
    weights_sha256: str = ""
    description: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    limits: list[str] = field(default_factory=list)
    licence: str = "MIT"
    attribution: str = ""
    format_version: int = FORMAT_VERSION


def require_ions(card: ModelCard, ions: Sequence[str]) -> None:
    """Raise ``ModelError`` where a model was not trained for one of the ions."""
    for ion in ions:
        if ion not in card.ions:
            raise ModelError(f"{card.name}: not trained for {ion}; it knows {', '.join(card.ions)}")


def write_card(card: ModelCard, path: Path) -> None:
    """Write a card as indented JSON."""
    write_text(path, json.dumps(asdict(card), indent=1, ensure_ascii=False) + "\n")


def read_card(path: Path) -> ModelCard:
    """Read and check a card.

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
    wrong = _wrong_with(content)
    if wrong:
        raise ModelError(f"{path}: not a model card of IonVolt ({wrong}). Write the model again")
    return ModelCard(**content)


def _wrong_with(content: object) -> str | None:
    if not isinstance(content, dict):
        return "no object"
    if "name" not in content:
        return "no name"
    defaults = asdict(ModelCard(""))
    for name, value in content.items():
        if name not in defaults:
            return f"unknown: {name}"
        if type(value) is not type(defaults[name]):
            return f"{name} is no {type(defaults[name]).__name__}"
    card = ModelCard(**content)
    if card.kind not in KINDS or card.ties not in get_args(Ties) or card.n_members < 1:
        return f"kind {card.kind}, ties {card.ties}, {card.n_members} members"
    return None
