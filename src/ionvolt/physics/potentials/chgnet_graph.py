"""The graph that the universal potential reads: atoms, bonds and angles of a crystal.

CHGNet's own converter goes through pymatgen's neighbour search and one Python object for every bond. The same graph
from vesin and numpy takes a twentieth of the time; a test holds the energies of one against the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.crystal import Crystal
from ionvolt.structures.pairs import Pairs
from ionvolt.structures.wording import refusal

if TYPE_CHECKING:
    from chgnet.graph.crystalgraph import CrystalGraph

HEAVIEST = 94
"""The heaviest element that the potential knows, plutonium."""


def require_known(crystal: Crystal, bonds: Pairs, cutoff: float) -> None:
    """Refuse what the potential cannot compute.

    Raises:
        InputError: An element beyond ``HEAVIEST``, or an atom without a neighbour within ``cutoff`` (Å).
    """
    if crystal.numbers.max() > HEAVIEST:
        heavy = crystal.symbols[int(crystal.numbers.argmax())]
        raise refusal(
            crystal.source,
            f"the potential does not know {heavy}",
            "Leave it out: it knows hydrogen to plutonium",
        )
    alone = np.setdiff1d(np.arange(len(crystal)), np.concatenate([bonds.i, bonds.j]))
    if alone.size:
        raise refusal(
            crystal.source,
            f"atom {alone[0] + 1} ({crystal.symbols[alone[0]]}) has no neighbour within {cutoff:g} Å, which is as far "
            "as the potential reaches",
            "Check cell and coordinates; where they are right, this potential cannot answer for so open a structure",
        )


def angles(center: NDArray[np.int64], short: NDArray[np.int64], n_atoms: int) -> NDArray[np.int64]:
    """Ordered pairs of different short bonds that start at the same atom.

    Args:
        center: Atom at which each directed bond starts, shape (n_directed,).
        short: Indices of the directed bonds that make angles, shape (n_short,).
        n_atoms: Atoms in the cell.

    Returns:
        Two directed bonds for each angle, shape (n_angles, 2), int64.
    """
    bonds = short[np.argsort(center[short], kind="stable")]
    counts = np.bincount(center[bonds], minlength=n_atoms)
    starts = np.cumsum(counts) - counts
    partners = counts[center[bonds]]
    first = np.repeat(bonds, partners)
    offset = np.arange(first.size) - np.repeat(np.cumsum(partners) - partners, partners)
    second = bonds[starts[center[first]] + offset] if first.size else first
    different = first != second
    return np.stack([first[different], second[different]], axis=1)


def chgnet_graph(crystal: Crystal, bonds: Pairs, atom_cutoff: float, bond_cutoff: float) -> CrystalGraph:
    """A CHGNet graph, ready for its forward pass.

    Args:
        crystal: The crystal.
        bonds: Its bonds, at least up to ``atom_cutoff``.
        atom_cutoff: Å up to which atoms are neighbours.
        bond_cutoff: Å below which two bonds at an atom make an angle.

    Raises:
        InputError: The potential cannot compute this crystal (see ``require_known``).
    """
    import torch
    from chgnet.graph.crystalgraph import CrystalGraph

    bonds = bonds.within(atom_cutoff)
    require_known(crystal, bonds, atom_cutoff)
    n = bonds.i.size
    # Bond b is directed bond b one way and directed bond n + b the other way.
    center = np.concatenate([bonds.i, bonds.j])
    neighbour = np.concatenate([bonds.j, bonds.i])
    short = np.flatnonzero(bonds.distance < bond_cutoff)
    pairs = angles(center, np.concatenate([short, short + n]), len(crystal))
    bond_graph = np.stack([center[pairs[:, 0]], pairs[:, 0] % n, pairs[:, 0], pairs[:, 1] % n, pairs[:, 1]], axis=1)
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
