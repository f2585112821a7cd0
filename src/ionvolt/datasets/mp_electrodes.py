"""Insertion-electrode documents of the Materials Project as the rows that the importer reads.

What such documents are known for: ``thermo_type`` is null; ``battery_id`` names the electrode's smallest id and not
its charged end, and newer ones leave it out; ids come as numbers or as letters; any field may be missing or null.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ionvolt.datasets.sources import AS_PUBLISHED
from ionvolt.datasets.tables import Row
from ionvolt.errors import InputError
from ionvolt.store import sha256
from ionvolt.structures import Crystal
from ionvolt.structures.materials_project import is_id, usual_id
from ionvolt.structures.mp_records import crystal_of

Document = dict[str, Any]

_PLAIN = (
    "average_voltage", "formula_charge", "formula_discharge", "num_steps", "capacity_grav", "max_delta_volume",
    "stability_charge", "stability_discharge",
)  # fmt: skip
_STEP = (
    "average_voltage", "formula_charge", "formula_discharge", "id_charge", "id_discharge", "max_delta_volume",
    "fracA_charge", "fracA_discharge", "capacity_grav", "stability_charge", "stability_discharge",
)  # fmt: skip


def key_of(document: Document, ion: str) -> tuple[str, str]:
    """What an electrode is known by: its charged end and the ion; where there is none, what else it holds."""
    ends = ends_of(document)
    return ends[0] or digest(document), ion


def ends_of(document: Document) -> tuple[str | None, str | None]:
    """Ids of the charged and the discharged end, if need be out of the first and the last step."""
    steps = _steps(document)
    charged = document.get("id_charge") or (steps[0].get("id_charge") if steps else None)
    discharged = document.get("id_discharge") or (steps[-1].get("id_discharge") if steps else None)
    return _id(charged), _id(discharged)


def row_of(document: Document, ion: str) -> Row:
    """The document as text cells, empty ones left out; numbers keep every digit.

    Args:
        document: As the service gave it.
        ion: The working ion that was asked for, where the document states none.
    """
    steps = _steps(document)
    charged, discharged = ends_of(document)
    symbol = document.get("working_ion") or ion
    cells: dict[str, Any] = {
        "battery_id": _battery_id(document, str(symbol), steps),
        "working_ion": symbol,
        "id_charge": charged,
        "id_discharge": discharged,
        **{name: document.get(name) for name in _PLAIN},
    }
    if steps:
        cells["num_steps"] = len(steps) if cells["num_steps"] is None else cells["num_steps"]
        cells["steps"] = json.dumps([_step(step) for step in steps])
    return {
        name: value if isinstance(value, str) else repr(value) for name, value in cells.items() if value is not None
    }


class Checksum:
    """sha256 over documents, whatever the order in which they and their fields came."""

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        self._digests = [digest(document) for document in documents]

    def add(self, document: Document) -> None:
        """One more document."""
        self._digests.append(digest(document))

    def record(self, place: str) -> dict[str, str]:
        """Place, number and checksum of the documents, for the provenance."""
        text = "".join(sorted(self._digests))
        return {
            "name": f"{place} ({len(self._digests)} documents)",
            "sha256": sha256([text.encode()]),
        }


class Materials:
    """Crystals by id out of summary documents: each is read and checked as it is added, the document is not kept.

    Args:
        place: Where they come from.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._checksum = Checksum()
        self._found: dict[str, Crystal | InputError] = {}

    def add(self, mp_id: str, document: Document | None) -> None:
        """Read the document of an id; None stands for a material that the service does not have."""
        if document is None:
            self._found[mp_id] = InputError(
                mp_id, "the Materials Project has no such material (any more)", "It can only be left out"
            )
            return
        self._checksum.add(document)
        try:
            crystal = crystal_of(document.get("structure"), mp_id, AS_PUBLISHED)
            if document.get("deprecated"):
                crystal = replace(crystal, warnings=(*crystal.warnings, f"{mp_id} is deprecated"))
            self._found[mp_id] = crystal
        except InputError as error:
            self._found[mp_id] = error

    def find(self, key: str) -> Crystal:
        """The crystal of an id; raises the ``InputError`` that refused it."""
        found = self._found.get(key)
        if found is None:
            raise InputError(key or "(no id)", "the documents name no such material", "It can only be left out")
        if isinstance(found, InputError):
            raise found
        return found

    def record(self) -> dict[str, str]:
        """Place, number and checksum of the documents."""
        return self._checksum.record(self._place)


def _steps(document: Document) -> list[Document]:
    pairs = document.get("adj_pairs")
    return [pair for pair in pairs if isinstance(pair, dict)] if isinstance(pairs, list) else []


def _step(pair: Document) -> Document:
    def cell(name: str) -> Any:
        return _id(pair[name]) if name.startswith("id_") else pair[name]

    return {name: cell(name) for name in _STEP if pair.get(name) is not None}


def _battery_id(document: Document, ion: str, steps: list[Document]) -> str | None:
    """The id that is stated, or the smallest material and the ion, as the service makes it."""
    if stated := document.get("battery_id"):
        material, _, suffix = str(stated).partition("_")
        return f"{usual_id(material)}_{suffix or ion}"
    materials = document.get("material_ids")
    ids = {_id(i) for i in materials} if isinstance(materials, list) else set()
    ids |= {_id(step.get(name)) for step in [document, *steps] for name in ("id_charge", "id_discharge")}
    numbered = sorted((i for i in ids if i and is_id(i) and not i.startswith("mvc")), key=_place)
    return f"{numbered[0]}_{ion}" if numbered else None


def _place(mp_id: str) -> tuple[bool, int, str]:
    tail = mp_id.partition("-")[2]
    return (False, int(tail), "") if tail.isdecimal() else (True, 0, tail)


def _id(value: object) -> str | None:
    return usual_id(value) if isinstance(value, str | int) and value else None


def digest(document: Document) -> str:
    """sha256 of a document, whatever the order of its fields."""
    return sha256([json.dumps(document, sort_keys=True, separators=(",", ":")).encode()])
