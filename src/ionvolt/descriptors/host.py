"""Features of charged hosts that are quick to make: composition, packing, sites, redox couples; no symmetry search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ionvolt.descriptors.composition import COMPOSITION_FEATURES, amounts, composition_features
from ionvolt.descriptors.elements import ElementTable
from ionvolt.descriptors.redox import REDOX_FEATURES, RedoxTable, redox_features
from ionvolt.descriptors.structure import PACKING_FEATURES, SITE_FEATURES, packing_features, site_features
from ionvolt.descriptors.surroundings import in_batches, surroundings
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array

HOST_FEATURES: tuple[str, ...] = COMPOSITION_FEATURES + PACKING_FEATURES + SITE_FEATURES + REDOX_FEATURES
"""Names, in the order of the columns."""


def host_features(hosts: Sequence[Crystal], table: ElementTable, redox: RedoxTable) -> Array:
    """Features of charged hosts.

    Args:
        hosts: The hosts, as many as you like: they are worked on together.
        table: Properties of the elements.
        redox: More of them.

    Returns:
        Shape (n_hosts, len(HOST_FEATURES)), finite; a row depends on its own host alone.
    """
    parts = []
    for some in in_batches(hosts):
        atoms = surroundings(some)
        parts.append(
            np.hstack(
                [
                    composition_features(amounts(some), table),
                    packing_features(some, table),
                    site_features(atoms, table),
                    redox_features(some, atoms, table, redox),
                ]
            )
        )
    return np.vstack(parts) if parts else np.empty((0, len(HOST_FEATURES)))
