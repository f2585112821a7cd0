"""The voltage of one electrode."""

from __future__ import annotations

from pathlib import Path

from ionvolt.errors import InputError
from ionvolt.ions import working_ion
from ionvolt.models.interface import Predictor
from ionvolt.prediction.checked import predict_checked
from ionvolt.prediction.loading import as_model
from ionvolt.prediction.partly_filled import predict_partly_filled
from ionvolt.prediction.record import Prediction
from ionvolt.reading import Assume
from ionvolt.structures import as_crystal
from ionvolt.structures.disorder import DisorderError


def predict(
    structure: object,
    ion: str,
    *,
    model: str | Path | Predictor | None = None,
    assume: Assume = "auto",
    charged: object | None = None,
    discharged_formula: str | None = None,
    charged_formula: str | None = None,
    relax: bool = False,
    exchange: bool = False,
) -> Prediction:
    """The voltage of one electrode.

    Args:
        structure: A path (CIF, POSCAR), the text of one, a pymatgen ``Structure``, ASE ``Atoms`` or a ``Crystal``.
            Sites that hold nothing but the working ion may be partly filled: it is taken out, and as much goes in.
        ion: Working ion: ``"Mg"``.
        model: A shipped model's name, a model's folder or a loaded model; the default is the best that the input
            allows (``models.auto``).
        assume: What the structure is taken to be. ``auto``: discharged where it holds the working ion, else a host,
            emptied of other mobile ions as far as its metals can give electrons. ``charged`` takes it as the host,
            ions that it holds included.
        charged: The charged structure, where ``structure`` is the discharged one and both ends are known.
        discharged_formula: Formula of the discharged electrode, where ``structure`` is the charged host and how much
            ion goes in is known.
        charged_formula: Formula of the charged electrode, or the fraction of the ions that comes out, where
            ``structure`` is the discharged one and a part of the ions stays.
        relax: Relax the given structures with a universal potential first.
        exchange: Put the working ion on the places of the mobile ion that the structure holds, and relax it.

    Raises:
        InputError: The structure or the ion cannot be used; the text names the rule and the remedy.
        ModelError: The model cannot be used.
    """
    predictor, symbol = as_model(model), working_ion(ion).symbol
    try:
        crystal = as_crystal(structure)
    except DisorderError as error:
        if assume != "auto" or charged or discharged_formula or charged_formula or relax or exchange:
            raise
        (answer,) = predict_partly_filled(error, [symbol], model=predictor)
        if isinstance(answer, InputError):
            raise answer from error
        return answer
    return predict_checked(
        [crystal],
        [symbol],
        model=predictor,
        assume=assume,
        charged=None if charged is None else as_crystal(charged),
        discharged_formula=discharged_formula,
        charged_formula=charged_formula,
        relax=relax,
        exchange=exchange,
    )[0]
