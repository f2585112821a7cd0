"""What is known of the elements in ionic crystals, stated once: anions, metals, radii, charges, oxidation states.

Sets and tables go by atomic number where they are used on arrays of atoms, by symbol where they are read by people.
Tables of properties that a trained model rests on (``graphs.elements``, ``descriptors.elements``) stay with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ionvolt.structures.crystal import ATOMIC_NUMBERS


def _numbers(symbols: str) -> frozenset[int]:
    return frozenset(ATOMIC_NUMBERS[symbol] for symbol in symbols.split())


def _each(symbols: str, value: float) -> dict[str, float]:
    return dict.fromkeys(symbols.split(), value)


ANIONS = _numbers("N O F S Cl Se Br Te I")
"""Elements that are anions in most electrodes. P, As, Sb, Si and C are so only where none of these is there."""

_CAN_BE_ANIONS = ANIONS | _numbers("P As Sb")

NONMETALS = _numbers("H He B C Ne Si P Ar Ge As Kr Sb Xe At Rn")
"""Neither anions nor metals: centres of polyanions, metalloids, noble gases."""

ALKALI_METALS = ("Li", "Na", "K", "Rb", "Cs")
HALOGENS = ("F", "Cl", "Br", "I")
CHALCOGENS = ("S", "Se", "Te")
"""Without oxygen, whose compounds are a class of their own."""

D_METALS = frozenset([*range(21, 31), *range(39, 49), *range(72, 81), *range(104, 113)])
"""Groups 3 to 12 without lanthanum, actinium and the f block."""

REDOX_ACTIVE = _numbers("Ti V Cr Mn Fe Co Ni Cu Zr Nb Mo Tc Ru Rh Pd Ag Hf Ta W Re Os Ir Pt Au")
"""Transition metals that take up an electron when a cation comes in; Sc, Y, Zn and their kin do not."""

MOBILE_IONS: dict[str, int] = {"Li": 1, "Na": 1, "K": 1, "Rb": 1, "Cs": 1, "Mg": 2, "Zn": 2, "Ca": 2}
"""Ions that leave a host, with their charges; those that move easily first."""

IONIC_RADII = {
    "Li": 0.76, "Na": 1.02, "K": 1.38, "Rb": 1.52, "Cs": 1.67, "Mg": 0.72, "Ca": 1.0, "Zn": 0.74, "Al": 0.54, "Y": 0.9,
}  # fmt: skip
"""Effective ionic radii of working ions in Å, six-fold coordination (Shannon, Acta Cryst. A 32, 751 (1976))."""

ANION_RADII = {
    1: 1.40, 6: 1.60, 7: 1.46, 8: 1.38, 9: 1.33, 15: 1.90, 16: 1.84, 17: 1.81, 33: 2.00, 34: 1.98, 35: 1.96, 51: 2.20,
    52: 2.21, 53: 2.20,
}  # fmt: skip
"""By atomic number, Å: Shannon's where he has one, else covalent radii widened; they rank voids, no more."""

FIXED_CHARGES: dict[str, float] = {
    **_each("H Li Na K Rb Cs", 1.0),
    **_each("Be Mg Ca Sr Ba Zn Cd", 2.0),
    **_each("B Al Ga In Sc Y La Pr Nd Pm Sm Gd Tb Dy Ho Er Tm Yb Lu", 3.0),
    **_each("C Si Ge Zr Hf Th", 4.0),
    **_each("P As Ta", 5.0),
    **_each("F Cl Br I", -1.0),
    **_each("O S Se Te", -2.0),
    "N": -3.0,
}
"""Formal charges of elements that take no part in the redox reaction of most oxides; the others share what is left."""

OXIDISED_CHARGES = {"S": 6.0, "Se": 6.0, "Te": 6.0, "N": 5.0}
"""Formal charges of elements that are centres of polyanions where there is enough oxygen: sulphate, nitrate."""

AnionClass = Literal["oxide", "polyanion", "halide", "chalcogenide", "other"]
"""What surrounds the metals: oxygen alone, oxygen of polyanions, F to I, S to Te, or N, P, As, CN.

Where there are several anions, the most numerous counts; wherever there are polyanions of oxygen, these.
"""

# Lowest and highest oxidation state that electrodes use.
_OXIDATION_STATES: dict[str, tuple[float, float]] = {
    "Ti": (2, 4), "V": (2, 5), "Cr": (2, 4), "Mn": (2, 4), "Fe": (2, 4), "Co": (2, 4), "Ni": (2, 4), "Cu": (1, 3),
    "Nb": (2, 5), "Mo": (2, 6), "Tc": (3, 7), "Ru": (2, 5), "Rh": (2, 4), "Pd": (1, 4), "Ag": (1, 1),
    "Ta": (3, 5), "W": (3, 6), "Re": (3, 7), "Os": (2, 6), "Ir": (2, 5), "Pt": (1, 4), "Au": (1, 3), "Hg": (2, 2),
    "Sn": (2, 4), "Sb": (3, 5), "Tl": (1, 3), "Pb": (2, 4), "Bi": (3, 5),
    "Ce": (3, 4), "Eu": (2, 3), "U": (3, 6), "Np": (3, 6), "Pu": (3, 4), "Pa": (4, 5),
}  # fmt: skip
_BELOW_OXIDES: dict[str, tuple[float, float]] = {"Fe": (2, 3), "Co": (2, 3), "Ni": (2, 3), "Cu": (1, 2)}
_SOFT: dict[str, tuple[float, float]] = {"Zr": (3, 4), "Hf": (3, 4)}
_EXCEPTIONS: dict[AnionClass, dict[str, tuple[float, float]]] = {
    "oxide": {},
    "polyanion": _BELOW_OXIDES,
    "halide": _BELOW_OXIDES | _SOFT,
    "chalcogenide": _SOFT | {"Fe": (2, 3), "Cu": (1, 2), "Mo": (2, 4), "W": (3, 4)},
    "other": _BELOW_OXIDES | _SOFT,
}


def maximum_oxidation_state(symbol: str, anions: AnionClass = "oxide") -> float | None:
    """The highest oxidation state that a metal reaches when an electrode is charged; None where it has but one.

    These are limits of practice, below the highest states known: what was extracted reversibly, not what a
    calculation can write down. A crystal may hold more (CrO4 with Cr6+): then it has nothing to give.

    * Layered oxides and spinels: Mn, Co and Ni reach 4 (Goodenough and Kim, Chem. Mater. 22, 587 (2010)); Cr and Fe
      reach 4 in O3-NaMO2 (Kubota and Komaba, J. Electrochem. Soc. 162, A2538 (2015)); Cr6+ forms by moving to
      tetrahedral sites, which does not come back. Cu2+/3+ works in layered Na oxides (Mu et al., Adv. Mater. 27, 6928
      (2015)). Ru and Ir stop at 5, beyond which oxygen gives the electrons (Sathiya et al., Nat. Mater. 12, 827
      (2013)).
    * Phosphates, sulphates, silicates, borates: Fe, Co and Ni stop at 3, Mn and Cr reach 4, V reaches 5 (Masquelier
      and Croguennec, Chem. Rev. 113, 6552 (2013)). The same is taken for fluorides and for cyanides.
    * Ti 4, V 5, Nb 5, Mo 6, W 6 are the group's number and are reached; in sulphides Mo and W stop at 4 (MoS2).

    Args:
        symbol: Symbol of the metal.
        anions: What surrounds it.
    """
    limits = _limits(symbol, anions)
    return None if limits is None else limits[1]


def minimum_oxidation_state(symbol: str, anions: AnionClass = "oxide") -> float | None:
    """The lowest oxidation state that a metal reaches while ions go in; None where it has but one.

    Below it the metal leaves the framework (conversion). 3d metals reach 2 and Cu 1 (Goodenough and Kim, Chem. Mater.
    22, 587 (2010)), Ti in Na4Ti2(PO4)3 (Senguttuvan et al., J. Am. Chem. Soc. 135, 3897 (2013)), Mo in Chevrel phases
    (Aurbach et al., Nature 407, 724 (2000)).
    """
    limits = _limits(symbol, anions)
    return None if limits is None else limits[0]


def has_anion(composition: Mapping[str, float]) -> bool:
    """Whether a composition holds an anion; carbon and hydrogen count only beside another one."""
    return any(ATOMIC_NUMBERS[symbol] in _CAN_BE_ANIONS for symbol in composition)


def _limits(symbol: str, anions: AnionClass) -> tuple[float, float] | None:
    return _EXCEPTIONS[anions].get(symbol) or _OXIDATION_STATES.get(symbol)
