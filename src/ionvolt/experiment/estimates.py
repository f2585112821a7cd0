"""What a model says of a measured cathode."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """What one model says of one cathode.

    Attributes:
        model: Name of the model.
        cathode: Name of the cathode.
        voltage: V against the ion's metal; None where the model gave none.
        voltage_std: The model's own standard deviation, V, or None.
        seen: Whether the cathode's framework is in the model's training set, for whatever ion; None: not known.
        structure: Name of the typed-in structure that it was given.
        state: What that structure is, ``charged`` or ``discharged``; ``both`` where it was given both ends.
        note: Why there is no voltage, or a reservation.
        lower: Lower end of a 90 % interval of the measurement, V; None where the model gives none.
        upper: Upper end, V.
    """

    model: str
    cathode: str
    voltage: float | None
    voltage_std: float | None = None
    seen: bool | None = None
    structure: str = ""
    state: str = ""
    note: str = ""
    lower: float | None = None
    upper: float | None = None
