"""Answers for crystals in which only sites of the working ion are partly filled."""

from __future__ import annotations

from collections.abc import Sequence

from ionvolt.errors import InputError
from ionvolt.ions import working_ion
from ionvolt.models.interface import Predictor
from ionvolt.ordering.hosts import host_of
from ionvolt.prediction.checked import predict_each
from ionvolt.prediction.record import Prediction
from ionvolt.results import ResultList
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderError


def filled_host(error: DisorderError, symbol: str) -> tuple[Crystal, str]:
    """The host of a crystal in which only sites of the working ion are partly filled, and the formula as it is filled.

    Raises:
        DisorderError: Other sites are disordered, too.
        InputError: The host breaks a rule of ``structures.check``.
    """
    filled = host_of(error.crystal, working_ion(symbol))
    if filled is None:
        raise error
    return filled.host, filled.formula


def predict_partly_filled(
    error: DisorderError, ions: Sequence[str], *, model: Predictor, check_relaxation: bool = True
) -> ResultList[Prediction]:
    """Answers for a crystal that was refused as disordered, where only sites of the working ion are partly filled.

    That is no disorder of the host: it is emptied, and the stated filling is what goes in (``ordering.host_of``).

    Returns:
        For each ion its answer, or the refusal where other sites are disordered, too.
    """
    found: ResultList[Prediction] = ResultList()
    for symbol in ions:
        try:
            host, formula = filled_host(error, symbol)
        except InputError as refused:
            found.append(refused)
            continue
        options = {"discharged_formula": formula, "check_relaxation": check_relaxation}
        found += predict_each([host], [symbol], model=model, **options)  # type: ignore[arg-type]
    return found
