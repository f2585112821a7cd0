"""Computed voltages of many electrodes, in one process or several."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import length_hint
from typing import TypeAlias

from ionvolt.computation.checked import compute_checked
from ionvolt.computation.computer import Computer
from ionvolt.computation.partly_filled import compute_partly_filled
from ionvolt.computation.result import VoltageResult
from ionvolt.errors import InputError
from ionvolt.ions import working_ion
from ionvolt.parallel import Work, answered, jobs_of, shown
from ionvolt.physics.average import RelaxOptions
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.pair import PotentialPair
from ionvolt.physics.potentials.sevennet import VERSION
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.results import ResultList
from ionvolt.structures import as_crystal
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderError
from ionvolt.typing import ProgressCallback, no_progress

Ends: TypeAlias = "tuple[Crystal, Crystal | None] | InputError"
"""End members that were read, or the error that refused one."""


def _ends(electrode: object) -> Ends:
    ends = list(electrode) if isinstance(electrode, tuple | list) else [electrode]
    try:
        crystals = [as_crystal(end) for end in ends if end is not None]
    except DisorderError as error:
        # Of two end members neither is filled as a file says.
        return error if len(ends) == 1 else InputError(error.source, error.rule, error.remedy)
    except InputError as error:
        return error
    if not crystals:
        return InputError("electrode", "no end member is given", "Give a discharged structure, a charged one or both")
    return crystals[0], crystals[1] if len(crystals) > 1 else None


def compute_many(
    electrodes: Iterable[object],
    ion: str,
    *,
    relax: bool | None = None,
    potential: str | PotentialPair = VERSION,
    settings: RelaxSettings | None = None,
    cache: Cache | None = None,
    n_jobs: int | None = 1,
    progress: ProgressCallback | bool = no_progress,
) -> ResultList[VoltageResult]:
    """``compute`` for many electrodes, in their order; one that is refused gives its error and ends nothing.

    Args:
        electrodes: Structures, or tuples of a discharged and a charged structure.
        ion: Working ion of all.
        relax: See ``compute``.
        potential: See ``compute``.
        settings: See ``compute``.
        cache: See ``compute``.
        n_jobs: Processes, each with potentials of its own; -1 is one a core, None what is sensible for so many.
        progress: Called after each with the number that are done, and of all where that is known; True shows a bar.
    """
    total = length_hint(electrodes)
    options = RelaxOptions(relax, None, settings or RelaxSettings())
    symbol = working_ion(ion).symbol
    work = Work(computing, (potential, cache, options))
    found: ResultList[VoltageResult] = ResultList()
    with shown(progress, "computing") as report:
        answers = answered(work, ((_ends(one), symbol) for one in electrodes), jobs_of(n_jobs, total))
        for done, answer in enumerate(answers, start=1):
            found.append(answer)
            report(done, total, "")
    return found


def computing(
    potential: str | PotentialPair, cache: Cache | None, options: RelaxOptions, trusted: bool = False
) -> Callable[[list[tuple[Ends, str]]], list[VoltageResult | InputError]]:
    """What computes lists of electrodes and their ions, one process's share of ``parallel.answered``."""
    computer = Computer.load(potential, cache, options, trusted)

    def one(ends: Ends, ion: str) -> VoltageResult | InputError:
        try:
            if isinstance(ends, DisorderError):
                return compute_partly_filled(ends, working_ion(ion), computer)
            return ends if isinstance(ends, InputError) else compute_checked(*ends, working_ion(ion), computer)
        except InputError as error:
            return error

    return lambda questions: [one(*question) for question in questions]
