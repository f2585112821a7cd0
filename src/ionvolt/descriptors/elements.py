"""Properties of the elements that the features rest on, as one table.

The 22 properties of the Magpie set (Ward et al., npj Comput. Mater. 2, 16028 (2016)) come from matminer, six more from
pymatgen. A trained model carries the table that it was trained with, so that predicting needs neither matminer nor
the same version of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ionvolt.quiet import silenced

if TYPE_CHECKING:
    from pymatgen.core.periodic_table import Element

MAGPIE_PROPERTIES = (
    "Number", "MendeleevNumber", "AtomicWeight", "MeltingT", "Column", "Row", "CovalentRadius", "Electronegativity",
    "NsValence", "NpValence", "NdValence", "NfValence", "NValence", "NsUnfilled", "NpUnfilled", "NdUnfilled",
    "NfUnfilled", "NUnfilled", "GSvolume_pa", "GSbandgap", "GSmagmom", "SpaceGroupNumber",
)  # fmt: skip
"""In matminer's order."""

MORE_PROPERTIES = (
    "FirstIonisation", "ElectronAffinity", "AtomicRadius", "CationRadius", "HighestOxidation", "LowestOxidation",
)  # fmt: skip
"""From pymatgen: eV, eV, Å, Å (mean over the known cations), elementary charges."""

_PYMATGEN_NAMES = (
    "ionization_energy", "electron_affinity", "atomic_radius", "average_cationic_radius", "max_oxidation_state",
    "min_oxidation_state",
)  # fmt: skip

PROPERTIES = MAGPIE_PROPERTIES + MORE_PROPERTIES
N_ELEMENTS = 118


@dataclass(frozen=True, eq=False)
class ElementTable:
    """Properties of the elements.

    Attributes:
        values: One row for each atomic number (row 0 is no element and zero) and one column for each of
            ``PROPERTIES``, shape (119, 28), float64. What is unknown is the mean of the known elements.
    """

    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.values.shape != (N_ELEMENTS + 1, len(PROPERTIES)) or not np.isfinite(self.values).all():
            raise ValueError(f"an element table is ({N_ELEMENTS + 1}, {len(PROPERTIES)}) finite numbers")

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """One property by name, indexed by atomic number, shape (119,)."""
        return self.values[:, PROPERTIES.index(name)]


@cache
def element_table() -> ElementTable:
    """The table out of matminer and pymatgen, read once.

    Raises:
        ModelError: matminer is not installed.
    """
    from pymatgen.core.periodic_table import Element

    from ionvolt.errors import ModelError

    try:
        from matminer.utils.data import MagpieData
    except ImportError as error:
        raise ModelError(
            "classical models learn from matminer's element data, which are not here. "
            "Install them: pip install 'ionvolt[baselines]'"
        ) from error

    magpie = MagpieData(impute_nan=True)
    elements = [Element.from_Z(z) for z in range(1, N_ELEMENTS + 1)]
    columns = [[magpie.get_elemental_property(e, name) for e in elements] for name in MAGPIE_PROPERTIES]
    columns += [[_of_pymatgen(e, name) for e in elements] for name in _PYMATGEN_NAMES]
    known = np.array(columns, dtype=np.float64).T  # None becomes nan
    values = np.zeros((N_ELEMENTS + 1, len(PROPERTIES)))
    values[1:] = np.where(np.isnan(known), np.nanmean(known, axis=0), known)
    values.setflags(write=False)
    return ElementTable(values)


def _of_pymatgen(element: Element, name: str) -> float | None:
    with silenced():  # it warns of every value that it does not have
        try:
            value = getattr(element, name)
        except (KeyError, AttributeError):
            return None
    if value is None or (name == "average_cationic_radius" and not value):
        return None
    return float(value)
