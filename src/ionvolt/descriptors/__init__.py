"""Composition and structure features of a charged host, for classical models. Knows no voltages."""

from ionvolt.descriptors.elements import ElementTable, element_table
from ionvolt.descriptors.features import FEATURES, features
from ionvolt.descriptors.ions import ION_FEATURES, ion_features

__all__ = ["FEATURES", "ION_FEATURES", "ElementTable", "element_table", "features", "ion_features"]
