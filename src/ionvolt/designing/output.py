"""What a design leaves in its folder: a table, JSON, a picture, CIFs, inputs for VASP."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

from ionvolt.designing.drawing import draw_designs
from ionvolt.designing.records import Design, DesignResult
from ionvolt.errors import InputError
from ionvolt.explain.figures import save
from ionvolt.physics.vasp import write_vasp
from ionvolt.store import atomic_file, atomic_folder, write_json, write_rows
from ionvolt.structures.writing import structure_text

TABLE, JSON, PICTURE, STRUCTURES, VASP = "candidates.csv", "design.json", "front.png", "structures", "vasp"


def write_results(result: DesignResult, folder: Path) -> None:
    """Write everything; what an earlier run of the same design wrote is replaced.

    Raises:
        DataError: The folder cannot be written.
    """
    write_rows(folder / TABLE, [_row(one) for one in result.designs])
    write_json(folder / JSON, result.to_dict())
    with atomic_file(folder / PICTURE) as part:
        # The ending of the name says what is written.
        drawn = part.with_suffix(".png")
        save(draw_designs(result=result), drawn)
        drawn.replace(part)
    with atomic_folder(folder / STRUCTURES) as part:
        for one in result.designs:
            for end, crystal in (("discharged", one.discharged), ("charged", one.charged)):
                if crystal is not None:
                    (part / f"{name_of(one)}-{end}.cif").write_text(structure_text(crystal, "cif"), encoding="utf-8")
    with atomic_folder(folder / VASP) as part:
        for one in result.designs:
            if one.charged is not None:
                # An element without settings is no reason to lose the others.
                with contextlib.suppress(InputError):
                    write_vasp(one.discharged, part / name_of(one) / "discharged")
                    write_vasp(one.charged, part / name_of(one) / "charged")


def name_of(one: Design) -> str:
    """What the files of an electrode are called: rank and formula."""
    return f"{one.rank:03d}-{re.sub(r'[^A-Za-z0-9.]', '', one.formula)}"


def _row(one: Design) -> dict[str, Any]:
    content = one.to_dict()
    lists = {name: "; ".join(content[name]) for name in ("substitutions", "missed", "warnings")}
    return content | lists
