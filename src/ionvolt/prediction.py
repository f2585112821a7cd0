"""From crystals and working ions to voltages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from operator import length_hint
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from ionvolt.errors import InputError, ModelError
from ionvolt.ions import (
    EndMembers,
    WorkingIon,
    capacity_grav,
    capacity_of_formula,
    capacity_vol_of_host,
    parse_ions,
    volumetric,
    working_ion,
)
from ionvolt.models.interface import FULL_EXTRACTION_THRESHOLD, NORMAL_90, Estimate, Predictor, widen
from ionvolt.models.measured import MeasuredEstimate, expected_measured
from ionvolt.models.registry import DELTA_MODEL, FOUNDATION_MODEL
from ionvolt.ordering.hosts import host_of
from ionvolt.parallel import Work, answered, jobs_of, shown
from ionvolt.physics.equilibrium import Equilibrium, added_half_width, equilibrium
from ionvolt.physics.exchange import exchanged
from ionvolt.physics.insertion import estimated_ions
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.relaxation import RelaxSettings, relax
from ionvolt.reading import Assume, Reading, read_question
from ionvolt.results import ResultList, html_table
from ionvolt.structures import as_crystal
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderError
from ionvolt.structures.spacegroup import primitive_cell
from ionvolt.typing import ProgressCallback, no_progress

__all__ = [
    "Assume",
    "Options",
    "Prediction",
    "Question",
    "answerer",
    "predict",
    "predict_checked",
    "predict_each",
    "predict_many",
    "predict_partly_filled",
]

States: TypeAlias = dict[int, Equilibrium | InputError]
"""What was computed of crystals, by ``id``."""

POSSIBLE = (-3.0, 7.0)
"""V: no electrode lies beyond; a structure that leads there is not what it seems."""

RELAXATION = RelaxSettings(fmax=0.1, max_steps=200, timeout=120.0)
"""How a structure is relaxed before it is answered, where that is asked for."""


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
            content when discharged can neither be told nor estimated.
        energy_grav: Voltage times capacity, Wh/kg; None where the capacity is, and where full extraction is unlikely:
            the voltage is then that of a part of the ions.
        warnings: Reservations, in plain words.
        voltage_lower: Lower end of the 90 % interval, V; None where the model has no calibrated one.
        voltage_upper: Upper end, V.
        epistemic_std: Spread of the model's members, V; None for a single one.
        in_domain: Whether the electrode is like those that the model was trained on; None where it cannot tell. Why
            not stands among the warnings.
        voltage_potential: Voltage from the universal potential's energies alone, V; None where none were used.
        host_formula: Reduced formula of the host into which the ion goes.
        removed: Ions of other elements that were taken out of the host first, by symbol.
        capacity_vol: The capacity per volume, mAh/cm³ of the discharged crystal; of the host as it stands where only
            that is known.
        energy_vol: Wh/L, the same.
        capacity_is_estimate: Whether the capacity is that of as many ions as the host's voids and electrons allow.
        full_extraction: Probability that all ions come out of a discharged electrode, 0 to 1; None where not asked.
        voltage_measured: What a cell is expected to show, V (``models.measured``); None where another model answered
            than the default, whose answers were held against measured voltages.
        voltage_measured_lower: Lower end of the interval that is to hold 90 % of measurements, V.
        voltage_measured_upper: Upper end, V.
        measured_basis: What that expectation rests on: ``corrected`` by measured electrodes, or ``calculated``: none is
            near, and why. Empty without one.
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
    host_formula: str = ""
    removed: dict[str, int] = field(default_factory=dict)
    capacity_vol: float | None = None
    energy_vol: float | None = None
    capacity_is_estimate: bool = False
    full_extraction: float | None = None
    voltage_measured: float | None = None
    voltage_measured_lower: float | None = None
    voltage_measured_upper: float | None = None
    measured_basis: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The prediction as plain JSON types."""
        return asdict(self) | {"warnings": list(self.warnings)}

    def _repr_html_(self) -> str:
        return html_table([self.to_dict()])


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


def by_name(model: str | Path | Predictor | None) -> str | Path | None:
    """The same model for another process.

    Raises:
        ModelError: It is loaded already, and may be none that is on disk.
    """
    if model is None or isinstance(model, str | Path):
        return model
    raise ModelError(f"{model.card.name}: several processes load it themselves. Give its name or folder, or n_jobs=1")


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
                ready, other = _made_ready(crystal, charged, ion, relax, exchange)
                readings.append(_with_shared_host(read_question(ready, ion, charged=other, **options), hosts))  # type: ignore[arg-type]
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
            found.append(_prediction(reading, answer, states if check_relaxation else None))
        except InputError as error:
            found.append(error)
    return found


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


def _with_shared_host(reading: Reading, hosts: dict[tuple[object, ...], Crystal]) -> Reading:
    """The same with one object for hosts that are alike, so that what belongs to a host alone is computed once."""
    if not reading.removed:
        return reading
    host = hosts.setdefault((id(reading.crystal), *reading.removed.items()), reading.query.host)
    return replace(reading, query=replace(reading.query, host=host))


def _made_ready(
    crystal: Crystal, charged: Crystal | None, ion: WorkingIon, relaxed: bool, exchange: bool
) -> tuple[Crystal, Crystal | None]:
    """The structures as they are read: exchanged and relaxed where that was asked for."""
    if exchange:
        if charged is not None:
            raise InputError(
                charged.source, "--charged does not fit --exchange, which makes both ends", "Leave one out"
            )
        crystal = exchanged(crystal, ion)
    if not relaxed and not exchange:
        return crystal, charged
    return _relaxed(crystal), None if charged is None else _relaxed(charged)


def _relaxed(crystal: Crystal) -> Crystal:
    found = relax(crystal, load_chgnet(), RELAXATION)
    if not found.converged:
        words = (
            f"its relaxation did not converge (stopped by {found.stopped_by} after {found.steps} steps, "
            f"{found.max_force:.2f} eV/Å left)"
        )
        return replace(found.crystal, warnings=(*found.crystal.warnings, words))
    return found.crystal


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


def as_model(model: str | Path | Predictor | None) -> Predictor:
    """A loaded model of whatever names one; None is the default."""
    from ionvolt.models.registry import load_model

    return load_model(model) if isinstance(model, str | Path) or model is None else model


def _prediction(reading: Reading, answer: Estimate, states: States | None) -> Prediction:
    crystal, ion, query = reading.crystal, reading.ion, reading.query
    low, high = POSSIBLE
    if not low <= answer.voltage <= high:
        raise InputError(
            crystal.source,
            f"the model gives {answer.voltage:.4g} V, beyond what any electrode shows ({low:g} to {high:g} V)",
            "Check cell and coordinates, or relax the structure first (--relax, or ionvolt compute)",
        )
    doubts, notes = reading.doubts, list(reading.notes)
    if answer.in_domain and states is not None:
        given = [crystal] + ([query.host] if query.end_members == "both" else [])
        doubts += relaxation_doubts(given, states)
        answer, words = widened(answer, strains(given, states), query.end_members)
        notes += words
    capacity, volume, estimate = theoretical_capacity(reading)
    full = None if reading.partly else answer.full_extraction
    part = full is not None and full < FULL_EXTRACTION_THRESHOLD
    if full is not None and part:
        notes.append(
            f"full extraction is unlikely (probability {100 * full:.0f} %): the voltage is that of the part of the "
            f"{ion.symbol} that comes out, so no energy is given. --charged-formula says how much does"
        )
    energy = None if capacity is None or part else capacity * answer.voltage
    measured = _expected(reading, answer)
    return Prediction(
        source=crystal.source,
        formula=crystal.formula,
        working_ion=ion.symbol,
        voltage=answer.voltage,
        voltage_std=answer.std,
        model=answer.model,
        end_members=query.end_members,
        capacity_grav=capacity,
        energy_grav=energy,
        warnings=tuple(dict.fromkeys([*crystal.warnings, *doubts, *answer.reasons, *notes])),
        voltage_lower=answer.lower,
        voltage_upper=answer.upper,
        epistemic_std=answer.epistemic_std,
        in_domain=False if doubts else answer.in_domain,
        voltage_potential=answer.physics,
        host_formula=query.host.formula,
        removed=reading.removed,
        capacity_vol=volume,
        energy_vol=None if volume is None or energy is None else volume * answer.voltage,
        capacity_is_estimate=estimate,
        full_extraction=full,
        voltage_measured=measured.voltage if measured else None,
        voltage_measured_lower=measured.lower if measured else None,
        voltage_measured_upper=measured.upper if measured else None,
        measured_basis=measured.basis_in_words if measured else "",
    )


def _expected(reading: Reading, answer: Estimate) -> MeasuredEstimate | None:
    """What a cell is expected to show, where the answer is one of those that were held against measured voltages."""
    query = reading.query
    if answer.model != (FOUNDATION_MODEL if query.discharged is None else DELTA_MODEL):
        return None
    if query.end_members == "both" and answer.physics is not None:  # two energies need no learned correction
        return expected_measured(query.ion, query.host, answer.physics)
    return expected_measured(
        query.ion, query.host, answer.voltage, end_members=query.end_members, calculated_std=answer.std or 0.0
    )


def widened(answer: Estimate, strained: Sequence[float], given: EndMembers) -> tuple[Estimate, tuple[str, ...]]:
    """An answer whose interval holds what forces and pressure of the given structures add, and a note on it."""
    extra = added_half_width(strained, given)
    if answer.lower is None or answer.upper is None or not extra:
        return answer, ()
    lower, upper, note = widen(answer.lower, answer.upper, extra, max(strained))
    wider = replace(answer, lower=lower, upper=upper, std=(upper - lower) / 2 / NORMAL_90)
    return wider, () if note is None else (note,)


def relaxation_doubts(crystals: Sequence[Crystal], states: States | None = None) -> tuple[str, ...]:
    """Which of some given structures are far from a minimum of the energy; ``states`` remembers what was computed."""
    found = []
    for crystal in crystals:
        state = _state(crystal, {} if states is None else states)
        if state is not None and not state.relaxed:
            found.append(state.doubt(crystal.formula))
    return tuple(found)


def strains(crystals: Sequence[Crystal], states: States) -> tuple[float, ...]:
    """How near each of some structures is to the limits (``Equilibrium.strain``); 0 where that cannot be computed."""
    found = [_state(crystal, states) for crystal in crystals]
    return tuple(0.0 if state is None else state.strain for state in found)


def _state(crystal: Crystal, states: States) -> Equilibrium | None:
    if id(crystal) not in states:
        try:
            states[id(crystal)] = equilibrium(primitive_cell(crystal), load_chgnet())
        except InputError as error:
            states[id(crystal)] = error
    state = states[id(crystal)]
    return state if isinstance(state, Equilibrium) else None


def theoretical_capacity(reading: Reading) -> tuple[float | None, float | None, bool]:
    """mAh/g, mAh/cm³, and whether they are an estimate; None where they cannot be told."""
    query, ion, n_ions = reading.query, reading.ion, reading.n_ions
    if query.discharged is not None and n_ions is not None:
        left = query.discharged.composition[ion.symbol] - n_ions
        capacity = capacity_grav(query.discharged, ion, left)
        return capacity, volumetric(capacity, query.discharged), False
    estimate = n_ions is None
    n_ions = float(estimated_ions(query.host, ion)) if n_ions is None else n_ions
    if not n_ions:
        return None, None, False
    return capacity_of_formula(query.host, ion, n_ions), capacity_vol_of_host(query.host, ion, n_ions), estimate
