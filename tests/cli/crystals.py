"""Crystals of three simple types with random strain, and voltages that are a simple function of them."""

from __future__ import annotations

import numpy as np

from ionvolt.datasets import Electrode, ElectrodeSet, framework_of
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal

METALS = ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni")
FCC = 0.5 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])


def crystal(cell: np.ndarray, symbols: str, sites: list[list[float]], source: str = "made up") -> Crystal:
    return Crystal(cell, np.array([ATOMIC_NUMBERS[s] for s in symbols.split()]), np.array(sites, dtype=float), source)


def rock_salt(metal: str, a: float = 4.2) -> Crystal:
    return crystal(a * FCC, f"{metal} O", [[0] * 3, [0.5] * 3])


def fluorite(metal: str, a: float = 5.0) -> Crystal:
    return crystal(a * FCC, f"{metal} O O", [[0] * 3, [0.25] * 3, [0.75] * 3])


def perovskite(metal: str, a: float = 3.9, large: str = "Sr") -> Crystal:
    sites = [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return crystal(a * np.eye(3), f"{large} {metal} O O O", sites)


def small_set(n_li: int = 34, n_mg: int = 22) -> ElectrodeSet:
    rng = np.random.default_rng(7)
    rows = []
    for number in range(n_li + n_mg):
        ion = "Li" if number < n_li else "Mg"
        metal = METALS[rng.integers(len(METALS))]
        kind = (rock_salt, fluorite, perovskite)[number % 3]
        ideal = kind(metal)
        strain = np.eye(3) + rng.uniform(-0.03, 0.03, (3, 3))
        host = Crystal(ideal.lattice @ strain, ideal.numbers, ideal.frac_coords)
        voltage = 0.2 * METALS.index(metal) + (1.0, 2.0, 3.0)[number % 3] - (0.5 if ion == "Mg" else 0.0)
        rows.append(
            Electrode(
                battery_id=f"m{number}",
                working_ion=ion,
                average_voltage=float(voltage + rng.normal(0, 0.05)),
                formula_charge=host.formula,
                host=host,
                framework=framework_of(host.formula, ion),
                snapshot="made-up",
                id_charge=f"h{number}",
            )
        )
    return ElectrodeSet(rows, {"snapshot": "made-up"})


def cif(of: Crystal, name: str = "x") -> str:
    """A P1 CIF; the cell must be right-angled or cubic primitive, which is all that is needed here."""
    lengths = np.linalg.norm(of.lattice, axis=1)
    cosines = [of.lattice[i] @ of.lattice[j] / (lengths[i] * lengths[j]) for i, j in ((1, 2), (0, 2), (0, 1))]
    angles = np.degrees(np.arccos(cosines))
    text = [f"data_{name}"]
    text += [f"_cell_length_{k} {v:.8f}" for k, v in zip("abc", lengths, strict=True)]
    text += [f"_cell_angle_{k} {v:.8f}" for k, v in zip(("alpha", "beta", "gamma"), angles, strict=True)]
    text += ["_symmetry_space_group_name_H-M 'P 1'", "loop_"]
    text += [f"_atom_site_{k}" for k in ("label", "type_symbol", "fract_x", "fract_y", "fract_z")]
    for n, (symbol, site) in enumerate(zip(of.symbols, of.frac_coords, strict=True)):
        text.append(f"{symbol}{n} {symbol} " + " ".join(f"{x:.8f}" for x in site))
    return "\n".join(text) + "\n"


MG_PEROVSKITE = perovskite("Ti", 3.95, "Mg")
"""Discharged as a Mg electrode: MgTiO3, of which TiO3 is the host."""
