"""Does guidance by local voltages raise true voltages, and what do elements do to the voltage of their hosts?

``--table OUT.csv`` writes the median departure of each element's local voltages, by ion, which ``ionvolt design`` uses.
Without it: families of electrodes that differ in one substitution are taken from a data set, each rule picks one member
for each host, and the labels say what came of it. docs/design.md tells the results.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core.structure import Structure

from ionvolt.datasets import Electrode, read_dataset
from ionvolt.designing.chemistry import charges_of, places
from ionvolt.designing.guidance import element_departures, element_log_probability
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS
from ionvolt.models.interface import Query
from ionvolt.physics.cache import key
from ionvolt.prediction import as_explainer
from ionvolt.structures.chemistry import REDOX_ACTIVE
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.spacegroup import primitive_cell

FEWEST_HOSTS = 8
"""Hosts that an element has to be in for a row of the table."""

MOST_ATOMS = 100
"""Atoms of a cell up to which families are looked for."""


@dataclass(frozen=True, eq=False)
class Choice:
    """A substitution whose outcome is known.

    Attributes:
        site: Element that is replaced.
        new: Element that takes its place.
        child: The row that came of it.
        gain: Its voltage less that of the host, V, by the labels.
    """

    site: str
    new: str
    child: Electrode
    gain: float


@dataclass(frozen=True, eq=False)
class Host:
    """A row with all substitutions of one element whose outcome is known.

    Attributes:
        row: The label.
        family: Number of the family that it shares its framework with; what is uncertain is drawn by families.
        choices: What may be done.
    """

    row: Electrode
    family: int
    choices: list[Choice]


def families(rows: Sequence[Electrode], ion: str) -> dict[int, list[int]]:
    """Rows of one ion that differ in one element: the rows of each cluster, by number.

    Hosts and discharged formulas agree but for that element, and pymatgen's matcher takes the hosts for one structure
    with it replaced. A row is in one cluster for each element of its framework.
    """
    groups: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for index, row in enumerate(rows):
        if row.working_ion != ion or row.discharged is None or len(row.host) > MOST_ATOMS:
            continue
        for symbol in places(row.discharged, WORKING_IONS[ion]):
            if symbol in row.host.composition:
                blind = (_blind(row.host, symbol), _blind(row.discharged, symbol))
                groups[blind].append((index, symbol))
    matcher = StructureMatcher()
    found: dict[int, list[int]] = {}
    for _, members in sorted(groups.items()):
        if len({symbol for _, symbol in members}) < 2:
            continue
        clusters: list[tuple[Structure, list[tuple[int, str]]]] = []
        for index, symbol in members:
            masked = _masked(rows[index].host, symbol).to_pymatgen()
            for first, own in clusters:
                if matcher.fit(first, masked):
                    own.append((index, symbol))
                    break
            else:
                clusters.append((masked, [(index, symbol)]))
        for _, own in clusters:
            if len({symbol for _, symbol in own}) > 1:
                number = len(found)
                for index, symbol in own:
                    found.setdefault(number, []).append(index)
                    SITE[number, index] = symbol
    return found


SITE: dict[tuple[int, int], str] = {}
"""Which element of a row stands at the place that a cluster is blind for."""


def _blind(crystal: Crystal, symbol: str) -> str:
    counts = {("X" if s == symbol else s): n for s, n in crystal.composition.items()}
    least = int(np.gcd.reduce(list(counts.values())))
    return " ".join(f"{s}{n // least}" for s, n in sorted(counts.items()))


def _masked(crystal: Crystal, symbol: str) -> Crystal:
    """An element of a host replaced by xenon, which none holds, so that it is like no other."""
    numbers = np.where(crystal.numbers == ATOMIC_NUMBERS[symbol], ATOMIC_NUMBERS["Xe"], crystal.numbers)
    return primitive_cell(replace(crystal, numbers=numbers))


def hosts_of(rows: Sequence[Electrode]) -> list[Host]:
    """Every row with what may be done to it."""
    choices: dict[int, list[Choice]] = defaultdict(list)
    roots: dict[int, int] = {}
    for ion in WORKING_IONS:
        SITE.clear()
        for number, members in families(rows, ion).items():
            for index in members:
                for other in members:
                    old, new = SITE[number, index], SITE[number, other]
                    if old == new:
                        continue
                    gain = rows[other].average_voltage - rows[index].average_voltage
                    choices[index].append(Choice(old, new, rows[other], gain))
                    # Rows that can be reached from each other are one family.
                    _join(roots, index, other)
    return [Host(rows[index], _root(roots, index), own) for index, own in sorted(choices.items())]


def _root(roots: dict[int, int], index: int) -> int:
    while roots.setdefault(index, index) != index:
        index = roots[index]
    return index


def _join(roots: dict[int, int], one: int, other: int) -> None:
    roots[_root(roots, one)] = _root(roots, other)


def local_of(hosts: Sequence[Host]) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """By id of the row: mean departure of each element's local voltages, V, and the network's voltage, V."""
    network = as_explainer(None)
    wanted = {row.battery_id: row for host in hosts for row in (host.row, *(c.child for c in host.choices))}
    local, voltages = {}, {}
    for name, row in wanted.items():
        try:
            (answer,) = network.attribute([Query(row.working_ion, row.host)])
        except InputError:
            continue
        symbols = np.array(row.host.symbols)
        local[name] = {s: float(answer.departures[symbols == s].mean()) for s in row.host.composition}
        voltages[name] = answer.estimate.voltage
    return local, voltages


def outcome(hosts: Sequence[Host], pick: Callable[[Host], Sequence[Choice]]) -> NDArray[np.float64]:
    """Share of the picked choices that raise the voltage, and their mean gain (V), for each host; shape (n, 2)."""
    found = []
    for host in hosts:
        picked = pick(host)
        gains = np.array([choice.gain for choice in picked])
        found.append([float((gains > 0).mean()), float(gains.mean())])
    return np.array(found)


def interval(values: NDArray[np.float64], groups: NDArray[np.int64], draws: int = 2000) -> tuple[float, float]:
    """90 % interval of a mean, whole families drawn with replacement."""
    drawn = np.random.default_rng(0)
    names = np.unique(groups)
    sums = np.array([[values[groups == g].sum(), (groups == g).sum()] for g in names])
    means = []
    for _ in range(draws):
        chosen = sums[drawn.integers(len(names), size=len(names))]
        means.append(chosen[:, 0].sum() / chosen[:, 1].sum())
    low, high = np.quantile(means, [0.05, 0.95])
    return float(low), float(high)


def best(choices: Sequence[Choice], score: Callable[[Choice], float]) -> list[Choice]:
    """The choices of the highest score; more than one where they are equal."""
    scores = [score(choice) for choice in choices]
    return [choice for choice, value in zip(choices, scores, strict=True) if value == max(scores)]


def rules(
    local: Mapping[str, Mapping[str, float]], voltages: Mapping[str, float]
) -> dict[str, Callable[[Host], list[Choice]]]:
    """What each rule picks for a host."""

    def departure(host: Host, choice: Choice) -> float:
        return local[host.row.battery_id][choice.site]

    def table(host: Host, choice: Choice) -> float:
        return element_departures(host.row.working_ion).get(choice.new, -10.0)

    def gain(host: Host, choice: Choice) -> float:
        share = host.row.host.composition[choice.site] / len(host.row.host)
        return (table(host, choice) - departure(host, choice)) * share

    def likely(host: Host, choice: Choice) -> float:
        assert host.row.discharged is not None
        charge = round(_charges(host.row).get(choice.site, 0.0))
        return element_log_probability(choice.site, charge, choice.new)

    scores: dict[str, Callable[[Host, Choice], float]] = {
        "any of them": lambda host, choice: 0.0,
        "probability": likely,
        "site of the lowest local voltage": lambda host, choice: -departure(host, choice),
        "site of the highest local voltage": departure,
        "element of the highest table value": table,
        "table less local voltage (--guide local)": gain,
        "network's voltage of the result": lambda host, choice: voltages[choice.child.battery_id],
    }

    def picker(score: Callable[[Host, Choice], float]) -> Callable[[Host], list[Choice]]:
        return lambda host: best(host.choices, lambda choice: score(host, choice))

    return {name: picker(score) for name, score in scores.items()}


_CHARGES: dict[str, dict[str, float]] = {}


def _charges(row: Electrode) -> dict[str, float]:
    assert row.discharged is not None
    if row.battery_id not in _CHARGES:
        _CHARGES[row.battery_id] = charges_of(row.discharged)
    return _CHARGES[row.battery_id]


def report(
    title: str, hosts: Sequence[Host], picks: Mapping[str, Callable[[Host], list[Choice]]]
) -> list[dict[str, object]]:
    """Print a table of rules and return it."""
    groups = np.array([host.family for host in hosts], dtype=np.int64)
    print(f"\n{title}: {len(hosts)} hosts of {len(np.unique(groups))} families, "
          f"{np.mean([len(host.choices) for host in hosts]):.1f} choices each")  # fmt: skip
    print(f"{'rule':<42}{'raises (%)':>11}{'less any (%)':>22}{'gain (V)':>10}{'less any (V)':>24}")
    base = outcome(hosts, picks["any of them"])
    found = []
    for name, pick in picks.items():
        values = outcome(hosts, pick)
        share, gain = interval(values[:, 0] - base[:, 0], groups), interval(values[:, 1] - base[:, 1], groups)
        more, further = (values - base).mean(0)
        print(
            f"{name:<42}{100 * values[:, 0].mean():>11.1f}"
            f"{f'{100 * more:+.1f} ({100 * share[0]:+.1f} to {100 * share[1]:+.1f})':>22}{values[:, 1].mean():>10.3f}"
            f"{f'{further:+.3f} ({gain[0]:+.3f} to {gain[1]:+.3f})':>24}"
        )
        found.append({"set": title, "rule": name, "n_hosts": len(hosts), "n_families": len(np.unique(groups)),
                      "raises": values[:, 0].mean(), "raises_more": more, "raises_more_90": share,
                      "gain": values[:, 1].mean(), "gain_more": further, "gain_more_90": gain})  # fmt: skip
    return found


def compare(data: Path, out: Path | None) -> None:
    """All questions on a data set."""
    rows = [row for row in read_dataset(data) if abs(row.average_voltage) <= 7]
    everything = hosts_of(rows)
    local, voltages = local_of(everything)
    picks = rules(local, voltages)

    def usable(hosts: Sequence[Host]) -> list[Host]:
        kept = [
            replace_choices(host, [c for c in host.choices if c.child.battery_id in voltages])
            for host in hosts
            if host.row.battery_id in local
        ]
        return [host for host in kept if len({(c.site, c.new) for c in host.choices}) > 1]

    redox = REDOX_ACTIVE
    metals = usable([
        replace_choices(h, [c for c in h.choices if {ATOMIC_NUMBERS[c.site], ATOMIC_NUMBERS[c.new]} <= redox])
        for h in everything
    ])  # fmt: skip
    one_site = [host for host in metals if len({c.site for c in host.choices}) == 1]
    many = [host for host in usable(everything) if len({c.site for c in host.choices}) > 1]
    several = [host for host in metals if len({c.site for c in host.choices}) > 1]
    found = report("which transition metal, at one place", one_site, picks)
    if several:
        found += report("which transition metal, at which of several", several, picks)
    found += report("which element, at which of several places", many, picks)
    for ion in WORKING_IONS:
        own = [host for host in metals if host.row.working_ion == ion]
        if len({host.family for host in own}) >= 10:
            found += report(f"which transition metal, {ion}", own, picks)
    if out is not None:
        out.write_text(json.dumps(found, indent=1, default=float) + "\n", encoding="utf-8")


def replace_choices(host: Host, choices: list[Choice]) -> Host:
    return replace(host, choices=choices)


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
    parser.add_argument("-o", "--output", type=Path, help="write the numbers here, as JSON")
    arguments = parser.parse_args()
    if arguments.table:
        write_table(arguments.data, arguments.table, arguments.hosts, arguments.seed)
    else:
        compare(arguments.data, arguments.output)


if __name__ == "__main__":
    main()
