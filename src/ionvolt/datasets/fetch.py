"""Insertion electrodes and both their ends from the Materials Project, through its own client (extra ``mp``).

Small requests, one after the other, each answer kept beside the output before the next is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionvolt._version import __version__
from ionvolt.datasets.importers import MATERIALS_PROJECT, Imported, build
from ionvolt.datasets.mp_electrodes import Checksum, Document, Materials, digest, ends_of, key_of, row_of
from ionvolt.datasets.mp_requests import count_electrodes, page_of_electrodes, summaries
from ionvolt.datasets.parts import FetchedParts
from ionvolt.errors import DataError, UnavailableError
from ionvolt.ions import working_ion
from ionvolt.structures.materials_project import require_client, require_key
from ionvolt.typing import LogCallback, ProgressCallback, no_progress

if TYPE_CHECKING:
    from ionvolt.structures.mp_client import Patience, Service

Key = tuple[str, str]

PAGE = 250
"""Electrodes a request (the service allows 1000)."""
BATCH = 100
"""Materials a request; their ids travel in its address."""
_SOURCE = "Materials Project"


@dataclass(frozen=True)
class Fetch:
    """Where to fetch from and whom to tell.

    Attributes:
        parts: What has come so far.
        service: The client and its database.
        progress: Called with how much is done, of how much, and what.
    """

    parts: FetchedParts
    service: Service
    progress: ProgressCallback


def parts_of(output: Path) -> FetchedParts:
    """Where a fetch keeps what it has, beside its output."""
    return FetchedParts(output.with_name(output.name + ".parts"))


def fetch_source(
    ions: Sequence[str],
    parts: FetchedParts,
    *,
    key: str | None = None,
    endpoint: str | None = None,
    progress: ProgressCallback = no_progress,
    log: LogCallback | None = None,
    patience: Patience | None = None,
) -> Imported:
    """Fetch all insertion electrodes of some ions.

    Args:
        ions: Working ions.
        parts: Kept until the caller has written the result and removes them; a fetch that ended early goes on there.
        key: API key; ``MP_API_KEY`` or ``PMG_MAPI_KEY`` of ``~/.config/.pmgrc.yaml`` otherwise.
        endpoint: Address of the API, if not the Materials Project's own.
        progress: Called with how much is done, of how much, and what.
        log: Told why there is a pause.
        patience: How long to go on asking.

    Returns:
        The electrodes; their snapshot is ``mp`` and the version of the database.

    Raises:
        UnavailableError: No key, a refused key, no client, or no answer; what has come is kept.
        DataError: The database changed while it was read, or nothing in it is usable.
        InputError: No such working ion.
    """
    symbols = [working_ion(ion).symbol for ion in ions]
    found = require_key(_SOURCE, key)
    require_client(_SOURCE)
    from ionvolt.structures.mp_client import connected

    progress(0, 1, "connecting")
    with connected(found, endpoint, source=_SOURCE, patience=patience, log=log) as service:
        before = parts.open({"address": service.address, "database": service.database})
        if before and log:
            log(f"what an earlier fetch brought ({before}) is dropped: the database is {service.database} now")
        fetch = Fetch(parts, service, progress)
        try:
            short = [line for ion in symbols if (line := _fetch_ion(fetch, ion))]
            electrodes, notes = _electrodes(parts, symbols)
            materials = _fetch_materials(fetch, list(electrodes.values()))
            now = service.database_now()
        except UnavailableError as error:
            raise UnavailableError(
                error.source, error.rule, f"{error.remedy}; the same command goes on where this one ended"
            ) from error
    if now != service.database:
        parts.remove()
        raise DataError(
            f"{_SOURCE}: its database went from {service.database} to {now} while it was read. "
            "Run the same command again: it starts anew"
        )
    result = _dataset(electrodes, materials, service)
    result.refused[:0] = short
    result.notes[:0] = notes
    result.data.provenance["ions"] = symbols
    if not len(result.data):
        first = result.refused[0] if result.refused else f"it has no electrodes of {', '.join(symbols)}"
        raise DataError(f"{_SOURCE}: not one usable electrode. First: {first}")
    return result


def _fetch_ion(fetch: Fetch, ion: str) -> str | None:
    """Ask for the pages of an ion that have not come yet; returns what is missing in the end, in words."""
    lines = [line for line in fetch.parts.records("electrodes") if line["ion"] == ion]
    ended = next((line for line in lines if "total" in line), None)
    if ended is None:
        ended = _fetch_pages(fetch, ion, lines)
    if ended["came"] >= ended["total"]:
        return None
    return (
        f"{ion}: the Materials Project counts {ended['total']} electrodes and gave {ended['came']} different ones. "
        "Fetch again later"
    )


def _fetch_pages(fetch: Fetch, ion: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    words = f"{ion} electrodes"
    total = int(fetch.service.ask(count_electrodes, ion))
    seen = {digest(document) for line in lines for document in line["documents"]}
    start = 1 + max((line["page"] for line in lines), default=0)
    # Where rows slipped from one page to another between two requests, one more round finds them.
    for first in (start, 1):
        for page in count(first):
            if len(seen) >= total:
                break
            fetch.progress(len(seen), total, words)
            documents = fetch.service.ask(page_of_electrodes, ion, page, PAGE)
            fetch.parts.add("electrodes", [{"ion": ion, "page": page, "documents": documents}])
            seen.update(map(digest, documents))
            if not documents or page * len(documents) >= total + PAGE:
                break
    ended = {"ion": ion, "page": 0, "documents": [], "total": total, "came": len(seen)}
    fetch.parts.add("electrodes", [ended])
    return ended


def _electrodes(parts: FetchedParts, ions: list[str]) -> tuple[dict[Key, Document], list[str]]:
    """Every electrode once, ion by ion, and what was left out for another document of the same ends."""
    found: dict[Key, Document] = {}
    notes: dict[str, None] = {}
    for ion in ions:
        for line in parts.records("electrodes"):
            for document in line["documents"] if line["ion"] == ion else []:
                key = key_of(document, ion)
                other = found.get(key)
                if other is not None and digest(other) != digest(document):
                    notes[f"{key[0]}: several {ion} electrodes have this charged end; the one updated last is kept"] = (
                        None
                    )
                if other is None or _updated(document) >= _updated(other):
                    found[key] = document
    return found, list(notes)


def _updated(document: Document) -> str:
    return json.dumps(document.get("last_updated"), sort_keys=True)


def _fetch_materials(fetch: Fetch, electrodes: list[Document]) -> Materials:
    """The crystals of all ends."""
    ids = dict.fromkeys(i for document in electrodes for i in ends_of(document) if i)
    there = {line["id"] for line in fetch.parts.records("materials")}
    missing = [i for i in ids if i not in there]
    for start in range(0, len(missing), BATCH):
        fetch.progress(len(ids) - len(missing) + start, len(ids), "structures")
        batch = missing[start : start + BATCH]
        came = summaries(fetch.service, batch)
        fetch.parts.add("materials", [{"id": i, "document": came.get(i)} for i in batch])
    found = Materials(f"{fetch.service.address}materials/summary")
    for done, line in enumerate(fetch.parts.records("materials")):
        if line["id"] in ids:
            fetch.progress(done, len(ids), "checking crystals")
            found.add(line["id"], line["document"])
    return found


def _dataset(electrodes: dict[Key, Document], materials: Materials, service: Service) -> Imported:
    rows = [row_of(document, ion) for (_, ion), document in electrodes.items()]
    renamed = _apart(rows)
    snapshot = f"mp{service.database}"
    result = build(rows, materials, None, snapshot, None)
    result.notes[:0] = renamed
    electrode_files = Checksum(electrodes.values()).record(f"{service.address}materials/insertion_electrodes")
    result.data.provenance = {
        "source": _SOURCE,
        "snapshot": snapshot,
        **MATERIALS_PROJECT,
        "database": service.database,
        "files": [electrode_files, materials.record()],
        "ionvolt": __version__,
        "rows_read": len(rows),
        "rows_refused": len(result.refused),
        "refused": result.refused,
        "incomplete": result.incomplete,
        "notes": result.notes,
        "cleaning": [],
    }
    return result


def _apart(rows: list[dict[str, str]]) -> list[str]:
    """Name rows after their charged end where several share a battery id; returns what was renamed."""
    seen: set[str | None] = set()
    notes = []
    for row in rows:
        stated = row.get("battery_id")
        if stated is not None and stated in seen and "id_charge" in row:
            row["battery_id"] = f"{row['id_charge']}_{row['working_ion']}"
            notes.append(f"{row['battery_id']}: it shares the battery id {stated} with another electrode")
        seen.add(row.get("battery_id"))
    return notes
