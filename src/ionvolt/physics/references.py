"""Energies of the bulk metals, against which voltages are counted."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ionvolt.errors import InputError, ModelError
from ionvolt.ions import WorkingIon
from ionvolt.physics.cache import Cache, cached_relax
from ionvolt.physics.metals import TEXTBOOK, MetalCell
from ionvolt.physics.potentials.interface import Potential
from ionvolt.physics.relaxation import RelaxSettings

RELAXED: dict[str, MetalCell] = {
    "Li": MetalCell("bcc", 3.407),
    "Na": MetalCell("bcc", 4.210),
    "K": MetalCell("bcc", 5.237),
    "Rb": MetalCell("bcc", 5.486),
    "Cs": MetalCell("bcc", 6.336),
    "Mg": MetalCell("hcp", 3.206, 5.133),
    "Ca": MetalCell("fcc", 5.526),
    "Zn": MetalCell("hcp", 2.664, 5.004),
    "Al": MetalCell("fcc", 4.043),
    "Y": MetalCell("hcp", 3.599, 5.867),
}
"""``metals.TEXTBOOK``, each cell parameter moved to the minimum of the energy of CHGNet 0.3.0."""

_V030: dict[str, float] = {
    "Li": -1.8803,
    "Na": -1.2890,
    "K": -1.0869,
    "Rb": -0.9394,
    "Cs": -0.8525,
    "Mg": -1.5963,
    "Ca": -1.9703,
    "Zn": -1.2631,
    "Al": -3.6644,
    "Y": -6.4446,
}

_R2SCAN: dict[str, float] = {
    "Li": -2.3844,
    "Na": -3.5519,
    "K": -6.0004,
    "Rb": -13.9099,
    "Cs": -25.0920,
    "Mg": -4.1408,
    "Ca": -7.0202,
    "Zn": -8.9110,
    "Al": -6.6805,
    "Y": -20.2663,
}

_ENERGIES: dict[str, dict[str, float]] = {
    "chgnet-0.3.0": _V030,
    # With its cut-off of 5 Å this version finds no alkali metal: the cells of Li and Na run away, in Rb and Cs atoms
    # lose their neighbours. Both versions learned the same scale, so that the alkali metals are taken from the other.
    "chgnet-0.2.0": {metal: _V030[metal] for metal in ("Li", "Na", "K", "Rb", "Cs")}
    | {"Mg": -1.4510, "Ca": -1.9871, "Zn": -1.2407, "Al": -3.6660, "Y": -6.3296},
    "chgnet-r2scan": _R2SCAN,
    # Its cut-off of 5 Å ends before the second neighbours in K, Rb and Cs. These come from CHGNet, on the same scale.
    "7net-l3i5": {metal: _V030[metal] for metal in ("K", "Rb", "Cs")}
    | {"Li": -1.9025, "Na": -1.2988, "Mg": -1.6054, "Ca": -2.0002, "Zn": -1.2579, "Al": -3.7161, "Y": -6.4553},
    # The same cut-off. Energies of r2SCAN come from CHGNet's r2scan where its own cannot be relaxed.
    "7net-mf-0:pbe": {metal: _V030[metal] for metal in ("K", "Rb", "Cs")}
    | {"Li": -1.9040, "Na": -1.3043, "Mg": -1.6015, "Ca": -1.9729, "Zn": -1.2426, "Al": -3.7075, "Y": -6.4546},
    "7net-mf-0:r2scan": {metal: _R2SCAN[metal] for metal in ("K", "Rb", "Cs")}
    | {"Li": -2.3806, "Na": -3.5487, "Mg": -4.1459, "Ca": -7.0128, "Zn": -8.8992, "Al": -6.7024, "Y": -20.2680},
}


def metal_energy(ion: WorkingIon, version: str = "chgnet-0.3.0") -> float:
    """Energy of the bulk metal of a working ion, in eV per atom, relaxed with a version of the potential.

    Raises:
        ModelError: There is no such version.
    """
    if version not in _ENERGIES:
        raise ModelError(f"{version}: no such version of the potential. Choose from {', '.join(_ENERGIES)}")
    return _ENERGIES[version][ion.symbol]


METAL_RELAXATION = RelaxSettings(fmax=0.01, timeout=None)
"""Of a metal whose energy is not in the table."""


def metal_reference(ion: WorkingIon, potential: Potential, cache: Cache) -> tuple[float, tuple[str, ...]]:
    """Energy of the bulk metal in eV per atom, by the table or relaxed with a potential of the user's; reservations.

    Raises:
        InputError: The potential cannot relax the metal.
    """
    if potential.version in _ENERGIES:
        return _ENERGIES[potential.version][ion.symbol], ()
    loaded: Any = potential  # an object like any other: it can be a key
    return _relaxed_metal(ion.symbol, loaded, cache)


@lru_cache(maxsize=16)
def _relaxed_metal(symbol: str, potential: Potential, cache: Cache) -> tuple[float, tuple[str, ...]]:
    cell = TEXTBOOK[symbol]
    try:
        found = cached_relax(cell.crystal(symbol), potential, METAL_RELAXATION, cache)
    except InputError as error:
        raise InputError(
            f"{symbol} metal", f"voltages are counted against it, and {error.rule}", "Take another potential"
        ) from error
    notes = []
    if not found.converged:
        notes.append(f"{symbol} metal, against which the voltage counts, did not relax (stopped by {found.stopped_by})")
    cutoff = getattr(potential, "cutoff", None)
    if cell.kind == "bcc" and cutoff is not None and cutoff < cell.a:
        notes.append(
            f"the potential ends at {cutoff:g} Å, before the second neighbours in {symbol} metal, against which the "
            "voltage counts"
        )
    return found.energy / len(found.crystal), tuple(notes)
