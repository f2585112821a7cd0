"""What support vectors compare of an electrode whose discharged structure is known, as the potential sees it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ionvolt.errors import ModelError
from ionvolt.ions import WORKING_IONS
from ionvolt.models.mlip.delta_network import EndMemberPair
from ionvolt.models.mlip.latent_features import ATOM_SIZE, LAST
from ionvolt.typing import Array32

BLOCKS = ((ATOM_SIZE, 0.5), (ATOM_SIZE, 0.5), (LAST.stop - LAST.start, 0.3), (1, 4.0))
"""Sizes of the blocks of features, and how much each counts: the fingerprints of the charged and of the
discharged crystal, the vectors of the ions in the discharged one, and the voltage of the potential's energies. Chosen
on framework folds of seed 0."""

SIZE = sum(size for size, _ in BLOCKS)


def importance() -> Array32:
    """How much a difference in each feature counts, shape (SIZE,): a block as much as ``BLOCKS`` says."""
    return np.concatenate([np.full(size, share * SIZE / size) for size, share in BLOCKS]).astype(np.float32)


def pair_features(pairs: Sequence[EndMemberPair]) -> Array32:
    """The features of electrodes, shape (n, SIZE).

    Raises:
        ModelError: It is not known which atoms of a discharged crystal are the ions.
    """
    rows = []
    for pair in pairs:
        full, empty = pair.discharged, pair.charged
        if full.numbers is None:
            raise ModelError("the elements of the atoms were not kept. Evaluate the crystals again")
        ions = full.atoms[full.numbers == WORKING_IONS[pair.ion].number]
        rows.append([*empty.fingerprint, *full.fingerprint, *ions[:, LAST].mean(0), pair.physics])
    return np.array(rows, dtype=np.float32)
