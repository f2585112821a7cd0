"""What the Materials Project is asked for, in the words of its client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ionvolt.datasets.mp_electrodes import Document
from ionvolt.structures.materials_project import is_id, usual_id

if TYPE_CHECKING:
    from ionvolt.structures.mp_client import Service

FIELDS = (
    "battery_id", "material_ids", "working_ion", "average_voltage", "formula_charge", "formula_discharge", "id_charge",
    "id_discharge", "num_steps", "capacity_grav", "max_delta_volume", "stability_charge", "stability_discharge",
    "adj_pairs", "warnings", "last_updated",
)  # fmt: skip
"""Fields to ask for, as far as the client knows them."""


def count_electrodes(rester: Any, ion: str) -> int:
    """How many insertion electrodes of an ion there are."""
    # The client's own count leaves the number and the fields of documents to the service, which then sends a hundred.
    return int(_electrodes(rester).count({"working_ion": ion, "_limit": 1, "_fields": "id_charge"}))


def page_of_electrodes(rester: Any, ion: str, page: int, size: int) -> list[Document]:
    """One page of the insertion electrodes of an ion, in the order of their charged ends.

    Args:
        rester: The client.
        ion: Working ion.
        page: Its number, from 1 (0 would be the first page once more).
        size: Documents a page.
    """
    electrodes = _electrodes(rester)
    known = set(electrodes.available_fields)  # worked out anew at every look
    found = electrodes.search(
        working_ion=ion,
        fields=[name for name in FIELDS if name in known],
        num_chunks=1,
        chunk_size=size,
        _page=page,
        _sort_fields="id_charge",
    )
    return _documents(found)


def summaries(service: Service, ids: list[str]) -> dict[str, Document]:
    """Summary documents with the structures of some materials, by usual id; those that do not exist are left out."""
    found: dict[str, Document] = {}
    # Deprecated materials come only where they are asked for as such.
    for deprecated in (None, True):
        # The client takes no list with an id in it that it does not understand.
        wanted = [i for i in ids if i not in found and is_id(i)]
        if wanted:
            documents = service.ask(_summaries, wanted, deprecated)
            found |= {usual_id(document.get("material_id")): document for document in documents}
    return found


def _summaries(rester: Any, ids: list[str], deprecated: bool | None) -> list[Document]:
    found = rester.materials.summary.search(
        material_ids=ids, deprecated=deprecated, fields=["material_id", "structure", "deprecated"], chunk_size=1000
    )
    return _documents(found)


def _electrodes(rester: Any) -> Any:
    return rester.materials.insertion_electrodes


def _documents(found: list[Any]) -> list[Document]:
    return [document for document in found if isinstance(document, dict)]
