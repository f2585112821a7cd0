"""The 92-number element vectors of CGCNN, computed from tabulated element properties.

Xie and Grossman (Phys. Rev. Lett. 120, 145301 (2018), Supplemental Material) describe an element by nine
properties, each cut into classes and written one-hot, in this order:

======================  =====================================  =======
property                classes                                numbers
======================  =====================================  =======
group                   0 (no group: f block), 1 to 18              19
period                  1 to 7                                       7
electronegativity       0.5 to 4.0 (Pauling), ten                   10
covalent radius         25 to 250 pm, ten                           10
valence electrons       1 to 12                                     12
first ionisation        ln(E / eV) 1.3 to 3.3, ten                  10
electron affinity       -3 to 3.7 eV, ten                           10
block                   s, p, d, f                                   4
atomic volume           ln(V / cm³ mol⁻¹) 1.5 to 4.3, ten           10
======================  =====================================  =======

Continuous properties are cut into ten classes of equal width. A property that is unknown, or outside the
range, leaves its ten numbers zero. Values exactly on an edge (electronegativity 1.2, 1.55, 1.9, 2.6; electron
affinity 0.35 eV) fall to the side to which double precision rounds them, as in the published vectors.

Group, period, block and valence electrons follow from the atomic number: the f block (La to Yb, Ac to No) has
no group and two valence electrons, a d-block element as many as its group, an s- or p-block element those of
its outermost shell. The five other properties are the values, rounded, of the element database mendeleev
0.4 (MIT licence), which cites as sources

* electronegativity: Pauling scale, CRC Handbook of Chemistry and Physics, 95th edition (2014);
* covalent radius: single bond, Pyykkö and Atsumi, Chem. Eur. J. 15, 186 (2009);
* first ionisation energy: NIST Atomic Spectra Database;
* electron affinity: the CRC Handbook and Andersen, Phys. Rep. 394, 157 (2004);
* atomic volume: none given.

These values reproduce the published vectors; current recommendations differ for some elements (electron
affinities of Be, N and several lanthanides above all). They serve these vectors and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

_WIDTHS = {
    "group": 19,
    "period": 7,
    "electronegativity": 10,
    "covalent radius": 10,
    "valence electrons": 12,
    "first ionisation energy": 10,
    "electron affinity": 10,
    "block": 4,
    "atomic volume": 10,
}


def _blocks() -> dict[str, slice]:
    blocks = {}
    start = 0
    for name, width in _WIDTHS.items():
        blocks[name] = slice(start, start + width)
        start += width
    return blocks


FEATURE_BLOCKS: Mapping[str, slice] = MappingProxyType(_blocks())
"""Where each property stands in a vector, in order."""

N_FEATURES = sum(_WIDTHS.values())

# Lower and upper end of the ten classes.
_RANGES = {
    "electronegativity": (0.5, 4.0),
    "covalent radius": (25.0, 250.0),
    "first ionisation energy": (1.3, 3.3),
    "electron affinity": (-3.0, 3.7),
    "atomic volume": (1.5, 4.3),
}
_LOGARITHMIC = frozenset({"first ionisation energy", "atomic volume"})

DEPARTURES: Mapping[tuple[int, str], tuple[int, str]] = MappingProxyType(
    {
        (46, "valence electrons"): (
            11,
            "Counted as s electrons of the outermost shell plus d electrons of the shell below. Palladium, "
            "4d10 without 5s, has 4 as its outermost shell, so 4s2 and 3d10 were counted: 12, not 10.",
        ),
    }
)
"""Where the published vectors depart from the rules: the class used instead (from 0), and why."""

# Electronegativity, covalent radius / pm, first ionisation energy / eV, electron affinity / eV, atomic
# volume / cm³ mol⁻¹; sources in the module's docstring. Helium and argon bind no extra electron; the database
# has -19.7 and -11.5 for them, out of range and so without a class either.
_Row = tuple[float | None, float, float, float | None, float | None]
_PROPERTIES: tuple[_Row, ...] = (
    (2.20,  32, 13.598,  0.754,  14.1),  # H
    (None,  46, 24.587,   None,  31.8),  # He
    (0.98, 133,  5.392,  0.618,  13.1),  # Li
    (1.57, 102,  9.323, -2.400,   5.0),  # Be
    (2.04,  85,  8.298,  0.280,   4.6),  # B
    (2.55,  75, 11.260,  1.262,   5.3),  # C
    (3.04,  71, 14.534, -1.400,  17.3),  # N
    (3.44,  63, 13.618,  1.461,  14.0),  # O
    (3.98,  64, 17.423,  3.401,  17.1),  # F
    (None,  67, 21.565,   None,  16.8),  # Ne
    (0.93, 155,  5.139,  0.548,  23.7),  # Na
    (1.31, 139,  7.646,   None,  14.0),  # Mg
    (1.61, 126,  5.986,  0.433,  10.0),  # Al
    (1.90, 116,  8.152,  1.390,  12.1),  # Si
    (2.19, 111, 10.487,  0.747,  17.0),  # P
    (2.58, 103, 10.360,  2.077,  15.5),  # S
    (3.16,  99, 12.968,  3.613,  18.7),  # Cl
    (None,  96, 15.760,   None,  24.2),  # Ar
    (0.82, 196,  4.341,  0.501,  45.3),  # K
    (1.00, 171,  6.113,  0.025,  29.9),  # Ca
    (1.36, 148,  6.561,  0.188,  15.0),  # Sc
    (1.54, 136,  6.828,  0.079,  10.6),  # Ti
    (1.63, 134,  6.746,  0.525,  8.35),  # V
    (1.66, 122,  6.767,  0.666,  7.23),  # Cr
    (1.55, 119,  7.434,   None,  7.39),  # Mn
    (1.83, 116,  7.902,  0.151,   7.1),  # Fe
    (1.88, 111,  7.881,  0.662,   6.7),  # Co
    (1.91, 110,  7.640,  1.156,   6.6),  # Ni
    (1.90, 112,  7.726,  1.235,   7.1),  # Cu
    (1.65, 118,  9.394,   None,   9.2),  # Zn
    (1.81, 124,  5.999,  0.430,  11.8),  # Ga
    (2.01, 121,  7.899,  1.233,  13.6),  # Ge
    (2.18, 121,  9.789,  0.804,  13.1),  # As
    (2.55, 116,  9.752,  2.021,  16.5),  # Se
    (2.96, 114, 11.814,  3.364,  23.5),  # Br
    (None, 117, 14.000,   None,  32.2),  # Kr
    (0.82, 210,  4.177,  0.486,  55.9),  # Rb
    (0.95, 185,  5.695,  0.048,  33.7),  # Sr
    (1.22, 163,  6.217,  0.307,  19.8),  # Y
    (1.33, 154,  6.634,  0.426,  14.1),  # Zr
    (1.60, 147,  6.759,  0.917,  10.8),  # Nb
    (2.16, 138,  7.092,  0.748,   9.4),  # Mo
    (2.10, 128,  7.119,  0.550,   8.5),  # Tc
    (2.20, 125,  7.361,  1.050,   8.3),  # Ru
    (2.28, 125,  7.459,  1.137,   8.3),  # Rh
    (2.20, 120,  8.337,  0.562,   8.9),  # Pd
    (1.93, 128,  7.576,  1.302,  10.3),  # Ag
    (1.69, 136,  8.994,   None,  13.1),  # Cd
    (1.78, 142,  5.786,  0.300,  15.7),  # In
    (1.96, 140,  7.344,  1.112,  16.3),  # Sn
    (2.05, 140,  8.608,  1.046,  18.4),  # Sb
    (2.10, 136,  9.010,  1.971,  20.5),  # Te
    (2.66, 133, 10.451,  3.059,  25.7),  # I
    (2.60, 131, 12.130, -0.056,  42.9),  # Xe
    (0.79, 232,  3.894,  0.472,  70.0),  # Cs
    (0.89, 196,  5.212,  0.145,  39.0),  # Ba
    (1.10, 180,  5.577,  0.470,  22.5),  # La
    (1.12, 163,  5.539,  0.650,  21.0),  # Ce
    (1.13, 176,  5.473,  0.962,  20.8),  # Pr
    (1.14, 174,  5.525,  1.916,  20.6),  # Nd
    (None, 173,  5.582,   None,  None),  # Pm
    (1.17, 172,  5.644,   None,  19.9),  # Sm
    (None, 168,  5.670,  0.864,  28.9),  # Eu
    (1.20, 169,  6.150,   None,  19.9),  # Gd
    (None, 168,  5.864,  1.165,  19.2),  # Tb
    (1.22, 167,  5.939,  0.352,  19.0),  # Dy
    (1.23, 166,  6.021,   None,  18.7),  # Ho
    (1.24, 165,  6.108,   None,  18.4),  # Er
    (1.25, 164,  6.184,  1.029,  18.1),  # Tm
    (None, 170,  6.254, -0.020,  24.8),  # Yb
    (1.00, 162,  5.426,  0.340,  17.8),  # Lu
    (1.30, 152,  6.825,  0.014,  13.6),  # Hf
    (1.50, 146,  7.550,  0.322,  10.9),  # Ta
    (1.70, 137,  7.864,  0.816,  9.53),  # W
    (1.90, 131,  7.834,  0.150,  8.85),  # Re
    (2.20, 129,  8.438,  1.100,  8.43),  # Os
    (2.20, 122,  8.967,  1.564,  8.54),  # Ir
    (2.20, 123,  8.959,  2.128,   9.1),  # Pt
    (2.40, 124,  9.226,  2.309,  10.2),  # Au
    (1.90, 133, 10.438,   None,  14.8),  # Hg
    (1.80, 144,  6.108,  0.377,  17.2),  # Tl
    (1.80, 144,  7.417,  0.357,  18.3),  # Pb
    (1.90, 151,  7.286,  0.942,  21.3),  # Bi
    (2.00, 145,  8.414,  1.900,  22.7),  # Po
    (2.20, 147,  9.318,  2.800,  None),  # At
    (None, 142, 10.748,   None,  None),  # Rn
    (0.70, 223,  4.073,  0.486,  None),  # Fr
    (0.90, 201,  5.278,  0.100,  45.0),  # Ra
    (1.10, 186,  5.380,  0.350, 22.54),  # Ac
    (1.30, 175,  6.307,   None,  19.8),  # Th
    (1.50, 169,  5.890,   None,  15.0),  # Pa
    (1.70, 170,  6.194,   None,  12.5),  # U
    (1.30, 171,  6.266,   None,  21.1),  # Np
    (1.30, 172,  6.026,   None,  None),  # Pu
    (None, 166,  5.974,   None,  20.8),  # Am
    (None, 166,  5.991,   None, 18.28),  # Cm
    (None, 168,  6.198,   None,  None),  # Bk
    (None, 168,  6.282,   None,  None),  # Cf
    (None, 165,  6.368,   None,  None),  # Es
    (None, 167,  6.500,   None,  None),  # Fm
)  # fmt: skip
_MEASURED = tuple(_RANGES)  # in the order of the columns

KNOWN_ELEMENTS: frozenset[int] = frozenset(range(1, len(_PROPERTIES) + 1))
"""Atomic numbers that have a vector: hydrogen to fermium."""

_NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86, 118)


def place(z: int) -> tuple[int, int, str]:
    """Group (0 for the f block), period and block (``s``, ``p``, ``d``, ``f``) of element ``z``."""
    period = next(p for p, last in enumerate(_NOBLE_GASES) if z <= last)
    position = z - _NOBLE_GASES[period - 1]
    length = _NOBLE_GASES[period] - _NOBLE_GASES[period - 1]
    if z == 2:
        return 18, period, "s"
    if position <= 2:
        return position, period, "s"
    if length == 32 and position <= 16:
        return 0, period, "f"
    group = position + 18 - length
    return group, period, "p" if group > 12 else "d"


def _valence_electrons(group: int, block: str, z: int) -> int:
    if block == "f" or z == 2:
        return 2
    return group - 10 if block == "p" else group


def _bin(name: str, value: float | None) -> int | None:
    """Class of a continuous property, None if it is unknown or out of range."""
    if value is None:
        return None
    low, high = _RANGES[name]
    if name in _LOGARITHMIC:
        value = math.log(value)
    if not low <= value < high:
        return None
    # Written as (value - low) / width it would move the elements of electronegativity 1.2 and 1.9.
    return int((value - low) / (high - low) * 10)


def _classes(z: int) -> dict[str, int | None]:
    """Class of element ``z`` in each property, by the rules alone."""
    group, period, block = place(z)
    classes: dict[str, int | None] = {
        "group": group,
        "period": period - 1,
        "valence electrons": _valence_electrons(group, block, z) - 1,
        "block": "spdf".index(block),
    }
    for name, value in zip(_MEASURED, _PROPERTIES[z - 1], strict=True):
        classes[name] = _bin(name, value)
    return classes


@cache
def element_vectors() -> NDArray[np.float32]:
    """The element vectors, one row for each atomic number.

    Returns:
        Zeros and ones, shape (101, 92), read-only. Row 0, which is no element, is zero.
    """
    vectors = np.zeros((len(_PROPERTIES) + 1, N_FEATURES), dtype=np.float32)
    for z in sorted(KNOWN_ELEMENTS):
        classes = _classes(z)
        for name, block in FEATURE_BLOCKS.items():
            departure = DEPARTURES.get((z, name))
            index = classes[name] if departure is None else departure[0]
            if index is not None:
                vectors[z, block.start + index] = 1.0
    vectors.setflags(write=False)
    return vectors


def element_properties() -> dict[str, NDArray[np.float64]]:
    """The properties behind the vectors before they are cut into classes, by name.

    Returns:
        Arrays of shape (101,), index = atomic number, NaN where unknown (row 0 always) or, for the group, where there
        is none. Units as in the module's docstring: pm, eV, cm³/mol.
    """
    found = {name: np.full(len(_PROPERTIES) + 1, np.nan) for name in ("group", "period", "valence electrons")}
    for z in sorted(KNOWN_ELEMENTS):
        group, period, block = place(z)
        found["group"][z] = group or np.nan
        found["period"][z] = period
        found["valence electrons"][z] = _valence_electrons(group, block, z)
    for column, name in enumerate(_MEASURED):
        found[name] = np.array([np.nan, *(row[column] if row[column] is not None else np.nan for row in _PROPERTIES)])
    return found
