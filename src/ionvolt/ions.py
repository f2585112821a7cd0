"""A host crystal and a working ion: charge states, capacities and energies, and the one table of ions.

Sign and unit conventions: voltages in V against the bulk metal of the working ion, positive where the ion
goes into the host by itself; capacities in mAh/g and specific energies in Wh/kg of the *discharged*
electrode, as the Materials Project gives them (``capacity_grav``, ``energy_grav``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ionvolt.errors import InputError
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.element_data import ATOMIC_MASSES

FARADAY = 96485.33212
"""Faraday constant, C/mol (CODATA 2018, exact)."""

EndMember = Literal["charged", "discharged"]
EndMembers = Literal["charged", "discharged", "both"]
"""Which end members of an electrode are known: the charged host, the discharged structure, or both."""


@dataclass(frozen=True)
class WorkingIon:
    """An ion that shuttles between the electrodes.

    Attributes:
        symbol: Element symbol.
        charge: Charge number z of the ion, in elementary charges.
    """

    symbol: str
    charge: int

    @property
    def number(self) -> int:
        """Atomic number."""
        return ATOMIC_NUMBERS[self.symbol]


WORKING_IONS: dict[str, WorkingIon] = {
    ion.symbol: ion
    for ion in (
        WorkingIon("Li", 1),
        WorkingIon("Na", 1),
        WorkingIon("K", 1),
        WorkingIon("Rb", 1),
        WorkingIon("Cs", 1),
        WorkingIon("Mg", 2),
        WorkingIon("Ca", 2),
        WorkingIon("Zn", 2),
        WorkingIon("Al", 3),
        WorkingIon("Y", 3),
    )
}


def working_ion(name: str) -> WorkingIon:
    """Look an ion up by its symbol: ``Mg``, ``mg`` and ``Mg2+`` are the same.

    Raises:
        InputError: No such working ion; the message lists the known ones.
    """
    symbol = name.strip().rstrip("+0123456789").capitalize()
    if symbol not in WORKING_IONS:
        raise InputError(name, "no such working ion", f"Choose from {', '.join(WORKING_IONS)} (or all)")
    return WORKING_IONS[symbol]


def parse_ions(text: str) -> list[WorkingIon]:
    """Read ``"Mg"``, ``"Mg,Ca"`` or ``"all"`` into working ions, in the order given, without repeats."""
    if text.strip().lower() == "all":
        return list(WORKING_IONS.values())
    ions = {ion.symbol: ion for ion in (working_ion(part) for part in text.split(",") if part.strip())}
    if not ions:
        raise InputError(text or "''", "no working ion given", f"Choose from {', '.join(WORKING_IONS)} (or all)")
    return list(ions.values())


def end_member(crystal: Crystal, ion: WorkingIon) -> EndMember:
    """What a structure is taken to be: discharged where it holds the working ion, else a charged host."""
    return "discharged" if bool(np.any(crystal.numbers == ion.number)) else "charged"


def remove_ion(crystal: Crystal, ion: WorkingIon) -> Crystal:
    """The topotactic charged host: every working ion taken out, all else left where it was.

    Raises:
        InputError: Nothing but the working ion is there.
    """
    keep = crystal.numbers != ion.number
    if not keep.any():
        raise InputError(
            crystal.source,
            f"nothing is left when {ion.symbol} is removed",
            "Give a compound, not the metal of the working ion",
        )
    return replace(crystal, numbers=crystal.numbers[keep], frac_coords=crystal.frac_coords[keep])


def formula_mass(crystal: Crystal) -> float:
    """Mass of the cell's content in g/mol."""
    return float(sum(n * ATOMIC_MASSES[ATOMIC_NUMBERS[symbol]] for symbol, n in crystal.composition.items()))


def capacity_grav(discharged: Crystal, ion: WorkingIon, left: float = 0.0) -> float:
    """Theoretical gravimetric capacity per mass of the discharged electrode.

    C = n z F / (3.6 M), in mAh/g, with n ions that leave a cell of molar mass M.

    Args:
        discharged: The discharged crystal.
        ion: Its working ion.
        left: Ions of the cell that stay when it is charged.
    """
    n_ions = int(np.sum(discharged.numbers == ion.number)) - left
    return n_ions * ion.charge * FARADAY / (3.6 * formula_mass(discharged))


def density(crystal: Crystal) -> float:
    """Mass per volume, g/cm³."""
    return formula_mass(crystal) / (crystal.volume * 0.602214076)


def volumetric(per_gram: float, discharged: Crystal) -> float:
    """A gravimetric capacity (mAh/g) or energy (Wh/kg) per volume of the discharged crystal, in mAh/cm³ or Wh/L."""
    return per_gram * density(discharged)


def capacity_of_formula(host: Crystal, ion: WorkingIon, n_ions: float) -> float:
    """``capacity_grav`` of a charged host into whose cell ``n_ions`` go."""
    mass = formula_mass(host) + n_ions * ATOMIC_MASSES[ion.number]
    return n_ions * ion.charge * FARADAY / (3.6 * mass)


def capacity_vol_of_host(host: Crystal, ion: WorkingIon, n_ions: float) -> float:
    """Capacity in mAh per cm³ of a charged host into whose cell ``n_ions`` go; that it swells is left out."""
    return n_ions * ion.charge * FARADAY / (3.6 * 0.602214076 * host.volume)


def remaining_of_formula(discharged: Crystal, ion: WorkingIon, text: str) -> int:
    """Ions that a cell of a discharged crystal keeps when it is charged as a formula or a fraction says.

    Args:
        discharged: The discharged crystal.
        ion: Its working ion.
        text: Formula of the charged electrode (``NaV2(PO4)3``), or the fraction of the ions that comes out (``0.5``).

    Raises:
        InputError: Neither, another framework, or no whole number of ions in the cell.
    """
    n = discharged.composition.get(ion.symbol, 0)
    try:
        left = n * (1 - float(text))
    except ValueError:
        left = n + _difference_to_formula(discharged, ion, text)
    if not -1e-6 <= left < n - 1e-6:
        raise InputError(
            text, f"it leaves {left:.3g} of {n} {ion.symbol} in a cell of {discharged.formula}", "Let some of them out"
        )
    if abs(left - round(left)) > 0.02:
        raise InputError(
            text,
            f"it leaves {left:.3g} {ion.symbol} in a cell of {discharged.formula} ({discharged.source})",
            "Give a cell in which a whole number of ions is left, such as a supercell",
        )
    return round(left)


def ions_of_formula(host: Crystal, ion: WorkingIon, formula: str) -> float:
    """Ions that go into a cell of a charged host until it has a discharged formula.

    Raises:
        InputError: No formula, another framework than the host's, or no more of the ion than the host holds.
    """
    n_ions = _difference_to_formula(host, ion, formula)
    if n_ions <= 1e-6:
        raise InputError(
            formula, f"holds no more {ion.symbol} than {host.formula} ({host.source})", "Give the discharged formula"
        )
    return n_ions


def _difference_to_formula(host: Crystal, ion: WorkingIon, formula: str) -> float:
    """Ions that a cell of a crystal lacks to have a formula; negative where it holds more."""
    from pymatgen.core.composition import Composition

    try:
        other = {str(e): float(n) for e, n in Composition(formula).items()}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(formula, "not a chemical formula", "Write it as MgMn2O4") from error
    amount = other.pop(ion.symbol, 0.0)
    framework = {e: float(n) for e, n in host.composition.items() if e != ion.symbol}
    cells = sum(framework.values()) / sum(other.values()) if other else 0.0
    if other.keys() != framework.keys() or any(abs(other[e] * cells - n) > 1e-3 * n for e, n in framework.items()):
        raise InputError(
            formula,
            f"differs from the host {host.formula} ({host.source}) by more than {ion.symbol}",
            f"Give the host's formula with {ion.symbol} added",
        )
    return amount * cells - host.composition.get(ion.symbol, 0)
