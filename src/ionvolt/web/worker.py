"""The process that reads structures and predicts. It may be killed at any time; only JSON goes in and out."""

from __future__ import annotations

import json
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ionvolt.errors import InputError, ModelError
from ionvolt.explain.explanation import explain_checked, explain_each, explain_partly_filled
from ionvolt.explain.files import to_cif
from ionvolt.ions import WORKING_IONS, remove_ion, working_ion
from ionvolt.models.interface import Predictor
from ionvolt.models.registry import load_model
from ionvolt.ordering.hosts import host_of
from ionvolt.physics.equilibrium import added_half_width
from ionvolt.prediction import (
    Prediction,
    States,
    predict_checked,
    predict_each,
    predict_partly_filled,
    relaxation_doubts,
    strains,
)
from ionvolt.results import ResultList
from ionvolt.structures import Crystal, Limits, read_text
from ionvolt.structures.disorder import DisorderError
from ionvolt.structures.wording import refusal
from ionvolt.web import long_tasks
from ionvolt.web.examples import example_text, examples
from ionvolt.web.formats import formats_of
from ionvolt.web.landscape import measured_cathodes
from ionvolt.web.link import Link, Message, Prepared, leave_signals_to_the_server
from ionvolt.web.workshop import Workshop, facts_of, facts_of_disordered

LARGE_AND_SMALL = ("Li", "K")
"""Ions that take different ways through the models."""


def prepare(models: dict[str, str], limits: Limits, memory: int) -> Prepared:
    """Load the models and use each once, so that copies of this process are warm.

    Args:
        models: Models by name: folders, or names of shipped models.
        limits: Bounds on a structure.
        memory: Bytes that a worker may take on top of what it holds when it is ready; 0 for no bound.

    Raises:
        ModelError, InputError: A model cannot be used.
    """
    loaded = {name: load_model(model) for name, model in models.items()}
    kinds: set[str] = set()
    for model in loaded.values():
        if model.card.kind not in kinds:
            _warm_up(model)
        kinds.add(model.card.kind)

    def answer(task: Message, link: Link) -> Message:
        return _answer(task, Workshop(loaded, limits, link))

    def enter() -> None:
        leave_signals_to_the_server()
        bound_memory(memory)

    facts = {
        "models": {name: _facts(model) for name, model in loaded.items()},
        "examples": examples(),
        "measured": {ion: measured_cathodes(ion) for ion in WORKING_IONS},
    }
    return Prepared(answer, facts, enter)


def _answer(task: Message, workshop: Workshop) -> Message:
    source = str(task["structure"].get("name", "structure"))
    try:
        answer = TASKS[task["task"]](task, workshop)
        json.dumps(answer, allow_nan=False)
        return answer
    except InputError as error:
        return _refused(error)
    except ModelError as error:
        return _refused(InputError(source, str(error), "Choose another ion or model"))
    except (MemoryError, RecursionError, RuntimeError, ArithmeticError, ValueError) as error:
        if isinstance(error, MemoryError) or "alloc" in str(error):
            return _refused(refusal(source, "it takes more memory than a request may", "Give a smaller cell"))
        # Where, not what: the text of the error may hold some of the file.
        *_, last = traceback.extract_tb(error.__traceback__)
        print(f"ionvolt worker: {type(error).__name__} in {last.name}, line {last.lineno}", file=sys.stderr, flush=True)
        return _refused(refusal(source, "no voltage can be computed for it", "Check the structure"))


def read(task: Message, workshop: Workshop) -> Message:
    """The structure, checked, as plain JSON types; one with partly filled sites as it was given."""
    try:
        crystal = workshop.crystal(task)
    except DisorderError as error:
        facts = facts_of_disordered(error.crystal)
        if not any(_is_partly_filled(error, ion) for ion in facts["holds"]):
            raise
        return facts | {"crystal": task["structure"]}
    return facts_of(crystal) | {
        "crystal": {
            "name": crystal.source,
            "lattice": crystal.lattice.tolist(),
            "numbers": crystal.numbers.tolist(),
            "frac_coords": crystal.frac_coords.tolist(),
            "warnings": list(crystal.warnings),
            "doubts": list(crystal.doubts),
        }
    }


def _is_partly_filled(error: DisorderError, ion: str) -> bool:
    """Whether an ion's sites are all that is disordered."""
    try:
        return host_of(error.crystal, working_ion(ion)) is not None
    except InputError:
        return True  # its host is refused, which is said when the ion is asked for


def predict(task: Message, workshop: Workshop) -> Message:
    """Predictions for the ions; an ion that is refused spoils no other."""
    model, ions = workshop.models[task["model"]], task["ions"]
    try:
        crystal = workshop.crystal(task)
    except DisorderError as error:
        _refuse_unless_plain(error, task)
        found = predict_partly_filled(error, ions, model=model, check_relaxation=task["checks"])
        for refused in [] if found.answered else found:
            if isinstance(refused, InputError):
                raise refused from error
        return _answered(facts_of_disordered(error.crystal), ions, found)
    options = {"assume": task["assume"], "charged": workshop.charged(task), **task["options"]}
    found = predict_each([crystal], ions, model=model, check_relaxation=task["checks"], **options)
    return _answered(facts_of(crystal), ions, found)


def _refuse_unless_plain(error: DisorderError, task: Message) -> None:
    """Nothing but the stated filling says how a structure with partly filled sites is read."""
    if task["assume"] != "auto" or task["charged"] or task["options"]:
        raise error


def _answered(facts: Message, ions: list[str], found: ResultList[Prediction]) -> Message:
    refused = [(ion, error) for ion, error in zip(ions, found, strict=True) if isinstance(error, InputError)]
    if len(refused) == 1 == len(found):
        raise refused[0][1]
    return facts | {
        "predictions": [prediction.to_dict() for prediction in found.answered],
        "ions_refused": [{"working_ion": ion} | _refused(error) for ion, error in refused],
    }


def relaxation(task: Message, workshop: Workshop) -> Message:
    """Doubts about structures that are not relaxed, and what their forces add to intervals, which hold for all ions.

    ``added`` has the strain of the structures and, by what a prediction rests on, what half of an interval grows by.
    """
    try:
        crystals = [workshop.crystal(task)]
    except DisorderError as error:
        hosts = [host_of(error.crystal, ion) for ion in WORKING_IONS.values()]
        crystals = [filled.host for filled in hosts if filled is not None]
    charged = workshop.charged(task)
    states: States = {}
    given = crystals if charged is None else [*crystals, charged]
    doubts, strained = relaxation_doubts(given, states), strains(given, states)
    half_widths: dict[str, float] = {ends: added_half_width(strained[:1], ends) for ends in ("charged", "discharged")}
    half_widths["both"] = added_half_width(strained, "both")
    return {"doubts": list(doubts), "added": {"strain": max(strained), "half_widths": half_widths}}


def explain(task: Message, workshop: Workshop) -> Message:
    """What each atom adds, for the ions, and the crystal of the first as a CIF."""
    model, ions, checks = workshop.models[task["model"]], task["ions"], task["checks"]
    try:
        crystal = workshop.crystal(task)
    except DisorderError as error:
        _refuse_unless_plain(error, task)
        explanations = [explain_partly_filled(error, ion, model=model, check_relaxation=checks) for ion in ions]
    else:
        options = {"assume": task["assume"], "charged": workshop.charged(task), **task["options"]}
        explanations = explain_checked([crystal], ions, model=model, check_relaxation=checks, **options)
    return {"explanations": [e.to_dict() for e in explanations], "cif": to_cif(explanations[0])}


def structures(task: Message, workshop: Workshop) -> Message:
    """The structure as it was read and, where an ion is named and held, without it, in common formats."""
    crystal = workshop.crystal(task)
    found = [{"role": "given"} | formats_of(crystal)]
    ion = task["ions"][0] if task["ions"] else ""
    if ion in crystal.symbols and task["assume"] != "charged":
        found.append({"role": "charged"} | formats_of(remove_ion(crystal, working_ion(ion))))
    return {"structures": found}


TASKS: dict[str, Callable[[Message, Workshop], Message]] = {
    "read": read,
    "predict": predict,
    "relaxation": relaxation,
    "explain": explain,
    "structures": structures,
    "compute": long_tasks.compute,
    "order": long_tasks.order,
    "design": long_tasks.design,
}


def _refused(error: InputError) -> Message:
    return {"refused": {"source": error.source, "rule": error.rule, "remedy": error.remedy}}


def _warm_up(model: Predictor) -> None:
    """Every path that a task may take, once: what is compiled or loaded on the way is shared by all workers."""
    lattice = np.array([[0, 2.1, 2.1], [2.1, 0, 2.1], [2.1, 2.1, 0]])
    crystal = Crystal(lattice, np.array([12, 8]), np.array([[0.0] * 3, [0.5] * 3]), source="MgO")
    layered = read_text(example_text("TiS2") or "", "TiS2")
    if "Mg" in model.ions:  # taken as discharged, which every kind of model answers
        predict_checked([crystal], ["Mg"], model=model, assume="discharged")
    if "charged" not in model.accepts:
        return
    ions = [ion for ion in LARGE_AND_SMALL if ion in model.ions]
    predict_each([layered], ions, model=model, assume="charged")
    if model.explains:
        explain_each([layered], ions[:1], model=model, assume="charged")


def _facts(model: Predictor) -> Message:
    return {
        "ions": model.ions,
        "local_ions": model.ions if model.explains else [],
        "n_members": model.card.n_members,
        "kind": model.card.kind,
    }


def bound_memory(more: int) -> None:
    """Let this process take so many more bytes of address space (Linux), and leave no core file when it dies."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held = Path("/proc/self/statm")
    if more and held.exists():
        size = int(held.read_text().split()[0]) * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
