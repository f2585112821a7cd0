"""Contracts that every predictor and every potential keeps, for tests here and elsewhere.

>>> from ionvolt.testing import check_potential, check_predictor
>>> check_predictor(my_model)  # doctest: +SKIP
>>> check_potential(my_potential)  # doctest: +SKIP
"""

from ionvolt.testing.crystals import Electrode, descriptions, electrodes, layered, supercell
from ionvolt.testing.potentials import check_potential
from ionvolt.testing.predictors import check_predictor, queries_of

__all__ = [
    "Electrode",
    "check_potential",
    "check_predictor",
    "descriptions",
    "electrodes",
    "layered",
    "queries_of",
    "supercell",
]
