"""Structures as JSON: pymatgen's dictionaries, documents of the Materials Project, and OPTIMADE.

A document is read as plain numbers. pymatgen's own reader of such documents imports modules that they name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NoReturn

import numpy as np

from ionvolt.structures.checks import check_atom_count
from ionvolt.structures.contents import Contents, Entry, named
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderedCrystal, ordered, rounded
from ionvolt.structures.elements import from_symbol
from ionvolt.structures.formulas import doubt, parse_formula
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import refusal, shown

_NAMES = ("material_id", "entry_id", "task_id", "id", "name")
_KNOWN = "Give a pymatgen structure, a Materials Project document with one, or an OPTIMADE response"
_DEEPEST = 4


def read_json(text: str, source: str, limits: Limits = DEFAULT_LIMITS) -> Contents:
    """The structures in a JSON file.

    Args:
        text: The JSON.
        source: Its name, for messages.
        limits: The bounds.

    Raises:
        InputError: It is no JSON, or holds no structure.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep, or an endless number"
        raise refusal(source, f"no structure in it: not valid JSON ({reason})", _KNOWN) from error
    return of_document(document, source, limits)


def of_document(document: object, source: str, limits: Limits = DEFAULT_LIMITS) -> Contents:
    """The structures in a document that was parsed already.

    Raises:
        InputError: It holds none.
    """
    entries: list[Entry] = []
    for name, record in _records(document, "", 0):
        entries.append(
            Entry(name, partial(_crystal, record, limits=limits), partial(_disordered, record, limits=limits))
        )
        if len(entries) > limits.max_blocks:
            raise refusal(source, f"more than {limits.max_blocks} structures", "Give fewer a file")
    if not entries:
        kind = document.get("@class") if isinstance(document, dict) else None
        what = f"JSON of a {shown(kind)[1:-1]}" if isinstance(kind, str) else "JSON without lattice and sites"
        raise refusal(source, f"no structure in it: {what}", _KNOWN)
    return Contents(named(entries))


def is_structure(document: object) -> bool:
    """Whether a dictionary is laid out as one structure or holds some."""
    return next(_records(document, "", 0), None) is not None


def structure_of(document: object, source: str, limits: Limits = DEFAULT_LIMITS) -> DisorderedCrystal:
    """The crystal of pymatgen's ``Structure.as_dict``, with the occupancies of its sites.

    Args:
        document: ``lattice.matrix`` (3, 3) in Å, and ``sites``, each with its ``species`` and ``abc``.
        source: What to call it, such as the id.
        limits: The bounds.

    Raises:
        InputError: It is no such document, or names what is no element.
    """

    def refuse(rule: str, remedy: str = "Leave it out") -> NoReturn:
        raise refusal(source, rule, remedy)

    if not _is_structure(document):
        refuse("its structure is not laid out as a crystal", "Give lattice and sites as pymatgen writes them")
    assert isinstance(document, dict)
    listed: list[Any] = document["sites"]
    check_atom_count(source, len(listed), limits)
    if not listed:
        refuse("it holds no atoms", "Give a crystal structure with at least one atom")
    notes: list[str] = []
    sites: list[dict[int, float]] = []
    try:
        if not all(document["lattice"].get("pbc", [True])):
            refuse("it is not periodic in all three directions", "Give a crystal")
        lattice = np.array(document["lattice"]["matrix"], dtype=np.float64).reshape(3, 3)
        places = np.array([site["abc"] for site in listed], dtype=np.float64).reshape(-1, 3)
        for site in listed:
            shares: dict[int, float] = {}
            for species in site["species"]:
                number, note = from_symbol(str(species["element"]))
                if not number:
                    refuse(f"{shown(species['element'])} is no element", "Name the element of every site")
                notes += [note] if note else []
                shares[number] = shares.get(number, 0.0) + _share(species.get("occu", 1.0), source)
            sites.append(_site(shares, source, limits))
        crystal = DisorderedCrystal(lattice, places, tuple(sites), source, tuple(dict.fromkeys(notes)))
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        refuse("its structure is not laid out as a crystal", "Give lattice and sites as pymatgen writes them")
    return crystal


def _optimade(record: Mapping[str, Any], source: str, limits: Limits) -> DisorderedCrystal:
    """The crystal of an OPTIMADE entry of type ``structures``."""

    def refuse(rule: str, remedy: str = _KNOWN) -> NoReturn:
        raise refusal(source, rule, remedy)

    notes: list[str] = []
    try:
        if record.get("nperiodic_dimensions") not in (None, 3) or not all(record.get("dimension_types") or [1]):
            refuse("it is not periodic in all three directions", "Give a crystal")
        features = record.get("structure_features") or []
        if "assemblies" in features or record.get("assemblies"):
            refuse("its disorder is of groups of sites that go together (assemblies)", "Keep one of the alternatives")
        if "implicit_atoms" in features:
            refuse("atoms of its formula have no place (implicit_atoms)", "Add them with their coordinates")
        if any(kind.get("attached") for kind in record["species"]):
            refuse("atoms are only stated as attached to others, without places", "Add them with their coordinates")
        lattice = np.array(record["lattice_vectors"], dtype=np.float64).reshape(3, 3)
        cartesian = np.array(record["cartesian_site_positions"], dtype=np.float64).reshape(-1, 3)
        names = record["species_at_sites"]
        check_atom_count(source, len(cartesian), limits)
        kinds: dict[str, dict[int, float]] = {}
        for kind in record["species"]:
            shares: dict[int, float] = {}
            for symbol, share in zip(kind["chemical_symbols"], kind["concentration"], strict=True):
                if symbol == "vacancy":
                    continue
                number, note = from_symbol(str(symbol))
                if not number:
                    refuse(f"{shown(symbol)} is no element", "Name the element of every site")
                notes += [note] if note else []
                shares[number] = shares.get(number, 0.0) + _share(share, source)
            kinds[kind["name"]] = shares
        sites = tuple(_site(dict(kinds[name]), source, limits) for name in names)
        if not abs(np.linalg.det(lattice)) > 1e-12 or not np.isfinite(cartesian).all():
            refuse("the cell has no volume, or a position is no number", "Check the cell vectors")
        places = np.asarray(np.linalg.solve(lattice.T, cartesian.T).T, dtype=np.float64)
        if len(sites) != len(places) or not sites:
            refuse(f"it names {len(sites)} sites and places {len(places)}", "Give a position for every site")
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, np.linalg.LinAlgError):
        refuse("its structure is not laid out as OPTIMADE has it")
    amounts: dict[int, float] = {}
    for site in sites:
        for number, share in site.items():
            amounts[number] = amounts.get(number, 0.0) + share
    stated = parse_formula(str(record.get("chemical_formula_reduced") or ""))
    doubts = doubt(stated, amounts, all(sum(site.values()) == 1.0 and len(site) == 1 for site in sites))
    return DisorderedCrystal(lattice, places, sites, source, tuple(dict.fromkeys((*doubts, *notes))), tuple(doubts))


def _disordered(record: Mapping[str, Any], source: str, limits: Limits) -> DisorderedCrystal:
    reader = _optimade if "lattice_vectors" in record else structure_of
    crystal = reader(record, source, limits)
    occupied = [k for k, site in enumerate(crystal.sites) if site]
    if not occupied:
        raise refusal(source, "no site is occupied", "Give a crystal structure with at least one atom")
    return DisorderedCrystal(
        crystal.lattice,
        crystal.frac_coords[occupied],
        tuple(crystal.sites[k] for k in occupied),
        source,
        crystal.warnings,
        crystal.doubts,
    )


def _crystal(record: Mapping[str, Any], source: str, limits: Limits) -> Crystal:
    return ordered(_disordered(record, source, limits), limits=limits)


def _share(value: object, source: str) -> float:
    share = float(value)  # type: ignore[arg-type]
    if not 0.0 <= share <= 1.1:
        raise refusal(source, f"an occupancy is {share:g}", "Give occupancies from 0 to 1")
    return share


def _site(shares: dict[int, float], source: str, limits: Limits) -> dict[int, float]:
    present = {number: share for number, share in shares.items() if share > 0.0}
    if sum(present.values()) > 1.02:
        raise refusal(source, f"the occupancies of a site add up to {sum(present.values()):.3g}", "Check them")
    return rounded(present, limits)


def _records(document: object, name: str, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every structure in a document, with what the document calls it."""
    if depth > _DEEPEST:
        return
    if isinstance(document, list):
        for part in document:
            yield from _records(part, "", depth + 1)
    elif isinstance(document, dict):
        name = next((text for key in _NAMES if isinstance(text := document.get(key), str) and text), name)
        if _is_structure(document) or "lattice_vectors" in document:
            yield name, document
        elif isinstance(document.get("attributes"), dict):
            yield from _records(document["attributes"], name, depth + 1)
        elif isinstance(document.get("data"), (list, dict)) and document.get("@class") is None:
            yield from _records(document["data"], name, depth + 1)
        elif isinstance(document.get("structure"), dict):
            yield from _records(document["structure"], name, depth + 1)
        elif depth == 0:
            for key, part in document.items():
                if isinstance(part, dict) and (_is_structure(part) or "structure" in part):
                    yield from _records(part, str(key), depth + 1)


def _is_structure(document: object) -> bool:
    return (
        isinstance(document, dict)
        and isinstance(document.get("lattice"), dict)
        and "matrix" in document["lattice"]
        and isinstance(document.get("sites"), list)
    )
