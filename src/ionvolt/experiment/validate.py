"""Models against measured cathodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ionvolt.datasets import framework_of
from ionvolt.errors import InputError, ModelError
from ionvolt.evaluation.metrics import metrics
from ionvolt.experiment.cathodes import Cathode, all_cathodes, host_structures
from ionvolt.experiment.estimates import Estimate
from ionvolt.experiment.expected import points
from ionvolt.ions import EndMember
from ionvolt.structures import Crystal
from ionvolt.typing import ProgressCallback, no_progress

if TYPE_CHECKING:
    from ionvolt.models.interface import Predictor
    from ionvolt.prediction import Prediction

MEAN = "mean"
"""Name of the predictor that knows nothing but a mean."""

GROUPS: dict[str, Callable[[Cathode], bool]] = {
    "multivalent": lambda cathode: cathode.multivalent,
    "monovalent": lambda cathode: not cathode.multivalent,
    "all": lambda cathode: True,
}
"""Sets of cathodes beside those of one ion."""

NEW = "new frameworks"
"""Group of the cathodes whose framework a model has not seen: as near to a blind test as this gets."""

KEPT_BACK = "kept back"
"""Group of the cathodes that no choice has seen, whether they count or not."""


@dataclass(frozen=True)
class Score:
    """Errors of one model over a group of cathodes that count, or were kept back.

    Attributes:
        model: Name of the model.
        group: An ion, a class of hosts (``oxide`` and so on), ``multivalent``, ``monovalent``, ``all``,
            ``new frameworks`` or ``kept back``.
        n: Cathodes.
        n_seen: How many of them are of a framework that the model was trained on; None: not known.
        mae: Mean absolute error, V.
        mae_low: Lower end of its 95 % bootstrap interval over hosts, V; None with fewer than three of them.
        mae_high: Upper end.
        median: Median absolute error, V.
        bias: Mean of predicted minus measured, V.
        within: Share of cathodes whose error is no larger than the measured uncertainty.
        covered: Share of cathodes within the model's 90 % intervals of measurements; None where it gives none.
        width: Mean width of these intervals, V; None likewise.
    """

    model: str
    group: str
    n: int
    n_seen: int | None
    mae: float
    mae_low: float | None
    mae_high: float | None
    median: float
    bias: float
    within: float
    covered: float | None = None
    width: float | None = None


@dataclass(frozen=True)
class Validation:
    """Measured cathodes, what models say of them, and how far off they are.

    Attributes:
        cathodes: Measured rows, in the order of the table.
        estimates: For each model, for each cathode.
        scores: For each model, for each group that it has an estimate in; only over cathodes that count.
    """

    cathodes: tuple[Cathode, ...]
    estimates: tuple[Estimate, ...]
    scores: tuple[Score, ...]

    @property
    def models(self) -> list[str]:
        """Names of the models in the order of the estimates."""
        return list(dict.fromkeys(estimate.model for estimate in self.estimates))

    def of(self, model: str) -> dict[str, Estimate]:
        """A model's estimates by cathode."""
        return {estimate.cathode: estimate for estimate in self.estimates if estimate.model == model}

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON types."""
        return {
            "cathodes": [asdict(cathode) | {"name": cathode.name} for cathode in self.cathodes],
            "estimates": [asdict(estimate) for estimate in self.estimates],
            "scores": [asdict(score) for score in self.scores],
        }


def validate(
    cathodes: Sequence[Cathode],
    models: Iterable[str | Path],
    *,
    extra: Iterable[Estimate] = (),
    kept_back: Iterable[Estimate] = (),
    means: Mapping[str, float] | None = None,
    progress: ProgressCallback = no_progress,
) -> Validation:
    """Ask every model about every cathode.

    Args:
        cathodes: Rows of the table; those without structure or voltage are left out.
        models: Names of shipped models or folders of models.
        extra: Estimates from elsewhere (``computed.estimates``), scored with the others.
        kept_back: Estimates of cathodes that were kept back (``expected.expected_estimates``): they are scored by
            themselves.
        means: Mean training voltage of each ion, V, for the mean predictor; without it the mean of the other measured
            voltages of the same ion stands in.
        progress: Told what is done, of how much.

    Raises:
        ModelError: A model cannot be read.
    """
    from ionvolt.prediction import as_model

    rows = [c for c in cathodes if c.structure and c.voltage is not None]
    crystals = {c.structure: host_structures()[c.structure].crystal(primitive=True) for c in rows}
    loaded = [(Path(name).name, as_model(name)) for name in models]
    estimates: list[Estimate] = []
    for done, (label, model) in enumerate(loaded):
        progress(done, len(loaded), "")
        estimates += _ask(label, model, rows, crystals)
    progress(len(loaded), len(loaded), "")
    estimates += extra
    estimates += mean_estimates(rows, means)
    found = [*scores(rows, estimates), *kept_back_scores(list(kept_back))]
    return Validation(tuple(rows), tuple(estimates), tuple(found))


def mean_estimates(cathodes: Sequence[Cathode], means: Mapping[str, float] | None = None) -> list[Estimate]:
    """The mean predictor: a training set's mean of the ion, or the mean of the other measured cathodes of the ion."""
    found = []
    for cathode in cathodes:
        if means is not None:
            value = means.get(cathode.ion)
            note = "mean of the data set" if value is not None else f"no {cathode.ion} in the data set"
        else:
            others = [c.voltage for c in cathodes if c.use and c.ion == cathode.ion and c is not cathode]
            known = [voltage for voltage in others if voltage is not None]
            value = float(np.mean(known)) if known else None
            note = f"mean of {len(known)} other measured {cathode.ion} cathodes"
        found.append(Estimate(MEAN, cathode.name, value, note=note))
    return found


def scores(cathodes: Sequence[Cathode], estimates: Sequence[Estimate]) -> list[Score]:
    """Errors of each model over each ion and group of cathodes that count."""
    by_name = {cathode.name: cathode for cathode in cathodes if cathode.use and cathode.voltage is not None}
    groups = {ion: _of_ion(ion) for ion in dict.fromkeys(c.ion for c in by_name.values())} | _classes() | GROUPS
    found = []
    for model in dict.fromkeys(estimate.model for estimate in estimates):
        usable = [e for e in estimates if e.model == model and e.voltage is not None and e.cathode in by_name]
        parts = {group: [e for e in usable if belongs(by_name[e.cathode])] for group, belongs in groups.items()}
        parts[NEW] = [e for e in usable if e.seen is False]
        found += [
            _score(model, group, part, [by_name[e.cathode] for e in part]) for group, part in parts.items() if part
        ]
    return found


def kept_back_scores(estimates: Sequence[Estimate]) -> list[Score]:
    """Errors of each model over the cathodes that no choice has seen."""
    by_name = {cathode.name: cathode for cathode in all_cathodes() if cathode.kept_back}
    usable = [e for e in estimates if e.voltage is not None and e.cathode in by_name]
    return [
        _score(model, KEPT_BACK, part, [by_name[e.cathode] for e in part])
        for model in dict.fromkeys(e.model for e in usable)
        if (part := [e for e in usable if e.model == model])
    ]


def _ask(label: str, model: Predictor, cathodes: Sequence[Cathode], crystals: Mapping[str, Crystal]) -> list[Estimate]:
    """Estimates in the order of the cathodes; a model that makes use of all ends is told all that is known."""
    found: dict[str, Estimate] = {}
    for ion, state in dict.fromkeys((c.ion, c.state) for c in cathodes):
        alike = [c for c in cathodes if (c.ion, c.state) == (ion, state)]
        takes_all = model.accepts >= {"charged", "both"}
        answers = (
            [_from_all_known(model, c) for c in alike]
            if takes_all
            else _predict(model, [crystals[c.structure] for c in alike], ion, state)
        )
        for cathode, answer in zip(alike, answers, strict=True):
            seen = _seen(model, crystals[cathode.structure], ion)
            both = takes_all and cathode.charged and cathode.discharged
            facts: dict[str, Any] = {
                "seen": seen,
                "structure": cathode.discharged if both else cathode.structure,
                "state": "both" if both else state,
            }
            if isinstance(answer, str):
                found[cathode.name] = Estimate(label, cathode.name, None, note=answer, **facts)
            else:
                note = "; ".join(answer.warnings)
                found[cathode.name] = Estimate(
                    label, cathode.name, answer.voltage, answer.voltage_std, note=note, **facts
                )
    return [found[cathode.name] for cathode in cathodes]


def _predict(model: Predictor, crystals: Sequence[Crystal], ion: str, state: EndMember) -> list[Prediction | str]:
    """Predictions, or why there is none."""
    from ionvolt.prediction import predict_checked

    if model.card.ions and ion not in model.card.ions:
        return [f"the model does not know {ion}"] * len(crystals)
    try:
        return list(predict_checked(crystals, [ion], model=model, assume=state))
    except (InputError, ModelError) as error:
        if len(crystals) == 1:
            return [str(error)]
        return [answer for crystal in crystals for answer in _predict(model, [crystal], ion, state)]


def _from_all_known(model: Predictor, cathode: Cathode) -> Prediction | str:
    """The answer from all that the table tells: both ends, or the charged host and how much goes in."""
    from ionvolt.prediction import predict_checked

    def crystal(name: str) -> Crystal:
        return host_structures()[name].crystal(primitive=True)

    try:
        if cathode.charged and cathode.discharged:
            ends = crystal(cathode.discharged), crystal(cathode.charged)
            return predict_checked(ends[:1], [cathode.ion], model=model, charged=ends[1])[0]
        formula = discharged_formula(cathode) if cathode.state == "charged" else None
        structure = crystal(cathode.structure)
        return predict_checked(
            [structure], [cathode.ion], model=model, assume=cathode.state, discharged_formula=formula
        )[0]
    except (InputError, ModelError) as error:
        return str(error)


def discharged_formula(cathode: Cathode) -> str | None:
    """Formula at the discharged end of the measurement, from the charged structure; None where it is not stated."""
    from pymatgen.core.composition import Composition

    if cathode.x_to is None:
        return None
    more = cathode.x_to - (cathode.x_from or 0.0)
    return (Composition(host_structures()[cathode.charged].formula) + Composition({cathode.ion: more})).formula


def _seen(model: Predictor, crystal: Crystal, ion: str) -> bool | None:
    card = model.card
    frameworks = card.frameworks([ion])
    return framework_of(crystal.formula, ion) in frameworks if frameworks else None


def _score(model: str, group: str, estimates: Sequence[Estimate], cathodes: Sequence[Cathode]) -> Score:
    measured = np.array([c.voltage for c in cathodes], dtype=float)
    predicted = np.array([e.voltage for e in estimates], dtype=float)
    allowed = np.array([c.uncertainty or 0.0 for c in cathodes])
    result = metrics(measured, predicted, [c.structure or c.mp_discharged for c in cathodes])
    known = [e.seen for e in estimates if e.seen is not None]
    few = result.n < 3  # hosts
    intervals = [
        (e.lower <= v <= e.upper, e.upper - e.lower)
        for e, v in zip(estimates, measured, strict=True)
        if e.lower is not None and e.upper is not None
    ]
    return Score(
        model=model,
        group=group,
        n=len(cathodes),
        n_seen=sum(known) if known else None,
        mae=result.mae,
        mae_low=None if few else result.mae_low,
        mae_high=None if few else result.mae_high,
        median=result.median,
        bias=round(result.bias, 9) + 0.0,  # no -0.0
        within=float((np.abs(predicted - measured) <= allowed).mean()),
        covered=float(np.mean([covers for covers, _ in intervals])) if intervals else None,
        width=float(np.mean([width for _, width in intervals])) if intervals else None,
    )


def _of_ion(ion: str) -> Callable[[Cathode], bool]:
    return lambda cathode: cathode.ion == ion


def _classes() -> dict[str, Callable[[Cathode], bool]]:
    """Groups of cathodes by the anions of their hosts."""
    anions = {point.cathode.name: point.electrode.chemistry.anion for point in points()}

    def of(anion: str) -> Callable[[Cathode], bool]:
        return lambda cathode: anions.get(cathode.name) == anion

    return {anion: of(anion) for anion in dict.fromkeys(anions.values())}
