"""What the universal potential says of the measured cathodes: both ends relaxed, with and without what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ionvolt.computation import Computer, corrected
from ionvolt.errors import InputError
from ionvolt.experiment.cathodes import Cathode, host_structures
from ionvolt.experiment.estimates import Estimate
from ionvolt.ions import EndMembers, working_ion
from ionvolt.physics.average import AverageVoltage, RelaxOptions, compute
from ionvolt.physics.cache import Cache
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.structures import Crystal
from ionvolt.typing import ProgressCallback, no_progress

NAME = "physics"
"""Of the estimates."""

CORRECTED = "compute"
"""Of what `ionvolt compute` answers: with what the Δ-model has learned about the potential's errors."""

SETTINGS = RelaxSettings(timeout=None)
"""Without a time limit, so that a slow machine finds the same voltage."""


def estimates(
    cathodes: Sequence[Cathode],
    *,
    cache: Cache | None = None,
    progress: ProgressCallback = no_progress,
) -> list[Estimate]:
    """Voltages between relaxed end members.

    A discharged structure that was typed in is relaxed, and so is the charged one, which is the typed-in one or else
    the discharged one less the ion. Where only the charged host was typed in, as many ions as were measured to go in
    (at least one in the primitive cell) are put into its voids, and the best arrangement found counts. What was learned
    is asked as `ionvolt compute` asks it.

    Args:
        cathodes: Rows with a structure.
        cache: Where relaxations are remembered; by default in the user's cache folder. A killed run goes on there.
        progress: Told what is done, of how much.
    """
    rows = [cathode for cathode in cathodes if cathode.structure]
    computer = Computer.load(cache=cache)
    found = []
    for done, cathode in enumerate(rows, start=1):
        found += _estimates(cathode, computer)
        progress(done, len(rows), "")
    return found


def ions_to_insert(cathode: Cathode, host: Crystal) -> int:
    """Ions that go into a cell of the charged host between the ends of the measurement, at least one."""
    from pymatgen.core.composition import Composition

    formula = Composition(host_structures()[cathode.charged].formula)
    units = len(host) / formula.num_atoms
    return max(1, round(units * ((cathode.x_to or 1.0) - (cathode.x_from or 0.0))))


def relaxed_ends(cathode: Cathode, computer: Computer) -> AverageVoltage:
    """Both ends of a cathode whose structure was typed in, relaxed, and the voltage of their energies.

    Raises:
        InputError: The potential cannot compute them.
    """
    discharged, charged = _crystal(cathode.discharged), _crystal(cathode.charged)
    insert = None if charged is None or discharged is not None else ions_to_insert(cathode, charged)
    options = RelaxOptions(True, insert, SETTINGS)
    return compute(discharged, charged, working_ion(cathode.ion), computer.potentials, computer.cache, options)


def _estimates(cathode: Cathode, computer: Computer) -> list[Estimate]:
    state = "discharged" if cathode.discharged else "charged"
    common = partial(Estimate, cathode=cathode.name, structure=cathode.discharged or cathode.charged, state=state)
    try:
        average = relaxed_ends(cathode, computer)
    except InputError as error:
        return [common(NAME, voltage=None, note=str(error))]
    note = f"{average.reaction.n_ions} {cathode.ion} between the relaxed cells"
    note += "" if average.converged else "; not all relaxations converged"
    found = [common(NAME, voltage=average.voltage, note=note)]
    both = bool(cathode.discharged and cathode.charged)
    given: EndMembers = "both" if both else "discharged" if cathode.discharged else "charged"
    answer, notes = corrected(average, _crystal(cathode.discharged), given)
    if answer is not None:
        note = "; ".join([note, *notes])
        found.append(common(CORRECTED, voltage=answer.voltage, voltage_std=answer.std, note=note))
    return found


def _crystal(name: str | None) -> Crystal | None:
    return host_structures()[name].crystal(primitive=True) if name else None
