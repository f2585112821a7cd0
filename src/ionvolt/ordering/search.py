"""Arrangements of atoms on the disordered sites of a supercell: all of them, or those that annealing finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from ionvolt.ordering.electrostatics import CLASH, Cell
from ionvolt.ordering.rounding import EMPTY
from ionvolt.structures.crystal import SYMBOLS
from ionvolt.typing import Array

MOST_ENUMERATED = 20_000
"""Arrangements of a supercell that are all looked at; of more, annealing picks some."""

CHAINS, SWEEPS = 64, 60
"""Runs of annealing side by side, and swaps tried for each disordered site in each."""

HOT, COLD = 5.0, 0.05
"""eV: from and to where annealing cools. Charges are not screened, so that swaps cost some eV."""

_SAME = 1e-5
"""How far the fingerprints of equal arrangements may lie apart; they agree to some 1e-13."""

_TOGETHER = 4096

_MARKS = np.concatenate([[0.0], np.sqrt(np.arange(2.0, len(SYMBOLS) + 1.0)) % 1.0 + 0.5])


@dataclass(frozen=True, eq=False)
class Candidate:
    """An arrangement in its supercell.

    Attributes:
        cell: The supercell.
        arrangement: Atomic number on each disordered site, shape (n,); ``EMPTY`` for none.
        energy: Electrostatic energy, eV per supercell.
    """

    cell: Cell
    arrangement: NDArray[np.int64]
    energy: float


def count_arrangements(counts: Mapping[int, Mapping[int, int]]) -> int:
    """Ways to place atoms on the sites of the orbits."""
    total = 1
    for held in counts.values():
        left = sum(held.values())
        for number in held.values():
            total *= comb(left, number)
            left -= number
    return total


def candidates(cell: Cell, rng: np.random.Generator) -> tuple[list[Candidate], bool]:
    """Symmetry-distinct arrangements of a supercell, in no order, and whether these are all."""
    complete = count_arrangements(cell.counts) <= MOST_ENUMERATED
    arrangements = np.array(list(_all(cell)), dtype=np.int64) if complete else anneal(cell, rng)
    arrangements = arrangements.reshape(-1, len(cell.sites))
    arrangements = arrangements[distinct(fingerprints(cell, arrangements))]
    energies = cell.energies(arrangements).tolist()
    return [Candidate(cell, *one) for one in zip(arrangements, energies, strict=True)], complete


def degeneracy(cell: Cell, arrangement: NDArray[np.int64]) -> int:
    """Arrangements of the supercell that its symmetry makes of one."""
    return len(np.unique(arrangement[cell.permutations], axis=0))


def fingerprints(cell: Cell, arrangements: NDArray[np.int64]) -> Array:
    """A number for each arrangement, shape (m,), that is the same for those which symmetry makes of each other.

    Of arbitrary charges, different for each element, the squares of the potentials at all sites are added up, each
    times the charge there. Three sites at a time come into it: pairs alone cannot tell apart what lies between the
    atoms. It does not hang on the choice of the supercell, either.
    """
    charges, fixed = _MARKS[arrangements], _MARKS[cell.fixed]
    found: Array = np.empty(len(arrangements))
    for start in range(0, len(arrangements), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        squares = (charges[part] @ cell.unit[cell.sites] + fixed @ cell.unit) ** 2
        found[part] = squares @ fixed + np.einsum("mi,mi->m", squares[:, cell.sites], charges[part])
    return found


def distinct(marks: Array) -> NDArray[np.int64]:
    """Indices of fingerprints of which no two are equal, one for each that there is; shape (m,)."""
    order = np.argsort(marks, kind="stable")
    kept: list[int] = []
    last = -np.inf
    for k in order.tolist():
        if marks[k] - last > _SAME:
            kept.append(k)
            last = float(marks[k])
    return np.array(kept, dtype=np.int64)


def anneal(cell: Cell, rng: np.random.Generator) -> NDArray[np.int64]:
    """Where ``CHAINS`` runs of swaps end that cool from ``HOT`` to ``COLD``, and the best that each came across.

    All runs take a step together; a swap costs as much as a row of the matrix.

    Returns:
        Arrangements, shape (2 * CHAINS, n).
    """
    state = np.array([_random(cell, rng) for _ in range(CHAINS)])
    chain = np.arange(CHAINS)
    q, there = cell.charges[state], (state != EMPTY).astype(np.float64)
    potential = 2.0 * q @ cell.pairs + cell.field
    crowding = there @ cell.near + cell.blocked
    energy = cell.energies(state)
    best, lowest = state.copy(), energy.copy()
    partners = {group: np.flatnonzero(cell.groups == group) for group in np.unique(cell.groups)}
    n_steps = SWEEPS * len(cell.sites)
    firsts = rng.integers(len(cell.sites), size=(n_steps, CHAINS))
    draws, chances = rng.random((2, n_steps, CHAINS))
    sizes = np.array([len(partners[group]) for group in cell.groups])
    table = np.zeros((len(cell.sites), int(sizes.max())), dtype=np.int64)
    for site, group in enumerate(cell.groups):
        table[site, : sizes[site]] = partners[group]
    for step, temperature in enumerate(np.geomspace(HOT, COLD, n_steps)):
        i = firsts[step]
        j = table[i, (draws[step] * sizes[i]).astype(np.int64)]
        dq = q[chain, j] - q[chain, i]
        dn = there[chain, j] - there[chain, i]
        change = dq * (potential[chain, i] - potential[chain, j])
        change += dq**2 * (cell.pairs[i, i] + cell.pairs[j, j] - 2.0 * cell.pairs[i, j])
        change += CLASH * (dn * (crowding[chain, i] - crowding[chain, j]) - dn**2 * cell.near[i, j])
        taken = np.flatnonzero((state[chain, i] != state[chain, j]) & (-change > temperature * np.log(chances[step])))
        if not len(taken):
            continue
        a, b, d, e = i[taken], j[taken], dq[taken, None], dn[taken, None]
        state[taken, a], state[taken, b] = state[taken, b], state[taken, a]
        q[taken, a] += d[:, 0]
        q[taken, b] -= d[:, 0]
        there[taken, a] += e[:, 0]
        there[taken, b] -= e[:, 0]
        potential[taken] += 2.0 * d * (cell.pairs[a] - cell.pairs[b])
        crowding[taken] += e * (cell.near[a] - cell.near[b])
        energy[taken] += change[taken]
        better = taken[energy[taken] < lowest[taken] - 1e-6]
        best[better], lowest[better] = state[better], energy[better]
    return np.vstack([best, state])


def _random(cell: Cell, rng: np.random.Generator) -> NDArray[np.int64]:
    state = np.zeros(len(cell.sites), dtype=np.int64)
    for group, held in cell.counts.items():
        atoms = np.repeat(list(held), list(held.values()))
        state[cell.groups == group] = rng.permutation(atoms)
    return state


def _all(cell: Cell) -> Iterator[NDArray[np.int64]]:
    """Every arrangement."""
    groups = [(np.flatnonzero(cell.groups == group), list(held.items())) for group, held in cell.counts.items()]

    def fill(
        state: NDArray[np.int64], rest: list[tuple[NDArray[np.int64], list[tuple[int, int]]]]
    ) -> Iterator[NDArray[np.int64]]:
        if not rest:
            yield state.copy()
            return
        free, held = rest[0]
        (number, count), *others = held
        for chosen in combinations(range(len(free)), count):
            state[free[list(chosen)]] = number
            left = np.delete(free, list(chosen))
            yield from fill(state, ([(left, others)] if others else []) + rest[1:])

    yield from fill(np.zeros(len(cell.sites), dtype=np.int64), groups)
