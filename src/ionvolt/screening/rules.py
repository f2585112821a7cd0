"""The first stage: what composition, charges and bonds say of a crystal as an electrode. No model is asked."""

from __future__ import annotations

from collections.abc import Sequence

from ionvolt.ions import WorkingIon, capacity_of_formula, capacity_vol_of_host, end_member
from ionvolt.physics.equilibrium import RELAX_FIRST
from ionvolt.physics.insertion import redox_active
from ionvolt.prediction import theoretical_capacity
from ionvolt.reading import Assume, Reading, read_question
from ionvolt.screening.records import Row
from ionvolt.screening.settings import Settings
from ionvolt.structures.charge_balance import NO_ELECTRONS, SHORTFALL, Electrons, count_electrons, metal_charges
from ionvolt.structures.chemistry import has_anion
from ionvolt.structures.crystal import Crystal

IN_PART = "its metals have electrons for a part of the ions only: capacity and energy are those of that part"


def judge(crystal: Crystal, ion: WorkingIon, settings: Settings) -> Row:
    """The row of a crystal and an ion.

    A crystal is dropped where it holds an excluded element, where it is no insertion host (no anion, molecules, a slab
    in a vacuum), where it has no metal that changes its charge or its metals have no electrons to give or take, and
    where its capacity is known to be below the least that is asked for. What cannot be told stays.

    Raises:
        InputError: It cannot be used with this ion.
    """
    early = _of_composition(crystal, ion, settings.exclude)
    if early:
        return {"status": "dropped", "reason": early}
    electrons = count_electrons(crystal)
    if _is_inert(crystal, electrons):
        # Whatever it is read as, nothing is oxidised and nothing reduced.
        return {"status": "dropped", "reason": "no metal in it changes its charge"}
    reading = read_question(crystal, ion, assume=assumed(crystal, ion))
    row: Row = {"end_members": reading.query.end_members, "host_formula": reading.query.host.formula}
    own = {*crystal.doubts, *reading.query.host.doubts}
    # That a structure should be relaxed first is no reason to drop it; a later stage says so, or relaxes it.
    doubts = [doubt for doubt in reading.doubts if doubt not in own and not doubt.endswith(RELAX_FIRST)]
    if doubts:
        return {**row, "status": "dropped", "reason": doubts[0]}
    grav, vol, estimate = capacity_of(reading)
    row |= {"capacity_grav": grav, "capacity_vol": vol, "capacity_is_estimate": estimate}
    if grav is not None and grav < settings.min_capacity:
        return {**row, "status": "dropped", "reason": f"a capacity of {grav:.0f} mAh/g is below the least asked for"}
    return {**row, "status": "kept"}


def _is_inert(crystal: Crystal, electrons: Electrons | None) -> bool:
    """Whether no metal changes its charge; where charges do not add up, as with azides, the elements tell."""
    if electrons is not None:
        return max(electrons) < NO_ELECTRONS
    by_elements = metal_charges(crystal.composition)
    return by_elements is not None and not by_elements.limits


def assumed(crystal: Crystal, ion: WorkingIon) -> Assume:
    """What a structure is taken to be in all stages.

    ``auto``, as ``predict`` does; but a structure that holds the ion and whose metals can give nothing up, only take,
    is a charged host to which more of the ion is added.
    """
    if end_member(crystal, ion) == "charged":
        return "auto"
    electrons = count_electrons(crystal)
    return "charged" if electrons is not None and electrons.give < NO_ELECTRONS <= electrons.take else "auto"


def capacity_of(reading: Reading) -> tuple[float | None, float | None, bool]:
    """mAh/g, mAh/cm³ and whether they are an estimate; None where nothing tells.

    ``predict`` counts all ions of a discharged structure; here those count for which its metals have electrons. And it
    counts whole ions in the cell of a host as it is; a small cell may take a part of one, so here the electrons count
    where no whole ion fits.
    """
    grav, vol, estimate = theoretical_capacity(reading)
    host, discharged, ion = reading.query.host, reading.query.discharged, reading.ion
    if discharged is not None:
        share = paid_share(reading)
        if grav is None or vol is None or share is None or share > 1 - SHORTFALL:
            return grav, vol, estimate
        return share * grav, share * vol, True
    if grav is not None:
        return grav, vol, estimate
    electrons = count_electrons(host)
    if electrons is None:
        return None, None, False
    n_ions = min(max(1.0, float(redox_active(host).sum())), electrons.take) / ion.charge
    if n_ions < 0.01:
        return None, None, False
    return capacity_of_formula(host, ion, n_ions), capacity_vol_of_host(host, ion, n_ions), True


def paid_share(reading: Reading) -> float | None:
    """Of the ions that are to leave a discharged structure, the share that its metals have electrons for.

    MgO with a little manganese oxide in it gives up as much Mg as its manganese pays for, not all. None without a
    discharged structure, and where charges cannot be told.
    """
    discharged = reading.query.discharged
    electrons = None if discharged is None else count_electrons(discharged)
    if electrons is None or not reading.n_ions:
        return None
    return min(1.0, electrons.give / (reading.n_ions * reading.ion.charge))


def _of_composition(crystal: Crystal, ion: WorkingIon, excluded: Sequence[str]) -> str:
    """Why a composition is dropped, before anything else is looked at."""
    amounts = crystal.composition
    held = [symbol for symbol in excluded if symbol in amounts and symbol != ion.symbol]
    if held:
        return f"it holds {held[0]}, which is excluded"
    if not has_anion(amounts):
        return "it holds no anion"
    return ""
