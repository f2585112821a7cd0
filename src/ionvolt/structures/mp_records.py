"""Crystals out of the documents of the Materials Project."""

from __future__ import annotations

from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import ordered
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.structure_documents import structure_of
from ionvolt.structures.wording import refusal


def crystal_of(document: object, source: str, limits: Limits = DEFAULT_LIMITS) -> Crystal:
    """The checked crystal of a ``structure`` document.

    Args:
        document: ``lattice.matrix`` (3, 3) in Å, and ``sites``, each with one fully occupied ``species`` and ``abc``.
        source: What to call it, such as the id.
        limits: The bounds.

    Raises:
        InputError: It is no such document, disordered, or breaks a physical rule.
    """
    if not isinstance(document, dict) or not isinstance(document.get("sites"), list):
        raise refusal(source, "the Materials Project gives no structure for it", "Check the id at materialsproject.org")
    return ordered(structure_of(document, source, limits), limits=limits)
