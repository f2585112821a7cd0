"""A toy data set: layered crystals with made-up voltages, a few of which stop at a half-filled host."""

import numpy as np

from ionvolt.datasets import Electrode, ElectrodeSet
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.testing import layered

METALS = {"Li": (22, 23, 24, 25, 26, 27, 28), "Na": (22, 24, 25, 27, 28), "Mg": (22, 23, 24, 25)}
SIZES = {"Li": (2.85, 14.2), "Na": (2.95, 15.8), "Mg": (2.95, 14.6)}


def electrode(ion: str, metal: int, partly: bool) -> Electrode:
    """An oxide of a metal; partly: two cells, of whose two ions one stays."""
    a, c = SIZES[ion]
    number, symbol = WORKING_IONS[ion].number, SYMBOLS[metal]
    discharged = layered(ion, symbol, a + 0.01 * (28 - metal), c).discharged
    charged = remove_ion(discharged, WORKING_IONS[ion])
    if partly:
        discharged = Crystal.from_pymatgen(discharged.to_pymatgen().make_supercell((2, 1, 1)))
        first = int(np.flatnonzero(discharged.numbers == number)[0])
        kept = np.arange(len(discharged)) != first
        charged = Crystal(discharged.lattice, discharged.numbers[kept], discharged.frac_coords[kept])
    name = f"{ion}{symbol}{'-half' if partly else ''}"
    voltage = 2.0 + 0.25 * (metal - 22) - 0.6 * (ion == "Mg") - 0.3 * (ion == "Na") - 0.4 * partly
    return Electrode(
        battery_id=name,
        working_ion=ion,
        average_voltage=voltage,
        formula_charge=f"{symbol}O2",
        host=charged,
        framework=f"{symbol}O2",
        snapshot="toy",
        id_charge=f"{name}-charged",
        id_discharge=f"{name}-discharged",
        discharged=discharged,
    )


def toy() -> ElectrodeSet:
    """Nineteen electrodes of three ions and seven frameworks."""
    whole = [electrode(ion, metal, False) for ion, metals in METALS.items() for metal in metals]
    partly = [electrode("Li", metal, True) for metal in (23, 25, 27)]
    return ElectrodeSet(whole + partly)


def many() -> ElectrodeSet:
    """Fifty-eight electrodes of two ions, enough rows to train networks on."""
    found = []
    for ion, metals in (("Li", range(21, 31)), ("Mg", range(21, 29))):
        a, c = SIZES[ion]
        for metal in metals:
            for k in range(4 if ion == "Li" else 2):
                symbol = SYMBOLS[metal]
                anion = (8, 16, 34, 9)[k]
                discharged = layered(ion, symbol, a + 0.1 * k, c + 0.3 * k).discharged
                numbers = np.where(discharged.numbers == 8, anion, discharged.numbers)
                discharged = Crystal(discharged.lattice, numbers, discharged.frac_coords)
                formula, name = f"{symbol}{SYMBOLS[anion]}2", f"{ion}{symbol}{SYMBOLS[anion]}"
                found.append(
                    Electrode(
                        battery_id=name,
                        working_ion=ion,
                        average_voltage=1.5 + 0.2 * (metal - 21) + 0.3 * (anion == 9) - 0.5 * (ion == "Mg"),
                        formula_charge=formula,
                        host=remove_ion(discharged, WORKING_IONS[ion]),
                        framework=formula,
                        snapshot="toy",
                        id_charge=f"{name}-charged",
                        id_discharge=f"{name}-discharged",
                        discharged=discharged,
                    )
                )
    return ElectrodeSet(found)
