"""The computed voltage of one electrode."""

from __future__ import annotations

from ionvolt.computation.checked import compute_checked
from ionvolt.computation.computer import Computer
from ionvolt.computation.partly_filled import compute_partly_filled
from ionvolt.computation.result import VoltageResult
from ionvolt.ions import working_ion
from ionvolt.physics.average import RelaxOptions
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.pair import PotentialPair
from ionvolt.physics.potentials.sevennet import VERSION
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.structures import as_crystal
from ionvolt.structures.disorder import DisorderError
from ionvolt.typing import LogCallback, no_log


def compute(
    structure: object,
    ion: str,
    *,
    charged: object | None = None,
    relax: bool | None = None,
    insert: int | None = None,
    profile: bool = False,
    potential: str | PotentialPair = VERSION,
    settings: RelaxSettings | None = None,
    cache: Cache | None = None,
    log: LogCallback = no_log,
) -> VoltageResult:
    """Compute the average voltage of an electrode from the energies of its end members.

    Args:
        structure: Whatever ``predict`` takes. With the working ion it is the discharged structure, without it the
            charged host.
        ion: Working ion: ``"Mg"``.
        charged: The charged structure, where both end members are known.
        relax: Whether both are relaxed; by default unless both are given.
        insert: Ions to put into a cell of a charged host; by default one electron for each redox-active metal atom.
            A structure that holds the ion is then taken as the host.
        profile: Whether the voltage against filling is computed, too.
        potential: Whose energies give the voltage: a name (see ``load_potential``), which may be a file or a class of
            the user's, or a loaded pair.
        settings: When a relaxation is done.
        cache: Where results are remembered; by default the user's cache folder, ``Cache(None)`` for none.
        log: Called with words on what begins.

    Raises:
        InputError: A structure cannot be used; the text names the rule and the remedy.
        ModelError: There is no such potential.
    """
    options = RelaxOptions(relax, insert, settings or RelaxSettings())
    computer = Computer.load(potential, cache, options)
    other = None if charged is None else as_crystal(charged)
    try:
        crystal = as_crystal(structure)
    except DisorderError as error:
        if other is not None or insert is not None:
            raise
        return compute_partly_filled(error, working_ion(ion), computer, profile=profile, log=log)
    return compute_checked(crystal, other, working_ion(ion), computer, profile=profile, log=log)
