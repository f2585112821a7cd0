"""Answers for crystals that were read and checked already."""

from __future__ import annotations

from collections.abc import Sequence

from ionvolt.errors import InputError
from ionvolt.ions import parse_ions
from ionvolt.models.interface import Estimate, Predictor
from ionvolt.prediction.answers import prediction_of
from ionvolt.prediction.preparation import made_ready, with_shared_host
from ionvolt.prediction.record import Prediction
from ionvolt.prediction.unrelaxed import States
from ionvolt.reading import Assume, Reading, read_question
from ionvolt.results import ResultList
from ionvolt.structures.crystal import Crystal


def predict_checked(
    crystals: Sequence[Crystal],
    ions: str | Sequence[str],
    *,
    model: Predictor,
    assume: Assume = "auto",
    charged: Crystal | None = None,
    discharged_formula: str | None = None,
    charged_formula: str | None = None,
    relax: bool = False,
    exchange: bool = False,
    check_relaxation: bool = True,
) -> list[Prediction]:
    """``predict_many`` for crystals that ``structures`` has read or checked already: they are not checked again.

    ``charged`` and the formulas are those of ``predict`` and hold for every crystal; ``check_relaxation`` is that of
    ``predict_each``.

    Raises:
        InputError: The first crystal that cannot be used ends it; ``predict_each`` goes on.
    """
    found = predict_each(
        crystals, ions, model=model, assume=assume, charged=charged, discharged_formula=discharged_formula,
        charged_formula=charged_formula, relax=relax, exchange=exchange, check_relaxation=check_relaxation,
    )  # fmt: skip
    for answer in found:
        if isinstance(answer, InputError):
            raise answer
    return [answer for answer in found if not isinstance(answer, InputError)]


def predict_each(
    crystals: Sequence[Crystal],
    ions: str | Sequence[str],
    *,
    model: Predictor,
    assume: Assume = "auto",
    charged: Crystal | None = None,
    discharged_formula: str | None = None,
    charged_formula: str | None = None,
    relax: bool = False,
    exchange: bool = False,
    check_relaxation: bool = True,
) -> ResultList[Prediction]:
    """The same, with the error in the place of an answer that cannot be given: nothing spoils its neighbours.

    ``check_relaxation`` asks a potential whether the structures are relaxed (``relaxation_doubts``), which may take
    longer than the answer.

    Raises:
        ModelError: The model cannot be used, or does not know one of the ions.
    """
    chosen = parse_ions(ions if isinstance(ions, str) else ",".join(ions))
    # A model must know all that it is asked for before it is asked for the first.
    model.require([ion.symbol for ion in chosen])
    options = {"assume": assume, "discharged_formula": discharged_formula, "charged_formula": charged_formula}
    readings: list[Reading | InputError] = []
    hosts: dict[tuple[object, ...], Crystal] = {}
    for crystal in crystals:
        for ion in chosen:
            try:
                ready, other = made_ready(crystal, charged, ion, relax, exchange)
                readings.append(with_shared_host(read_question(ready, ion, charged=other, **options), hosts))  # type: ignore[arg-type]
            except InputError as error:
                readings.append(error)
    answers = iter(_estimates([r for r in readings if isinstance(r, Reading)], model))
    states: States = {}
    found: ResultList[Prediction] = ResultList()
    for reading in readings:
        answer = reading if isinstance(reading, InputError) else next(answers)
        if not isinstance(reading, Reading) or isinstance(answer, InputError):
            assert isinstance(answer, InputError)
            found.append(answer)
            continue
        try:
            found.append(prediction_of(reading, answer, states if check_relaxation else None))
        except InputError as error:
            found.append(error)
    return found


def _estimates(readings: Sequence[Reading], model: Predictor) -> list[Estimate | InputError]:
    """Answers to all; where one question spoils them, each is asked by itself."""
    queries = [reading.query for reading in readings]
    try:
        return list(model.estimate(queries))
    except InputError:
        found: list[Estimate | InputError] = []
        for query in queries:
            try:
                found += model.estimate([query])
            except InputError as error:
                found.append(error)
        return found
