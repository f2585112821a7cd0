"""Which couple takes the electron that comes with the ion, and what surrounds it: features of charged hosts.

The charge of the metals follows from the balance of charges (``structures.charge_balance``). It says how many
d electrons they have and what energy their next electron binds with: the ionisation energy of that charge. What the
crystal adds stands in bond valences of metals and anions (O'Keeffe and Brese, J. Am. Chem. Soc. 113, 3226 (1991))
and in what else the anions around a metal bind to: the inductive effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ionvolt.descriptors.elements import N_ELEMENTS, ElementTable
from ionvolt.descriptors.surroundings import Surroundings
from ionvolt.quiet import silenced
from ionvolt.structures.bonding import covalent_radii
from ionvolt.structures.charge_balance import COVALENT, metal_charges
from ionvolt.structures.chemistry import ANIONS, FIXED_CHARGES
from ionvolt.structures.crystal import ATOMIC_NUMBERS, SYMBOLS, Crystal
from ionvolt.typing import Array, Indices, Mask

HIGHEST_CHARGE = 8
"""Of the ionisation energies that are known."""

REACH, SOFTNESS = 4.0, 0.37
"""Å: bonds farther than the first have no valence; the second says how fast it falls (O'Keeffe and Brese)."""

_D_COUNTS = tuple(range(11))
_METALS = (
    "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Nb", "Mo", "W", "Ru", "Rh", "Pd", "Ag", "Re", "Ir", "Pt", "Sn",
    "Sb", "Bi", "Pb", "Ce", "Zr", "Hf", "Ta", "Eu", "Tl", "U",
)  # fmt: skip
_BOUND_TO = ("O", "F", "S", "Cl", "Se", "Br", "I", "Te", "N", "P", "C")

_BALANCE = (
    "there are redox metals",
    "charge of redox metals",
    "place between lowest and highest charge",
    "electrons to take, a redox metal",
    "electrons to take, a volume",
    "electrons to take, an atom",
    "charge beyond the highest",
    "share of redox metals",
)
_COUPLE = (
    "mean ionisation energy of the charge",
    "max ionisation energy of the charge",
    "mean ionisation energy of the charge less 1",
    "mean ionisation energy of the charge less 1/2",
    "mean d electrons",
    "min d electrons",
    *(f"share with {n} d electrons" for n in _D_COUNTS),
    *(f"share of {symbol} in redox metals" for symbol in _METALS),
)
_METAL_SITES = (
    "metal coordination",
    "metal bond length",
    "metal bond spread",
    "metal bond length less that of valence 1",
    "mean metal bond valence",
    "min metal bond valence",
    "max metal bond valence",
    "mean metal bond valence less charge",
    *(f"share of {symbol} around metals" for symbol in _BOUND_TO),
    "share of others around metals",
    "electronegativity behind the anions",
    "weight behind the anions",
    "valence behind the anions",
)
_ANION_SITES = (
    "mean valence that anions lack",
    "std valence that anions lack",
    "min valence that anions lack",
    "max valence that anions lack",
    "anion coordination",
    "share of redox metals around anions",
    "electronegativity around anions",
)
REDOX_FEATURES: tuple[str, ...] = _BALANCE + _COUPLE + _METAL_SITES + _ANION_SITES

_IS_ANION = np.isin(np.arange(N_ELEMENTS + 1), sorted(ANIONS))
_IS_COVALENT = np.array([s in COVALENT for s in SYMBOLS])
_ANION_CHARGES = np.array([-min(0.0, FIXED_CHARGES.get(s, 0.0)) for s in ("", *ATOMIC_NUMBERS)])


@dataclass(frozen=True, eq=False)
class RedoxTable:
    """Properties of the elements beside those of ``ElementTable``; row 0 is no element.

    Attributes:
        ionisation: eV that it takes to reach each charge from the one before, shape (119, ``HIGHEST_CHARGE`` + 1);
            0 for the atom.
        length: Length of a bond of valence 1 between two elements, Å, shape (119, 119).
    """

    ionisation: Array
    length: Array

    def __post_init__(self) -> None:
        n = N_ELEMENTS + 1
        if self.ionisation.shape != (n, HIGHEST_CHARGE + 1) or self.length.shape != (n, n):
            raise ValueError(f"a redox table has {n} rows of {HIGHEST_CHARGE + 1} energies and {n} lengths")

    def energy(self, numbers: Indices, charges: Array) -> Array:
        """Ionisation energy of charges that need not be whole, eV, shape (n,)."""
        charges = np.clip(charges, 0, HIGHEST_CHARGE)
        below = np.minimum(charges.astype(np.int64), HIGHEST_CHARGE - 1)
        part = charges - below
        energy: Array = self.ionisation[numbers, below] * (1 - part) + self.ionisation[numbers, below + 1] * part
        return energy


@cache
def redox_table() -> RedoxTable:
    """The table out of pymatgen, made once.

    Energies that are not known are a quarter above the one before. An element without bond-valence parameters takes
    nine tenths of its covalent radius (Cordero et al., Dalton Trans. 2832 (2008)) and Pauling's electronegativity.
    """
    from pymatgen.analysis.bond_valence import BV_PARAMS
    from pymatgen.core.periodic_table import Element

    ionisation = np.zeros((N_ELEMENTS + 1, HIGHEST_CHARGE + 1))
    size, pull = np.ones(N_ELEMENTS + 1), np.full(N_ELEMENTS + 1, 1.5)
    with silenced():  # it warns of every value that it does not have
        for z in range(1, N_ELEMENTS + 1):
            element = Element.from_Z(z)
            known = list(element.ionization_energies or ())
            for charge in range(1, HIGHEST_CHARGE + 1):
                found = known[charge - 1] if charge <= len(known) else None
                ionisation[z, charge] = found or 1.25 * ionisation[z, charge - 1]
            own = BV_PARAMS.get(element)
            if own is None:
                size[z] = 0.9 * covalent_radii()[z]
                pull[z] = element.X if np.isfinite(element.X) else 1.5
            else:
                size[z], pull[z] = own["r"], own["c"]
    root = np.sqrt(pull)
    product = size[:, None] * size * (root[:, None] - root) ** 2
    length = size[:, None] + size - product / (pull[:, None] * size[:, None] + pull * size)
    return RedoxTable(ionisation, length)


@dataclass(frozen=True, eq=False)
class _Charges:
    """Balance of charges of some hosts with N atoms in all.

    Attributes:
        balance: ``_BALANCE`` of each host, shape (n_hosts, 8).
        metals: Atoms that change their charge; in a host without such all metals, shape (N,).
        couples: Atoms that change their charge, shape (N,).
        charge: Of these, in elementary charges, else 0; shape (N,).
    """

    balance: Array
    metals: Mask
    couples: Mask
    charge: Array


def redox_features(hosts: Sequence[Crystal], atoms: Surroundings, table: ElementTable, redox: RedoxTable) -> Array:
    """Features of redox couples and of what surrounds them.

    Args:
        hosts: Charged hosts.
        atoms: Their surroundings.
        table: Properties of the elements.
        redox: More of them.

    Returns:
        Shape (n_hosts, len(REDOX_FEATURES)); energies in eV, lengths in Å, charges in elementary charges. What a host
        does not have is 0.
    """
    charges = _balance(hosts)
    anions = _IS_ANION[atoms.numbers]
    across = anions[:, None] != anions[atoms.neighbours]
    valence = np.exp((redox.length[atoms.numbers[:, None], atoms.around] - atoms.distances) / SOFTNESS)
    valence = np.where(atoms.distances < REACH, valence, 0.0)
    sums = np.where(across, valence, 0.0).sum(1)
    columns = [
        *charges.balance.T,
        *_couples(atoms, charges, table, redox),
        *_metal_sites(atoms, charges, table, redox, valence, sums),
        *_anion_sites(atoms, charges, table, sums),
    ]
    return np.column_stack(columns)


def _balance(hosts: Sequence[Crystal]) -> _Charges:
    rows, metals, couples, charge = [], [], [], []
    for host in hosts:
        row, of_couple = np.zeros(len(_BALANCE)), np.zeros(len(host), dtype=bool)
        found, own = metal_charges(host), np.zeros(len(host))
        if found is not None and found.limits:
            by_number = np.full(N_ELEMENTS + 1, np.nan)
            for symbol, q in found.each.items():
                by_number[ATOMIC_NUMBERS[symbol]] = q
            of_couple = np.isfinite(by_number[host.numbers])
            own[of_couple] = by_number[host.numbers][of_couple]
            n, take, span = of_couple.sum(), found.present - found.lowest, found.highest - found.lowest
            row[:] = (
                1, found.present / n, np.clip(take / span, -1, 2), take / n, take / host.volume, take / len(host),
                max(0.0, found.present - found.highest) / n, n / len(host),
            )  # fmt: skip
        rows.append(row)
        couples.append(of_couple)
        charge.append(own)
        metals.append(of_couple if of_couple.any() else ~_IS_COVALENT[host.numbers])
    return _Charges(np.array(rows), np.concatenate(metals), np.concatenate(couples), np.concatenate(charge))


def _couples(atoms: Surroundings, charges: _Charges, table: ElementTable, redox: RedoxTable) -> list[Array]:
    own, numbers = charges.couples, atoms.numbers
    energy = redox.energy(numbers, charges.charge)
    column = table["Column"][numbers]
    electrons = np.clip(np.where(column > 12, 10.0, column - np.clip(charges.charge, 0, HIGHEST_CHARGE)), 0, 10)
    least = np.minimum.reduceat(np.where(own, electrons, np.inf), atoms.starts)
    return [
        atoms.over(energy, own),
        np.maximum.reduceat(np.where(own, energy, 0.0), atoms.starts),
        atoms.over(redox.energy(numbers, charges.charge - 1), own),
        atoms.over(redox.energy(numbers, charges.charge - 0.5), own),
        atoms.over(electrons, own),
        np.where(np.isfinite(least), least, 0.0),
        *(atoms.over(np.maximum(0.0, 1 - np.abs(electrons - n)), own) for n in _D_COUNTS),
        *(atoms.over((numbers == ATOMIC_NUMBERS[symbol]).astype(np.float64), own) for symbol in _METALS),
    ]


def _metal_sites(
    atoms: Surroundings, charges: _Charges, table: ElementTable, redox: RedoxTable, valence: Array, sums: Array
) -> list[Array]:
    own, around, bond = charges.metals, atoms.around, atoms.bond
    excess = atoms.mean(atoms.distances - redox.length[atoms.numbers[:, None], around])
    spread = np.sqrt(atoms.mean((atoms.distances - bond[:, None]) ** 2))
    some = np.add.reduceat(own.astype(np.float64), atoms.starts) > 0
    weights = np.where(own[:, None], atoms.weights, 0.0)
    total = np.maximum(np.add.reduceat(weights.sum(1), atoms.starts), 1e-12)

    def share(there: Mask) -> Array:
        found: Array = np.add.reduceat(np.where(there, weights, 0.0).sum(1), atoms.starts) / total
        return found

    shares = [share(around == ATOMIC_NUMBERS[symbol]) for symbol in _BOUND_TO]
    # Behind an anion: what is neither a metal of the couple nor an anion.
    behind = ~own[atoms.neighbours] & ~_IS_ANION[around]
    weight = np.where(behind, atoms.weights, 0.0)
    pull = (weight * table["Electronegativity"][around]).sum(1) / np.maximum(weight.sum(1), 1e-9)
    to_anions = np.where(_IS_ANION[around], weights, 0.0)
    norm = np.maximum(np.add.reduceat(to_anions.sum(1), atoms.starts), 1e-9)
    of_anions = (pull, weight.sum(1) / np.maximum(atoms.coordination, 1e-12), np.where(behind, valence, 0.0).sum(1))
    return [
        atoms.over(atoms.coordination, own),
        atoms.over(bond, own),
        atoms.over(spread, own),
        atoms.over(excess, own),
        atoms.over(sums, own),
        np.where(some, np.minimum.reduceat(np.where(own, sums, np.inf), atoms.starts), 0.0),
        np.maximum.reduceat(np.where(own, sums, 0.0), atoms.starts),
        atoms.over(sums - charges.charge, own),
        *shares,
        np.where(some, 1 - np.sum(shares, axis=0), 0.0),
        *(np.add.reduceat((to_anions * v[atoms.neighbours]).sum(1), atoms.starts) / norm for v in of_anions),
    ]


def _anion_sites(atoms: Surroundings, charges: _Charges, table: ElementTable, sums: Array) -> list[Array]:
    own = _IS_ANION[atoms.numbers]
    metals = charges.metals[atoms.neighbours].astype(np.float64)
    return [
        *atoms.spread(_ANION_CHARGES[atoms.numbers] - sums, own),
        atoms.over(atoms.coordination, own),
        atoms.over(atoms.mean(metals), own),
        atoms.over(atoms.mean(table["Electronegativity"][atoms.around]), own),
    ]
