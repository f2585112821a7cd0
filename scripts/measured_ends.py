"""Calculate the voltages of the measured electrodes: experiment/calculated.csv, which the recipe ``measured`` fits on.

    python scripts/measured_ends.py --crystals phases.parquet -o calculated.csv
    python scripts/measured_ends.py --compare calculated.csv

``phases.parquet`` holds crystals of the Materials Project: columns id, lattice (9 numbers, Å), numbers, frac_coords.
Without it they are asked of the Materials Project (MP_API_KEY). A row that the output holds is left as it is, so that a
run that was ended goes on; relaxations are remembered in the user's cache folder. Small cells come first. All of them
take two to three hours of one core. ``--compare`` says how far a table is from the one that comes along.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np

from ionvolt.errors import InputError
from ionvolt.experiment.cathodes import Cathode, all_cathodes, host_structures
from ionvolt.experiment.ends import Read, calculated_row
from ionvolt.models.registry import load_model
from ionvolt.physics.cache import Cache, default_folder
from ionvolt.store import write_rows
from ionvolt.structures.crystal import Crystal

TABLE = Path(__file__).parent.parent / "src" / "ionvolt" / "experiment" / "calculated.csv"


def of_parquet(path: Path) -> Read:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    place = {name: k for k, name in enumerate(table["id"].to_pylist())}

    def crystal(name: str) -> Crystal:
        row = table.slice(place[name], 1).to_pylist()[0]
        lattice = np.array(row["lattice"], dtype=np.float64).reshape(3, 3)
        frac = np.array(row["frac_coords"], dtype=np.float64).reshape(-1, 3)
        return Crystal(lattice, np.array(row["numbers"]), frac, source=name)

    return crystal


def of_the_materials_project(name: str) -> Crystal:
    from ionvolt.structures import as_crystal

    return as_crystal(name)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []


def write(path: Path, found: list[dict[str, str]]) -> None:
    order = {cathode.name: k for k, cathode in enumerate(all_cathodes())}
    found.sort(key=lambda r: (order[r["cathode"]], r["range"] != "whole"))
    write_rows(path, found)


def n_atoms(cathode: Cathode, read: Read) -> int:
    if cathode.mp_discharged and not cathode.discharged:
        return len(read(cathode.mp_discharged))
    return max(len(host_structures()[s].crystal(primitive=True)) for s in (cathode.discharged, cathode.charged) if s)


def calculate(path: Path, read: Read, only: str | None, minutes: float, smallest_to: int) -> None:
    found = rows(path)
    done = {(r["cathode"], r["range"]) for r in found}
    cache, model, until = Cache(default_folder()), load_model(None), time.monotonic() + 60 * minutes
    wanted = [c for c in all_cathodes() if (c.trains or c.kept_back or c.use) and (c.structure or c.mp_discharged)]
    for cathode in sorted(wanted, key=lambda c: n_atoms(c, read)):
        if only not in (None, cathode.name) or n_atoms(cathode, read) > smallest_to:
            continue
        for part in (False, True):
            name = (cathode.name, "measured" if part else "whole")
            if name in done or time.monotonic() > until:
                continue
            if part:
                whole = next((r for r in found if (r["cathode"], r["range"]) == (cathode.name, "whole")), None)
                if whole is None or whole["fully_extracted"] != "yes" or not cathode.x_from:
                    continue
            started = time.monotonic()
            try:
                found.append(calculated_row(cathode, part, read, cache, model))
            except InputError as error:
                print(f"{' '.join(name)}: {error}", flush=True)
                continue
            write(path, found)
            print(f"{time.monotonic() - started:.0f} s", cathode.name, name[1], flush=True)


def compare(path: Path) -> None:
    before = {(r["cathode"], r["range"]): r for r in rows(TABLE)}
    differences = []
    for row in rows(path):
        old = before.pop((row["cathode"], row["range"]), None)
        if old is None:
            print(f"new: {row['cathode']}, {row['range']}: {row['calculated']} V, gap {row['gap']} V")
            continue
        changes = [f"{k} {old[k]} → {row[k]}" for k in old if old[k] != row[k]]
        differences += [abs(float(old["calculated"]) - float(row["calculated"]))]
        if changes:
            print(f"{row['cathode']}, {row['range']}: {'; '.join(changes)}")
    for name in before:
        print("missing:", *name)
    if differences:
        largest, n = max(differences), len(differences)
        print(
            f"calculated voltages of {n} rows: median difference {np.median(differences):.3f} V, {largest:.3f} V most"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crystals", type=Path, help="crystals of the Materials Project, Parquet")
    parser.add_argument("-o", "--output", type=Path, default=TABLE, help="the table; rows that it holds are kept")
    parser.add_argument("--only", help="name of one electrode")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no new row after so many minutes")
    parser.add_argument("--atoms", type=int, default=1000, help="leave larger cells out")
    parser.add_argument("--compare", type=Path, help="only say how far this table is from the one that comes along")
    a = parser.parse_args()
    if a.compare:
        compare(a.compare)
        return
    read = of_parquet(a.crystals) if a.crystals else of_the_materials_project
    calculate(a.output, read, a.only, a.minutes, a.atoms)


if __name__ == "__main__":
    main()
