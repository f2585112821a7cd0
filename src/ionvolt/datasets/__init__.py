"""The table of electrodes: one Parquet file, its sources, cleaning rules and splits. Knows no models."""

from ionvolt.datasets.cleaning import RULES, clean
from ionvolt.datasets.parquet import read_dataset, write_dataset
from ionvolt.datasets.records import Electrode, ElectrodeSet, framework_of
from ionvolt.datasets.splits import (
    Split,
    chemical_system_folds,
    excluding_frameworks,
    framework_folds,
    framework_split,
    random_folds,
    random_split,
    validation_folds,
)

__all__ = [
    "RULES",
    "Electrode",
    "ElectrodeSet",
    "Split",
    "chemical_system_folds",
    "clean",
    "excluding_frameworks",
    "framework_folds",
    "framework_of",
    "framework_split",
    "random_folds",
    "random_split",
    "read_dataset",
    "validation_folds",
    "write_dataset",
]
