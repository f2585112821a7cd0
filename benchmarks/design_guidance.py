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
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core.composition import Composition
from pymatgen.core.structure import Structure

from ionvolt.datasets import Electrode, read_dataset
from ionvolt.designing.chemistry import charges_of, places
from ionvolt.designing.guidance import element_departures, element_log_probability
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS
from ionvolt.models.interface import Query
from ionvolt.models.registry import load_networks
from ionvolt.physics.cache import key
from ionvolt.structures.chemistry import REDOX_ACTIVE
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.spacegroup import primitive_cell

FEWEST_HOSTS = 8
"""Hosts that an element has to be in for a row of the table."""

MOST_ATOMS = 100
"""Atoms of a cell up to which families are looked for."""


@dataclass(frozen=True)
class Choice:
    """A substitution whose outcome is known.

    Attributes:
        site: Element that is replaced.
        new: Element that takes its place.
        gain: The voltage that came of it less that of the host, V, by the labels.
        metals: Whether both are transition metals that change their charge.
        departure: Departure of the local voltages of the element that is replaced, V.
        table: What the new element does in other hosts, V (``element_departures``).
        share: Of the host's atoms that are replaced.
        probability: ``element_log_probability``.
        predicted: What the network says of the electrode that came of it, V.
    """

    site: str
    new: str
    gain: float
    metals: bool
    departure: float
    table: float
    share: float
    probability: float
    predicted: float


@dataclass(frozen=True, eq=False)
class Host:
    """A row with all substitutions of one element whose outcome is known.

    Attributes:
        name: Id of the row.
        ion: Working ion.
        family: Name of the family that it shares its framework with; what is uncertain is drawn by families.
        choices: What may be done.
    """

    name: str
    ion: str
    family: str
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


def gather(data: Path, ion: str, out: Path) -> None:
    """Write every row of an ion with what may be done to it, and what each rule needs to know, as JSON."""
    rows = [row for row in read_dataset(data) if row.working_ion == ion and abs(row.average_voltage) <= 7]
    network = load_networks()
    pairs: list[tuple[int, str, int, str]] = []
    roots: dict[int, int] = {}
    for number, members in families(rows, ion).items():
        for index in members:
            for other in members:
                old, new = SITE[number, index], SITE[number, other]
                if old != new:
                    pairs.append((index, old, other, new))
                    # Rows that can be reached from each other are one family.
                    roots[_root(roots, index)] = _root(roots, other)
    local: dict[int, dict[str, float]] = {}
    voltages: dict[int, float] = {}
    for index in sorted({index for pair in pairs for index in (pair[0], pair[2])}):
        host = rows[index].host
        try:
            (answer,) = network.attribute([Query(ion, host)])
        except InputError:
            continue
        symbols = np.array(host.symbols)
        local[index] = {s: float(answer.departures[symbols == s].mean()) for s in host.composition}
        voltages[index] = answer.estimate.voltage
    found: dict[int, Host] = {}
    for index, old, other, new in pairs:
        if index not in local or other not in voltages:
            continue
        row = rows[index]
        charges = _charges(row)
        choice = Choice(
            site=old,
            new=new,
            gain=rows[other].average_voltage - row.average_voltage,
            metals={ATOMIC_NUMBERS[old], ATOMIC_NUMBERS[new]} <= REDOX_ACTIVE,
            departure=local[index][old],
            table=element_departures(ion).get(new, UNKNOWN),
            share=row.host.composition[old] / len(row.host),
            probability=element_log_probability(old, round(charges.get(old, 0.0)), new),
            predicted=voltages[other],
        )
        family = f"{ion} {_root(roots, index)}"
        found.setdefault(index, Host(row.battery_id, ion, family, [])).choices.append(choice)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps([asdict(host) for host in found.values()]) + "\n", encoding="utf-8")
    print(f"{out}: {len(found)} of {len(rows)} electrodes, {len({host.family for host in found.values()})} families")


LOCAL = "table less local voltage (--guide local)"
"""The rule of ``ionvolt design``."""

UNKNOWN = -10.0
"""V: what an element does that the table does not hold."""


def _root(roots: dict[int, int], index: int) -> int:
    while roots.setdefault(index, index) != index:
        index = roots[index]
    return index


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


def rules(averages: Mapping[tuple[str, str], Mapping[str, float]]) -> dict[str, Callable[[Host], list[Choice]]]:
    """What each rule picks for a host.

    Args:
        averages: Mean label of the electrodes that hold an element, by ion and family that is left out, then element.
    """
    from pymatgen.core.periodic_table import Element

    scores: dict[str, Callable[[Host, Choice], float]] = {
        "any of them": lambda host, choice: 0.0,
        "probability": lambda host, choice: choice.probability,
        "site of the lowest local voltage": lambda host, choice: -choice.departure,
        "site of the highest local voltage": lambda host, choice: choice.departure,
        "element of the highest table value": lambda host, choice: choice.table,
        LOCAL: lambda host, choice: (choice.table - choice.departure) * choice.share,
        "element of the highest mean label": lambda host, choice: averages[host.ion, host.family].get(
            choice.new, UNKNOWN
        ),
        "element of the highest electronegativity": lambda host, choice: float(Element(choice.new).X),
        "network's voltage of the result": lambda host, choice: choice.predicted,
    }

    def picker(score: Callable[[Host, Choice], float]) -> Callable[[Host], list[Choice]]:
        return lambda host: best(host.choices, lambda choice: score(host, choice))

    return {name: picker(score) for name, score in scores.items()}


def mean_labels(
    rows: Mapping[str, Electrode], families_of: Mapping[str, str], wanted: set[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, float]]:
    """Mean label of each element's electrodes of an ion, those of one family left out (``rules``)."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for ion, family in wanted:
        labels: dict[str, list[float]] = defaultdict(list)
        for name, row in rows.items():
            if row.working_ion == ion and families_of[name] != family:
                for symbol in row.host.composition:
                    labels[symbol].append(row.average_voltage)
        found[ion, family] = {symbol: float(np.mean(own)) for symbol, own in labels.items()}
    return found


def alike(framework: str) -> str:
    """A framework with its transition metals alike: what is drawn as a whole where something is uncertain."""
    counts: dict[str, float] = defaultdict(float)
    for element, n in Composition(framework).items():
        counts["X" if ATOMIC_NUMBERS[str(element)] in REDOX_ACTIVE else str(element)] += n
    least = min(counts.values())
    return " ".join(f"{symbol}{n / least:.3g}" for symbol, n in sorted(counts.items()))


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
    if not hosts:
        print(f"\n{title}: none")
        return []
    _, groups = np.unique([host.family for host in hosts], return_inverse=True)
    print(f"\n{title}: {len(hosts)} hosts of {len(np.unique(groups))} families, "
          f"{np.mean([len(host.choices) for host in hosts]):.1f} choices each")  # fmt: skip
    print(f"{'rule':<42}{'raises (%)':>11}{'less any (%)':>24}{'gain (V)':>10}{'less any (V)':>26}")
    base = outcome(hosts, picks["any of them"])
    found = []
    for name, pick in picks.items():
        values = outcome(hosts, pick)
        share, gain = interval(values[:, 0] - base[:, 0], groups), interval(values[:, 1] - base[:, 1], groups)
        more, further = (values - base).mean(0)
        print(
            f"{name:<42}{100 * values[:, 0].mean():>11.1f}"
            f"{f'{100 * more:+.1f} ({100 * share[0]:+.1f} to {100 * share[1]:+.1f})':>24}{values[:, 1].mean():>10.3f}"
            f"{f'{further:+.3f} ({gain[0]:+.3f} to {gain[1]:+.3f})':>26}"
        )
        found.append({"set": title, "rule": name, "n_hosts": len(hosts), "n_families": len(np.unique(groups)),
                      "raises": values[:, 0].mean(), "raises_more": more, "raises_more_90": share,
                      "gain": values[:, 1].mean(), "gain_more": further, "gain_more_90": gain})  # fmt: skip
    ahead = outcome(hosts, picks[LOCAL]) - outcome(hosts, picks["probability"])
    (low, high), (less, more) = interval(ahead[:, 0], groups), interval(ahead[:, 1], groups)
    print(
        f"{LOCAL} less probability: {100 * ahead[:, 0].mean():+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}), "
        f"{ahead[:, 1].mean():+.3f} V ({less:+.3f} to {more:+.3f})"
    )
    return found


def compare(data: Path, folder: Path, out: Path | None) -> None:
    """All questions on what was gathered."""
    rows = {row.battery_id: row for row in read_dataset(data)}
    families_of = {name: alike(row.framework) for name, row in rows.items()}
    everything = [
        Host(one["name"], one["ion"], families_of[one["name"]], [Choice(**choice) for choice in one["choices"]])
        for path in sorted(folder.glob("*.json"))
        for one in json.loads(path.read_text(encoding="utf-8"))
    ]
    metals = _with_a_choice([replace(h, choices=[c for c in h.choices if c.metals]) for h in everything])
    several = [host for host in metals if len({c.site for c in host.choices}) > 1]
    one_site = [host for host in metals if len({c.site for c in host.choices}) == 1]
    many = [host for host in _with_a_choice(everything) if len({c.site for c in host.choices}) > 1]
    picks = rules(mean_labels(rows, families_of, {(host.ion, host.family) for host in everything}))
    found = report("which transition metal, at one place", one_site, picks)
    found += report("which transition metal, at which of several places", several, picks)
    found += report("which element, at which of several places", many, picks)
    for ion in WORKING_IONS:
        own = [host for host in metals if host.ion == ion]
        if len({host.family for host in own}) >= 10:
            found += report(f"which transition metal, {ion}", own, picks)
    if out is not None:
        out.write_text(json.dumps(found, indent=1, default=float) + "\n", encoding="utf-8")


def _with_a_choice(hosts: Sequence[Host]) -> list[Host]:
    return [host for host in hosts if len({(c.site, c.new) for c in host.choices}) > 1]


def write_table(data: Path, out: Path, most: int, seed: int) -> None:
    """Median departures of the elements over some of the data set's hosts, for every ion."""
    hosts = list({key(row.host, "host"): row.host for row in read_dataset(data)}.values())
    chosen = np.random.default_rng(seed).permutation(len(hosts))[:most]
    network = load_networks()
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
    parser.add_argument("folder", type=Path, nargs="?", help="what is gathered, ion by ion; what is there is taken")
    parser.add_argument("--ions", default=",".join(WORKING_IONS), help="ions that are gathered")
    parser.add_argument("--table", type=Path, help="write the table of elements here and stop")
    parser.add_argument("--hosts", type=int, default=700, help="hosts that the table is made from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="write the numbers here, as JSON")
    arguments = parser.parse_args()
    if arguments.table:
        write_table(arguments.data, arguments.table, arguments.hosts, arguments.seed)
        return
    for ion in arguments.ions.split(","):
        path = arguments.folder / f"{ion}.json"
        if not path.exists():
            gather(arguments.data, ion, path)
    compare(arguments.data, arguments.folder, arguments.output)


if __name__ == "__main__":
    main()
