"""The process that asks the Materials Project, so that a slow line keeps no prediction waiting."""

from __future__ import annotations

from dataclasses import asdict

from ionvolt.errors import InputError, UnavailableError
from ionvolt.structures import Limits
from ionvolt.structures.materials_project import fetch_crystal, search_materials
from ionvolt.web.link import Link, Message, Prepared, leave_signals_to_the_server


def prepare(endpoint: str | None, limits: Limits) -> Prepared:
    """What it takes to fetch crystals.

    Args:
        endpoint: Address of the API, if not the Materials Project's own.
        limits: Bounds on a structure.
    """

    def answer(task: Message, link: Link) -> Message:
        try:
            if "formula" in task:
                materials = search_materials(task["formula"], task["key"], endpoint=endpoint)
                return {"materials": [asdict(material) for material in materials]}
            crystal = fetch_crystal(task["mp_id"], task["key"], endpoint=endpoint, limits=limits)
        except InputError as error:
            kind = "unavailable" if isinstance(error, UnavailableError) else "refused"
            return {"refused": {"source": error.source, "rule": error.rule, "remedy": error.remedy}, "kind": kind}
        return {
            "name": crystal.source,
            "lattice": crystal.lattice.tolist(),
            "numbers": crystal.numbers.tolist(),
            "frac_coords": crystal.frac_coords.tolist(),
            "warnings": list(crystal.warnings),
            "doubts": list(crystal.doubts),
        }

    return Prepared(answer, {}, leave_signals_to_the_server)
