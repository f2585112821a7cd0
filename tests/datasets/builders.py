"""Small sets and files to test with; every number in them is made up."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from crystals import disulfide, fluorite, layered, olivine, perovskite, rock_salt, spinel
from ionvolt.datasets import Electrode, ElectrodeSet, framework_of
from ionvolt.ions import remove_ion, working_ion
from ionvolt.structures import Crystal

METALS = ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni")


def crystal(n_atoms: int = 2, source: str = "made up") -> Crystal:
    rng = np.random.default_rng(n_atoms)
    return Crystal(np.eye(3) * 4 + rng.random((3, 3)), rng.integers(1, 90, n_atoms), rng.random((n_atoms, 3)), source)


def electrode(name: str = "a", ion: str = "Mg", voltage: float = 1.0, **more: Any) -> Electrode:
    facts = {"formula_charge": "NiO", "host": crystal(), "framework": "NiO", "snapshot": "s", "id_charge": name}
    return Electrode(f"{name}_{ion}", ion, voltage, **(facts | more))


def of_frameworks(frameworks: list[str], ions: list[str] | None = None) -> ElectrodeSet:
    """One electrode for each name in the list."""
    host = crystal()
    ions = ions or ["Li"] * len(frameworks)
    return ElectrodeSet(
        [
            electrode(f"row-{i}", ion, voltage=float(i % 5), framework=name, host=host)
            for i, (name, ion) in enumerate(zip(frameworks, ions, strict=True))
        ]
    )


def small_set(n_li: int = 34, n_mg: int = 22) -> ElectrodeSet:
    """Crystals of three simple types with random strain, and voltages that are a simple function of them."""
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


def write_lines(path: Path, cifs: dict[str, str]) -> Path:
    text = "".join(json.dumps({"id": key, "cif": cif}) + "\n" for key, cif in cifs.items())
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def same(one: Electrode, other: Electrode) -> bool:
    """Whether all facts and all coordinates are equal (a structure's source and warnings are not part of a set)."""
    structures = ("host", "discharged")
    for name in Electrode.__dataclass_fields__:
        a, b = getattr(one, name), getattr(other, name)
        if name not in structures:
            if a != b:
                return False
        elif (a is None) != (b is None) or (
            a is not None
            and not all(np.array_equal(getattr(a, k), getattr(b, k)) for k in ("lattice", "numbers", "frac_coords"))
        ):
            return False
    return True


ENDS: dict[str, tuple[Crystal, str, float]] = {
    "iron": (olivine("Fe"), "Li", 4.06),
    "manganese": (olivine("Mn"), "Li", 4.31),
    "sulfide": (disulfide(), "Li", 1.88),
    "spinel": (spinel("Mg", 8.1), "Mg", 1.98),
    "cobalt": (layered("Co"), "Li", 3.75),
}
"""Discharged crystals, their ions, and about what the default model answers where the host is strained as below, V."""


def with_both_ends(**moved: float) -> ElectrodeSet:
    """Electrodes with both ends, labelled with about what the default model answers, some moved by so many V.

    The last one, ``cobalt``, is out of the default model's domain.
    """
    return ElectrodeSet([_with_both_ends(name, moved.get(name, 0.0)) for name in ENDS], {"snapshot": "made-up"})


def _with_both_ends(name: str, moved: float) -> Electrode:
    discharged, ion, voltage = ENDS[name]
    host = remove_ion(discharged, working_ion(ion))
    # Strained, for a host in the very cell of the discharged crystal counts as made of it.
    host = replace(host, lattice=host.lattice * np.array([0.99, 0.985, 1.01])[:, None], source=f"charged {name}")
    return Electrode(
        battery_id=name,
        working_ion=ion,
        average_voltage=voltage + moved,
        formula_charge=host.formula,
        host=host,
        framework=framework_of(host.formula, ion),
        snapshot="made-up",
        id_charge=f"c-{name}",
        formula_discharge=discharged.formula,
        id_discharge=f"d-{name}",
        discharged=discharged,
    )
