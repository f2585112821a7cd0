"""Are the explanations true of the model? Atoms are taken out or replaced, and the model is asked again.

An atom's local voltage says what it adds to the mean. If that is so, then taking out the atom whose local voltage
departs most from the crystal's voltage must move the prediction more than taking out an atom at random, and it must
move it the right way: down where the atom's local voltage is high. Where atoms add up, the same must hold of the atom
that adds most. Each crystal is one observation; atoms that are alike in it are tried once and weighted by their number;
working ions stay. The other check is whether the networks of an ensemble, which start from different weights, tell the
same story. (``design_vectors`` has the check of the paper's rule for better electrodes.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ionvolt.analysis.atom_table import Atoms
from ionvolt.errors import InputError
from ionvolt.explain.families import neighbour_in_group
from ionvolt.explain.figures import ACCENT, SOFT, canvas, styled
from ionvolt.ions import remove_ion, working_ion
from ionvolt.models.interface import AtomContributions, Predictor, Query
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import ProgressCallback

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Change = Literal["delete", "substitute"]
SIZES = (4, 40)
"""Atoms of the hosts that are tried: in larger ones a single atom hardly moves the mean."""
DRAWS = 2000
ALIKE = 1e-4
"""Atoms of an element whose local voltages, or contributions to a sum, differ by less (V) are alike."""


@dataclass(frozen=True)
class Case:
    """A host and what happened when its atoms were changed one by one.

    Attributes:
        local: Local voltage of each kind of atom less the crystal's voltage, V; where atoms add up, its contribution
            times the number of atoms (``AtomContributions.departures``).
        change: How the voltage moved, V.
        weight: Atoms of that kind.
        numbers: Their element.
    """

    local: NDArray[np.float64]
    change: NDArray[np.float64]
    weight: NDArray[np.float64]
    numbers: NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """A check over many crystals; voltages in V.

    Attributes:
        ion: Working ion.
        kind: Which local voltage: ``additive`` (what ``explain`` shows) or ``linear``.
        change: ``delete`` or ``substitute``.
        n: Crystals with at least two kinds of atoms.
        departing: Median move of the voltage, ``|dV|``, for the atom whose local voltage departs most from the
            crystal's.
        random: For an atom drawn at random (the mean over all atoms of the crystal; median over crystals).
        wins: Share of crystals in which the departing atom moves it more than a random one.
        p_wilcoxon: One-sided, over crystals.
        p_permutation: Share of draws, one random atom a crystal, whose mean move is as large.
        highest: Median ``|dV|`` for the atom with the highest local voltage.
        lowest: For the lowest.
        p_highest: One-sided Wilcoxon p that the highest moves the voltage more than a random atom.
        p_lowest: The same of the lowest.
        moved_by_highest: Median dV, with sign, for the highest.
        moved_by_lowest: For the lowest.
        right_way: Share of crystals where changing the highest moves the voltage below where changing the lowest does.
        rank: Median over crystals of the rank correlation of local voltage and -dV (crystals of at least four kinds).
        p_rank: Two-sided Wilcoxon p that it is zero.
        n_rank: Crystals it rests on.
        rank_within_element: The same among atoms of one element in one crystal (at least three kinds).
        n_within_element: Such groups.
    """

    ion: str
    kind: str
    change: str
    n: int
    departing: float
    random: float
    wins: float
    p_wilcoxon: float
    p_permutation: float
    highest: float
    lowest: float
    p_highest: float
    p_lowest: float
    moved_by_highest: float
    moved_by_lowest: float
    right_way: float
    rank: float
    p_rank: float
    n_rank: int
    rank_within_element: float
    n_within_element: int


@dataclass(frozen=True, eq=False)
class CheckStudy:
    """Outcomes of all checks on one ion.

    Attributes:
        outcomes: One for each change and kind of local voltage.
        cases: The cases behind the additive ones, by change.
        sample: Electrodes that were tried.
        stability: Agreement of networks, where there are several (``stability``).
    """

    outcomes: list[Outcome]
    cases: dict[str, list[Case]] = field(default_factory=dict)
    sample: list[Query] = field(default_factory=list)
    stability: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """All numbers, as plain JSON types; None where there was nothing to rank."""
        outcomes = [{k: None if v != v else v for k, v in asdict(o).items()} for o in self.outcomes]
        return {"outcomes": outcomes, "stability": self.stability}


def check_explanations(
    model: Predictor,
    queries: Sequence[Query],
    ion: str,
    *,
    n_crystals: int = 120,
    seed: int = 0,
    changes: Sequence[Change] = ("delete", "substitute"),
    progress: ProgressCallback | None = None,
) -> CheckStudy:
    """Delete and substitute atoms of a sample of electrodes and compare with what they are said to add.

    A substitute is the element below in the same group (above, where there is none). The vectors of the neighbours
    change with the atom, so this asks more of local voltages than the sum rule does.

    Args:
        model: A model that explains its answers.
        queries: Electrodes of one ion.
        ion: The working ion.
        n_crystals: How many of them are drawn, of ``SIZES`` atoms in the host.
        seed: Seed of the sample and of permutations.
        changes: What is done to atoms.
        progress: Called with what is done and what there is to do.

    Raises:
        ModelError: The model does not explain its answers.
    """
    rng = np.random.default_rng(seed)
    fitting = [q for q in queries if SIZES[0] <= len(q.host) <= SIZES[1] and len(q.host.composition) > 1]
    sample = [fitting[i] for i in rng.permutation(len(fitting))[:n_crystals]]
    explained = [_attributed(model, query) for query in sample]
    outcomes: list[Outcome] = []
    drawn: dict[str, list[Case]] = {}
    for step, change in enumerate(changes):
        cases: dict[str, list[Case]] = {"additive": [], "linear": []}
        for i, (query, found) in enumerate(zip(sample, explained, strict=True)):
            for kind, case in (_try(model, query, found, change) if found else {}).items():
                cases[kind].append(case)
            if progress:
                progress(step * len(sample) + i + 1, len(changes) * len(sample), change)
        outcomes += [_judge(those, ion, kind, change, rng) for kind, those in cases.items() if len(those) > 1]
        drawn[change] = cases["additive"]
    return CheckStudy(outcomes, drawn, sample)


def changed(host: Crystal, atom: int, change: Change) -> Crystal | None:
    """The host without an atom, or with the element beside it in its group in its place; None if there is none."""
    if change == "delete":
        keep = np.arange(len(host)) != atom
        return Crystal(host.lattice, host.numbers[keep], host.frac_coords[keep], host.source)
    other = neighbour_in_group(int(host.numbers[atom]))
    if other is None:
        return None
    numbers = host.numbers.copy()
    numbers[atom] = other
    return Crystal(host.lattice, numbers, host.frac_coords, host.source)


def stability(atoms: Atoms) -> dict[str, Any]:
    """How far the networks of an ensemble agree on which atoms raise the voltage.

    Rank correlation of local voltages between every two networks, in each crystal with at least four kinds of atoms:
    median and quartiles over crystals. ``across_elements``: of the elements' medians over all atoms.
    """
    kinds = atoms.distinct()
    result: dict[str, Any] = {"networks": len(atoms.additive)}
    if len(atoms.additive) < 2:
        return result
    pairs = np.triu_indices(len(atoms.additive), 1)
    for kind in ("additive", "linear"):
        members = kinds.additive if kind == "additive" else kinds.linear
        found = []
        for crystal in np.unique(kinds.crystal):
            own = members[:, kinds.crystal == crystal]
            if own.shape[1] >= 4:
                found.append(float(_rank_correlation(own)[pairs].mean()))
        elements = np.array([np.median(members[:, kinds.numbers == z], axis=1) for z in np.unique(kinds.numbers)])
        low, median, high = (round(float(q), 3) for q in np.quantile(found, [0.25, 0.5, 0.75])) if found else [None] * 3
        across = round(float(_rank_correlation(elements.T)[pairs].mean()), 3) if len(elements) > 3 else None
        result[kind] = {"n": len(found), "median": median, "q25": low, "q75": high, "across_elements": across}
    return result


def _rank_correlation(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    found: NDArray[np.float64] = np.corrcoef(rankdata(rows, axis=1))
    return found


def with_change(query: Query, atom: int, change: Change) -> Query | None:
    """The same electrode with an atom changed in all that is known of it; None where that cannot be done.

    Args:
        query: The charged host, or a discharged structure whose host was made by taking the ion out.
        atom: Place of the atom, in the discharged structure where that is known, else in the host.
        change: What is done to it.
    """
    if query.discharged is None:
        host = changed(query.host, atom, change)
        return None if host is None else Query(query.ion, host, n_ions=query.n_ions)
    discharged = changed(query.discharged, atom, change)
    if discharged is None or query.end_members == "both":
        return None
    return Query(query.ion, remove_ion(discharged, working_ion(query.ion)), "discharged", discharged, query.n_ions)


def _attributed(model: Predictor, query: Query) -> AtomContributions | None:
    """None where the model cannot take the crystal."""
    try:
        return model.attribute([query])[0]
    except InputError:
        return None


def _try(model: Predictor, query: Query, found: AtomContributions, change: Change) -> dict[str, Case]:
    """How the voltage moves with each kind of atom, by kind of local voltage; nothing with fewer than two kinds."""
    places, weights, asked = [], [], []
    for members in _kinds(found, working_ion(query.ion).number):
        other = with_change(query, members[0], change)
        if other is not None:
            asked.append(other)
            places.append(members[0])
            weights.append(float(len(members)))
    moved = _voltages(model, asked) - found.estimate.voltage
    known = np.isfinite(moved)
    chosen, weight = np.array(places, dtype=np.int64)[known], np.array(weights)[known]
    if len(chosen) < 2:
        return {}
    numbers = found.crystal.numbers
    cases = {"additive": Case(found.departures[chosen], moved[known], weight, numbers[chosen])}
    if found.linear is not None:
        linear = found.linear - found.linear.mean()
        cases["linear"] = Case(linear[chosen], moved[known], weight, numbers[chosen])
    return cases


def _voltages(model: Predictor, queries: Sequence[Query]) -> NDArray[np.float64]:
    """Answers in V; NaN where there is none, as for a crystal in which an atom has lost its last neighbour."""
    if not queries:
        return np.empty(0)
    try:
        return np.array([answer.voltage for answer in model.estimate(queries)])
    except InputError:
        if len(queries) == 1:
            return np.array([np.nan])
        return np.concatenate([_voltages(model, [query]) for query in queries])


def _kinds(found: AtomContributions, ion: int) -> list[list[int]]:
    """Atoms that are alike, by their places; working ions are left out where atoms add up."""
    values = found.local_voltages if found.pooling == "mean" else found.contributions
    numbers = found.crystal.numbers
    kinds: list[list[int]] = []
    for i in np.lexsort([values, numbers]):
        if found.pooling == "sum" and numbers[i] == ion:
            continue
        last = kinds[-1][-1] if kinds else None
        if last is not None and numbers[last] == numbers[i] and abs(values[last] - values[i]) < ALIKE:
            kinds[-1].append(int(i))
        else:
            kinds.append([int(i)])
    return kinds


def _judge(cases: Sequence[Case], ion: str, kind: str, change: str, rng: np.random.Generator) -> Outcome:
    from scipy.stats import spearmanr, wilcoxon

    moves = [np.abs(c.change) for c in cases]
    attribute = [c.weight / c.weight.sum() for c in cases]
    random = np.array([float(m @ s) for m, s in zip(moves, attribute, strict=True)])
    top = [int(np.abs(c.local).argmax()) for c in cases]
    high, low = [int(c.local.argmax()) for c in cases], [int(c.local.argmin()) for c in cases]

    def of(places: list[int], values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.array([v[p] for v, p in zip(values, places, strict=True)])

    draws = np.mean([rng.choice(m, DRAWS, p=s) for m, s in zip(moves, attribute, strict=True)], axis=0)
    departing, highest, lowest = of(top, moves), of(high, moves), of(low, moves)
    signed = [c.change for c in cases]
    ranks = [float(spearmanr(c.local, -c.change).statistic) for c in cases if len(c.local) >= 4]
    within = [
        float(spearmanr(c.local[c.numbers == z], -c.change[c.numbers == z]).statistic)
        for c in cases
        for z in np.unique(c.numbers)
        if (c.numbers == z).sum() >= 3
    ]
    ranks, within = [r for r in ranks if np.isfinite(r)], [r for r in within if np.isfinite(r)]
    return Outcome(
        ion=ion,
        kind=kind,
        change=change,
        n=len(cases),
        departing=_round(np.median(departing)),
        random=_round(np.median(random)),
        wins=_round((departing > random).mean()),
        p_wilcoxon=float(wilcoxon(departing, random, alternative="greater").pvalue),
        p_permutation=float((1 + (draws >= departing.mean()).sum()) / (DRAWS + 1)),
        highest=_round(np.median(highest)),
        lowest=_round(np.median(lowest)),
        p_highest=float(wilcoxon(highest, random, alternative="greater").pvalue),
        p_lowest=float(wilcoxon(lowest, random, alternative="greater").pvalue),
        moved_by_highest=_round(np.median(of(high, signed))),
        moved_by_lowest=_round(np.median(of(low, signed))),
        right_way=_round((of(high, signed) < of(low, signed)).mean()),
        rank=_round(np.median(ranks)) if ranks else float("nan"),
        p_rank=float(wilcoxon(ranks).pvalue) if len(ranks) > 5 else float("nan"),
        n_rank=len(ranks),
        rank_within_element=_round(np.median(within)) if within else float("nan"),
        n_within_element=len(within),
    )


def _round(value: Any) -> float:
    return round(float(value), 4)


@styled
def draw_checks(*, study: CheckStudy) -> Figure:
    """What moves the prediction: the departing atom beside a random one, and the move beside the local voltage."""
    figure, axes = canvas(len(study.cases), 2, width=9.2, height=3.9 * len(study.cases), squeeze=False)
    for row, (change, cases) in zip(axes, study.cases.items(), strict=True):
        (outcome,) = [o for o in study.outcomes if o.change == change and o.kind == "additive"]
        word = {"delete": "taken out", "substitute": "replaced"}[change]
        random = [float(np.abs(c.change) @ c.weight / c.weight.sum()) for c in cases]
        departing = [float(np.abs(c.change[np.abs(c.local).argmax()])) for c in cases]
        left, right = row
        end = float(np.quantile(departing + random, 0.98)) * 1.1
        left.plot([0, end], [0, end], color=SOFT, lw=0.8, ls=":")
        left.scatter(random, departing, s=14, color=ACCENT, lw=0, alpha=0.7)
        left.set(xlim=(0, end), ylim=(0, end), xlabel=f"|ΔV|, a random atom {word} (V)",
                 ylabel="|ΔV|, the atom that departs most (V)",
                 title=f"{outcome.wins:.0%} of {outcome.n} crystals above the line")  # fmt: skip
        local, move = (np.concatenate([getattr(c, name) for c in cases]) for name in ("local", "change"))
        right.axhline(0, color=SOFT, lw=0.8, ls=":")
        right.axvline(0, color=SOFT, lw=0.8, ls=":")
        right.scatter(local, move, s=8, color=ACCENT, lw=0, alpha=0.4)
        wide, high = np.quantile(np.abs(local), 0.995), np.quantile(np.abs(move), 0.995)
        right.set(xlim=(-wide, wide), ylim=(-high, high), xlabel="what the atom is said to add, times N (V)",
                  ylabel=f"ΔV when the atom is {word} (V)",
                  title=f"rank correlation with −ΔV {outcome.rank:.2f}")  # fmt: skip
    return figure
