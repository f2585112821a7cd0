"""What the universal potential says of the measured cathodes: both ends relaxed, with and without what was learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ionvolt.errors import InputError
from ionvolt.experiment.cathodes import Cathode, host_structures
from ionvolt.experiment.validate import Estimate
from ionvolt.ions import remove_ion, working_ion
from ionvolt.models.mlip.delta_model import DeltaModel, pair_of
from ionvolt.models.mlip.latent_features import pool_features
from ionvolt.models.registry import DELTA_MODEL, is_shipped, load_model
from ionvolt.physics import balance
from ionvolt.physics.cache import Cache, cached_outputs, cached_relax, default_folder
from ionvolt.physics.insertion import insert
from ionvolt.physics.potentials.chgnet import CHGNetPotential, Potential
from ionvolt.physics.potentials.sevennet import load_potentials
from ionvolt.physics.relaxation import Relaxation, RelaxSettings
from ionvolt.structures import Crystal

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
    progress: Callable[[int, int], None] = lambda done, total: None,
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
    cache = Cache(default_folder()) if cache is None else cache
    rows = [cathode for cathode in cathodes if cathode.structure]
    potential, energies = load_potentials()
    found = []
    for done, cathode in enumerate(rows, start=1):
        found += _estimates(cathode, potential, energies, cache)
        progress(done, len(rows))
    return found


def ions_to_insert(cathode: Cathode, host: Crystal) -> int:
    """Ions that go into a cell of the charged host between the ends of the measurement, at least one."""
    from pymatgen.core.composition import Composition

    formula = Composition(host_structures()[cathode.charged].formula)
    units = len(host) / formula.num_atoms
    return max(1, round(units * ((cathode.x_to or 1.0) - (cathode.x_from or 0.0))))


def _estimates(cathode: Cathode, potential: CHGNetPotential, energies: Potential, cache: Cache) -> list[Estimate]:
    ion = working_ion(cathode.ion)
    state = "discharged" if cathode.discharged else "charged"
    structure = cathode.discharged or cathode.charged
    try:
        full, empty = end_members(cathode, potential, cache)
        moved = balance(full.crystal, empty.crystal, ion)
        ends = [full.crystal, empty.crystal]
        outputs = cached_outputs(ends, energies, cache)
    except InputError as error:
        return [Estimate(NAME, cathode.name, None, structure=structure, state=state, note=str(error))]
    vectors = [pool_features(output, end) for output, end in zip(outputs, ends, strict=True)]
    pair = pair_of(vectors[0], vectors[1], moved, ion.symbol)
    notes = [f"{moved.n_ions} {ion.symbol} between the relaxed cells"]
    notes += [
        f"the {end} end did not converge" for end, r in (("discharged", full), ("charged", empty)) if not r.converged
    ]
    note = "; ".join(notes)
    found = [Estimate(NAME, cathode.name, pair.physics, structure=structure, state=state, note=note)]
    if is_shipped(DELTA_MODEL):
        model = load_model(DELTA_MODEL)
        assert isinstance(model, DeltaModel)
        partly = None
        if cathode.discharged and not cathode.charged:  # as `ionvolt compute` does it
            discharged = host_structures()[cathode.discharged].crystal(primitive=True)
            partly, chance = model.estimate_partly(discharged, ion.symbol)
        if partly is not None:
            note = f"unrelaxed, for it is seldom emptied (chance {100 * chance:.0f} %)"
        answer = partly or model.estimate_pairs([pair], [empty.crystal], ["both"])[0]
        found.append(
            Estimate(CORRECTED, cathode.name, answer.voltage, answer.std, structure=structure, state=state, note=note)
        )
    return found


def end_members(cathode: Cathode, potential: CHGNetPotential, cache: Cache) -> tuple[Relaxation, Relaxation]:
    """The relaxed discharged and charged ends of a cathode whose structure was typed in."""
    structures = host_structures()
    ion = working_ion(cathode.ion)
    charged = structures[cathode.charged].crystal(primitive=True) if cathode.charged else None
    if cathode.discharged:
        discharged = structures[cathode.discharged].crystal(primitive=True)
        full = cached_relax(discharged, potential, SETTINGS, cache)
        charged = remove_ion(discharged, ion) if charged is None else charged
        return full, cached_relax(charged, potential, SETTINGS, cache)
    assert charged is not None
    empty = cached_relax(charged, potential, SETTINGS, cache)
    # From the relaxed host, so that both ends lie in the same valley.
    return insert(empty.crystal, ion, potential, SETTINGS, cache, ions_to_insert(cathode, charged))[0], empty
