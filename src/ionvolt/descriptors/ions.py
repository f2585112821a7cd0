"""The working ion as features, for models that learn from several ions at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ionvolt.descriptors.elements import ElementTable
from ionvolt.ions import WORKING_IONS, working_ion

_OF_THE_ELEMENT = (
    "AtomicWeight", "CovalentRadius", "Electronegativity", "FirstIonisation", "CationRadius", "MeltingT", "GSvolume_pa",
)  # fmt: skip

ION_FEATURES: tuple[str, ...] = (
    *(f"ion is {symbol}" for symbol in WORKING_IONS),
    "ion charge",
    "ion charge / CationRadius",
    *(f"ion {name}" for name in _OF_THE_ELEMENT),
)


def ion_features(ions: Sequence[str], table: ElementTable) -> NDArray[np.float64]:
    """Features of working ions.

    Args:
        ions: Their symbols.
        table: Properties of the elements.

    Returns:
        Shape (n, len(ION_FEATURES)): which ion it is, one-hot; its charge, its charge by its radius, its properties.
    """
    chosen = [working_ion(str(ion)) for ion in ions]
    numbers = np.array([ion.number for ion in chosen], dtype=np.int64)
    charges = np.array([ion.charge for ion in chosen], dtype=np.float64)
    one_hot = np.array([[ion.symbol == s for s in WORKING_IONS] for ion in chosen], dtype=np.float64)
    one_hot = one_hot.reshape(len(chosen), len(WORKING_IONS))
    return np.column_stack(
        [one_hot, charges, charges / table["CationRadius"][numbers], *(table[n][numbers] for n in _OF_THE_ELEMENT)]
    )
