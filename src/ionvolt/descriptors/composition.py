"""What a host is made of, in numbers: statistics of element properties, element classes, charge balance.

Nothing here depends on how many formula units the cell holds, or on the order of its atoms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ionvolt.descriptors.elements import MAGPIE_PROPERTIES, MORE_PROPERTIES, N_ELEMENTS, ElementTable
from ionvolt.structures.chemistry import FIXED_CHARGES, OXIDISED_CHARGES
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.typing import Array

STATISTICS = ("minimum", "maximum", "range", "mean", "avg_dev", "mode")
"""Over the atoms: matminer's words for them; ``avg_dev`` is the mean absolute deviation from the mean."""

_NORMS = (2, 3, 5, 7, 10)
_ORBITALS = "spdf"


def _numbers(symbols: str) -> Array:
    """1 for the elements named, shape (119,)."""
    mask = np.zeros(N_ELEMENTS + 1)
    mask[[ATOMIC_NUMBERS[s] for s in symbols.split()]] = 1
    return mask


def _range(*spans: tuple[int, int]) -> Array:
    mask = np.zeros(N_ELEMENTS + 1)
    for first, last in spans:
        mask[first : last + 1] = 1
    return mask


_SINGLE = "H B C N O F Si P S Cl Se Ti V Cr Mn Fe Co Ni Cu Mo Nb W Bi"

ELEMENT_CLASSES: dict[str, Array] = {
    "alkali metals": _numbers("Li Na K Rb Cs Fr"),
    "alkaline earths": _numbers("Be Mg Ca Sr Ba Ra"),
    "3d metals": _range((21, 30)),
    "4d metals": _range((39, 48)),
    "5d metals": _range((72, 80)),
    "f metals": _range((57, 71), (89, 103)),
    "p metals": _numbers("Al Ga In Sn Tl Pb Bi"),
    "semimetals": _numbers("B Si Ge As Sb Te"),
    "halogens": _numbers("F Cl Br I"),
    "chalcogens": _numbers("O S Se Te"),
    "pnictogens": _numbers("N P As Sb"),
} | {symbol: _numbers(symbol) for symbol in _SINGLE.split()}
"""Fractions of atoms that become features: which elements belong to each, shape (119,)."""

_FIXED_CHARGES = np.array([FIXED_CHARGES.get(s, 0.0) for s in ("", *ATOMIC_NUMBERS)])
_IS_FIXED = np.array([s in FIXED_CHARGES for s in ("", *ATOMIC_NUMBERS)])

COMPOSITION_FEATURES: tuple[str, ...] = (
    *(f"MagpieData {stat} {name}" for name in MAGPIE_PROPERTIES for stat in STATISTICS),
    *(f"{stat} {name}" for name in MORE_PROPERTIES for stat in STATISTICS),
    "number of elements",
    *(f"{p}-norm of fractions" for p in _NORMS),
    *(f"avg {o} valence electrons" for o in _ORBITALS),
    *(f"frac {o} valence electrons" for o in _ORBITALS),
    "max ionic character",
    "avg ionic character",
    *(f"fraction of {name}" for name in ELEMENT_CLASSES),
    "fraction of redox-active atoms",
    "formal charge of redox-active atoms",
    "formal charge of redox-active atoms less their highest oxidation",
)


def amounts(hosts: Sequence[Crystal]) -> Array:
    """Atoms of each element in each cell, shape (n_hosts, 119)."""
    return np.array([np.bincount(h.numbers, minlength=N_ELEMENTS + 1) for h in hosts], dtype=np.float64).reshape(
        len(hosts), N_ELEMENTS + 1
    )


def composition_features(counts: Array, table: ElementTable) -> Array:
    """Features of compositions.

    Args:
        counts: Atoms of each element, shape (n, 119); only their ratios matter.
        table: Properties of the elements.

    Returns:
        Shape (n, len(COMPOSITION_FEATURES)).
    """
    fractions = counts / counts.sum(1, keepdims=True)
    return np.column_stack(
        [
            property_statistics(fractions, table),
            (fractions > 0).sum(1),
            *((fractions**p).sum(1) ** (1 / p) for p in _NORMS),
            _valence(fractions, table),
            _ionic_character(fractions, table),
            fractions @ np.column_stack(list(ELEMENT_CLASSES.values())),
            _charges(fractions, table),
        ]
    )


def property_statistics(fractions: Array, table: ElementTable) -> Array:
    """``STATISTICS`` of every element property over the atoms, shape (n, 28 * 6), properties outermost."""
    # Compositions have few elements: elements first, padded, instead of all 118.
    width = max(1, int((fractions > 0).sum(1).max(initial=1)))
    numbers = np.argsort(-fractions, axis=1, kind="stable")[:, :width]
    weights = np.take_along_axis(fractions, numbers, axis=1)[..., None]
    there = weights > 0
    values = table.values[numbers]  # (n, width, properties)
    low = np.where(there, values, np.inf).min(1)
    high = np.where(there, values, -np.inf).max(1)
    mean = (weights * values).sum(1)
    deviation = (weights * np.abs(values - mean[:, None])).sum(1)
    most = np.isclose(weights, weights.max(1, keepdims=True))  # the least of the most frequent, as matminer does
    mode = np.where(most & there, values, np.inf).min(1)
    stacked: Array = np.stack([low, high, high - low, mean, deviation, mode], axis=2)
    return stacked.reshape(len(fractions), -1)


def _valence(fractions: Array, table: ElementTable) -> Array:
    electrons = fractions @ np.column_stack([table[f"N{o}Valence"] for o in _ORBITALS])
    return np.hstack([electrons, electrons / np.maximum(electrons.sum(1, keepdims=True), 1e-12)])


def _ionic_character(fractions: Array, table: ElementTable) -> Array:
    """Pauling's ionic character of element pairs: the largest, and the mean weighted by both fractions."""
    x = table["Electronegativity"]
    character = 1 - np.exp(-0.25 * (x[:, None] - x[None, :]) ** 2)
    most = np.zeros(len(fractions))
    for row, f in enumerate(fractions):
        there = np.flatnonzero(f)
        most[row] = character[np.ix_(there, there)].max()
    return np.column_stack([most, ((fractions @ character) * fractions).sum(1)])


def _charges(fractions: Array, table: ElementTable) -> Array:
    """Charge that the redox-active atoms must bear so that the charged host is neutral."""
    fixed = fractions @ _FIXED_CHARGES
    oxygen = fractions[:, ATOMIC_NUMBERS["O"]]
    for symbol, charge in OXIDISED_CHARGES.items():
        share = fractions[:, ATOMIC_NUMBERS[symbol]]
        fixed += np.where(oxygen > 2.5 * share, share * (charge - FIXED_CHARGES[symbol]), 0.0)
    active = np.where(_IS_FIXED, 0.0, 1.0)
    active[0] = 0.0
    share = fractions @ active
    some = share > 1e-9
    per_atom = np.where(some, -fixed / np.where(some, share, 1.0), 0.0)
    highest = (fractions @ (active * table["HighestOxidation"])) / np.where(some, share, 1.0)
    return np.column_stack([share, per_atom, np.where(some, per_atom - highest, 0.0)])
