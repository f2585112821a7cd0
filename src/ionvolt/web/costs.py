"""What an answer costs, before it is asked for: atoms times ions times model, corrected by what answers did cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

LARGE_IONS = ("K", "Rb", "Cs")
"""The host is stretched and relaxed for them."""

SECONDS = {
    "read": (0.005, 0.00005),
    "relaxation": (0.01, 0.002),
    "compute": (2.5, 0.7),
    "profile": (10.0, 4.0),
    "order": (30.0, 4.0),
    "design": (10.0, 0.3),
    "cgcnn": (0.004, 0.0001),
    "classical": (0.02, 0.0001),
    "quick": (0.003, 0.0001),
    "foundation": (0.06, 0.003),
    "delta": (0.06, 0.003),
}
"""Seconds of one core for one ion and, more, for each atom."""

LARGE_FACTOR = 3.5
GUESSED_ATOMS = 30
FEWEST_ATOMS, MOST_ATOMS = 4, 500
SLOW = 0.1
"""Seconds: where an ion takes longer, each is a piece of work of its own."""

LEARNING = 0.1
BOUNDS = (0.2, 20.0)


@dataclass
class Costs:
    """Estimates of seconds.

    Attributes:
        kinds: Kind of each model, by name.
        factors: By how much answers of a model take longer than thought, here and now.
    """

    kinds: dict[str, str]
    factors: dict[str, float] = field(default_factory=dict)

    def one(self, model: str, ion: str, n_atoms: int) -> float:
        """Seconds for one ion."""
        base, each = SECONDS.get(self.kinds.get(model, ""), SECONDS["foundation"])
        large = LARGE_FACTOR if ion in LARGE_IONS and self.slow(model) else 1.0
        return self.factors.get(model, 1.0) * large * (base + each * n_atoms)

    def many(self, model: str, ions: Sequence[str], n_atoms: int) -> float:
        """Seconds for some ions."""
        return sum(self.one(model, ion, n_atoms) for ion in ions)

    def slow(self, model: str) -> bool:
        """Whether each ion is a piece of work of its own."""
        base, each = SECONDS.get(self.kinds.get(model, ""), SECONDS["foundation"])
        return base + each * GUESSED_ATOMS > SLOW

    def learn(self, model: str, thought: float, took: float) -> None:
        """Take note of what an answer took."""
        factor = self.factors.get(model, 1.0)
        fresh = factor * took / max(thought, 1e-6)
        low, high = BOUNDS
        self.factors[model] = min(high, max(low, factor + LEARNING * (fresh - factor)))


def guessed_atoms(structure: dict[str, Any]) -> int:
    """Atoms of a structure that has not been read: about one a line."""
    if "numbers" in structure:
        return len(structure["numbers"])
    text = structure.get("text") or structure.get("base64")
    if text is None:
        return GUESSED_ATOMS
    lines = text.count("\n") if "text" in structure else len(text) // 50
    return min(MOST_ATOMS, max(FEWEST_ATOMS, lines - 20))
