"""Candidates: substitutions thought of, put in order, made, and held against their charges."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from ionvolt.designing.chemistry import DEFAULT, charges_of, newcomers, places
from ionvolt.designing.guidance import element_departures, expected_gain, local_voltages, log_probability
from ionvolt.designing.records import Candidate, Kind, Substitution
from ionvolt.designing.scaling import substituted
from ionvolt.designing.settings import DesignSettings
from ionvolt.errors import InputError
from ionvolt.ions import WorkingIon
from ionvolt.models.interface import Predictor
from ionvolt.physics.interstitials import distances
from ionvolt.physics.orderings import without_farthest
from ionvolt.structures.charge_balance import count_electrons, metal_charges
from ionvolt.structures.checks import check
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.spacegroup import ask_spglib

Changes = tuple[Substitution, ...]


def substitutions(crystal: Crystal, ion: WorkingIon, settings: DesignSettings) -> list[Substitution]:
    """All single substitutions of a discharged electrode, nothing asked of their charges.

    Each element as a whole; metals, O and F by kinds of sites, too, and of a metal on one kind half of its atoms.
    """
    allowed = frozenset(settings.elements or DEFAULT) - {*settings.exclude, ion.symbol}
    found: list[Substitution] = []
    for symbol, place in places(crystal, ion).items():
        sites = np.flatnonzero(crystal.numbers == ATOMIC_NUMBERS[symbol])
        parts = [sites, *_parts(crystal, sites, place == "metal" and settings.halves)]
        for new in newcomers(symbol, place, allowed):
            # Chalcogens replace each other as a whole; fluorine takes some of the places of oxygen, and back.
            own = parts if place == "metal" or "F" in (symbol, new) else parts[:1]
            found += [Substitution(symbol, new, tuple(int(i) for i in part), len(sites)) for part in own]
    return found


def combined(singles: Sequence[Substitution], changes: int) -> list[Changes]:
    """Single substitutions and, where asked for, pairs of whole ones of different elements."""
    found: list[Changes] = [(one,) for one in singles]
    if changes > 1:
        whole = [one for one in singles if len(one.sites) == one.of]
        found += [pair for pair in combinations(whole, 2) if pair[0].old != pair[1].old]
    return found


def balanced(crystal: Crystal, ion: WorkingIon) -> tuple[Crystal, int, int] | None:
    """A discharged electrode whose charges balance, with as few working ions left out as that takes.

    Returns:
        The crystal, how many of its ions the metals' electrons let out, and how many were left out of it; None where
        the charges cannot be told, no ion comes out, or more ions were needed than there are places.
    """
    charges = metal_charges(crystal)
    if charges is None or not charges.limits or charges.present > charges.highest + 1e-6:
        return None
    removed = 0
    if charges.present < charges.lowest - 1e-6:
        removed = math.ceil((charges.lowest - charges.present) / ion.charge - 1e-6)
        if removed >= crystal.composition.get(ion.symbol, 0):
            return None
        crystal = without_farthest(crystal, ion.number, removed)
        again = metal_charges(crystal)
        if again is None or not again.possible:
            return None
    electrons = count_electrons(crystal)
    if electrons is None:
        return None
    out = min(crystal.composition.get(ion.symbol, 0), math.floor(electrons.give / ion.charge + 1e-6))
    return (crystal, out, removed) if out >= 1 else None


def made(
    parent: Crystal, ion: WorkingIon, changes: Changes, score: float, probability: float | None
) -> Candidate | None:
    """A candidate, or None where its charges do not balance or its atoms are too near each other."""
    charges = charges_of(parent)
    fate = {site: one.new for one in changes for site in one.sites}
    crystal = substituted(parent, fate) if fate else parent
    found = balanced(crystal, ion)
    if found is None:
        return None
    crystal, out, removed = found
    try:
        crystal = check(replace(crystal, source=crystal.formula if fate else parent.source, warnings=(), doubts=()))
    except InputError:
        return None
    after = charges_of(crystal)
    alike = all(round(charges.get(one.old, 0.0)) == round(after.get(one.new, 0.0)) for one in changes)
    kind: Kind = "none" if not changes else "isovalent" if alike and not removed else "aliovalent"
    return Candidate(crystal, parent.source, changes, kind, out, removed, probability, score)


def candidates(
    parents: Sequence[Crystal], ion: WorkingIon, settings: DesignSettings, network: Predictor | None
) -> tuple[list[Candidate], int]:
    """Distinct candidates of some hosts, the hosts first, then as the guide puts them in order.

    Args:
        parents: Discharged electrodes of the ion.
        ion: The working ion.
        settings: Elements, guide, and how many are made.
        network: Gives local voltages; needed for the guide ``local`` only.

    Returns:
        At most ``settings.candidates`` besides the hosts, and how many substitutions were thought of.
    """
    known = _Known()
    found: list[Candidate] = []
    thought_of: list[tuple[float, float, int, Changes]] = []
    for index, parent in enumerate(parents):
        itself = made(parent, ion, (), math.inf, None)
        if itself is not None and not _excluded(itself.crystal, settings) and known.is_new(itself.crystal):
            found.append(itself)
        thought_of += _scored(index, parent, ion, settings, network)
    # Of equals the likelier first; the sort keeps the order in which they were thought of: the same list every time.
    ranked = sorted(thought_of, key=lambda one: (-one[0], -one[1]))
    hosts = len(found)
    for score, probability, index, changes in ranked:
        if len(found) - hosts >= settings.candidates:
            break
        one = made(parents[index], ion, changes, score, probability)
        if one is not None and not _excluded(one.crystal, settings) and known.is_new(one.crystal):
            found.append(one)
    return found, len(ranked)


def _scored(
    index: int, parent: Crystal, ion: WorkingIon, settings: DesignSettings, network: Predictor | None
) -> Iterator[tuple[float, float, int, Changes]]:
    """Score, logarithm of the probability, host and changes of all that is thought of for one host."""
    charges = charges_of(parent)
    score = _score_of(index, parent, ion, settings, network)
    for changes in combined(substitutions(parent, ion, settings), settings.changes):
        probability = sum(log_probability(one, charges) for one in changes)
        yield score(changes, probability), probability, index, changes


def _score_of(
    index: int, parent: Crystal, ion: WorkingIon, settings: DesignSettings, network: Predictor | None
) -> Callable[[Changes, float], float]:
    if settings.guide == "random":
        drawn = np.random.default_rng([settings.seed, index])
        return lambda changes, probability: float(drawn.random())
    if settings.guide == "probability" or network is None:
        return lambda changes, probability: probability
    local, elements = local_voltages(parent, ion, network), element_departures(ion.symbol)
    wanted = None if settings.voltage is None else settings.voltage

    def gain(changes: Changes, probability: float) -> float:
        expected = local.voltage + sum(expected_gain(one, local, elements) for one in changes)
        # Without a target the higher the better; with one the nearer to it.
        return expected if wanted is None else -outside(expected, wanted)

    return gain


def outside(voltage: float, wanted: tuple[float, float]) -> float:
    """V by which a voltage lies outside a range; 0 within."""
    return max(wanted[0] - voltage, voltage - wanted[1], 0.0)


def _excluded(crystal: Crystal, settings: DesignSettings) -> bool:
    return any(symbol in settings.exclude for symbol in crystal.composition)


def _parts(
    crystal: Crystal, sites: np.ndarray[tuple[int, ...], np.dtype[np.int64]], halves: bool
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """Kinds of sites among an element's, and half of them where they are of one kind."""
    found = ask_spglib("get_symmetry_dataset", crystal.spglib_cell, symprec=0.01)
    kinds = np.arange(len(crystal)) if found is None else np.asarray(found.equivalent_atoms)
    own = list(dict.fromkeys(kinds[sites].tolist()))
    if len(own) > 1:
        return [sites[kinds[sites] == kind] for kind in own][:MOST_KINDS]
    if not halves or len(sites) % 2:
        return []
    chosen = [int(sites[0])]
    while 2 * len(chosen) < len(sites):
        rest = np.setdiff1d(sites, chosen)
        apart = [distances(crystal.lattice, crystal.frac_coords[i], crystal.frac_coords[chosen]).min() for i in rest]
        chosen.append(int(rest[int(np.argmax(np.round(apart, 3)))]))
    return [np.array(sorted(chosen))]


MOST_KINDS = 6
"""Kinds of sites of an element that are substituted one by one."""


class _Known:
    """Crystals that were made, by formula; which of them is the same as another is asked of pymatgen's matcher."""

    def __init__(self) -> None:
        from pymatgen.analysis.structure_matcher import StructureMatcher

        self._matcher = StructureMatcher()
        self._found: dict[str, list[Crystal]] = {}

    def is_new(self, crystal: Crystal) -> bool:
        """Whether no crystal like it was asked about before; it counts as known from now on."""
        alike = self._found.setdefault(crystal.formula, [])
        if any(self._matcher.fit(crystal.to_pymatgen(), other.to_pymatgen()) for other in alike):
            return False
        alike.append(crystal)
        return True
