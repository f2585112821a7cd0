"""What a prediction is: its fields, and their units."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ionvolt.ions import EndMembers
from ionvolt.results import html_table


@dataclass(frozen=True)
class Prediction:
    """The voltage that a model expects of an electrode.

    Attributes:
        source: The input, as the user named it.
        formula: Reduced formula of the input.
        working_ion: Symbol of the ion.
        voltage: Average voltage over the whole charge, V against the ion's metal.
        voltage_std: One standard deviation of the expected error, V; None for a single network.
        model: Name of the model that answered.
        end_members: What the answer rests on: ``charged`` (the host alone), ``discharged`` (the host was made by taking
            the ion out) or ``both``.
        capacity_grav: Theoretical capacity of the discharged electrode, mAh/g; None for a charged host whose ion
            content when discharged can neither be told nor estimated.
        energy_grav: Voltage times capacity, Wh/kg; None where the capacity is, and where full extraction is unlikely:
            the voltage is then that of a part of the ions.
        warnings: Reservations, in plain words.
        voltage_lower: Lower end of the 90 % interval, V; None where the model has no calibrated one.
        voltage_upper: Upper end, V.
        epistemic_std: Spread of the model's members, V; None for a single one.
        in_domain: Whether the electrode is like those that the model was trained on; None where it cannot tell. Why
            not stands among the warnings.
        voltage_potential: Voltage from the universal potential's energies alone, V; None where none were used.
        host_formula: Reduced formula of the host into which the ion goes.
        removed: Ions of other elements that were taken out of the host first, by symbol.
        capacity_vol: The capacity per volume, mAh/cm³ of the discharged crystal; of the host as it stands where only
            that is known.
        energy_vol: Wh/L, the same.
        capacity_is_estimate: Whether the capacity is that of as many ions as the host's voids and electrons allow.
        full_extraction: Probability that all ions come out of a discharged electrode, 0 to 1; None where not asked.
        voltage_measured: What a cell is expected to show, V (``models.measured``); None where another model answered
            than the default, whose answers were held against measured voltages.
        voltage_measured_lower: Lower end of the interval that is to hold 90 % of measurements, V.
        voltage_measured_upper: Upper end, V.
        measured_basis: What that expectation rests on: ``corrected`` by measured electrodes, or ``calculated``: none is
            near, and why. Empty without one.
    """

    source: str
    formula: str
    working_ion: str
    voltage: float
    voltage_std: float | None
    model: str
    end_members: EndMembers
    capacity_grav: float | None
    energy_grav: float | None
    warnings: tuple[str, ...]
    voltage_lower: float | None = None
    voltage_upper: float | None = None
    epistemic_std: float | None = None
    in_domain: bool | None = None
    voltage_potential: float | None = None
    host_formula: str = ""
    removed: dict[str, int] = field(default_factory=dict)
    capacity_vol: float | None = None
    energy_vol: float | None = None
    capacity_is_estimate: bool = False
    full_extraction: float | None = None
    voltage_measured: float | None = None
    voltage_measured_lower: float | None = None
    voltage_measured_upper: float | None = None
    measured_basis: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The prediction as plain JSON types."""
        return asdict(self) | {"warnings": list(self.warnings)}

    def _repr_html_(self) -> str:
        return html_table([self.to_dict()])
