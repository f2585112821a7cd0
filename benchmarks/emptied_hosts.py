"""What a host is worth that was made by taking another ion out: Na asked of LiFePO4, against Na asked of FePO4.

    python benchmarks/emptied_hosts.py mp2025.parquet --pairs 200

Two electrodes of one host and of two ions make a pair: the discharged structure of the one is asked for the ion of the
other, whose label is known. Its own ions are taken out first, and what is left is answered as it stands, or settled
(``physics.settling``) as ``predict`` does it. Beside them stands the answer from the host of the label. The shipped
model has learned from these electrodes: compare the rows with each other.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from ionvolt.datasets import ElectrodeSet, clean, read_dataset
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.physics.potentials.sevennet import load_sevennet
from ionvolt.physics.settling import STEPS, settle
from ionvolt.prediction import Prediction, as_model, predict_each
from ionvolt.recipes.mlip.settings import MlipSettings

ROWS = ("host of the label", "emptied, as it stands", "emptied and settled")


def pairs(data: ElectrodeSet, most_atoms: int) -> list[tuple[int, int]]:
    """Electrodes of one host that is free of their ions; the first one's discharged structure is asked."""
    by_host = defaultdict(list)
    for row, e in enumerate(data):
        small = e.discharged is not None and len(e.discharged) <= most_atoms
        if small and WORKING_IONS[e.working_ion].number not in e.host.numbers:
            by_host[e.id_charge].append(row)
    return [
        (asked, known)
        for rows in by_host.values()
        for asked in rows
        for known in rows
        if data[asked].working_ion != data[known].working_ion
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--atoms", type=int, default=60, help="of the discharged cell at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data, _ = clean(read_dataset(arguments.data), MlipSettings().clean)
    found = pairs(data, arguments.atoms)
    model, errors, trusted, covered = as_model(None), list[list[float]](), list[list[bool]](), list[list[bool]]()
    for k in np.random.default_rng(arguments.seed).permutation(len(found)).tolist():
        if len(errors) == arguments.pairs:
            break
        full, known = data[found[k][0]], data[found[k][1]]
        assert full.discharged is not None
        try:
            left = remove_ion(full.discharged, WORKING_IONS[full.working_ion])
            hosts = [known.host, left, settle(left, load_sevennet(), STEPS)]
        except InputError:
            continue
        answers = predict_each(hosts, known.working_ion, model=model, assume="charged", check_relaxation=False)
        good = [answer for answer in answers if isinstance(answer, Prediction)]
        if len(good) < len(hosts):
            continue
        label = known.average_voltage
        errors.append([abs(a.voltage - label) for a in good])
        trusted.append([bool(a.in_domain) for a in good])
        covered.append([bool((a.voltage_lower or label) <= label <= (a.voltage_upper or label)) for a in good])
    print(f"{len(errors)} of {len(found)} pairs")
    print("| host | mean error, V | median, V | in the domain | label in the 90 % interval, of these |")
    print("|---|---|---|---|---|")
    for k, words in enumerate(ROWS):
        e, inside, held = (np.array(values)[:, k] for values in (errors, trusted, covered))
        print(
            f"| {words} | {e.mean():.3f} | {np.median(e):.3f} | {100 * inside.mean():.0f} % | "
            f"{100 * held[inside].mean():.0f} % |"
        )


if __name__ == "__main__":
    main()
