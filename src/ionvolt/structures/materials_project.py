"""Crystals of the Materials Project, by id or found by formula, through its own client (extra ``mp``)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ionvolt.errors import InputError, UnavailableError
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.formulas import parse_formula
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.mp_records import crystal_of
from ionvolt.structures.wording import refusal, shown

# Numbers, or the letters that stand for them: mp-149 and mp-aaaaaaft are the same.
_ID = re.compile(r"(mp|mvc)-(?:([0-9]{1,12})|([a-z]{1,12}))")
_LAST_NUMBERED = 3_347_529
_LETTERS = 8
_MOST_FOUND = 50
_KEY_LINE = re.compile(r"""^\s*["']?PMG_MAPI_KEY["']?\s*:\s*["']?(\w+)""", re.MULTILINE)


@dataclass(frozen=True)
class Material:
    """A material that a search found.

    Attributes:
        id: Such as ``mp-25210``.
        formula: Reduced.
        space_group: Symbol, empty where not stated.
        n_atoms: In its cell; None where not stated.
        above_hull: Energy above the hull, eV/atom; None where not stated.
    """

    id: str
    formula: str
    space_group: str
    n_atoms: int | None
    above_hull: float | None


def is_id(text: str) -> bool:
    """Whether a text has the form of a Materials Project id."""
    return bool(_ID.fullmatch(text))


def check_id(mp_id: str) -> str:
    """The id in its usual form.

    Raises:
        InputError: It is none.
    """
    cleaned = mp_id.strip().lower()
    if not _ID.fullmatch(cleaned):
        raise refusal(shown(mp_id)[1:-1] or "id", "no id of the Materials Project", "Give one such as mp-25210")
    return cleaned


def usual_id(text: object) -> str:
    """The one spelling of an id: ``mp-149`` for ``mp-149``, ``mp-ft`` and ``mp-aaaaaaft``; others as they are.

    Ids up to 3347529 were given out as numbers and keep them, later ones are eight letters: numbers to the base 26 with
    the digits a to z, as ``emmet.core.mpid.AlphaID`` has them.
    """
    name = str(text).strip()
    found = _ID.fullmatch(f"mp-{name}" if name.isdecimal() else name)
    if not found:
        return name
    prefix, digits, letters = found.groups()
    number = int(digits) if digits else 0
    for letter in letters or "":
        number = 26 * number + ord(letter) - ord("a")
    if number <= _LAST_NUMBERED:
        return f"{prefix}-{number}"
    spelled = ""
    while number:
        number, place = divmod(number, 26)
        spelled = chr(ord("a") + place) + spelled
    return f"{prefix}-{spelled.rjust(_LETTERS, 'a')}"


def find_key(key: str | None = None) -> str | None:
    """The key: the one given, ``MP_API_KEY``, or ``PMG_MAPI_KEY`` in ``~/.config/.pmgrc.yaml``."""
    found = (key or os.environ.get("MP_API_KEY") or "").strip()
    if found:
        return found
    try:
        match = _KEY_LINE.search((Path.home() / ".config" / ".pmgrc.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):
        return None
    return match[1] if match else None


def require_key(mp_id: str, key: str | None = None) -> str:
    """``find_key``, or an error that says where to get one.

    Raises:
        UnavailableError: There is no key.
    """
    found = find_key(key)
    if found is None:
        raise UnavailableError(
            mp_id, "no Materials Project key", "Get one at materialsproject.org/api and set MP_API_KEY"
        )
    return found


def fetch_crystal(
    mp_id: str, key: str | None = None, *, endpoint: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> Crystal:
    """Fetch the relaxed structure of a material.

    Args:
        mp_id: Id: ``mp-25210``.
        key: API key; ``MP_API_KEY`` or ``PMG_MAPI_KEY`` of ``~/.config/.pmgrc.yaml`` otherwise.
        endpoint: Address of the API, if not the Materials Project's own.
        limits: The bounds.

    Returns:
        The checked crystal; its ``source`` is the id.

    Raises:
        UnavailableError: No key, a key that is refused, no client or no connection.
        InputError: No id, no such material, or a structure that cannot be used.
    """
    cleaned = check_id(mp_id)
    found = require_key(cleaned, key)
    require_client(cleaned)
    from ionvolt.structures.mp_client import ONE_CRYSTAL, connected

    with connected(found, endpoint, source=cleaned, patience=ONE_CRYSTAL) as service:
        documents = service.ask(lambda r: r.materials.search(material_ids=cleaned, fields=["structure"]))
    if not documents:
        raise InputError(cleaned, "the Materials Project has no such material", "Check the id at materialsproject.org")
    return crystal_of(documents[0].get("structure"), cleaned, limits)


def search_materials(formula: str, key: str | None = None, *, endpoint: str | None = None) -> list[Material]:
    """Materials of a formula, the most stable first, 50 at most.

    Raises:
        UnavailableError: No key, a key that is refused, no client or no connection.
        InputError: No formula.
    """
    name = shown(formula.strip()[:100])[1:-1] or "formula"
    if parse_formula(formula) is None:
        raise refusal(name, "no formula", "Give one such as MgMn2O4, or an id such as mp-25210")
    found = require_key(name, key)
    require_client(name)
    from ionvolt.structures.mp_client import ONE_CRYSTAL, connected

    fields = ["material_id", "formula_pretty", "symmetry", "nsites", "energy_above_hull"]
    with connected(found, endpoint, source=name, patience=ONE_CRYSTAL) as service:
        documents = service.ask(
            lambda r: r.materials.summary.search(
                formula=formula.strip(), fields=fields, num_chunks=1, chunk_size=_MOST_FOUND
            )
        )
    materials = [_material(document) for document in documents if isinstance(document, dict)]
    return sorted(materials, key=lambda m: (m.above_hull is None, m.above_hull or 0.0, m.id))


def _material(document: dict[str, object]) -> Material:
    symmetry = document.get("symmetry")
    symbol = symmetry.get("symbol") if isinstance(symmetry, dict) else None
    n_atoms, above = document.get("nsites"), document.get("energy_above_hull")
    return Material(
        usual_id(document.get("material_id")),
        str(document.get("formula_pretty") or ""),
        str(symbol or ""),
        n_atoms if isinstance(n_atoms, int) else None,
        float(above) if isinstance(above, int | float) else None,
    )


def require_client(source: str) -> None:
    """See that the Materials Project's client is there.

    Raises:
        UnavailableError: It is not installed.
    """
    try:
        import mp_api.client  # noqa: F401
        import requests  # noqa: F401
    except ImportError as error:
        raise UnavailableError(
            source, "the client of the Materials Project is not installed", "Install it: pip install 'ionvolt[mp]'"
        ) from error
