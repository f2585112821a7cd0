"""From crystals and working ions to voltages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ionvolt.electrode import (
    HostState,
    WorkingIon,
    capacity_grav,
    element,
    host_state,
    parse_ions,
    remove_ion,
    working_ion,
)
from ionvolt.errors import InputError
from ionvolt.graphs import build_graph
from ionvolt.graphs.elements import KNOWN_ELEMENTS
from ionvolt.structures import as_crystal
from ionvolt.structures.crystal import Crystal

if TYPE_CHECKING:
    from ionvolt.models.ensemble import Ensemble


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
        voltage_std: One standard deviation of the expected error, V: the spread of the ensemble, scaled to errors on
            data held out from training (see the model's card); None for a single network.
        model: Name of the model that answered.
        host_state: What the input was taken to be: ``charged`` (it holds no working ion: it is the host itself) or
            ``discharged`` (its working ions were taken out to get the host).
        capacity_grav: Theoretical capacity of the discharged input, mAh/g; None for a charged host, whose ion
            content when discharged is not known.
        energy_grav: Voltage times capacity, Wh/kg; None where the capacity is.
        warnings: Reservations, in plain words.
    """

    source: str
    formula: str
    working_ion: str
    voltage: float
    voltage_std: float | None
    model: str
    host_state: HostState
    capacity_grav: float | None
    energy_grav: float | None
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The prediction as plain JSON types."""
        return asdict(self) | {"warnings": list(self.warnings)}


def predict(
    structure: object,
    ion: str,
    *,
    model: str | Path | Ensemble | None = None,
    assume: Assume = "auto",
) -> Prediction:
    """The voltage of one electrode.

    Args:
        structure: A path (CIF, POSCAR), the text of one, a pymatgen ``Structure``, ASE ``Atoms`` or a ``Crystal``.
        ion: Working ion: ``"Mg"``.
        model: A shipped model's name, a model's folder or a loaded model; the default is ``cgcnn-mp2020``.
        assume: ``auto`` takes a structure that holds the working ion to be discharged and removes the ion;
            ``charged`` takes it as the host, ions that it holds included.

    Raises:
        InputError: The structure or the ion cannot be used; the text names the rule and the remedy.
        ModelError: The model cannot be used.
    """
    return predict_many([structure], [working_ion(ion).symbol], model=model, assume=assume)[0]


def predict_many(
    structures: Iterable[object],
    ions: str | Sequence[str],
    *,
    model: str | Path | Ensemble | None = None,
    assume: Assume = "auto",
) -> list[Prediction]:
    """Voltages of many electrodes for one or more ions, in the order given: all ions of the first, then the next.

    Arguments and errors are those of ``predict``; ``ions`` is a list of symbols, ``"Mg,Ca"`` or ``"all"``. The first
    structure that cannot be used ends it; ``structures.read_many`` sorts them out beforehand.
    """
    chosen = [ion.symbol for ion in parse_ions(ions if isinstance(ions, str) else ",".join(ions))]
    ensemble = as_model(model)
    return predict_checked([as_crystal(structure) for structure in structures], chosen, model=ensemble, assume=assume)


def predict_checked(
    crystals: Sequence[Crystal], ions: str | Sequence[str], *, model: Ensemble, assume: Assume = "auto"
) -> list[Prediction]:
    """``predict_many`` for crystals that ``structures`` has read or checked already: they are not checked again."""
    chosen = parse_ions(ions if isinstance(ions, str) else ",".join(ions))
    # Hosts are the same for every ion that a crystal does not hold, so their graphs are made once.
    hosts: list[Crystal] = []
    cases: list[_Case] = []
    for crystal in crystals:
        as_it_is: int | None = None
        for ion in chosen:
            state = host_state(crystal, ion) if assume == "auto" else assume
            if state == "charged":
                if as_it_is is None:
                    hosts.append(crystal)
                    as_it_is = len(hosts) - 1
                cases.append(_Case(crystal, ion, state, as_it_is))
            else:
                if host_state(crystal, ion) == "charged":
                    raise InputError(
                        crystal.source,
                        f"it holds no {ion.symbol}, so it cannot be a discharged {ion.symbol} electrode",
                        "Leave the state to be found out, or give the discharged structure",
                    )
                hosts.append(remove_ion(crystal, ion))
                cases.append(_Case(crystal, ion, state, len(hosts) - 1))
    for host in hosts:
        _require_known_elements(host)
    symbols = [ion.symbol for ion in chosen]
    model.require(symbols)
    if not cases:
        return []
    pooled = model.pooled([build_graph(host, ties=model.card.ties) for host in hosts])
    voltages = dict(zip(symbols, model.voltages_of(pooled, symbols), strict=True))
    distances = {symbol: model.distances(pooled, symbol) for symbol in symbols}
    predictions = []
    for case in cases:
        far = distances[case.ion.symbol]
        distance = None if far is None else float(far[case.host])
        members = voltages[case.ion.symbol][:, case.host]
        predictions.append(_prediction(case, hosts[case.host], members, distance, model))
    return predictions


def host_for(crystal: Crystal, prediction: Prediction) -> Crystal:
    """The charged host that a prediction about a crystal was made for."""
    if prediction.host_state == "charged":
        return crystal
    return remove_ion(crystal, working_ion(prediction.working_ion))


def as_model(model: str | Path | Ensemble | None) -> Ensemble:
    """A loaded model of whatever names one; None is the default model."""
    from ionvolt.models.ensemble import Ensemble
    from ionvolt.models.registry import DEFAULT_MODEL, load_model

    return model if isinstance(model, Ensemble) else load_model(model or DEFAULT_MODEL)


MOBILE = ("Li", "Na", "K", "Rb", "Cs")
"""Ions that leave a host easily; one that is there when another is put in deserves a word."""


@dataclass(frozen=True)
class _Case:
    crystal: Crystal
    ion: WorkingIon
    state: HostState
    host: int


def _require_known_elements(host: Crystal) -> None:
    unknown = sorted(set(host.numbers.tolist()) - KNOWN_ELEMENTS)
    if unknown:
        raise InputError(
            host.source,
            f"no element vector for {', '.join(element(z) for z in unknown)}",
            f"The networks know the elements up to {element(max(KNOWN_ELEMENTS))}",
        )


def _prediction(
    case: _Case, host: Crystal, voltages: np.ndarray, distance: float | None, ensemble: Ensemble
) -> Prediction:
    card = ensemble.card
    symbol = case.ion.symbol
    voltage = float(voltages.mean())
    std = None
    if voltages.size > 1:
        facts = card.ions.get(symbol, {})
        std = float(facts.get("std_scale", 1.0) * math.hypot(voltages.std(ddof=1), facts.get("std_floor", 0.0)))
    warnings = list(case.crystal.warnings)
    seen = set(card.elements.get(symbol, host.numbers.tolist()))
    unseen = sorted(set(host.numbers.tolist()) - seen)
    if unseen:
        names = ", ".join(element(z) for z in unseen)
        warnings.append(
            f"{names}: in no {symbol} electrode that the model was trained on; treat the voltage as a guess"
        )
    limit = card.ions.get(symbol, {}).get("distance_limit")
    if distance is not None and limit and distance > limit:
        warnings.append(
            f"far from the {symbol} electrodes that the model was trained on (distance {distance:.2f}, "
            f"19 of 20 of them lie within {limit:.2f} of another framework): expect a larger error"
        )
    capacity = None
    if case.state == "discharged":
        capacity = capacity_grav(case.crystal, case.ion)
        warnings.append(f"taken as discharged: {symbol} was removed and the rest left unrelaxed")
    mobile = sorted(set(host.symbols) & set(MOBILE))
    if mobile:
        warnings.append(f"the host holds {', '.join(mobile)}, taken to stay in it")
    return Prediction(
        source=case.crystal.source,
        formula=case.crystal.formula,
        working_ion=symbol,
        voltage=voltage,
        voltage_std=std,
        model=card.name,
        host_state=case.state,
        capacity_grav=capacity,
        energy_grav=None if capacity is None else capacity * voltage,
        warnings=tuple(warnings),
    )
