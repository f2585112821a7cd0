"""The bundled crystals."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ionvolt.ions import WORKING_IONS

FOLDER = Path(__file__).parent.parent / "examples"

DEFAULT_IONS = ("Li", "Mg")
"""What a host that holds no working ion is shown with."""


def example_text(name: str) -> str | None:
    """The CIF of an example; None where there is none of the name."""
    return _texts().get(name)


def example_names() -> list[str]:
    """Ids of the examples."""
    return list(_texts())


def examples() -> list[dict[str, Any]]:
    """Id, formula, title and ions of every example."""
    return [_facts(name, text) for name, text in _texts().items()]


@lru_cache(maxsize=1)
def _texts() -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.cif"))}


def _facts(name: str, text: str) -> dict[str, Any]:
    from ionvolt.structures import read_text  # heavy; the server itself does without

    crystal = read_text(text, name)
    first = text.splitlines()[0]
    held = [ion for ion in WORKING_IONS if ion in crystal.symbols]
    return {
        "id": name,
        "formula": crystal.formula,
        "title": first.removeprefix("#").strip() if first.startswith("#") else crystal.formula,
        "ions": held or list(DEFAULT_IONS),
    }
