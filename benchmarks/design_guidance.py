"""Does guidance by local voltages raise true voltages, and what do elements do to the voltage of their hosts?

``--table OUT.csv`` writes the median departure of each element's local voltages, by ion, which ``ionvolt design`` uses.
Without it: families of electrodes that differ in one substitution are taken from a data set, each rule picks one member
for each host, and the labels say what came of it. docs/design.md tells the results.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ionvolt.datasets import Electrode, read_dataset
from ionvolt.designing.chemistry import charges_of
from ionvolt.designing.guidance import element_departures, element_log_probability
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS
from ionvolt.models.cgcnn.ensemble import Ensemble
from ionvolt.models.interface import Query
from ionvolt.physics.cache import key
from ionvolt.prediction import as_explainer
from ionvolt.structures.chemistry import REDOX_ACTIVE
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.spacegroup import ask_spglib, primitive_cell

FEWEST_HOSTS = 8
"""Hosts that an element has to be in for a row of the table."""

Family = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Member:
    """An electrode of a family.

    Attributes:
        row: Its label.
        elements: Element on each of the family's kinds of places, by the order of their amounts.
        local: Departure of the local voltages of each element of its host, V.
        predicted: Voltage by the network, V.
    """

    row: Electrode
    elements: tuple[str, ...]
    local: dict[str, float]
    predicted: float


def departures(network: Ensemble, ion: str, host: Crystal) -> tuple[float, dict[str, float]]:
    """Voltage of a host and the mean departure of each element's local voltages from it, V."""
    (found,) = network.attribute([Query(ion, host)])
    symbols = np.array(host.symbols)
    return found.estimate.voltage, {s: float(found.departures[symbols == s].mean()) for s in host.composition}


def write_table(data: Path, out: Path, most: int, seed: int) -> None:
    """Median departures of the elements over some of the data set's hosts, for every ion."""
    hosts = list({key(row.host, "host"): row.host for row in read_dataset(data)}.values())
    chosen = np.random.default_rng(seed).permutation(len(hosts))[:most]
    network = as_explainer(None)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for index in chosen:
        try:
            answers = network.attribute([Query(ion, hosts[index]) for ion in WORKING_IONS])
        except InputError:
            continue  # an element that the network does not know
        symbols = np.array(hosts[index].symbols)
        for ion, answer in zip(WORKING_IONS, answers, strict=True):
            for symbol in hosts[index].composition:
                found[symbol][ion].append(float(answer.departures[symbols == symbol].mean()))
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["element", "n_hosts", *WORKING_IONS])
        for symbol in sorted(found, key=ATOMIC_NUMBERS.__getitem__):
            n_hosts = len(next(iter(found[symbol].values())))
            if n_hosts >= FEWEST_HOSTS:
                medians = [f"{np.median(found[symbol][ion]):.3f}" for ion in WORKING_IONS]
                writer.writerow([symbol, n_hosts, *medians])
    print(f"{out}: {len(chosen)} hosts of {len(hosts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a data set of electrodes (Parquet)")
    parser.add_argument("--table", type=Path, help="write the table of elements here and stop")
    parser.add_argument("--hosts", type=int, default=700, help="hosts that the table is made from")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.table:
        write_table(arguments.data, arguments.table, arguments.hosts, arguments.seed)


if __name__ == "__main__":
    main()
