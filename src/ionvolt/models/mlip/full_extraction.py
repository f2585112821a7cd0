"""Whether an electrode gives up all of its ions, or a calculation of its voltage stops at a partly filled host.

A quarter of the Materials Project's voltages stop there. The discharged structure tells which: by the electrons that
its transition metals can give, and by its atoms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ionvolt.ions import WORKING_IONS, WorkingIon
from ionvolt.models.mlip.latent_features import POOLED_SIZE, CrystalFeatures
from ionvolt.models.tensors import Arrays
from ionvolt.physics.insertion import redox_active
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array

N_ELEMENTS = 100
N_FEATURES = POOLED_SIZE + N_ELEMENTS + len(WORKING_IONS) + 4


@dataclass(frozen=True, eq=False)
class FullExtractionClassifier:
    """A logistic regression.

    Attributes:
        coefficients: Coefficients of an electrode's features, shape (N_FEATURES,), float64.
        constant: Added to their product.
    """

    coefficients: Array
    constant: float

    def probability(self, features: CrystalFeatures, discharged: Crystal, ion: WorkingIon) -> float:
        """How likely all ions go out, 0 to 1."""
        score = float(full_extraction_features(features, discharged, ion) @ self.coefficients) + self.constant
        return float(1 / (1 + np.exp(-score)))

    def arrays(self) -> Arrays:
        """All that is stored, by name."""
        return {"emptying.coefficients": self.coefficients, "emptying.constant": np.array([self.constant])}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> FullExtractionClassifier:
        """What stored arrays say."""
        coefficients = arrays["emptying.coefficients"].astype(np.float64).reshape(N_FEATURES)
        return cls(coefficients, float(arrays["emptying.constant"][0]))


def full_extraction_features(features: CrystalFeatures, discharged: Crystal, ion: WorkingIon) -> Array:
    """What tells whether all ions of an electrode go out, shape (N_FEATURES,); the same for a supercell.

    What the potential sees of it; the share of each element among its atoms; which ion; the logarithm of the electrons
    of its ions for each transition metal, the shares of ions and of transition metals, and the charge of the ion.
    """
    n_atoms, n_ions = len(discharged), int((discharged.numbers == ion.number).sum())
    metals = float(redox_active(discharged).mean())
    share = n_ions / n_atoms
    electrons = np.log(max(share, 1e-3) * ion.charge / max(metals, 0.02))
    elements = np.bincount(discharged.numbers, minlength=N_ELEMENTS + 1)[1 : N_ELEMENTS + 1] / n_atoms
    which = [float(symbol == ion.symbol) for symbol in WORKING_IONS]
    four = [electrons, share, metals, ion.charge]
    return np.concatenate([features.pooled, elements, which, four]).astype(np.float64)
