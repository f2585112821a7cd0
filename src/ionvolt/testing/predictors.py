"""A contract that every predictor keeps, as one function.

A voltage belongs to a crystal, not to its description. ``check_predictor`` asks a model for the same electrodes
described in other ways, alone and together, and for what it cannot know; then it writes the model, reads it again and
asks once more. It raises one ``AssertionError`` that names all that does not hold.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ionvolt.ions import WORKING_IONS, remove_ion, working_ion
from ionvolt.models.interface import AtomContributions, Estimate, Predictor, Query
from ionvolt.models.registry import KINDS, load_folder, save_model
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.testing.crystals import Electrode, descriptions, electrodes
from ionvolt.testing.findings import Findings

TOLERANCE = 3e-3
"""V that the same crystal in another description may differ by. Potentials are in single precision, and a search for
sites breaks ties by rounding."""

SUM_RULE = 1e-6
"""V by which contributions and remainder may miss the voltage."""

UNKNOWN = "Xx"


def check_predictor(
    model: Predictor,
    electrodes_: Sequence[Electrode] | None = None,
    *,
    tolerance: float = TOLERANCE,
    save: bool | None = None,
) -> None:
    """Hold a model to what every predictor promises.

    The same answer for a supercell, for atoms in another order, for a shifted, a turned or an otherwise drawn cell; for
    one query alone and for many; after saving and loading. Finite voltages inside their intervals, named after a model.
    ``ModelError`` for an ion that it does not know, and for a host alone where it needs the discharged structure.
    Explanations that add up, and that follow the atoms.

    Args:
        model: Any predictor.
        electrodes_: Electrodes to ask for; by default small ones of the first ion that it knows.
        tolerance: V that descriptions of one crystal may differ by.
        save: Whether the model is written and read; by default where its kind is in ``registry.KINDS``.

    Raises:
        AssertionError: Something does not hold; the text has one line for each.
    """
    found = Findings()
    _check_interface(model, found)
    cases = list(electrodes(model.ions[:1]) if electrodes_ is None else electrodes_)
    queries = [query for case in cases for query in queries_of(model, case.ion, case.discharged)]
    answers = model.estimate(queries)
    found.hold(len(answers) == len(queries), f"{len(answers)} answers to {len(queries)} queries")
    for query, answer in zip(queries, answers, strict=False):
        _check_answer(query, answer, found)
    _check_batches(model, queries, answers, tolerance, found)
    _check_descriptions(model, cases, answers, tolerance, found)
    _check_refusals(model, queries, found)
    _check_explanations(model, queries, answers, tolerance, found)
    if _is_stored(model) if save is None else save:
        with tempfile.TemporaryDirectory() as folder:
            save_model(model, Path(folder))
            again = load_folder(Path(folder)).estimate(queries)
        for query, before, after in zip(queries, answers, again, strict=True):
            found.near(after.voltage, before.voltage, 1e-5, f"{_name(query)}: another voltage once saved and loaded")
    found.raise_()


def queries_of(model: Predictor, ion: str, discharged: Crystal) -> list[Query]:
    """What can be asked of an electrode, as the model makes use of it: by the host, by the discharged structure."""
    host = remove_ion(discharged, working_ion(ion))
    found = [Query(ion, host)] if "charged" in model.accepts else []
    if "discharged" in model.accepts:
        found.append(Query(ion, host, "discharged", discharged))
    if "both" in model.accepts:
        found.append(Query(ion, host, "both", discharged))
    return found


def _name(query: Query) -> str:
    return f"{query.ion} in {query.host.formula} ({query.end_members})"


def _check_interface(model: Predictor, found: Findings) -> None:
    found.hold(bool(model.card.name), "the card has no name")
    found.hold(bool(model.ions), "it knows no ion")
    strange = sorted(set(model.ions) - WORKING_IONS.keys())
    found.hold(not strange, f"no working ions: {', '.join(strange)}")
    found.hold(bool(model.accepts), "it accepts nothing")
    found.hold(model.accepts <= {"charged", "discharged", "both"}, f"no end members: {sorted(model.accepts)}")


def _check_answer(query: Query, answer: Estimate, found: Findings) -> None:
    name = _name(query)
    found.hold(bool(np.isfinite(answer.voltage)), f"{name}: {answer.voltage} V")
    found.hold(bool(answer.model), f"{name}: the answer names no model")
    found.hold((answer.lower is None) == (answer.upper is None), f"{name}: an interval with one end")
    if answer.lower is not None and answer.upper is not None:
        found.hold(answer.lower <= answer.voltage <= answer.upper, f"{name}: the voltage lies outside its interval")
    found.hold(answer.std is None or answer.std >= 0, f"{name}: a negative deviation")
    found.hold(answer.in_domain is not True or not answer.reasons, f"{name}: in domain, with reasons against it")


def _check_batches(
    model: Predictor, queries: Sequence[Query], answers: Sequence[Estimate], tolerance: float, found: Findings
) -> None:
    found.hold(model.estimate([]) == [], "no query is not answered by an empty list")
    for query, together in zip(queries, answers, strict=False):
        (alone,) = model.estimate([query])
        found.near(alone.voltage, together.voltage, tolerance, f"{_name(query)}: another voltage alone than together")
    for answer, before in zip(model.estimate(list(reversed(queries))), reversed(answers), strict=False):
        found.near(answer.voltage, before.voltage, tolerance, "another voltage in another order of queries")


def _check_descriptions(
    model: Predictor, cases: Sequence[Electrode], answers: Sequence[Estimate], tolerance: float, found: Findings
) -> None:
    expected = iter(answers)
    for case in cases:
        before = [next(expected) for _ in queries_of(model, case.ion, case.discharged)]
        for words, described in descriptions(case.discharged).items():
            queries = queries_of(model, case.ion, described)
            for query, answer, wanted in zip(queries, model.estimate(queries), before, strict=True):
                name = f"{_name(query)}: another voltage for {words}"
                found.near(answer.voltage, wanted.voltage, tolerance, name)


def _check_refusals(model: Predictor, queries: Sequence[Query], found: Findings) -> None:
    model.require(model.ions)
    others = [ion for ion in WORKING_IONS if ion not in model.ions] or [UNKNOWN]
    for ion in (others[0], UNKNOWN):
        found.refused(partial(model.require, [ion]), f"{ion}: require takes an ion that it does not know")
        strange = [replace(queries[0], ion=ion)]
        found.refused(partial(model.estimate, strange), f"{ion}: an ion that it does not know is answered")
    if "charged" not in model.accepts:
        alone = Query(queries[0].ion, queries[0].host)
        found.refused(lambda: model.estimate([alone]), "a host alone is answered, although it is not accepted")


def _check_explanations(
    model: Predictor, queries: Sequence[Query], answers: Sequence[Estimate], tolerance: float, found: Findings
) -> None:
    if not model.explains:
        found.refused(lambda: model.attribute(queries), "it explains nothing, yet attribute answers")
        return
    for query, shared, answer in zip(queries, model.attribute(queries), answers, strict=True):
        name = _name(query)
        n = len(shared.crystal)
        found.hold(shared.contributions.shape == shared.spread.shape == (n,), f"{name}: not one contribution an atom")
        found.near(shared.estimate.voltage, answer.voltage, SUM_RULE, f"{name}: another voltage is explained")
        total = float(shared.contributions.sum()) + shared.remainder
        found.near(total, answer.voltage, SUM_RULE, f"{name}: contributions and remainder do not make the voltage")
        found.near(
            float(shared.local_voltages.mean()), answer.voltage, SUM_RULE, f"{name}: local voltages miss the voltage"
        )
    for query, shared in zip(queries, model.attribute([_reversed(q) for q in queries]), strict=True):
        (before,) = model.attribute([query])
        for symbol, value in _by_element(shared):
            expected = dict(_by_element(before)).get(symbol, np.nan)
            found.near(value, expected, tolerance, f"{_name(query)}: {symbol} adds otherwise in another order of atoms")


def _reversed(query: Query) -> Query:
    """The same electrode with its atoms in the opposite order."""

    def turned(crystal: Crystal) -> Crystal:
        return replace(crystal, numbers=crystal.numbers[::-1], frac_coords=crystal.frac_coords[::-1])

    discharged = None if query.discharged is None else turned(query.discharged)
    return replace(query, host=turned(query.host), discharged=discharged)


def _by_element(shared: AtomContributions) -> Iterator[tuple[str, float]]:
    numbers: NDArray[np.int64] = shared.crystal.numbers
    for z in np.unique(numbers):
        yield SYMBOLS[z], float(shared.contributions[numbers == z].sum())


def _is_stored(model: Predictor) -> bool:
    return model.card.kind in KINDS
