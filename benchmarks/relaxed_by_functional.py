"""Does it help to relax with the functional whose energies answer? Measured electrodes, voltages in V.

    python benchmarks/relaxed_by_functional.py [--most-atoms 24]

Each electrode whose structure was typed in, hexacyanides left out: both ends are relaxed with CHGNet (PBE + U) and with
CHGNet-r2scan, and the energies are those of SevenNet-MF-0 for r2SCAN. What the ends' volumes do is told, too.
"""

from __future__ import annotations

import argparse

import numpy as np

from ionvolt.computation import Computer
from ionvolt.errors import InputError
from ionvolt.experiment.cathodes import host_structures, usable_cathodes
from ionvolt.experiment.computed import relaxed_ends
from ionvolt.models.measured.chemistry import chemistry_of
from ionvolt.models.measured.regression import share_class
from ionvolt.physics.cache import Cache, default_folder
from ionvolt.physics.potentials.pair import PotentialPair, load_potential
from ionvolt.physics.potentials.sevennet import R2SCAN_HEAD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most-atoms", type=int, default=24)
    most = parser.parse_args().most_atoms
    energies = load_potential(R2SCAN_HEAD)
    computers = [
        Computer(PotentialPair(load_potential(name), energies), Cache(default_folder()))
        for name in ("chgnet-0.3.0", "chgnet-r2scan")
    ]
    found: dict[str, list[tuple[float, float]]] = {}
    print("electrode, class, measured, r2SCAN on ends of PBE + U, on ends of r2SCAN, volume of the discharged end (%)")
    for cathode in usable_cathodes():
        crystal = host_structures()[cathode.structure].crystal(primitive=True)
        if len(crystal) > most or "N" in crystal.symbols:
            continue
        try:
            ends = [relaxed_ends(cathode, computer) for computer in computers]
        except InputError as error:
            print(error)
            continue
        kind = share_class(chemistry_of(ends[0].charged, cathode.ion))
        growth = 100 * (ends[1].discharged.volume / ends[0].discharged.volume - 1)
        assert cathode.voltage is not None
        off = (ends[0].voltage - cathode.voltage, ends[1].voltage - cathode.voltage)
        found.setdefault(kind, []).append(off)
        print(
            f"{cathode.name}, {kind}, {cathode.voltage:.2f}, {ends[0].voltage:.2f}, {ends[1].voltage:.2f}, "
            f"{growth:+.1f}",
            flush=True,
        )
    found["all"] = [row for rows in found.values() for row in rows]
    for kind, rows in found.items():
        errors = np.abs(np.array(rows)).mean(axis=0)
        print(f"{kind}: n {len(rows)}, MAE {errors[0]:.3f} V on ends of PBE + U, {errors[1]:.3f} V on ends of r2SCAN")


if __name__ == "__main__":
    main()
