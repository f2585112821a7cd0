"""How many known electrodes the rules of a screen drop: the share that a cheap first stage costs.

    python benchmarks/screening_rules.py ELECTRODES.csv STRUCTURES.jsonl.gz [--limit N]

Every electrode is shown to the rules as its charged structure and as its discharged one.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np

from ionvolt.datasets.sources import open_structures
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS
from ionvolt.screening.records import kind_of
from ionvolt.screening.rules import judge
from ionvolt.screening.settings import Settings


def interval(k: int, n: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a share."""
    from scipy.stats import beta

    return (
        float(beta.ppf(0.025, k, n - k + 1)) if k else 0.0,
        float(beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0,
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("electrodes", type=Path)
    parser.add_argument("structures", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    given = parser.parse_args()
    with given.electrodes.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if given.limit:
        rows = [rows[k] for k in np.random.default_rng(0).permutation(len(rows))[: given.limit]]
    wanted = {row[key] for row in rows for key in ("id_charge", "id_discharge")}
    structures = open_structures(given.structures, wanted)
    found: dict[str, Counter[str]] = {"id_charge": Counter(), "id_discharge": Counter()}
    reasons: dict[str, Counter[str]] = {"id_charge": Counter(), "id_discharge": Counter()}
    by_ion: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        ion = WORKING_IONS[row["working_ion"]]
        for key, counts in found.items():
            try:
                answer = judge(structures.find(row[key]), ion, Settings((ion.symbol,)))
            except InputError as error:
                answer = {"status": "refused", "reason": error.rule}
            counts[answer["status"]] += 1
            by_ion[key, ion.symbol, answer["status"]] += 1
            if answer["status"] != "kept":
                reasons[key][kind_of(answer["reason"])] += 1
    for key, counts in found.items():
        n = counts["kept"] + counts["dropped"]
        low, high = interval(counts["dropped"], n)
        print(f"{key}: {counts['dropped']} of {n} dropped, {100 * counts['dropped'] / n:.1f} % "
              f"({100 * low:.1f} to {100 * high:.1f}), {counts['refused']} refused")  # fmt: skip
        for reason, count in reasons[key].most_common(8):
            print(f"  {count:5} {reason}")
        print("  " + json.dumps({ion: [by_ion[key, ion, "dropped"], by_ion[key, ion, "kept"]] for ion in WORKING_IONS}))


if __name__ == "__main__":
    main()
