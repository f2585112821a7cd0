"""The stages of the funnel: each answers crystals and ions with rows, and cuts by the voltage that is looked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS
from ionvolt.models.interface import NORMAL_90, Predictor
from ionvolt.screening.records import Row, refused
from ionvolt.screening.rules import assumed, judge
from ionvolt.screening.settings import Settings, StageName
from ionvolt.structures.crystal import Crystal

if TYPE_CHECKING:
    from ionvolt.computation import Computer
    from ionvolt.prediction import Prediction
    from ionvolt.reading import Assume


@dataclass(frozen=True, eq=False)
class Task:
    """One structure and the ions that are asked for.

    Attributes:
        part: Its number in the unit.
        crystal: The structure, or why it was refused.
        ions: Symbols; none but those that passed the stage before.
    """

    part: int
    crystal: Crystal | InputError
    ions: tuple[str, ...]


class Stage(Protocol):
    """A stage, loaded once by each worker."""

    @property
    def chunk(self) -> int:
        """Units that are noted together: about a second of work."""
        ...

    def answer(self, tasks: Sequence[Task]) -> list[Row]:
        """A row for every task and ion, in their order. Raises nothing for what an input holds."""
        ...


def load_stage(name: StageName, settings: Settings) -> Stage:
    """A stage with all that it needs in memory.

    Raises:
        ModelError: A model cannot be read.
    """
    if name == "rules":
        return Rules(settings)
    if name == "compute":
        return Compute(settings)
    from ionvolt.models.registry import load_model

    last = name == settings.stages[-1]
    if name == "network":
        return Model(settings, load_model(settings.network), chunk=32, check_relaxed=False, must_answer=last)
    return Model(settings, load_model(settings.model), chunk=4, check_relaxed=settings.check_relaxed, must_answer=True)


class Rules:
    """See ``rules.judge``."""

    chunk = 64

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def answer(self, tasks: Sequence[Task]) -> list[Row]:
        """See ``Stage``."""
        return [row for task in tasks for row in _each(task, self._judged)]

    def _judged(self, crystal: Crystal, ion: str) -> Row:
        return judge(crystal, WORKING_IONS[ion], self._settings)


class Model:
    """A predictor, asked as ``predict`` asks it."""

    def __init__(
        self, settings: Settings, model: Predictor, *, chunk: int, check_relaxed: bool, must_answer: bool
    ) -> None:
        self.chunk = chunk
        self._settings, self._model, self._check = settings, model, check_relaxed
        self._must_answer = must_answer

    def answer(self, tasks: Sequence[Task]) -> list[Row]:
        """See ``Stage``."""
        return [row for task in tasks for row in self._of(task)]

    def _of(self, task: Task) -> list[Row]:
        if isinstance(task.crystal, InputError):
            return _each(task, self._unasked)
        began = time.perf_counter()
        try:
            answers = self._asked(task.crystal, task.ions)
        except Exception as error:
            return [_head(task, ion) | _failed(error) for ion in task.ions]
        spent = (time.perf_counter() - began) / len(task.ions)
        rows: list[Row] = []
        for ion, answer in zip(task.ions, answers, strict=True):
            row = {**_head(task, ion), "seconds": spent}
            if isinstance(answer, InputError):
                row |= refused(answer)
                if not self._must_answer:
                    # A cheap model that has no answer is no reason to drop a crystal.
                    row |= {"status": "kept", "reason": f"not answered: {row['reason']}"}
            else:
                row |= {key: value for key, value in answer.to_dict().items() if key in _TAKEN}
                row |= within(row, self._settings.window)
            rows.append(row)
        return rows

    def _asked(self, crystal: Crystal, ions: Sequence[str]) -> list[Prediction | InputError]:
        """Answers in the order of the ions; those for which the crystal is taken alike are asked for together."""
        from ionvolt.prediction import predict_each

        groups: dict[Assume, list[str]] = {}
        for ion in ions:
            groups.setdefault(assumed(crystal, WORKING_IONS[ion]), []).append(ion)
        found: dict[str, Prediction | InputError] = {}
        for assume, alike in groups.items():
            answers = predict_each([crystal], alike, model=self._model, assume=assume, check_relaxation=self._check)
            found |= dict(zip(alike, answers, strict=True))
        return [found[ion] for ion in ions]

    def _unasked(self, crystal: Crystal, ion: str) -> Row:
        raise AssertionError("a refused structure is not asked for")


_TAKEN = frozenset((
    "host_formula", "end_members", "model", "voltage", "voltage_std", "voltage_lower", "voltage_upper",
    "voltage_potential", "voltage_measured", "voltage_measured_lower", "voltage_measured_upper", "capacity_grav",
    "capacity_vol", "energy_grav", "energy_vol", "volume_change", "capacity_is_estimate", "in_domain",
    "full_extraction", "warnings",
))  # fmt: skip


class Compute:
    """``compute``: both end members made and relaxed."""

    chunk = 1

    def __init__(self, settings: Settings) -> None:
        from ionvolt.computation import Computer
        from ionvolt.physics.cache import Cache

        self._settings = settings
        self._computer: Computer = Computer.load(cache=Cache(None))

    def answer(self, tasks: Sequence[Task]) -> list[Row]:
        """See ``Stage``."""
        return [row for task in tasks for row in _each(task, self._computed)]

    def _computed(self, crystal: Crystal, ion: str) -> Row:
        from ionvolt.computation import compute_checked
        from ionvolt.physics.insertion import default_ions
        from ionvolt.reading import read_question

        began = time.perf_counter()
        working = WORKING_IONS[ion]
        # What predict reads as a host that holds another mobile ion is computed as that host, too.
        query = read_question(crystal, working, assume=assumed(crystal, working)).query
        given = query.host if query.discharged is None else query.discharged
        computer = self._computer
        if query.discharged is None and ion in given.composition:
            # A host that holds some of the ion: without a number it would be taken as discharged.
            options = replace(computer.options, insert=default_ions(given, working))
            computer = replace(computer, options=options)
        result = compute_checked(given, None, working, computer)
        row: Row = {key: value for key, value in result.to_dict().items() if key in _TAKEN}
        row |= {
            "host_formula": result.formula_charged,
            "seconds": time.perf_counter() - began,
            "capacity_is_estimate": query.discharged is None,
        }
        if result.converged is False:
            row["warnings"] = [*row["warnings"], "a relaxation did not converge"]
        return row | within(row, self._settings.window)


def within(row: Row, window: tuple[float, float] | None) -> Row:
    """Whether the interval of an answer reaches into the voltages that are looked for."""
    if window is None or row.get("voltage") is None:
        return {"status": "kept"}
    low, high = interval(row)
    if high < window[0]:
        return {"status": "dropped", "reason": f"its interval ends below {window[0]:g} V"}
    if low > window[1]:
        return {"status": "dropped", "reason": f"its interval begins above {window[1]:g} V"}
    return {"status": "kept"}


def interval(row: Row) -> tuple[float, float]:
    """Ends of the 90 % interval, V: the calibrated one, or that of a normal error; endless where neither is known."""
    voltage, std = row["voltage"], row.get("voltage_std")
    if row.get("voltage_lower") is not None and row.get("voltage_upper") is not None:
        return row["voltage_lower"], row["voltage_upper"]
    if std is not None:
        return voltage - NORMAL_90 * std, voltage + NORMAL_90 * std
    return float("-inf"), float("inf")


def _each(task: Task, answer: Callable[[Crystal, str], Row]) -> list[Row]:
    """A row for each ion of a task, errors in their place."""
    rows = []
    for ion in task.ions:
        row = _head(task, ion)
        if isinstance(task.crystal, InputError):
            rows.append(row | refused(task.crystal))
            continue
        try:
            rows.append(row | answer(task.crystal, ion))
        except InputError as error:
            rows.append(row | refused(error))
        except Exception as error:  # one crystal must not end ten million
            rows.append(row | _failed(error))
    return rows


def _head(task: Task, ion: str) -> dict[str, Any]:
    if isinstance(task.crystal, InputError):
        return {"part": task.part, "ion": ion, "id": task.crystal.source}
    return {
        "part": task.part,
        "ion": ion,
        "id": task.crystal.source,
        "formula": task.crystal.formula,
        "n_atoms": len(task.crystal),
    }


def _failed(error: Exception) -> Row:
    if isinstance(error, MemoryError | OSError):
        raise error
    return {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
