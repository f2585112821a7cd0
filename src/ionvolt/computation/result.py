"""What a computation gives: its fields, and their units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ionvolt.errors import InputError
from ionvolt.ions import EndMembers, capacity_grav, volumetric, working_ion
from ionvolt.physics.average import AverageVoltage
from ionvolt.physics.profile import Profile
from ionvolt.physics.reaction import balance
from ionvolt.results import html_table
from ionvolt.structures.crystal import Crystal

if TYPE_CHECKING:
    from pymatgen.apps.battery.insertion_battery import InsertionElectrode

    from ionvolt.models.interface import Estimate
    from ionvolt.models.measured import MeasuredEstimate


@dataclass(frozen=True)
class VoltageResult:
    """A computed voltage and its circumstances.

    Attributes:
        source: The input, as the user named it.
        working_ion: Symbol of the ion.
        formula_discharged: Reduced formula of the discharged end member.
        formula_charged: Reduced formula of the charged one.
        end_members: Which end members were given.
        voltage: Average voltage, V against the ion's metal: the corrected one where the Δ-model comes along.
        voltage_lower: Lower end of the 90 % interval, V; None without a correction.
        voltage_upper: Upper end, V.
        voltage_potential: What the potential's energies alone give, V.
        in_domain: Whether the electrode is like those that the correction was learned from; None without one. Why not
            stands among the warnings.
        model: Name of the model that answered, or version of the potential.
        n_ions: Ions that move between the cells.
        capacity_grav: mAh per gram of the discharged electrode, for the ions that move.
        capacity_vol: mAh per cm³ of the same.
        energy_grav: Voltage times capacity, Wh/kg; None where the voltage is that of a part of these ions.
        energy_vol: Wh/L, likewise.
        method: How the end members came about.
        volume_change: Growth of the host on discharge, as a fraction of the charged volume.
        converged: Whether all relaxations converged; None where nothing was relaxed.
        steps: Steps of all relaxations.
        seconds: Wall-clock time.
        warnings: Reservations, in plain words.
        voltage_measured: What a cell is expected to show, V: the potential's voltage corrected towards measured ones
            (``models.measured``); None by another potential.
        voltage_measured_lower: Lower end of its 90 % interval, V.
        voltage_measured_upper: Upper end, V.
        measured_basis: What that expectation rests on: ``corrected``, or ``calculated`` and why.
        profile: Voltage against filling, where it was asked for.
        discharged: The discharged end member as it was computed; not part of ``to_dict``.
        charged: The charged one; not part of ``to_dict``.
    """

    source: str
    working_ion: str
    formula_discharged: str
    formula_charged: str
    end_members: EndMembers
    voltage: float
    voltage_lower: float | None
    voltage_upper: float | None
    voltage_potential: float
    in_domain: bool | None
    model: str
    n_ions: int
    capacity_grav: float
    capacity_vol: float
    energy_grav: float | None
    energy_vol: float | None
    method: str
    volume_change: float
    converged: bool | None
    steps: int
    seconds: float
    warnings: tuple[str, ...]
    voltage_measured: float | None = None
    voltage_measured_lower: float | None = None
    voltage_measured_upper: float | None = None
    measured_basis: str = ""
    profile: Profile | None = None
    discharged: Crystal = field(repr=False, compare=False, kw_only=True)
    charged: Crystal = field(repr=False, compare=False, kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types, without the structures."""
        kept = {k: v for k, v in self.__dict__.items() if k not in ("discharged", "charged", "profile")}
        profile = {"profile": self.profile.to_dict()} if self.profile else {}
        return kept | {"seconds": round(self.seconds, 3), "warnings": list(self.warnings)} | profile

    def to_insertion_electrode(self, *, steps: bool = False) -> InsertionElectrode:
        """Pymatgen's ``InsertionElectrode`` of both end members, with their structures and this voltage.

        The energies of its entries are relative: that of the charged host and that of the ion's metal are zero.

        Args:
            steps: Whether it holds the steps of the profile instead. Their voltages are the potential's own, without
                the correction, which holds for the average alone.

        Raises:
            InputError: A voltage is not positive, so that pymatgen knows no electrode; or there is no profile.
        """
        from pymatgen.apps.battery.insertion_battery import InsertionElectrode
        from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry

        ion = working_ion(self.working_ion)
        states = self._states_of_profile() if steps else [(self.charged, 0.0), (self.discharged, self._energy())]
        lowest = min(step.voltage for step in self.profile.steps) if steps and self.profile else self.voltage
        if lowest <= 0:
            raise InputError(
                self.source, f"{lowest:.2f} V: the ion does not go in", "pymatgen takes positive voltages only"
            )
        entries = [ComputedStructureEntry(crystal.to_pymatgen(), energy) for crystal, energy in states]
        return InsertionElectrode.from_entries(entries, ComputedEntry(ion.symbol, 0.0), strip_structures=False)

    def _energy(self) -> float:
        """Energy of the discharged cell, eV, where that of the host and that of the metal are zero."""
        ion = working_ion(self.working_ion)
        cells = balance(self.discharged, self.charged, ion).discharged_cells
        return -self.voltage * self.n_ions * ion.charge / cells

    def _states_of_profile(self) -> list[tuple[Crystal, float]]:
        """Crystals on the profile, from charged to discharged, with their energies in eV as in ``_energy``."""
        ion = working_ion(self.working_ion)
        found: list[tuple[Crystal, float]] = []
        for step in self.profile.steps if self.profile else ():
            if step.charged is None or step.discharged is None:
                raise InputError(self.source, "its profile came without crystals", "Compute it anew")
            before, after = (int((crystal.numbers == ion.number).sum()) for crystal in (step.charged, step.discharged))
            found = found or [(step.charged, 0.0)]
            found.append((step.discharged, found[-1][1] - step.voltage * (after - before) * ion.charge))
        if not found:
            raise InputError(self.source, "no profile was computed", "Ask for one: compute(..., profile=True)")
        return found

    def _repr_html_(self) -> str:
        return html_table([self.to_dict()])


def result_of(
    source: str,
    average: AverageVoltage,
    given: EndMembers,
    answer: Estimate | None,
    notes: tuple[str, ...],
    profile: Profile | None,
    measured: MeasuredEstimate | None,
) -> VoltageResult:
    """A computation as people get it: of the average voltage, the corrected answer, if any, and what goes with them."""
    ion, reaction = average.ion, average.reaction
    left = average.discharged.composition[ion.symbol] - reaction.n_ions / reaction.discharged_cells
    capacity = capacity_grav(average.discharged, ion, left)
    voltage = answer.voltage if answer else average.voltage
    energy = None if answer and answer.of_a_part else voltage * capacity
    return VoltageResult(
        source=source,
        working_ion=ion.symbol,
        formula_discharged=average.discharged.formula,
        formula_charged=average.charged.formula,
        end_members=given,
        voltage=voltage,
        voltage_lower=answer.lower if answer else None,
        voltage_upper=answer.upper if answer else None,
        voltage_potential=average.voltage,
        in_domain=answer.in_domain if answer else None,
        model=answer.model if answer else average.potential,
        n_ions=reaction.n_ions,
        capacity_grav=capacity,
        capacity_vol=volumetric(capacity, average.discharged),
        energy_grav=energy,
        energy_vol=None if energy is None else volumetric(energy, average.discharged),
        method=average.method,
        volume_change=average.volume_change,
        converged=average.converged,
        steps=average.steps,
        seconds=average.seconds,
        warnings=(*average.warnings, *(answer.reasons if answer else ()), *notes),
        voltage_measured=measured.voltage if measured else None,
        voltage_measured_lower=measured.lower if measured else None,
        voltage_measured_upper=measured.upper if measured else None,
        measured_basis=measured.basis_in_words if measured else "",
        profile=profile,
        discharged=average.discharged,
        charged=average.charged,
    )
