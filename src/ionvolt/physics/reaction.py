"""From two energies to an average voltage.

Sign: the voltage is that of the cell in which the working ion's metal is the other electrode, positive where the ion
goes into the host by itself, as everywhere in IonVolt.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from ionvolt.ions import WorkingIon
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.wording import refusal


@dataclass(frozen=True)
class IntercalationReaction:
    """How the cells of the two end members make one and the same framework, and what moves between them.

    Attributes:
        discharged_cells: Cells of the discharged crystal.
        charged_cells: Cells of the charged crystal that hold as much framework.
        n_ions: Working ions that these discharged cells hold more than the charged ones; at least 1.
    """

    discharged_cells: int
    charged_cells: int
    n_ions: int


def balance(discharged: Crystal, charged: Crystal, ion: WorkingIon) -> IntercalationReaction:
    """Match the frameworks of two end members: their compositions less the working ion must be proportional.

    The charged crystal may still hold some of the ion.

    Raises:
        InputError: The frameworks differ, there is none, or the discharged crystal does not hold more of the ion.
    """
    full, empty = _framework(discharged, ion), _framework(charged, ion)
    n_full, n_empty = sum(full.values()), sum(empty.values())
    if not full or not empty:
        bare = discharged if not full else charged
        raise refusal(
            bare.source, f"it is nothing but {ion.symbol}", "Give a compound, not the metal of the working ion"
        )
    if full.keys() != empty.keys() or any(full[element] * n_empty != empty[element] * n_full for element in full):
        raise refusal(
            discharged.source,
            f"{discharged.formula} and {charged.formula} ({charged.source}) differ by more than {ion.symbol}",
            f"Give two structures whose formulas are equal without {ion.symbol}",
        )
    common = gcd(n_full, n_empty)
    cells_full, cells_empty = n_empty // common, n_full // common
    n_ions = cells_full * discharged.composition.get(ion.symbol, 0) - cells_empty * charged.composition.get(
        ion.symbol, 0
    )
    if n_ions <= 0:
        raise refusal(
            discharged.source,
            f"{discharged.formula} holds no more {ion.symbol} than {charged.formula} ({charged.source})",
            "Give the discharged structure, which holds more of the ion, first",
        )
    return IntercalationReaction(cells_full, cells_empty, n_ions)


def average_voltage(
    e_discharged: float, e_charged: float, reaction: IntercalationReaction, metal_energy: float, ion: WorkingIon
) -> float:
    """Average voltage between two end members.

    V = -[E_discharged - E_charged - n E_metal] / (n z), with E of as many cells as make the same framework
    (Aydinol et al., Phys. Rev. B 56, 1354 (1997)). Entropy and pressure are left out: some 0.01 V.

    Args:
        e_discharged: Energy of the discharged cell, eV.
        e_charged: Energy of the charged cell, eV.
        reaction: What moves.
        metal_energy: Energy of the ion's metal, eV per atom, on the same scale.
        ion: The working ion.

    Returns:
        Volts.
    """
    n = reaction.n_ions
    gained = reaction.discharged_cells * e_discharged - reaction.charged_cells * e_charged - n * metal_energy
    return -gained / (n * ion.charge)


def volume_change(discharged: Crystal, charged: Crystal, reaction: IntercalationReaction) -> float:
    """How much the host grows when the ions go in, as a fraction of the charged host's volume."""
    full, empty = reaction.discharged_cells * discharged.volume, reaction.charged_cells * charged.volume
    return (full - empty) / empty


def _framework(crystal: Crystal, ion: WorkingIon) -> dict[str, int]:
    return {element: n for element, n in crystal.composition.items() if element != ion.symbol}
