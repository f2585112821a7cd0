"""What an input is taken to be: the question that was meant, as a query to the models.

A structure that holds the working ion is the discharged electrode. One that does not is a charged host. A host that
holds another mobile ion is emptied first, as far as its metals can give electrons: whoever asks for Na in LiFePO4 means
Na in FePO4. ``assume`` overrides each of these readings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import InputError
from ionvolt.ions import WorkingIon, end_member, ions_of_formula, remaining_of_formula, remove_ion
from ionvolt.models.interface import Query
from ionvolt.physics.equilibrium import RELAX_FIRST
from ionvolt.physics.interstitials import distances
from ionvolt.physics.orderings import without_farthest
from ionvolt.physics.reaction import balance
from ionvolt.structures.bond_valence import misfit
from ionvolt.structures.bonding import VACUUM, is_molecular, vacuum
from ionvolt.structures.charge_balance import NO_ELECTRONS, SHORTFALL, Electrons, count_electrons
from ionvolt.structures.chemistry import MOBILE_IONS, has_anion
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.spacegroup import primitive_cell

Assume = Literal["auto", "charged", "discharged", "emptied"]
"""What a structure is taken to be. ``auto``: discharged where it holds the working ion, else a host that is emptied of
other mobile ions as far as its metals can give electrons. ``emptied`` asks for the latter also where nothing tells how
far; ``charged`` takes the structure as the host, ions included; ``discharged`` refuses one without the ion."""

SAME_PLACE = 0.05
"""Å within which atoms of two structures stand at the same place."""

SAME_CELL = 2e-3
"""Relative difference of cell vectors up to which two cells are one."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What an input was taken to be.

    Attributes:
        query: The question to the model.
        crystal: The structure as it was given, or as it was made ready.
        ion: The working ion.
        removed: Ions of other elements that were taken out of the host, by symbol.
        partly: Whether ``query.host`` keeps a part of the working ion on purpose.
        notes: What a user should know of the reading.
        doubts: Why the answer is not to be trusted, whatever the model says.
    """

    query: Query
    crystal: Crystal
    ion: WorkingIon
    removed: dict[str, int]
    partly: bool
    notes: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def n_ions(self) -> float | None:
        """Ions that move, in a cell of the discharged structure or, without one, of the host; None if not known."""
        if self.query.discharged is None:
            return self.query.n_ions
        matched = balance(self.query.discharged, self.query.host, self.ion)
        return matched.n_ions / matched.discharged_cells


def read_question(
    crystal: Crystal,
    ion: WorkingIon,
    *,
    assume: Assume = "auto",
    charged: Crystal | None = None,
    discharged_formula: str | None = None,
    charged_formula: str | None = None,
) -> Reading:
    """Turn structures and options into the question that was meant.

    Args:
        crystal: The structure.
        ion: The working ion.
        assume: What the structure is taken to be.
        charged: The charged structure, where ``crystal`` is the discharged one.
        discharged_formula: Formula of the discharged electrode, where ``crystal`` is the charged host.
        charged_formula: Formula of the charged electrode, where ``crystal`` is the discharged one and not all of the
            ion comes out; or the fraction of the ions that does, such as ``0.5``.

    Raises:
        InputError: The structure does not fit the question, or an option would have no effect.
    """
    holds = end_member(crystal, ion)
    _refuse_idle(crystal, ion, holds == "discharged", assume, charged, discharged_formula, charged_formula)
    if charged is not None:
        return _both(crystal, charged, ion)
    if holds == "discharged" and assume in ("auto", "discharged"):
        return _discharged(crystal, ion, charged_formula)
    return _host(crystal, ion, assume, discharged_formula)


def _refuse_idle(
    crystal: Crystal,
    ion: WorkingIon,
    holds: bool,
    assume: Assume,
    charged: Crystal | None,
    discharged_formula: str | None,
    charged_formula: str | None,
) -> None:
    """Refuse what does not fit, and options that would be ignored."""
    taken_as_host = not holds or assume in ("charged", "emptied")
    if charged is not None:
        if not holds:
            raise InputError(
                crystal.source,
                f"it holds no {ion.symbol}, so it is not the discharged structure that belongs to {charged.source}",
                "Give the discharged structure first and the charged one as --charged",
            )
        if assume in ("charged", "emptied"):
            raise InputError(
                crystal.source, f"--assume {assume} does not fit --charged, for which it is discharged", "Leave one out"
            )
        if discharged_formula is not None or charged_formula is not None:
            raise InputError(
                crystal.source, "both end members are given, so no formula is needed", "Leave the formula out"
            )
        return
    if assume == "discharged" and not holds:
        raise InputError(
            crystal.source,
            f"it holds no {ion.symbol}, so it cannot be a discharged {ion.symbol} electrode",
            "Leave the state to be found out, or give the discharged structure",
        )
    if discharged_formula is not None and not taken_as_host:
        raise InputError(
            crystal.source,
            f"it holds {ion.symbol}, so it is the discharged electrode, and {discharged_formula} has no effect",
            "Add --assume charged to take it as the host, or leave the discharged formula out",
        )
    if charged_formula is not None and taken_as_host:
        raise InputError(
            crystal.source,
            f"it is taken as the charged host, and {charged_formula} has no effect",
            "Give the discharged structure, or leave the charged formula out",
        )


def _both(discharged: Crystal, charged: Crystal, ion: WorkingIon) -> Reading:
    balance(discharged, charged, ion)  # every model's answer rests on it
    if made_by_removal(discharged, charged, ion):
        empty = ion.symbol not in charged.composition
        note = (
            f"{deleted(discharged, charged, ion)}: answered as from the discharged structure alone. ionvolt compute "
            "relaxes it"
        )
        host = replace(_left(discharged, charged, ion), source=charged.source, warnings=())
        query = Query(ion.symbol, host, "discharged", discharged, _count(discharged, ion))
        doubts = (*_kind(query.host, ion, discharged), *_misfit(discharged, ion))
        return Reading(query, discharged, ion, {}, not empty, (note,), doubts)
    notes = () if same_framework(discharged, charged, ion) else (
        f"{charged.source} and {discharged.source} are different frameworks: the voltage holds the energy of the "
        "transformation, which a cell may not pay back",
    )  # fmt: skip
    query = Query(ion.symbol, charged, "both", discharged)
    doubts = (*_kind(charged, ion, discharged), *_misfit(discharged, ion))
    return Reading(query, discharged, ion, {}, False, notes, doubts)


def _discharged(crystal: Crystal, ion: WorkingIon, charged_formula: str | None) -> Reading:
    notes = [f"taken as discharged: {ion.symbol} was removed"]
    if charged_formula is None:
        host, partly = remove_ion(crystal, ion), False
    else:
        left = remaining_of_formula(crystal, ion, charged_formula)
        host, partly = without_farthest(crystal, ion.number, _count(crystal, ion) - left), left > 0
        if partly:
            notes = [
                f"taken as discharged: {host.formula} was made by removing {_count(crystal, ion) - left} of "
                f"{_count(crystal, ion)} {ion.symbol} far from each other"
            ]
    stays = [symbol for symbol in host.composition if symbol in MOBILE_IONS and symbol != ion.symbol]
    if stays:
        notes.append(f"{', '.join(stays)} of {crystal.formula} stays in the host")
    query = Query(ion.symbol, host, "discharged", crystal, float(_count(crystal, ion)))
    doubts = (*_kind(host, ion, crystal), *_misfit(crystal, ion))
    electrons = count_electrons(crystal)
    if electrons is not None and electrons.give < NO_ELECTRONS:
        doubts += (
            f"the metals of {crystal.formula} have no electrons to give up: {ion.symbol} comes out only where anions "
            f"are oxidised. To put more {ion.symbol} in, take it as the host (--assume charged)",
        )
    return Reading(query, crystal, ion, {}, partly, tuple(notes), doubts)


def _host(crystal: Crystal, ion: WorkingIon, assume: Assume, discharged_formula: str | None) -> Reading:
    host, notes = crystal, list[str]()
    removed: dict[str, int] = {}
    electrons = count_electrons(crystal)
    if assume == "emptied" or (assume == "auto" and discharged_formula is None):
        host, removed = emptied(crystal, ion, electrons, certain=assume == "auto")
        if removed:
            words = ", ".join(f"{n} {symbol}" for symbol, n in removed.items())
            notes.append(
                f"{words} of a cell {'was' if sum(removed.values()) == 1 else 'were'} removed: {ion.symbol} goes into "
                f"{host.formula} (--assume charged keeps {crystal.formula} as it is)"
            )
        elif assume == "emptied":
            raise InputError(
                crystal.source, "it holds no mobile ion that its metals could give up", "Leave --assume emptied out"
            )
    elif assume == "auto":
        # A formula says into what the ion goes: the structure as it is, or emptied.
        host, removed = _host_of_formula(crystal, ion, electrons, str(discharged_formula))
        if removed:
            words = ", ".join(f"{n} {symbol}" for symbol, n in removed.items())
            notes.append(f"{words} of a cell were removed, as {discharged_formula} says")
    stays = [symbol for symbol in host.composition if symbol in MOBILE_IONS and symbol != ion.symbol]
    if stays and assume != "charged":
        notes.append(f"{host.formula} keeps {', '.join(stays)}: its metals have no electrons left to give up for it")
    elif stays:
        notes.append(f"{', '.join(stays)} stays in the host, and {ion.symbol} goes in beside it")
    n_ions = None if discharged_formula is None else ions_of_formula(host, ion, discharged_formula)
    doubts = _kind(host, ion, None)
    taken = count_electrons(host)
    if taken is not None and n_ions is not None:
        doubts += _too_many(host, ion, taken, n_ions, discharged_formula or "")
    elif taken is not None and taken.take < NO_ELECTRONS:
        doubts += (f"no metal of {host.formula} can take up an electron, so {ion.symbol} cannot go in by insertion",)
    query = Query(ion.symbol, host, "charged", n_ions=n_ions, made_of=crystal if removed else None)
    return Reading(query, crystal, ion, removed, False, tuple(notes), doubts)


def _host_of_formula(
    crystal: Crystal, ion: WorkingIon, electrons: Electrons | None, formula: str
) -> tuple[Crystal, dict[str, int]]:
    try:
        ions_of_formula(crystal, ion, formula)
    except InputError:
        host, removed = emptied(crystal, ion, electrons, certain=True)
        if removed:
            ions_of_formula(host, ion, formula)
            return host, removed
        raise
    return crystal, {}


def _too_many(host: Crystal, ion: WorkingIon, electrons: Electrons, n_ions: float, formula: str) -> tuple[str, ...]:
    needed = n_ions * ion.charge
    if needed > (1 + SHORTFALL) * electrons.all + 1e-6:
        raise InputError(
            formula,
            f"{needed:.3g} electrons a cell are needed, and the metals of {host.formula} have no more than "
            f"{electrons.all:.3g}",
            "Give a formula with less of the ion",
        )
    if needed > (1 + SHORTFALL) * electrons.take + 1e-6:
        return (
            f"{formula} needs {needed:.3g} electrons a cell, and the metals of {host.formula} take "
            f"{electrons.take:.3g} by insertion: a conversion reaction, which no model here has learned",
        )
    return ()


def _kind(host: Crystal, ion: WorkingIon, discharged: Crystal | None) -> tuple[str, ...]:
    """Why a structure is no insertion host, whatever a model says of it."""
    whole = host if discharged is None else discharged
    found = [*whole.doubts, *(() if discharged is None else host.doubts)]
    elements = set(host.composition) - {ion.symbol}
    if not has_anion(host.composition):
        if elements <= {"C", "H"}:
            found.append(f"{host.formula} is a carbon host, of which the models know few")
        else:
            found.append(
                f"{host.formula} holds no anion: {ion.symbol} would be plated or alloyed, which is no insertion"
            )
    if (gap := vacuum(whole)) > VACUUM:
        found.append(f"a gap of {gap:.1f} Å without atoms: a slab in a vacuum, not a bulk crystal")
    if is_molecular(whole):
        found.append("separate molecules, no bonded framework: no insertion host")
    return tuple(dict.fromkeys(found))


def doubts_about(discharged: Crystal, charged: Crystal, ion: WorkingIon, *, relaxed: bool) -> tuple[str, ...]:
    """Why two end members are no insertion electrode, or the ion of one that was not relaxed cannot be at rest."""
    return (*_kind(charged, ion, discharged), *(() if relaxed else _misfit(discharged, ion)))


def _misfit(crystal: Crystal, ion: WorkingIon) -> tuple[str, ...]:
    """Why the working ion cannot be at rest where it is."""
    found = misfit(crystal, ion.symbol, ion.charge)
    return () if found is None else (f"{found}. {RELAX_FIRST}",)


def emptied(
    crystal: Crystal, ion: WorkingIon, electrons: Electrons | None, *, certain: bool
) -> tuple[Crystal, dict[str, int]]:
    """A host without its other mobile ions, as far as its metals can give electrons for them.

    Args:
        crystal: The structure.
        ion: The working ion; it stays.
        electrons: How many its metals can give or take; None where they cannot be counted.
        certain: Take nothing out where the electrons cannot be counted; else all.

    Returns:
        The host, and how many ions of each element were taken out; those that move most easily go first. A part of an
        element's ions is taken out far from each other.
    """
    host = crystal
    removed: dict[str, int] = {}
    left = np.inf if electrons is None and not certain else 0.0 if electrons is None else electrons.give
    for symbol, charge in MOBILE_IONS.items():
        n = crystal.composition.get(symbol, 0)
        if symbol == ion.symbol or not n:
            continue
        out = n if np.isinf(left) else min(n, int(left / charge + 1e-6))
        if out and len(host) > out:
            host = without_farthest(host, ATOMIC_NUMBERS[symbol], out)
            removed[symbol] = out
            left -= out * charge
    return host, removed


def deleted(discharged: Crystal, charged: Crystal, ion: WorkingIon) -> str:
    """That a charged structure was made by deleting the ion."""
    return f"{charged.source} is {discharged.source} with {ion.symbol} deleted, not a structure of its own"


def made_by_removal(discharged: Crystal, charged: Crystal, ion: WorkingIon) -> bool:
    """Whether a charged structure is the discharged one with ions deleted: same cell, same places."""
    lengths = np.linalg.norm(discharged.lattice, axis=1, keepdims=True)
    if not (np.abs(charged.lattice - discharged.lattice) <= SAME_CELL * lengths).all():
        return _made_by_removal_elsewhere(discharged, charged, ion)
    if len(charged) >= len(discharged):
        return False
    kept = _kept(discharged, charged)
    if kept is None:  # the same cell with its origin elsewhere, or places of its own
        return _made_by_removal_elsewhere(discharged, charged, ion)
    return bool((discharged.numbers[~kept] == ion.number).all())


def _kept(discharged: Crystal, charged: Crystal) -> NDArray[np.bool_] | None:
    """Which atoms stand in the charged structure of the same cell, too; None where it has atoms at other places."""
    kept = np.zeros(len(discharged), dtype=bool)
    for number, place in zip(charged.numbers, charged.frac_coords, strict=True):
        away = distances(discharged.lattice, place, discharged.frac_coords)
        away[(discharged.numbers != number) | kept] = np.inf
        if away.min() > SAME_PLACE:
            return None
        kept[int(away.argmin())] = True
    return kept


def _left(discharged: Crystal, charged: Crystal, ion: WorkingIon) -> Crystal:
    """A charged structure that was made by removal, in the cell and at the places of the discharged one."""
    if ion.symbol not in charged.composition:
        return remove_ion(discharged, ion)
    kept = _kept(discharged, charged)
    assert kept is not None  # only what is free of the ion is found in other cells
    return replace(discharged, numbers=discharged.numbers[kept], frac_coords=discharged.frac_coords[kept])


def _made_by_removal_elsewhere(discharged: Crystal, charged: Crystal, ion: WorkingIon) -> bool:
    """The same where the cells are drawn otherwise: equal volumes of the framework, and structures that match."""
    if abs(_volume_of_framework(discharged, ion) / _volume_of_framework(charged, ion) - 1) > SAME_CELL:
        return False
    matched = balance(discharged, charged, ion)
    if matched.n_ions != matched.discharged_cells * discharged.composition.get(ion.symbol, 0):
        return False
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(ltol=0.005, stol=0.02, angle_tol=0.3, scale=False)
    try:
        return bool(matcher.fit(remove_ion(discharged, ion).to_pymatgen(), charged.to_pymatgen()))
    except ValueError:  # the matcher gives up on degenerate cells
        return False


def same_framework(discharged: Crystal, charged: Crystal, ion: WorkingIon) -> bool:
    """Whether two end members are one framework but for strain and small shifts; as supercells, too."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(ltol=0.35, stol=0.5, angle_tol=15, scale=True)
    frameworks = (
        remove_ion(crystal, ion) if ion.symbol in crystal.composition else crystal for crystal in (discharged, charged)
    )
    one, other = (primitive_cell(framework).to_pymatgen() for framework in frameworks)
    try:
        return bool(matcher.fit(one, other))
    except ValueError:
        return True


def _volume_of_framework(crystal: Crystal, ion: WorkingIon) -> float:
    return crystal.volume / max(1, len(crystal) - _count(crystal, ion))


def _count(crystal: Crystal, ion: WorkingIon) -> int:
    return int(np.sum(crystal.numbers == ion.number))
