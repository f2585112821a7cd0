"""All features of a charged host, in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ionvolt.descriptors.composition import COMPOSITION_FEATURES, amounts, composition_features
from ionvolt.descriptors.elements import ElementTable, element_table
from ionvolt.descriptors.structure import STRUCTURE_FEATURES, structure_features
from ionvolt.structures.crystal import Crystal

FEATURES: tuple[str, ...] = COMPOSITION_FEATURES + STRUCTURE_FEATURES
"""Names, in the order of the columns."""


def features(hosts: Sequence[Crystal], table: ElementTable | None = None) -> NDArray[np.float64]:
    """Composition and structure features of charged hosts.

    Args:
        hosts: The hosts, as many as you like: they are worked on together.
        table: Properties of the elements; those of matminer and pymatgen where not given.

    Returns:
        Shape (n_hosts, len(FEATURES)), finite; a row depends on its own host alone.
    """
    table = table or element_table()
    if not hosts:
        return np.empty((0, len(FEATURES)))
    return np.hstack([composition_features(amounts(hosts), table), structure_features(hosts, table)])
