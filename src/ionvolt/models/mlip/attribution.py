"""Answers of the models on a universal potential, shared out among atoms.

The potential's energies are sums over atoms, and so are the corrections of atoms' energies by the networks and by the
Gaussian process on atoms. V = -(E_discharged - E_charged - n E_metal) / (n z), so an atom of the framework adds
-(e_discharged - e_charged) / (n z): how much lower its energy is with the ions in. An ion that moves adds
-(e_discharged - E_metal) / (n z). How a potential cuts its energy into atoms is its own affair, as in every such
potential; that of an element alone drops out of these differences.

What is no sum over atoms stays as a remainder: the corrections of an electrode as a whole, and what support vectors say
of hosts alone and of discharged crystals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import ModelError
from ionvolt.ions import WORKING_IONS
from ionvolt.models.interface import AtomContributions, Estimate
from ionvolt.models.mlip.atom_pairing import charged_onto_discharged, images_of_cell, with_atoms
from ionvolt.models.mlip.atomic_gp import AtomicGP
from ionvolt.models.mlip.delta_network import DeltaNetwork, EndMemberPair, collate_pairs
from ionvolt.models.uncertainty.domain import ensemble_std
from ionvolt.physics.potentials.sevennet import VERSION
from ionvolt.physics.references import metal_energy
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array

AS_A_WHOLE = "what the learned correction says of the electrode as a whole"
WHOLE = "what support vectors add, who compare whole crystals, and what the networks say of the electrode as a whole"
BY_ELEMENT = (
    "which atom of one end is which of the other cannot be told: the charged end counts by the mean of each element"
)
CLIPPED = "the trial's voltage is beyond what counts: its contributions are scaled down to that"
SMALL_CELL = "the atoms are those of the primitive cell"


def attribute_pair(
    pair: EndMemberPair,
    estimate: Estimate,
    networks: Sequence[DeltaNetwork],
    kernel: AtomicGP | None,
    n_kinds: int,
    kept: float,
    ends: tuple[Crystal, Crystal],
) -> AtomContributions:
    """Share an answer of the Δ-model out among the atoms of the discharged crystal.

    Args:
        pair: Both end members, with the energies of their atoms.
        estimate: The answer.
        networks: Learners of the correction.
        kernel: A learner of another kind, averaged with them, where there is one.
        n_kinds: Kinds of learners in the answer's mean: one on whole crystals cannot be shared out.
        kept: How much of the correction the answer keeps, 0 to 1.
        ends: The discharged and the charged crystal.
    """
    discharged, charged = ends
    ion = WORKING_IONS[pair.ion]
    shared, distinguished = charged_onto_discharged(discharged, charged, ion)
    potential = _from_potential(pair, shared, discharged.numbers == ion.number)
    members = onto(shared, network_contributions(networks, pair))
    others = [] if kernel is None else [onto(shared, kernel_contributions(kernel, pair))]
    contributions = potential + kept * (members.mean(0) + sum(others)) / n_kinds
    return AtomContributions(
        estimate=estimate,
        crystal=discharged,
        contributions=contributions,
        spread=kept * ensemble_std(members, *others),
        remainder=estimate.voltage - float(contributions.sum()),
        remainder_is=AS_A_WHOLE,
        pooling="sum",
        potential=potential,
        notes=() if distinguished else (BY_ELEMENT,),
    )


def attribute_host(
    pair: EndMemberPair,
    estimate: Estimate,
    networks: Sequence[DeltaNetwork],
    host: Crystal,
    cell: Crystal,
    tried: Crystal,
    taken_as_it_is: float,
) -> AtomContributions:
    """Share an answer of the foundation model out among the atoms of the host and the ions tried in it.

    What the support vectors add to the trial's voltage cannot be shared out.

    Args:
        pair: The filled host and the host itself, with the energies of their atoms.
        estimate: The answer.
        networks: Learners of the correction.
        host: The host as it was given.
        cell: Its primitive cell.
        tried: The filled cell: the atoms of ``cell``, then the ions.
        taken_as_it_is: Share of the trial's voltage to which the support vectors add.
    """
    notes = []
    shared = np.eye(len(tried), len(cell))
    potential = _from_potential(pair, shared, np.arange(len(tried)) >= len(cell))
    total = float(potential.sum())
    if abs(total - pair.physics) > 1e-3:
        potential *= pair.physics / total
        notes.append(CLIPPED)
    potential *= (1 + taken_as_it_is) / 2
    members = 0.5 * onto(shared, network_contributions(networks, pair))
    contributions, spread = potential + members.mean(0), members.std(0)
    ions = tried.frac_coords[len(cell) :] @ cell.lattice
    images = images_of_cell(host, cell)
    if images is None:
        owner, shifts, host = np.arange(len(cell)), np.zeros((1, 3)), cell
        notes.append(SMALL_CELL)
    else:
        owner, shifts = images
    crystal = with_atoms(host, WORKING_IONS[pair.ion].number, (ions[None] + shifts[:, None]).reshape(-1, 3))
    place = np.concatenate([owner, np.tile(np.arange(len(cell), len(tried)), len(shifts))])
    contributions, spread, potential = (values[place] / len(shifts) for values in (contributions, spread, potential))
    return AtomContributions(
        estimate=estimate,
        crystal=crystal,
        contributions=contributions,
        spread=spread,
        remainder=estimate.voltage - float(contributions.sum()),
        remainder_is=WHOLE,
        pooling="sum",
        potential=potential,
        notes=tuple(notes),
    )


def onto(shared: Array, values: Array) -> Array:
    """Values of the atoms of both ends, shape (..., n_discharged + n_charged), on those of the discharged one."""
    n = len(shared)
    found: Array = values[..., :n] + values[..., n:] @ shared.T
    return found


def network_contributions(networks: Sequence[DeltaNetwork], pair: EndMemberPair) -> Array:
    """V that every network's correction of each atom's energy adds, shape (n_members, n_discharged + n_charged)."""
    batch = collate_pairs([pair])
    return np.array([network.atom_energies(batch.atoms) * batch.weight for network in networks], dtype=np.float64)


def kernel_contributions(kernel: AtomicGP, pair: EndMemberPair) -> Array:
    """The same of the Gaussian process on atoms, shape (n_discharged + n_charged,)."""
    batch = collate_pairs([pair])
    found: Array = kernel.atom_energies(batch.atoms) * batch.weight.astype(np.float64)
    return found


def _from_potential(pair: EndMemberPair, shared: Array, ions: NDArray[np.bool_]) -> Array:
    """V that the potential's energy of each atom of the discharged crystal adds, shape (n_discharged,).

    Args:
        pair: Both end members.
        shared: How the charged atoms are shared out among the discharged ones.
        ions: Which of these move, all alike, shape (n_discharged,).
    """
    full, empty = pair.discharged.atom_energies, pair.charged.atom_energies
    if full is None or empty is None:
        raise ModelError("the energies of the atoms were not kept. Evaluate the crystals again")
    ion = WORKING_IONS[pair.ion]
    weight = np.array([-pair.discharged_cells, pair.charged_cells]) / (pair.n_ions * ion.charge)
    metal = ions / ions.sum() * metal_energy(ion, VERSION) / ion.charge
    found: Array = onto(shared, np.concatenate([weight[0] * full, weight[1] * empty])) + metal
    return found
