"""The voltage that a cell will show, with its interval, from a calculated voltage and the electrode's chemistry."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from safetensors.numpy import load as load_tensors

from ionvolt.errors import ModelError
from ionvolt.ions import EndMembers, working_ion
from ionvolt.models.card import ModelCard, parameters_of
from ionvolt.models.interface import NORMAL_90
from ionvolt.models.measured.chemistry import chemistry_of
from ionvolt.models.measured.regression import Electrode, Regression, columns, matrix
from ionvolt.models.registry import SHIPPED
from ionvolt.models.storage import read_model, write_model
from ionvolt.physics.cache import Cache, cached_outputs
from ionvolt.physics.potentials.sevennet import PBE_HEAD, R2SCAN_HEAD, load_sevennet
from ionvolt.physics.reaction import average_voltage, balance
from ionvolt.physics.references import metal_energy
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array

FAMILY = "measured-2026"
"""Folder of the shipped models, one for each way."""

Way = Literal["ends with r2SCAN", "ends", "discharged", "host"]
"""What a calculated voltage rests on: energies of both ends, with r2SCAN's beside them or without; what ``predict``
answers from the discharged structure, or from the host alone."""

FOLDERS: dict[Way, str] = {
    "ends with r2SCAN": "ends-with-r2scan",
    "ends": "ends",
    "discharged": "discharged",
    "host": "host",
}

_WAYS: dict[EndMembers, Way] = {"both": "ends", "discharged": "discharged", "charged": "host"}

Basis = Literal["corrected", "calculated"]
"""Whether the measured electrodes moved the voltage, or none of them is near enough."""

MARGIN = 0.3
"""V by which an electrode may lie outside the calculated voltages, or gaps, of the measured ones."""


@dataclass(frozen=True)
class MeasuredEstimate:
    """The voltage that a cell with the ion's metal is expected to show: an equilibrium, no current flows.

    Attributes:
        voltage: V against the ion's metal.
        lower: Lower end of the interval that holds 90 % of measurements, V.
        upper: Upper end, V.
        calculated: The calculated voltage that it started from, V.
        gap: r2SCAN's voltage less that of PBE+U, V; None where it was not computed.
        basis: ``corrected`` by what measured electrodes teach, or ``calculated`` where none is near enough.
        in_domain: Whether measured electrodes are near.
        reasons: Why they are not, in plain words.
    """

    voltage: float
    lower: float
    upper: float
    calculated: float
    gap: float | None
    basis: Basis
    in_domain: bool
    reasons: tuple[str, ...] = ()

    @property
    def basis_in_words(self) -> str:
        """The basis in words: ``corrected``, or ``calculated`` and why."""
        return self.basis + (f": {'; '.join(self.reasons)}" if self.reasons else "")


@dataclass(frozen=True, eq=False)
class MeasuredParameters:
    """What the model needs to answer, besides its weights.

    Attributes:
        metals: Measured electrodes of each redox centre, in shares.
        anions: Measured electrodes of each anion group.
        ions: Measured electrodes of each charge of the ion.
        calculated: Least and largest calculated voltage among them, V.
        gaps: Least and largest gap, V.
        noise: Scatter of an electrode about the regression, V.
        per_gap: Scatter for each volt of the gap. The calculated voltage's own standard deviation is added to both.
        quantile: Half width of a 90 % interval in scatters.
        far: Half width of a 90 % interval of the calculated voltage itself, where no measured electrode is near, V.
    """

    metals: dict[str, float]
    anions: dict[str, float]
    ions: dict[str, float]
    calculated: tuple[float, float]
    gaps: tuple[float, float]
    noise: float
    per_gap: float
    quantile: float
    far: float


@dataclass(frozen=True, eq=False)
class MeasuredModel(MeasuredParameters):
    """A regression, the electrodes that it knows, and how wide its intervals are.

    Attributes:
        regression: From calculated to measured voltages.
        card: What was fitted, on what, how well.
    """

    regression: Regression
    card: ModelCard = field(default_factory=lambda: ModelCard("", kind="measured"))

    def scatter(self, electrodes: list[Electrode]) -> Array:
        """One standard deviation of measured about expected voltages, V, up to the factor ``quantile``."""
        gaps = np.array([electrode.gap or 0.0 for electrode in electrodes])
        stds = np.array([electrode.std for electrode in electrodes])
        few = self.regression.uncertainty(matrix(electrodes))
        return np.asarray(np.sqrt(self.noise**2 + (self.per_gap * gaps) ** 2 + stds**2 + few**2))

    def far_from(self, electrode: Electrode) -> tuple[str, ...]:
        """Why no measured electrode is near; empty where some are."""
        chemistry = electrode.chemistry
        reasons = []
        if not chemistry.centres:
            reasons.append("no metal in it changes its valence")
        unknown = [
            metal for metal, share in chemistry.centres.items() if share >= 0.5 and self.metals.get(metal, 0) < 1
        ]
        if unknown:
            reasons.append(f"no measured electrode of {', '.join(unknown)}")
        if self.anions.get(chemistry.anion, 0) < 2:
            reasons.append(f"fewer than two measured electrodes of its kind ({chemistry.anion})")
        if not self.calculated[0] - MARGIN <= electrode.calculated <= self.calculated[1] + MARGIN:
            low, high = self.calculated
            reasons.append(
                f"{electrode.calculated:.2f} V lies outside the measured electrodes' {low:.2f} to {high:.2f} V"
            )
        if electrode.gap is not None and not self.gaps[0] - MARGIN <= electrode.gap <= self.gaps[1] + MARGIN:
            reasons.append(f"the functionals differ by {electrode.gap:+.2f} V, more than in any measured electrode")
        return tuple(reasons)

    def estimate(self, electrode: Electrode) -> MeasuredEstimate:
        """The expected voltage; far from every measured electrode the calculated one, with a wide interval."""
        reasons = self.far_from(electrode)
        if reasons:
            voltage = electrode.calculated
            half = float(np.hypot(self.far + abs(electrode.gap or 0.0) / 2, NORMAL_90 * electrode.std))
        else:
            voltage = electrode.calculated + float(self.regression.correction(columns(electrode)[None])[0])
            half = self.quantile * float(self.scatter([electrode])[0])
        return MeasuredEstimate(
            voltage=voltage,
            lower=voltage - half,
            upper=voltage + half,
            calculated=electrode.calculated,
            gap=electrode.gap,
            basis="calculated" if reasons else "corrected",
            in_domain=not reasons,
            reasons=reasons,
        )


def expected_measured(
    ion: str,
    charged: Crystal,
    calculated: float,
    *,
    end_members: EndMembers = "both",
    gap: float | None = None,
    calculated_std: float = 0.0,
) -> MeasuredEstimate:
    """The voltage that a cell is expected to show. Costs some milliseconds.

    Args:
        ion: Symbol of the working ion.
        charged: The charged end, relaxed or not: the host, or the discharged crystal without its ions.
        calculated: Calculated voltage, V. ``both`` ends: of the universal potential's energies. ``discharged`` or
            ``charged``: what ``predict`` answers from that structure alone.
        end_members: What the calculated voltage rests on; each has a model and intervals of its own.
        gap: What ``functional_gap`` says of both ends, V; None where it was not computed.
        calculated_std: How uncertain the calculated voltage is, V; 0 for energies of ends that are known.

    Raises:
        ModelError: The model cannot be read.
    """
    way: Way = "ends with r2SCAN" if gap is not None else _WAYS[end_members]
    electrode = Electrode(chemistry_of(charged, ion), calculated, gap, calculated_std)
    return load_measured(way).estimate(electrode)


class Expected(Protocol):
    """Whatever carries an expected voltage: ``Prediction``, ``VoltageResult``."""

    @property
    def voltage(self) -> float: ...  # noqa: D102

    @property
    def voltage_measured(self) -> float | None: ...  # noqa: D102

    @property
    def voltage_measured_lower(self) -> float | None: ...  # noqa: D102

    @property
    def voltage_measured_upper(self) -> float | None: ...  # noqa: D102

    @property
    def measured_basis(self) -> str: ...  # noqa: D102


def measured_of(result: Expected) -> MeasuredEstimate | None:
    """The expected voltage that a ``Prediction`` or a ``VoltageResult`` carries; None where it carries none."""
    lower, upper = result.voltage_measured_lower, result.voltage_measured_upper
    if result.voltage_measured is None or lower is None or upper is None:
        return None
    word, _, reasons = result.measured_basis.partition(": ")
    basis: Basis = "corrected" if word == "corrected" else "calculated"
    return MeasuredEstimate(
        voltage=result.voltage_measured,
        lower=lower,
        upper=upper,
        calculated=result.voltage,
        gap=None,
        basis=basis,
        in_domain=basis == "corrected",
        reasons=tuple(reasons.split("; ")) if reasons else (),
    )


def functional_gap(discharged: Crystal, charged: Crystal, ion: str, cache: Cache | None = None) -> float:
    """r2SCAN's voltage less that of PBE+U between two end members as they are, V, from SevenNet-MF-0's two outputs.

    Raises:
        InputError: The frameworks differ, or the potential cannot compute a crystal.
    """
    worker = working_ion(ion)
    reaction = balance(discharged, charged, worker)
    voltages = []
    for version in (PBE_HEAD, R2SCAN_HEAD):
        full, empty = cached_outputs([discharged, charged], load_sevennet(version), cache or Cache(None))
        metal = metal_energy(worker, version)
        voltages.append(average_voltage(full.energy, empty.energy, reaction, metal, worker))
    return voltages[1] - voltages[0]


@lru_cache(maxsize=len(FOLDERS))
def load_measured(way: Way = "ends with r2SCAN") -> MeasuredModel:
    """The shipped model of a way, read once.

    Raises:
        ModelError: It cannot be read.
    """
    return read_measured(SHIPPED / FAMILY / FOLDERS[way])


def save_measured(model: MeasuredModel, folder: Path) -> None:
    """Write weights and card; what is no tensor stands in the card."""
    regression = model.regression
    model.card.kind = "measured"
    model.card.hyperparameters = {one.name: getattr(model, one.name) for one in fields(MeasuredParameters)}
    write_model(folder, {"weights": regression.weights, "covariance": regression.covariance}, model.card)


def read_measured(folder: Path) -> MeasuredModel:
    """Read a model that ``save_measured`` wrote.

    Raises:
        ModelError: Files missing or broken, or of another kind.
    """
    card, content = read_model(folder)
    if card.kind != "measured":
        raise ModelError(f"{folder}: a model of kind {card.kind}, not of measured voltages")
    arrays = load_tensors(content)
    parameters = vars(parameters_of(card, MeasuredParameters, folder))
    return MeasuredModel(**parameters, regression=Regression(arrays["weights"], arrays["covariance"]), card=card)
