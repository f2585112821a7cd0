"""Calculate the voltages of the measured electrodes: experiment/calculated.csv, which ``measured_model.py`` fits on.

    python scripts/measured_ends.py phases.parquet [--only "Li in VSe2 (1T)"]

``phases.parquet`` holds crystals of the Materials Project: columns id, lattice (9 numbers, Å), numbers, frac_coords.
Rows whose structures were typed in need none of them. An electrode that is in the table already is left as it is:
delete its line to have it calculated anew. Relaxations are remembered in the user's cache folder. One takes 5 to 60 s.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from ionvolt.computation import Computer
from ionvolt.datasets import framework_of
from ionvolt.experiment.cathodes import Cathode, all_cathodes, host_structures
from ionvolt.experiment.computed import SETTINGS, relaxed_ends
from ionvolt.ions import remove_ion, working_ion
from ionvolt.models.measured import functional_gap
from ionvolt.models.measured.chemistry import chemistry_of
from ionvolt.physics.cache import Cache, cached_outputs, cached_relax, default_folder
from ionvolt.physics.orderings import remove_sites, symmetry_distinct_orderings
from ionvolt.physics.potentials.pair import load_potentials
from ionvolt.physics.potentials.sevennet import VERSION
from ionvolt.physics.reaction import average_voltage, balance
from ionvolt.physics.references import metal_energy
from ionvolt.structures.crystal import ATOMIC_NUMBERS, SYMBOLS, Crystal

TABLE = Path(__file__).parent.parent / "src" / "ionvolt" / "experiment" / "calculated.csv"
SMALL = 30
"""Atoms up to which a discharged crystal of the Materials Project is relaxed anew."""

SUBSTITUTED = {"Na in NaFeP2O7 (triclinic)": {"Mn": "Fe"}, "K in KTi2(PO4)3 (NASICON)": {"Na": "K"}}
"""Electrodes made of another compound's structure."""

BRIDGING = "K in TiPO4F (KTP type)"
"""KTiOPO4 whose oxygen is fluorine where no phosphorus is bound to it."""


def reader(path: Path) -> Callable[[str], Crystal]:
    table = pq.read_table(path)
    place = {name: k for k, name in enumerate(table["id"].to_pylist())}

    def crystal(name: str) -> Crystal:
        row = table.slice(place[name], 1).to_pylist()[0]
        lattice = np.array(row["lattice"], dtype=np.float64).reshape(3, 3)
        frac = np.array(row["frac_coords"], dtype=np.float64).reshape(-1, 3)
        return Crystal(lattice, np.array(row["numbers"]), frac, source=name)

    return crystal


def substituted(cathode: Cathode, crystal: Crystal) -> Crystal:
    numbers = crystal.numbers.copy()
    for old, new in SUBSTITUTED.get(cathode.name, {}).items():
        numbers[numbers == ATOMIC_NUMBERS[old]] = ATOMIC_NUMBERS[new]
    if cathode.name == BRIDGING:
        structure = crystal.to_pymatgen()
        phosphorus = [i for i, number in enumerate(crystal.numbers) if SYMBOLS[number] == "P"]
        for i, number in enumerate(crystal.numbers):
            if SYMBOLS[number] == "O" and min(structure.get_distance(i, j) for j in phosphorus) > 2.0:
                numbers[i] = ATOMIC_NUMBERS["F"]
    return replace(crystal, numbers=numbers)


def emptied(discharged: Crystal, ion: str, left: float, cache: Cache) -> Crystal:
    """The discharged crystal with this share of its ions left, where that costs least, relaxed."""
    potential = load_potentials().relaxer
    worker = working_ion(ion)
    if left == 0:
        return cached_relax(remove_ion(discharged, worker), potential, SETTINGS, cache).crystal
    cell, held = discharged, 0
    for shape in ((1, 1, 1), (2, 1, 1), (2, 2, 1), (3, 1, 1)):
        structure = discharged.to_pymatgen().make_supercell(shape, in_place=False)
        cell = Crystal.from_pymatgen(structure, source=discharged.source)
        held = int((cell.numbers == worker.number).sum())
        if abs(held * left - round(held * left)) < 0.02:
            break
    ways = symmetry_distinct_orderings(cell, worker, max(1, round(held * left)))
    crystals = [remove_sites(cell, removed) for removed in ways]
    energies = [output.energy for output in cached_outputs(crystals, potential, cache)]
    best = [crystals[k] for k in np.argsort(energies)[:2]]
    return min((cached_relax(c, potential, SETTINGS, cache) for c in best), key=lambda r: r.energy).crystal


def ends(cathode: Cathode, part: bool, read: Callable[[str], Crystal], cache: Cache) -> tuple[Crystal, Crystal]:
    """Discharged and charged end."""
    computer = Computer.load(cache=cache)
    potential = computer.potentials.relaxer
    if not part and not cathode.mp_discharged and cathode.structure:
        found = relaxed_ends(cathode, computer)
        return found.discharged, found.charged
    if cathode.discharged:
        discharged = host_structures()[cathode.discharged].crystal(primitive=True)
    else:
        discharged = substituted(cathode, read(cathode.mp_discharged))
    given = bool(cathode.mp_discharged) and (bool(cathode.mp_charged) or len(discharged) > SMALL)
    if cathode.name in SUBSTITUTED or cathode.name == BRIDGING or not given:
        full = cached_relax(discharged, potential, SETTINGS, cache).crystal
    else:
        full = discharged
    if cathode.mp_charged:
        return full, read(cathode.mp_charged)
    x_from = (cathode.x_from or 0.0) if part or cathode.host.startswith(cathode.ion) else 0.0
    return full, emptied(discharged, cathode.ion, x_from / (cathode.x_to or 1.0), cache)


def row(cathode: Cathode, part: bool, read: Callable[[str], Crystal], cache: Cache) -> dict[str, str]:
    full, empty = ends(cathode, part, read, cache)
    ion = working_ion(cathode.ion)
    reaction = balance(full, empty, ion)
    e_full, e_empty = (o.energy for o in cached_outputs([full, empty], load_potentials().energy_model, cache))
    calculated = average_voltage(e_full, e_empty, reaction, metal_energy(ion, VERSION), ion)
    chemistry = chemistry_of(empty, cathode.ion)
    return {
        "cathode": cathode.name,
        "range": "measured" if part else "whole",
        "calculated": f"{calculated:.3f}",
        "gap": f"{functional_gap(full, empty, cathode.ion, cache):.3f}",
        "charge": str(chemistry.charge),
        "anion": chemistry.anion,
        "centres": " ".join(f"{metal}:{share:.4g}" for metal, share in sorted(chemistry.centres.items())),
        "hubbard": f"{chemistry.hubbard:.4g}",
        "layered": "yes" if chemistry.layered else "no",
        "emptied": "yes" if chemistry.emptied else "no",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phases", type=Path, help="crystals of the Materials Project, Parquet")
    parser.add_argument("--only", help="name of one electrode")
    arguments = parser.parse_args()
    known = list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines())) if TABLE.exists() else []
    done = {(r["cathode"], r["range"]) for r in known}
    read, cache = reader(arguments.phases), Cache(default_folder())
    order = {cathode.name: k for k, cathode in enumerate(all_cathodes())}
    for cathode in all_cathodes():
        wanted = cathode.trains or cathode.kept_back or cathode.use
        if not wanted or arguments.only not in (None, cathode.name):
            continue
        whole = (cathode.name, "whole") in done
        if not whole:
            known.append(row(cathode, False, read, cache))
        mine = next(r for r in known if (r["cathode"], r["range"]) == (cathode.name, "whole"))
        layered = mine["emptied"] == "yes" and cathode.x_from and framework_of(cathode.host, cathode.ion)
        if layered and (cathode.name, "measured") not in done:
            known.append(row(cathode, True, read, cache))
        known.sort(key=lambda r: (order[r["cathode"]], r["range"] != "whole"))
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(known[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(known)
        print(cathode.name, flush=True)


if __name__ == "__main__":
    main()
