"""From crystals and working ions to voltages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ionvolt.errors import InputError
from ionvolt.ions import (
    EndMembers,
    WorkingIon,
    capacity_grav,
    capacity_of_formula,
    end_member,
    ions_of_formula,
    parse_ions,
    remove_ion,
    working_ion,
)
from ionvolt.models.interface import Estimate, Predictor, Query
from ionvolt.structures import as_crystal
from ionvolt.structures.crystal import Crystal

if TYPE_CHECKING:
    from ionvolt.models.cgcnn.ensemble import Ensemble


Assume = Literal["auto", "charged", "discharged"]
"""What a structure is taken to be; ``auto`` decides by whether it holds the working ion."""


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
            content when discharged is not known.
        energy_grav: Voltage times capacity, Wh/kg; None where the capacity is.
        warnings: Reservations, in plain words.
        voltage_lower: Lower end of the 90 % interval, V; None where the model has no calibrated one.
        voltage_upper: Upper end, V.
        epistemic_std: Spread of the model's members, V; None for a single one.
        in_domain: Whether the electrode is like those that the model was trained on; None where it cannot tell. Why
            not stands among the warnings.
        voltage_potential: Voltage from the universal potential's energies alone, V; None where none were used.
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

    def to_dict(self) -> dict[str, Any]:
        """The prediction as plain JSON types."""
        return asdict(self) | {"warnings": list(self.warnings)}


def predict(
    structure: object,
    ion: str,
    *,
    model: str | Path | Predictor | None = None,
    assume: Assume = "auto",
    charged: object | None = None,
    discharged_formula: str | None = None,
) -> Prediction:
    """The voltage of one electrode.

    Args:
        structure: A path (CIF, POSCAR), the text of one, a pymatgen ``Structure``, ASE ``Atoms`` or a ``Crystal``.
        ion: Working ion: ``"Mg"``.
        model: A shipped model's name, a model's folder or a loaded model; the default is the best that the input
            allows (``models.best``).
        assume: ``auto`` takes a structure that holds the working ion to be discharged and removes the ion;
            ``charged`` takes it as the host, ions that it holds included.
        charged: The charged structure, where ``structure`` is the discharged one and both ends are known.
        discharged_formula: Formula of the discharged electrode, where ``structure`` is the charged host and how much
            ion goes in is known.

    Raises:
        InputError: The structure or the ion cannot be used; the text names the rule and the remedy.
        ModelError: The model cannot be used.
    """
    return predict_checked(
        [as_crystal(structure)],
        [working_ion(ion).symbol],
        model=as_model(model),
        assume=assume,
        charged=None if charged is None else as_crystal(charged),
        discharged_formula=discharged_formula,
    )[0]


def predict_many(
    structures: Iterable[object],
    ions: str | Sequence[str],
    *,
    model: str | Path | Predictor | None = None,
    assume: Assume = "auto",
) -> list[Prediction]:
    """Voltages of many electrodes for one or more ions, in the order given: all ions of the first, then the next.

    Arguments and errors are those of ``predict``; ``ions`` is a list of symbols, ``"Mg,Ca"`` or ``"all"``. The first
    structure that cannot be used ends it; ``structures.read_many`` sorts them out beforehand.
    """
    chosen = [ion.symbol for ion in parse_ions(ions if isinstance(ions, str) else ",".join(ions))]
    predictor = as_model(model)
    return predict_checked([as_crystal(structure) for structure in structures], chosen, model=predictor, assume=assume)


def predict_checked(
    crystals: Sequence[Crystal],
    ions: str | Sequence[str],
    *,
    model: Predictor,
    assume: Assume = "auto",
    charged: Crystal | None = None,
    discharged_formula: str | None = None,
) -> list[Prediction]:
    """``predict_many`` for crystals that ``structures`` has read or checked already: they are not checked again.

    ``charged`` and ``discharged_formula`` are those of ``predict`` and hold for every crystal.
    """
    chosen = parse_ions(ions if isinstance(ions, str) else ",".join(ions))
    # A model must know all that it is asked for before it is asked for the first.
    model.require([ion.symbol for ion in chosen])
    cases = [
        (crystal, ion, _query(crystal, ion, assume, charged, discharged_formula))
        for crystal in crystals
        for ion in chosen
    ]
    answers = model.estimate([query for _, _, query in cases])
    return [
        _prediction(crystal, ion, query, answer, discharged_formula)
        for (crystal, ion, query), answer in zip(cases, answers, strict=True)
    ]


def host_for(crystal: Crystal, prediction: Prediction) -> Crystal:
    """The charged host that a prediction about a crystal was made for."""
    if prediction.end_members == "charged":
        return crystal
    return remove_ion(crystal, working_ion(prediction.working_ion))


def as_model(model: str | Path | Predictor | None) -> Predictor:
    """A loaded model of whatever names one; None is the default."""
    from ionvolt.models.registry import load_model

    return load_model(model) if isinstance(model, str | Path) or model is None else model


def as_explainer(model: str | Path | Ensemble | None) -> Ensemble:
    """A loaded ensemble of crystal graph networks, whose atoms can be asked; None is the shipped one.

    Raises:
        ModelError: The model is of another kind.
    """
    from ionvolt.errors import ModelError
    from ionvolt.models.cgcnn.ensemble import Ensemble
    from ionvolt.models.registry import PAPER_MODEL, load_model

    found = load_model(model or PAPER_MODEL) if isinstance(model, str | Path) or model is None else model
    if not isinstance(found, Ensemble):
        raise ModelError(
            f"{found.card.name}: no crystal graph network, so it has no local voltages. Take one, such as {PAPER_MODEL}"
        )
    return found


MOBILE = ("Li", "Na", "K", "Rb", "Cs")
"""Ions that leave a host easily; one that is there when another is put in deserves a word."""


def _query(crystal: Crystal, ion: WorkingIon, assume: Assume, charged: Crystal | None, formula: str | None) -> Query:
    holds = end_member(crystal, ion)
    state = holds if assume == "auto" else assume
    if charged is not None:
        if holds == "charged":
            raise InputError(
                crystal.source,
                f"it holds no {ion.symbol}, so it is not the discharged structure that belongs to {charged.source}",
                "Give the discharged structure first and the charged one as --charged",
            )
        return Query(ion.symbol, charged, "both", crystal)
    if state == "charged":
        # The same object for every ion, so that its graph is made once.
        n_ions = None if formula is None else ions_of_formula(crystal, ion, formula)
        return Query(ion.symbol, crystal, "charged", n_ions=n_ions)
    if holds == "charged":
        raise InputError(
            crystal.source,
            f"it holds no {ion.symbol}, so it cannot be a discharged {ion.symbol} electrode",
            "Leave the state to be found out, or give the discharged structure",
        )
    host = remove_ion(crystal, ion)
    return Query(ion.symbol, host, "discharged", crystal, float(np.sum(crystal.numbers == ion.number)))


def _prediction(crystal: Crystal, ion: WorkingIon, query: Query, answer: Estimate, formula: str | None) -> Prediction:
    warnings = [*crystal.warnings, *answer.reasons]
    symbol = ion.symbol
    capacity = None
    if query.discharged is not None:
        capacity = capacity_grav(crystal, ion, 0 if query.end_members == "discharged" else _left(query, ion))
    elif formula is not None and query.n_ions is not None:
        capacity = capacity_of_formula(query.host, ion, query.n_ions)
    if query.end_members == "discharged":
        warnings.append(f"taken as discharged: {symbol} was removed and the rest left unrelaxed")
    mobile = sorted(set(query.host.symbols) & set(MOBILE))
    if mobile:
        warnings.append(f"the host holds {', '.join(mobile)}, taken to stay in it")
    return Prediction(
        source=crystal.source,
        formula=crystal.formula,
        working_ion=symbol,
        voltage=answer.voltage,
        voltage_std=answer.std,
        model=answer.model,
        end_members=query.end_members,
        capacity_grav=capacity,
        energy_grav=None if capacity is None else capacity * answer.voltage,
        warnings=tuple(warnings),
        voltage_lower=answer.lower,
        voltage_upper=answer.upper,
        epistemic_std=answer.epistemic_std,
        in_domain=answer.in_domain,
        voltage_potential=answer.physics,
    )


def _left(query: Query, ion: WorkingIon) -> float:
    """Working ions that the charged host keeps, in a cell of the discharged crystal."""
    assert query.discharged is not None
    kept = int(np.sum(query.host.numbers == ion.number))
    framework = len(query.host) - kept
    ours = int(np.sum(query.discharged.numbers != ion.number))
    return kept * ours / max(framework, 1)
