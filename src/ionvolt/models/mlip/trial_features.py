"""A charged host as the foundation model sees it: alone, and with the working ion tried in its voids.

A host that is not relaxed takes a few steps of relaxation first. A trial with one ion stays as it stands, one with as
many as may go in takes such steps, too. Energies of such
trials are not voltages yet, but they say what the host alone does not: where the ion would sit, and how well.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ionvolt.ions import WORKING_IONS
from ionvolt.models.mlip.delta_network import EndMemberPair
from ionvolt.models.mlip.latent_features import (
    ATOM_SIZE,
    AVERAGES_SIZE,
    LAST,
    CrystalFeatures,
    features_at_ease,
    pool_features,
)
from ionvolt.physics.interstitials import InterstitialSite
from ionvolt.physics.potentials.sevennet import VERSION, load_sevennet
from ionvolt.physics.references import metal_energy
from ionvolt.physics.settling import GivenForces
from ionvolt.physics.trial_insertion import Trial, Wanted, sites_for_trials, trial_insertions
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import primitive_cell

WITHIN = (-3.0, 9.0)
"""V: voltages of trials beyond these are taken as these; a void that is too narrow says no more than that."""

BLOCKS = ((AVERAGES_SIZE, 0.5), (AVERAGES_SIZE, 0.5), (ATOM_SIZE, 0.2), (1, 0.1), (1, 0.6))
"""Sizes of the kernel's blocks of features, and how much each counts: the host, the filled host, the ions' vectors in
the single and in the filled trial, the voltages of both. Chosen on framework folds of seed 0."""

FEATURES = sum(size for size, _ in BLOCKS)


@dataclass(frozen=True, eq=False)
class TrialFeatures:
    """A host with a working ion tried in it.

    Attributes:
        pair: The filled host and the host itself, with the trial's voltage, for the learners of corrections.
        features: What the kernel compares, shape (FEATURES,), float32.
        cell: The host's primitive cell as given; None where only features are known.
        filled: That cell, settled, with the ions in it, which come last; None as before.
    """

    pair: EndMemberPair
    features: NDArray[np.float32]
    cell: Crystal | None = None
    filled: Crystal | None = None

    @property
    def host(self) -> CrystalFeatures:
        """The host alone."""
        return self.pair.charged


LATEST = 4
"""Hosts that are remembered: who asks for ten ions of one, an ion at a time, has it evaluated once."""

_Empty: TypeAlias = tuple[Crystal, Crystal, list[InterstitialSite], GivenForces, CrystalFeatures]
"""A host's primitive cell as given, settled where it was not relaxed, and of that the voids, forces and vectors."""

_LATEST: OrderedDict[tuple[object, ...], _Empty] = OrderedDict()


def importance() -> NDArray[np.float32]:
    """How much a difference in each feature counts, shape (FEATURES,): a block as much as ``BLOCKS`` says."""
    return np.concatenate([np.full(size, share * FEATURES / size) for size, share in BLOCKS]).astype(np.float32)


def featurise_trials(
    hosts: Sequence[Crystal], ions: Sequence[str], n_ions: Sequence[float | None] | None = None
) -> list[TrialFeatures]:
    """Hosts, each with the symbol of its ion and what is known of how many go into its cell, in their primitive cells.

    What belongs to the host alone is computed once for hosts that are the same, also where they come one after another.

    Raises:
        InputError: A host has no void, or holds an isolated atom or an element that the potential does not know.
    """
    potential = load_sevennet()
    wanted: dict[int, list[int]] = {}
    for number, host in enumerate(hosts):
        wanted.setdefault(id(host), []).append(number)
    found: dict[int, TrialFeatures] = {}
    for numbers in wanted.values():
        cell, eased, sites, given, vectors = _empty(host := hosts[numbers[0]])
        asked = []
        for k in numbers:
            n = n_ions[k] if n_ions else None
            asked.append(Wanted(WORKING_IONS[ions[k]], None if n is None else ions_of_cell(n / len(host), cell)))
        for k, trials in zip(numbers, trial_insertions(eased, asked, potential, sites, given), strict=True):
            found[k] = replace(trial_features(vectors, *trials, ions[k]), cell=cell, filled=trials[1].crystal)
    return [found[k] for k in range(len(hosts))]


def ions_of_cell(content: float, cell: Crystal) -> int:
    """How many ions go into a cell of so many per host atom: whole ones, at least one."""
    return max(1, round(content * len(cell)))


def _empty(host: Crystal) -> _Empty:
    key = (host.source, *(array.tobytes() for array in (host.lattice, host.numbers, host.frac_coords)))
    found = _LATEST.get(key)
    if found is None:
        cell = primitive_cell(host)
        eased, given, vectors = features_at_ease(cell)
        found = _LATEST[key] = (cell, eased, sites_for_trials(eased), given, vectors)
        while len(_LATEST) > LATEST:
            _LATEST.popitem(last=False)
    return found


def trial_features(host: CrystalFeatures, single: Trial, filled: Trial, ion: str) -> TrialFeatures:
    """What the learners take, from a host's vectors and the trials' outputs."""
    one, all_ = pool_features(single.output, single.crystal), pool_features(filled.output, filled.crystal)
    return from_crystal_features(host, one, all_, filled.n_ions, ion)


def from_crystal_features(
    host: CrystalFeatures, single: CrystalFeatures, filled: CrystalFeatures, n_ions: int, ion: str
) -> TrialFeatures:
    """The same from vectors alone; the ions are the last ``n_ions`` atoms."""
    voltages = [_voltage(host, trial, n, ion) for trial, n in ((single, 1), (filled, n_ions))]
    features = [
        host.averages,
        filled.averages,
        single.atoms[-1, LAST],
        filled.atoms[-n_ions:, LAST].mean(0),
        np.array(voltages),
    ]
    pair = EndMemberPair(filled, host, 1, 1, n_ions, ion, voltages[1])
    return TrialFeatures(pair, np.concatenate(features).astype(np.float32))


def _voltage(host: CrystalFeatures, trial: CrystalFeatures, n_ions: int, ion: str) -> float:
    working_ion = WORKING_IONS[ion]
    gained = host.energy + n_ions * metal_energy(working_ion, VERSION) - trial.energy
    return float(np.clip(gained / (n_ions * working_ion.charge), *WITHIN))
