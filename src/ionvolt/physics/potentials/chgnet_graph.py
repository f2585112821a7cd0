"""The graph that the universal potential reads: atoms, bonds and angles of crystals.

CHGNet's own converter goes through pymatgen's neighbour search and one Python object for every bond. The same graph
from vesin and numpy takes a twentieth of the time; a test holds the energies of one against the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.crystal import Crystal
from ionvolt.structures.pairs import Pairs, find_pairs
from ionvolt.structures.wording import refusal

if TYPE_CHECKING:
    from chgnet.graph.crystalgraph import CrystalGraph

TOGETHER = 512
"""Rows that pass through a network at once, 1 kB and more each: they stay in the processor's cache."""

HEAVIEST = 94
"""The heaviest element that the potential knows, plutonium."""


Span = tuple[int, int, int, int]
"""The first of some groups and the one after the last, the first of their rows and the one after the last."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Directed bonds or angles in groups: the bonds at an atom, the angles that begin with a bond.

    Attributes:
        starts: Where each group's rows begin, and where the last one's end, shape (n_groups + 1,).
        second: The bond of each row; of an angle, its second one. Shape (n_rows,).
        third: The atom at the other end of each directed bond; the pair of bonds of each angle. Shape (n_rows,).
        spans: Whole groups that pass at once: ``TOGETHER`` rows at most, or one group that has more.
    """

    starts: NDArray[np.int32]
    second: NDArray[np.int32]
    third: NDArray[np.int32]
    spans: list[Span]

    @classmethod
    def of(cls, groups: NDArray[np.int64], n_groups: int, second: NDArray[np.int64], third: NDArray[np.int64]) -> Rows:
        """Rows of which each belongs to a group, in the order of the groups; each with its two numbers."""
        starts = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=n_groups))])
        spans, begin = [], 0
        while begin < n_groups:
            end = max(int(np.searchsorted(starts, starts[begin] + TOGETHER, side="right")) - 1, begin + 1)
            spans.append((begin, end, int(starts[begin]), int(starts[end])))
            begin = end
        return cls(starts.astype(np.int32), second.astype(np.int32), third.astype(np.int32), spans)

    @property
    def largest(self) -> int:
        """Rows of the longest span."""
        return max((stop - start for _, _, start, stop in self.spans), default=0)


@dataclass(frozen=True, eq=False)
class Graph:
    """Crystals side by side. Bonds that make angles stand before the others.

    Attributes:
        begins: Where each crystal's atoms begin, and where the last one's end, shape (n_crystals + 1,).
        numbers: Atomic numbers, shape (n_atoms,).
        ends: First and second atom of each bond, which counts once, shape (2, n_bonds).
        vectors: From the second atom to the first, Å, shape (n_bonds, 3).
        n_short: Bonds that make angles. Directed ones are counted one way, then all the other.
        bent: Whether a bond's crystal has angles, shape (n_bonds,).
        at_atoms: Directed bonds at each atom.
        at_bonds: Angles that begin with each directed short bond.
        pairs: The two directed short bonds of each angle that counts once, whichever comes first, shape (2, n_pairs).
        angles: The two angles of each pair, shape (2, n_pairs).
    """

    begins: NDArray[np.int64]
    numbers: NDArray[np.int64]
    ends: NDArray[np.int64]
    vectors: NDArray[np.float64]
    n_short: int
    bent: NDArray[np.bool_]
    at_atoms: Rows
    at_bonds: Rows
    pairs: NDArray[np.int64]
    angles: NDArray[np.int64]

    @property
    def centers(self) -> NDArray[np.int64]:
        """Atom at which each directed short bond starts, shape (2 n_short,)."""
        return self.ends[:, : self.n_short].reshape(-1)


def require_known(crystal: Crystal, bonds: Pairs, cutoff: float) -> None:
    """Refuse what the potential cannot compute.

    Raises:
        InputError: An element beyond ``HEAVIEST``, or an atom without a neighbour within ``cutoff`` (Å).
    """
    if crystal.numbers.max() > HEAVIEST:
        heavy = crystal.symbols[int(crystal.numbers.argmax())]
        raise refusal(
            crystal.source,
            f"CHGNet does not know {heavy}",
            "Leave it out: it knows hydrogen to plutonium",
        )
    alone = np.flatnonzero(
        np.bincount(bonds.i, minlength=len(crystal)) + np.bincount(bonds.j, minlength=len(crystal)) == 0
    )
    if alone.size:
        raise refusal(
            crystal.source,
            f"atom {alone[0] + 1} ({crystal.symbols[alone[0]]}) has no neighbour within {cutoff:g} Å, which is as far "
            "as the potential reaches",
            "Check cell and coordinates; where they are right, this potential cannot answer for so open a structure",
        )


def angles(center: NDArray[np.int64], n_atoms: int) -> NDArray[np.int64]:
    """Ordered pairs of different directed bonds that start at the same atom.

    Args:
        center: Atom at which each directed bond starts, shape (n_directed,).
        n_atoms: Atoms in all.

    Returns:
        Two directed bonds for each angle, in the order of the first, then of the second, shape (2, n_angles).
    """
    bonds = np.argsort(center, kind="stable")
    counts = np.bincount(center, minlength=n_atoms)
    starts = np.cumsum(counts) - counts
    partners = counts[center]
    first = np.repeat(np.arange(center.size), partners)
    offset = np.arange(first.size) - np.repeat(np.cumsum(partners) - partners, partners)
    second = bonds[starts[center[first]] + offset]
    return np.stack([first, second])[:, first != second]


def graph_of(crystals: Sequence[Crystal], atom_cutoff: float, bond_cutoff: float) -> Graph:
    """The graph of crystals side by side.

    Args:
        crystals: At least one.
        atom_cutoff: Å up to which atoms are neighbours.
        bond_cutoff: Å below which two bonds at an atom make an angle.

    Raises:
        InputError: The potential cannot compute one of them (see ``require_known``).
    """
    begins = np.cumsum([0, *map(len, crystals)])
    ends, vectors, distances = [], [], []
    for crystal, begin in zip(crystals, begins, strict=False):
        bonds = find_pairs(crystal, atom_cutoff, both=False)
        require_known(crystal, bonds, atom_cutoff)
        frac = crystal.wrapped
        ends.append(np.stack([bonds.i, bonds.j]) + begin)
        vectors.append((frac[bonds.i] - frac[bonds.j] - bonds.image) @ crystal.lattice)
        distances.append(bonds.distance)
    is_long = np.concatenate(distances) >= bond_cutoff
    order = np.argsort(is_long, kind="stable")
    both, n = np.concatenate(ends, axis=1)[:, order], is_long.size
    n_short, n_atoms = n - int(is_long.sum()), int(begins[-1])
    first, partner = angles(both[:, :n_short].reshape(-1), n_atoms)
    # Angles go by their first bond, then their second. Sorted by the second, each stands where its reverse stood.
    one = np.flatnonzero(first < partner)
    other = np.argsort(partner, kind="stable")[one]
    pair = np.empty_like(first)
    pair[one] = pair[other] = np.arange(one.size)
    center = both.reshape(-1)
    directed = np.argsort(center, kind="stable")
    owner = np.repeat(np.arange(len(crystals)), np.diff(begins))
    bent = np.zeros(len(crystals), dtype=bool)
    bent[owner[both[0, first % n_short]] if first.size else []] = True
    return Graph(
        begins,
        np.concatenate([crystal.numbers for crystal in crystals]),
        both,
        np.concatenate(vectors)[order],
        n_short,
        bent[owner[both[0]]],
        Rows.of(center[directed], n_atoms, directed % n, both[::-1].reshape(-1)[directed]),
        Rows.of(first, 2 * n_short, partner % max(n_short, 1), pair),
        np.stack([first[one], partner[one]]),
        np.stack([one, other]),
    )


def chgnet_graph(crystal: Crystal, atom_cutoff: float, bond_cutoff: float) -> CrystalGraph:
    """A graph as the package's own layers take it; arguments as those of ``graph_of``."""
    import torch
    from chgnet.graph.crystalgraph import CrystalGraph

    bonds = find_pairs(crystal, atom_cutoff, both=False)
    require_known(crystal, bonds, atom_cutoff)
    n = bonds.i.size
    # Bond b is directed bond b one way and directed bond n + b the other way.
    center = np.concatenate([bonds.i, bonds.j])
    neighbour = np.concatenate([bonds.j, bonds.i])
    short = np.flatnonzero(bonds.distance < bond_cutoff)
    directed = np.concatenate([short, short + n])
    first, second = directed[angles(center[directed], len(crystal))]
    bond_graph = np.stack([center[first], first % n, first, second % n, second], axis=1)
    return CrystalGraph(
        atomic_number=torch.tensor(crystal.numbers, dtype=torch.int32),
        atom_frac_coord=torch.tensor(crystal.wrapped, dtype=torch.float32, requires_grad=True),
        atom_graph=torch.tensor(np.stack([center, neighbour], axis=1), dtype=torch.int32),
        atom_graph_cutoff=atom_cutoff,
        neighbor_image=torch.tensor(np.concatenate([bonds.image, -bonds.image]), dtype=torch.float32),
        directed2undirected=torch.tensor(np.concatenate([np.arange(n), np.arange(n)]), dtype=torch.int32),
        undirected2directed=torch.tensor(np.arange(n), dtype=torch.int32),
        bond_graph=torch.tensor(bond_graph, dtype=torch.int32),
        bond_graph_cutoff=bond_cutoff,
        lattice=torch.tensor(crystal.lattice, dtype=torch.float32, requires_grad=True),
    )
