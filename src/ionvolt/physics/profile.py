"""Voltage against filling: partly filled electrodes, their lower hull, and the steps between those on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.ions import WorkingIon, remove_ion
from ionvolt.physics.cache import Cache, cached_outputs, cached_relax
from ionvolt.physics.orderings import MOST_IONS, remove_sites, supercell, symmetry_distinct_orderings
from ionvolt.physics.potentials.pair import PotentialPair
from ionvolt.physics.reaction import balance
from ionvolt.physics.references import metal_reference
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import ProgressCallback

STEP_FLOOR = 0.18
"""V; half of a long step's interval, in units of ``STEP_QUANTILE``: of 1,180 steps of the Materials Project."""

STEP_SLOPE = 0.02
"""V for each electron of an atom of the frame: an error of the energies weighs the more, the fewer share it."""

STEP_QUANTILE = 2.04
"""Of errors of own profiles in these units, so that 90 % lie within (``benchmarks/profile_steps.py``)."""


@dataclass(frozen=True)
class Step:
    """A plateau of the voltage profile.

    Attributes:
        voltage: V.
        formula_charged: Reduced formula where it begins on discharge.
        formula_discharged: Reduced formula where it ends.
        filling_charged: Fraction of the ions of the discharged electrode that are in where it begins, 0 to 1.
        filling_discharged: The same where it ends.
        volume_change: Growth over the step, as a fraction of the volume where it begins.
        charged: The crystal where it begins; not part of ``Profile.to_dict``.
        discharged: The crystal where it ends; likewise.
        voltage_lower: Lower end of the 90 % interval, V; None where the energies are not those that were calibrated, or
            nothing was relaxed.
        voltage_upper: Upper end, V.
        voltage_measured: What a cell is expected to show over the step, V; None where nobody asked.
        voltage_measured_lower: Lower end of its 90 % interval, V.
        voltage_measured_upper: Upper end, V.
        measured_basis: What that expectation rests on.
    """

    voltage: float
    formula_charged: str
    formula_discharged: str
    filling_charged: float
    filling_discharged: float
    volume_change: float
    charged: Crystal | None = field(default=None, repr=False, compare=False)
    discharged: Crystal | None = field(default=None, repr=False, compare=False)
    voltage_lower: float | None = None
    voltage_upper: float | None = None
    voltage_measured: float | None = None
    voltage_measured_lower: float | None = None
    voltage_measured_upper: float | None = None
    measured_basis: str = ""


@dataclass(frozen=True)
class Profile:
    """A voltage profile.

    Attributes:
        steps: From charged to discharged.
        average: The steps' voltages weighted with their capacities, V.
        n_ions: Ions in the discharged cell.
        n_computed: Arrangements whose energy was computed.
        converged: Whether all relaxations behind it converged; True where none was asked for.
    """

    steps: tuple[Step, ...]
    average: float
    n_ions: int
    n_computed: int
    converged: bool

    def to_dict(self) -> dict[str, Any]:
        """The profile as plain JSON types, without the structures."""
        steps = [{k: v for k, v in vars(step).items() if k not in ("charged", "discharged")} for step in self.steps]
        return vars(self) | {"steps": steps}


def step_half_width(step: Step, ion: WorkingIon) -> float:
    """Half of the 90 % interval of a step of relaxed arrangements, energies by SevenNet-l3i5, V.

    It holds what the energies and the few arrangements that are tried do wrong. It grows where few electrons share an
    error of the energies: in short steps.
    """
    assert step.charged is not None
    assert step.discharged is not None
    low, high = (_per_frame_atom(crystal, ion) for crystal in (step.charged, step.discharged))
    return STEP_QUANTILE * math.hypot(STEP_FLOOR, STEP_SLOPE / (ion.charge * (high - low)))


def _per_frame_atom(crystal: Crystal, ion: WorkingIon) -> float:
    n_ions = crystal.composition.get(ion.symbol, 0)
    return n_ions / (len(crystal) - n_ions)


def voltage_profile(
    discharged: Crystal,
    ion: WorkingIon,
    potentials: PotentialPair,
    settings: RelaxSettings | None,
    cache: Cache,
    progress: ProgressCallback | None = None,
) -> Profile:
    """Empty a discharged electrode in steps.

    Cells with few ions are repeated first. For every filling the symmetry-distinct arrangements (at most
    ``MOST_PER_FILLING``; beyond ``MOST_IONS`` ions those that follow from the best of the filling before) are computed
    as they are, and the best is relaxed. Steps join the fillings on the lower hull.

    Args:
        discharged: The discharged electrode.
        ion: The working ion.
        potentials: The potential that ranks and relaxes, and the one whose energies of the best arrangements make the
            hull.
        settings: When a relaxation is done; None takes the unrelaxed energies.
        cache: Where results are remembered.
        progress: Called with fillings done and in all.

    Raises:
        InputError: The structure does not hold the ion, or nothing else, or the potential cannot compute it.
    """
    balance(discharged, remove_ion(discharged, ion), ion)  # refuses what is no discharged electrode
    cell = supercell(discharged, ion)
    sites = np.flatnonzero(cell.numbers == ion.number)
    states: list[tuple[Crystal, float]] = []
    n_computed, converged = 0, True
    best: NDArray[np.int64] = np.array([], dtype=np.int64)
    for done, n_kept in enumerate(range(len(sites), -1, -1)):
        if len(sites) <= MOST_IONS:
            ways = symmetry_distinct_orderings(cell, ion, n_kept)
        else:
            ways = [np.append(best, site) for site in np.setdiff1d(sites, best)] if done else [best]
        crystals = [remove_sites(cell, removed) for removed in ways]
        k = int(np.argmin([output.energy for output in cached_outputs(crystals, potentials.relaxer, cache)]))
        n_computed += len(ways)
        best, state = ways[k], crystals[k]
        if settings is not None:
            relaxed = cached_relax(state, potentials.relaxer, settings, cache)
            state = relaxed.crystal
            converged &= relaxed.converged
        states.append((state, cached_outputs([state], potentials.energy_model, cache)[0].energy))
        if progress:
            progress(done + 1, len(sites) + 1, "")
    steps, average = _steps(states, ion, metal_reference(ion, potentials.energy_model, cache)[0])
    return Profile(steps, average, len(sites), n_computed, converged)


def _steps(states: list[tuple[Crystal, float]], ion: WorkingIon, metal_energy: float) -> tuple[tuple[Step, ...], float]:
    """Steps between the states on the lower hull, and their average, both in pymatgen's reckoning."""
    from pymatgen.apps.battery.insertion_battery import InsertionElectrode, InsertionVoltagePair
    from pymatgen.core.composition import Composition
    from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry

    entries = [ComputedStructureEntry(crystal.to_pymatgen(), energy) for crystal, energy in states]
    metal = ComputedEntry(Composition({ion.symbol: 1}), metal_energy)
    electrode = InsertionElectrode.from_entries(entries, metal, strip_structures=True)
    most = max(int((crystal.numbers == ion.number).sum()) for crystal, _ in states)
    framework = min(len(crystal) for crystal, _ in states)
    by_formula = {
        entry.composition.reduced_formula: crystal for entry, (crystal, _) in zip(entries, states, strict=True)
    }

    def filling(fraction: float) -> float:
        """Of the atomic fraction of the ion, the fraction of its sites that are filled."""
        return round(fraction * framework / (1 - fraction)) / most

    found = []
    for pair in electrode.voltage_pairs:
        assert isinstance(pair, InsertionVoltagePair)
        charged, discharged = (e.composition.reduced_formula for e in (pair.entry_charge, pair.entry_discharge))
        found.append(
            Step(
                voltage=float(pair.voltage),
                formula_charged=charged,
                formula_discharged=discharged,
                filling_charged=filling(pair.frac_charge),
                filling_discharged=filling(pair.frac_discharge),
                volume_change=float(pair.vol_discharge / pair.vol_charge - 1),
                charged=by_formula[charged],
                discharged=by_formula[discharged],
            )
        )
    average = electrode.get_average_voltage()  # type: ignore[no-untyped-call]
    return tuple(found), float(average)
