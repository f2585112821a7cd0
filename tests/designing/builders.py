"""Hosts and judges for tests of the design."""

from __future__ import annotations

from pathlib import Path

from ionvolt.designing.assessment import Relaxed
from ionvolt.designing.records import Candidate
from ionvolt.errors import InputError
from ionvolt.ions import WorkingIon, capacity_grav, remove_ion, volumetric, working_ion
from ionvolt.structures import Crystal, read_file
from ionvolt.structures.spacegroup import primitive_cell
from ionvolt.typing import LogCallback

EXAMPLES = Path(__file__).parents[2] / "src" / "ionvolt" / "examples"


def example(name: str) -> Crystal:
    """The primitive cell of a bundled example."""
    return primitive_cell(read_file(EXAMPLES / f"{name}.cif"))


class CountingJudge:
    """Says of each candidate that its voltage is 3 V and a little more for each atom of it; counts what it is asked."""

    def __init__(self, stop_after: int | None = None, refuse: str = "") -> None:
        self.asked: list[str] = []
        self.stop_after = stop_after
        self.refuse = refuse

    def __call__(self, candidate: Candidate, ion: WorkingIon, log: LogCallback) -> Relaxed:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(candidate.crystal.formula)
        crystal = candidate.crystal
        if crystal.formula == self.refuse:
            raise InputError(crystal.formula, "the relaxation broke down", "Leave it out")
        capacity = capacity_grav(crystal, ion)
        voltage = 3.0 + len(self.asked) / 100
        return Relaxed(
            voltage=voltage,
            voltage_lower=voltage - 0.3,
            voltage_upper=voltage + 0.3,
            voltage_measured=None,
            model="test",
            capacity_grav=capacity,
            capacity_vol=volumetric(capacity, crystal),
            energy_grav=voltage * capacity,
            energy_vol=volumetric(voltage * capacity, crystal),
            volume_change=0.05,
            in_domain=True,
            distance=0.5,
            warnings=(),
            discharged=crystal,
            charged=remove_ion(crystal, ion),
        )


LI, NA, MG, CA = (working_ion(symbol) for symbol in ("Li", "Na", "Mg", "Ca"))
