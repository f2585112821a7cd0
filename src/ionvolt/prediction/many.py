"""Voltages of many electrodes, in one process or several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import length_hint
from pathlib import Path
from typing import TypeAlias, TypedDict

from ionvolt.errors import InputError
from ionvolt.ions import parse_ions
from ionvolt.models.interface import Predictor
from ionvolt.parallel import Work, answered, jobs_of, shown
from ionvolt.prediction.checked import predict_each
from ionvolt.prediction.loading import as_model, by_name
from ionvolt.prediction.partly_filled import predict_partly_filled
from ionvolt.prediction.record import Prediction
from ionvolt.reading import Assume
from ionvolt.results import ResultList
from ionvolt.structures import as_crystal
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderError
from ionvolt.typing import ProgressCallback, no_progress


class Options(TypedDict, total=False):
    """How a structure is read; see ``predict``, whose options these are."""

    assume: Assume
    charged: Crystal | None
    discharged_formula: str | None
    charged_formula: str | None
    relax: bool
    exchange: bool


Question: TypeAlias = "Crystal | InputError"
"""A structure that was read, or the error that refused it."""


def as_question(structure: object) -> Question:
    """Whatever describes a crystal, read and checked, or the error that refuses it."""
    try:
        return as_crystal(structure)
    except InputError as error:
        return error


def predict_many(
    structures: Iterable[object],
    ions: str | Sequence[str],
    *,
    model: str | Path | Predictor | None = None,
    assume: Assume = "auto",
    relax: bool = False,
    exchange: bool = False,
    n_jobs: int | None = 1,
    progress: ProgressCallback | bool = no_progress,
) -> ResultList[Prediction]:
    """Voltages of many electrodes for one or more ions, in the order given: all ions of the first, then the next.

    Args:
        structures: As ``predict`` takes them.
        ions: A list of symbols, ``"Mg,Ca"`` or ``"all"``.
        model: See ``predict``.
        assume: See ``predict``.
        relax: See ``predict``.
        exchange: See ``predict``.
        n_jobs: Processes, each with a model of its own, which then goes by its name or folder; -1 is one a core, None
            what is sensible for so many structures.
        progress: Called after each with the number of structures that are done, and of all where that is known; True
            shows a bar.

    Returns:
        A list with ``to_frame``. A structure that cannot be used has its error in place of each of its predictions.

    Raises:
        ModelError: The model cannot be used, or does not know one of the ions.
    """
    chosen = [ion.symbol for ion in parse_ions(ions if isinstance(ions, str) else ",".join(ions))]
    total = length_hint(structures)
    jobs = jobs_of(n_jobs, total)
    if jobs > 1:
        model = by_name(model)
    work = Work(answerer, (model, chosen, {"assume": assume, "relax": relax, "exchange": exchange}))
    found: ResultList[Prediction] = ResultList()
    with shown(progress, "predicting") as report:
        for done, answers in enumerate(answered(work, map(as_question, structures), jobs), start=1):
            found += answers if len(answers) == len(chosen) else answers * len(chosen)
            report(done, total, "")
    return found


def answerer(
    model: str | Path | Predictor | None, ions: Sequence[str], options: Options
) -> Callable[[list[Question]], list[list[Prediction | InputError]]]:
    """What answers lists of structures, one process's share of ``parallel.answered``.

    Of each structure come its answers in the order of the ions, with errors in their places; of one that could not be
    read the one error.

    Raises:
        ModelError: The model cannot be used, or does not know one of the ions.
    """
    predictor = as_model(model)
    predictor.require(ions)
    plain = options.get("assume", "auto") == "auto" and not any(v for k, v in options.items() if k != "assume")

    def answer(questions: list[Question]) -> list[list[Prediction | InputError]]:
        crystals = [question for question in questions if isinstance(question, Crystal)]
        answers = iter(predict_each(crystals, ions, model=predictor, **options))
        found: list[list[Prediction | InputError]] = []
        for question in questions:
            if isinstance(question, Crystal):
                found.append([next(answers) for _ in ions])
            elif isinstance(question, DisorderError) and plain:
                found.append(list(predict_partly_filled(question, ions, model=predictor)))
            else:
                found.append([question])
        return found

    return answer
