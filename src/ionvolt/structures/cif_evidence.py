"""What a CIF says of its contents elsewhere, held against what was read from its sites."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from gemmi import cif
from numpy.typing import NDArray

from ionvolt.structures.cif_block import EMPTY, Block
from ionvolt.structures.formulas import Formula, doubt, formula_of, multiple, parse_formula, whole_cell_units
from ionvolt.structures.wording import refusal

_SUM = "_chemical_formula_sum"
_OTHERS = ("_chemical_formula_moiety", "_chemical_formula_structural", "_chemical_formula_iupac")
_NAMES = ("_chemical_name_systematic", "_chemical_name_common", "_chemical_name_mineral")
_UNITS = "_cell_formula_units_z"
_NAMES_HYDROGEN = re.compile(
    r"(?<!de)hydrate\b|hydrated\b(?<!dehydrated)|hydroxide|oxyhydroxide|hydroxo\b|hydroxy\b|\baqua\b|hydrogen|hydride\b",
    re.IGNORECASE,
)
_HYDROGEN = 1


class Evidence:
    """The formulas that a block states.

    Attributes:
        block: The block.
        source: For messages.
    """

    def __init__(self, block: Block, source: str) -> None:
        self.block = block
        self.source = source

    @cached_property
    def stated(self) -> tuple[Formula, ...]:
        """The formulas to compare with: each one given as sum, or else the first other one that can be read."""
        sums = [parse_formula(text) for text in self.block.values(_SUM)]
        found = tuple(formula for formula in sums if formula)
        if found:
            return found
        others = (parse_formula(text) for tag in _OTHERS for text in self.block.values(tag))
        first = next((formula for formula in others if formula), None)
        return (first,) if first else ()

    @cached_property
    def elements(self) -> frozenset[int] | None:
        """Every element in the stated formulas; None where none is stated."""
        return frozenset(z for formula in self.stated for z in formula.amounts) if self.stated else None

    @cached_property
    def units(self) -> float:
        """Formula units in the cell, not a number where they are not stated."""
        return cif.as_number(self.block.value(_UNITS))

    def agrees(self, amounts: Mapping[int, float], ordered: bool = True) -> bool:
        """Whether the amounts of a cell are a multiple of a stated formula."""
        return any(multiple(formula, amounts, ordered) is not None for formula in self.stated)

    def is_whole(self, amounts: Mapping[int, float], ordered: bool = True) -> bool | None:
        """Whether the amounts are those of the whole cell; None where formula and number of units do not tell."""
        if not self.stated:
            return None
        answers = [self._is_whole(formula, amounts, ordered) for formula in self.stated]
        return True if True in answers else (None if None in answers else False)

    def _is_whole(self, formula: Formula, amounts: Mapping[int, float], ordered: bool) -> bool | None:
        found = multiple(formula, amounts, ordered)
        if found is None:
            return False
        if not self.units > 0:
            return None
        # Some programs state the sum for the cell, not for one of its units.
        wanted = {self.units, 1.0} if whole_cell_units(formula) == self.units else {self.units}
        return any(abs(found - number) < 0.02 * number for number in wanted)

    def doubts(self, amounts: Mapping[int, float], ordered: bool = True) -> list[str]:
        """Reasons not to trust that these are the contents of the cell."""
        if self.stated and not self.agrees(amounts, ordered):
            return doubt(self.stated[0], amounts, ordered)
        if _HYDROGEN in amounts:
            return []
        for tag in _OTHERS:
            for text in self.block.values(tag):
                other = parse_formula(text)
                if other and _HYDROGEN in other.amounts:
                    return doubt(other, amounts, ordered)
        for text in self.block.values(*_NAMES):
            named = _NAMES_HYDROGEN.search(text)
            if named:
                return [f"its name says {named[0].lower()}, but no hydrogen was read: {formula_of(amounts)}"]
        return []

    def doubts_of_units(self, amounts: Mapping[int, float], ordered: bool = True) -> list[str]:
        """The reason not to trust the sites of a block that says nothing of its symmetry: some units are missing."""
        if self.is_whole(amounts, ordered) is not False:
            return []
        found = f"{multiple(self.stated[0], amounts, ordered) or 0.0:.3g}"
        return [
            f"the file states {self.units:g} formula units of {self.stated[0].text} in the cell, but {found} "
            f"{'was' if found == '1' else 'were'} read: its symmetry seems to be missing"
        ]

    def check_attached_hydrogens(self, amounts: Mapping[int, float], ordered: bool = True) -> None:
        """Refuse hydrogens that are only counted on the atoms that carry them.

        Raises:
            InputError: There are some, and the formula does not say that they are listed as well.
        """
        attached = self.block.column("_atom_site_attached_hydrogens")
        if not any(text not in EMPTY and cif.as_number(text) != 0.0 for text in attached):
            return
        listed = _HYDROGEN in amounts
        if not (listed and self.stated and self.agrees(amounts, ordered)):
            raise refusal(
                self.source,
                "hydrogens are only stated as attached to other atoms (_atom_site_attached_hydrogens), without places",
                "Add the hydrogen atoms with their coordinates",
            )

    def check_alternatives(
        self, marks: Sequence[tuple[str, str]], full: NDArray[np.bool_], amounts: Mapping[int, float]
    ) -> str:
        """Refuse alternatives that are all listed as there.

        Args:
            marks: For each site its disorder assembly and group.
            full: Whether the site is full, shape (n_sites,).
            amounts: What was read, by atomic number.

        Returns:
            A reservation in plain words, or "".

        Raises:
            InputError: Sites of several groups are full, and the formula does not say that all of them are there.
        """
        groups: dict[str, Counter[str]] = {}
        for (assembly, group), is_full in zip(marks, full, strict=True):
            if is_full and group not in EMPTY and group != "0":
                groups.setdefault(assembly if assembly not in EMPTY else "", Counter())[group] += 1
        if not groups:
            return ""
        several = any(len(found) > 1 or any(group.startswith("-") for group in found) for found in groups.values())
        if several and not (self.stated and self.agrees(amounts)):
            raise refusal(
                self.source,
                "sites are alternatives of each other (_atom_site_disorder_group), without occupancies",
                "Keep one of the alternatives, or give occupancies and order it with ionvolt order FILE or "
                "predict --order",
            )
        return "sites are marked as disordered; they are taken as fully occupied"
