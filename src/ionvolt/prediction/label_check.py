"""Labels held against answers: which labelled voltages are likely calculations that ended elsewhere."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ionvolt.errors import InputError
from ionvolt.models.interface import Predictor
from ionvolt.parallel import Work, answered, jobs_of, shown
from ionvolt.prediction.checked import predict_each
from ionvolt.prediction.loading import as_model, by_name
from ionvolt.prediction.record import Prediction
from ionvolt.results import ResultList
from ionvolt.typing import ProgressCallback, no_progress

if TYPE_CHECKING:
    from ionvolt.datasets import Electrode, ElectrodeSet

BEYOND = 0.3
"""V by which a label has to differ from the answer before it is suspect.

Answers are within 0.3 V of 93 % of the labels that they have not seen (``docs/accuracy.md``). How many of the labels
beyond this cut and others differ from another release of the Materials Project: ``benchmarks/label_releases.py``, whose
table is in ``docs/datasets.md``.
"""


@dataclass(frozen=True)
class LabelCheck:
    """A labelled voltage beside the answer from both ends of the electrode.

    Attributes:
        battery_id: The source's id of the electrode.
        working_ion: Symbol of the ion.
        formula_charge: Reduced formula of the charged host.
        formula_discharge: Reduced formula of the discharged electrode; None where the data set does not state it.
        id_charge: Id of the charged host.
        id_discharge: Id of the discharged electrode; None where the data set does not state it.
        label: The labelled average voltage, V against the ion's metal.
        voltage: The answer, V.
        voltage_potential: Voltage from the universal potential's energies alone, V, which has learned from no label;
            None where none were used.
        lower: Lower end of the answer's 90 % interval, V; None where the model has none.
        upper: Upper end, V.
        difference: Label less answer, V.
        in_domain: Whether the electrode is like those that the model was trained on; None where it cannot tell.
        suspect: Whether the label is likely that of a calculation that ended elsewhere: in another magnetic state, in
            another cell.
    """

    battery_id: str
    working_ion: str
    formula_charge: str
    formula_discharge: str | None
    id_charge: str
    id_discharge: str | None
    label: float
    voltage: float
    voltage_potential: float | None
    lower: float | None
    upper: float | None
    difference: float
    in_domain: bool | None
    suspect: bool

    def to_dict(self) -> dict[str, Any]:
        """The check as plain JSON types."""
        return asdict(self)


Checked: TypeAlias = "LabelCheck | InputError"
"""What came of one electrode: its label beside the answer, or why that cannot be had."""


def check_labels(
    data: ElectrodeSet,
    *,
    model: str | Path | Predictor | None = None,
    beyond: float = BEYOND,
    n_jobs: int | None = 1,
    progress: ProgressCallback | bool = no_progress,
) -> ResultList[LabelCheck]:
    """Hold the labels of a data set against answers from both ends, in the order of the data.

    A label is suspect where it differs from the answer by over ``beyond``, lies outside of the answer's 90 % interval
    (where the model has one), and the electrode is not out of the domain: there the answer itself is not to be trusted.

    Args:
        data: Labelled electrodes with both ends. The structures are taken as they are; whether they are relaxed is not
            asked.
        model: See ``predict``. One that makes use of both ends is meant; the default does.
        beyond: V.
        n_jobs: See ``predict_many``.
        progress: See ``predict_many``.

    Returns:
        A list with ``to_frame``. Where an electrode cannot be checked, the error that says why stands in its place.

    Raises:
        InputError: ``beyond`` is no voltage.
        ModelError: The model cannot be used, or does not know one of the ions.
    """
    found: ResultList[LabelCheck] = ResultList()
    jobs = jobs_of(n_jobs, len(data))
    with shown(progress, "checking labels") as report:
        for done, check in enumerate(checked_labels(data.electrodes, model=model, beyond=beyond, jobs=jobs), start=1):
            found.append(check)
            report(done, len(data), "")
    return found


def checked_labels(
    electrodes: Sequence[Electrode],
    *,
    model: str | Path | Predictor | None = None,
    beyond: float = BEYOND,
    jobs: int = 1,
) -> Iterator[Checked]:
    """``check_labels`` one by one, as they come, for what is written as it comes.

    Raises:
        InputError: ``beyond`` is no voltage.
        ModelError: The model cannot be used, or does not know one of the ions.
    """
    require_cut(beyond)
    if jobs > 1:
        model = by_name(model)
    ions = sorted({electrode.working_ion for electrode in electrodes})
    return answered(Work(_checker, (model, ions, beyond)), electrodes, jobs)


def require_cut(beyond: float) -> None:
    """Raise ``InputError`` where a cut is no size of a difference in V."""
    if not (math.isfinite(beyond) and beyond >= 0):
        raise InputError(f"beyond {beyond:g}", "no size of a difference in V", f"Give 0 or more, such as {BEYOND:g}")


def _checker(
    model: str | Path | Predictor | None, ions: Sequence[str], beyond: float
) -> Callable[[list[Electrode]], list[Checked]]:
    """What checks lists of electrodes, one process's share of ``parallel.answered``."""
    predictor = as_model(model)
    predictor.require(ions)

    def check(electrodes: list[Electrode]) -> list[Checked]:
        return [_checked(electrode, predictor, beyond) for electrode in electrodes]

    return check


def _checked(electrode: Electrode, model: Predictor, beyond: float) -> Checked:
    if electrode.discharged is None:
        return InputError(
            electrode.battery_id,
            "it has no discharged structure, and a label is held against an answer from both ends",
            "Name its discharged structure in the table (id_discharge) and import it again",
        )
    (answer,) = predict_each(
        [electrode.discharged],
        [electrode.working_ion],
        model=model,
        charged=electrode.host,
        check_relaxation=False,
    )
    if isinstance(answer, InputError):
        return InputError(electrode.battery_id, answer.rule, answer.remedy)
    return label_check(electrode, answer, beyond)


def label_check(electrode: Electrode, answer: Prediction, beyond: float) -> LabelCheck:
    """The label of an electrode beside the answer for it."""
    label, lower, upper = electrode.average_voltage, answer.voltage_lower, answer.voltage_upper
    difference = label - answer.voltage
    within = lower is not None and upper is not None and lower <= label <= upper
    return LabelCheck(
        battery_id=electrode.battery_id,
        working_ion=electrode.working_ion,
        formula_charge=electrode.formula_charge,
        formula_discharge=electrode.formula_discharge,
        id_charge=electrode.id_charge,
        id_discharge=electrode.id_discharge,
        label=label,
        voltage=answer.voltage,
        voltage_potential=answer.voltage_potential,
        lower=lower,
        upper=upper,
        difference=difference,
        in_domain=answer.in_domain,
        suspect=bool(abs(difference) > beyond) and not within and answer.in_domain is not False,
    )


def shared_ends(suspects: Iterable[LabelCheck]) -> list[str | None]:
    """For each suspect the id of an end that it shares with another; None where there is none.

    One calculation that ended too high in energy moves all voltages that rest on it alike: up where it is the charged
    end, down where it is the discharged one. Only suspects that point so count as sharing it. Where both ends of an
    electrode are shared, the one that more suspects share is named.
    """
    ends = [_ends(check) for check in suspects]
    counts = Counter(end for of_one in ends for end in of_one)
    most = [max(of_one, key=counts.__getitem__, default=("", False)) for of_one in ends]
    return [end[0] if counts[end] > 1 else None for end in most]


def _ends(check: LabelCheck) -> list[tuple[str, bool]]:
    """Ids of both ends, each with whether its energy would have to be too high."""
    high = check.difference > 0
    return [(name, is_high) for name, is_high in ((check.id_charge, high), (check.id_discharge, not high)) if name]
