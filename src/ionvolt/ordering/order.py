"""From a disordered crystal to the ordered ones that it most likely is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import InputError
from ionvolt.ordering.average import AverageCell, average_cell
from ionvolt.ordering.charges import guessed_charges
from ionvolt.ordering.electrostatics import build_cell
from ionvolt.ordering.records import Ordering, Orderings, OrderSettings
from ionvolt.ordering.rounding import EMPTY, Filling, described
from ionvolt.ordering.search import Candidate, candidates, degeneracy, distinct, fingerprints
from ionvolt.ordering.supercells import choose_filling, shapes
from ionvolt.physics.cache import Cache, cached_outputs, cached_relax
from ionvolt.physics.potentials.interface import Potential
from ionvolt.physics.potentials.pair import PotentialPair
from ionvolt.structures import check
from ionvolt.structures.chemistry import MOBILE_IONS
from ionvolt.structures.crystal import ATOMIC_NUMBERS, SYMBOLS, Crystal
from ionvolt.structures.disorder import DisorderedCrystal
from ionvolt.structures.wording import refusal
from ionvolt.typing import LogCallback, no_log

FROZEN, MOBILE_AT = 1000.0, 300.0
"""K: where a framework was mixed when it was made, and where ions and vacancies arrange themselves."""

BOLTZMANN = 8.617333e-5
"""eV/K."""

LARGEST = 240
"""Atoms beyond which a primitive cell is not ordered."""

SHAPES = 6
"""Shapes of supercells that are looked at, the most compact."""

_MOBILE = frozenset(ATOMIC_NUMBERS[s] for s in (*MOBILE_IONS, "Cu", "Ag"))


def order(
    disordered: DisorderedCrystal,
    settings: OrderSettings | None = None,
    *,
    potentials: PotentialPair | None = None,
    cache: Cache | None = None,
    log: LogCallback = no_log,
) -> Orderings:
    """Order a disordered crystal.

    Its primitive cell is repeated until the occupancies fit (``supercells.choose_filling``). In up to ``SHAPES``
    supercells the arrangements are all looked at, or annealed, and told apart by symmetry; those of lowest
    electrostatic energy go to the potential, and the best of these are relaxed and kept.

    Args:
        disordered: The crystal; an ordered one comes back as it is.
        settings: How it is done.
        potentials: The potential that relaxes and the one whose energies count; by default CHGNet and SevenNet.
        cache: Where energies and relaxations are remembered; by default nowhere.
        log: Called with words on what begins.

    Raises:
        InputError: The disorder is none that can be ordered, the cell is too large, or the potential cannot compute any
            ordering.
    """
    settings = settings or OrderSettings()
    cell = average_cell(disordered)
    if not any(len(site) > 1 or min(site.values()) < 1.0 for site in cell.occupancies):
        return _already_ordered(disordered, cell)
    if cell.n_atoms > LARGEST:
        raise refusal(
            disordered.source,
            f"its primitive cell holds {cell.n_atoms:.0f} atoms, more than the {LARGEST} that are ordered",
            "Give a smaller or an ordered model",
        )
    filled = choose_filling(cell, settings.max_atoms)
    notes = (*cell.notes, *described(cell, filled), *_oxyfluoride(cell))
    charges = guessed_charges(_composition(cell, filled))
    log(f"arranging atoms in {filled.size} primitive cells")
    found, complete = _arrange(cell, filled, charges, np.random.default_rng(settings.seed))
    chosen = [one for one in found if not _clashes(one)][: max(settings.candidates, settings.keep)]
    if not chosen:
        raise refusal(
            disordered.source,
            "its sites cannot be filled as stated without atoms that are too near each other",
            "Check the occupancies of sites that stand for each other",
        )
    crystals = _checked([_crystal(one, disordered, notes) for one in chosen])
    if potentials is None:
        from ionvolt.physics.potentials.pair import load_potentials

        potentials = load_potentials()
    log(f"computing {len(crystals)} orderings")
    temperature = settings.temperature or _temperature(cell)
    kept = _ranked(crystals, chosen, settings, potentials, cache or Cache(None), log, temperature)
    return Orderings(
        source=disordered.source,
        orderings=kept,
        temperature=temperature,
        cells=filled.size,
        found=len(found),
        complete=complete,
        charges={SYMBOLS[z]: charge for z, charge in charges.items()},
        notes=notes,
    )


def _arrange(
    cell: AverageCell, filled: Filling, charges: dict[int, float], rng: np.random.Generator
) -> tuple[list[Candidate], bool]:
    """Distinct arrangements of all shapes, that of lowest electrostatic energy first, and whether these are all.

    Arrangements of equal energy stand in an order that is drawn.
    """
    found: list[Candidate] = []
    marks: list[float] = []
    complete = True
    for matrix in shapes(cell, filled.size, SHAPES):
        built = build_cell(cell, filled, matrix, charges)
        some, all_of_them = candidates(built, rng)
        complete &= all_of_them
        found += some
        marks += fingerprints(built, np.array([one.arrangement for one in some])).tolist()
    drawn = [found[k] for k in rng.permutation(distinct(np.array(marks)))]
    return sorted(drawn, key=lambda one: round(one.energy, 3)), complete


def _clashes(candidate: Candidate) -> bool:
    there = (candidate.arrangement != EMPTY).astype(np.float64)
    return bool(candidate.cell.clashes(there[None])[0] > 0.5)


def _crystal(candidate: Candidate, disordered: DisorderedCrystal, notes: Sequence[str]) -> Crystal:
    """The supercell with its atoms, vacancies left out; sorted by where the primitive cell has them."""
    cell = candidate.cell
    numbers = cell.fixed.copy()
    numbers[cell.sites] = candidate.arrangement
    kept = numbers != EMPTY
    return Crystal(
        cell.lattice,
        numbers[kept],
        cell.frac_coords[kept],
        disordered.source,
        (*disordered.warnings, *notes),
        disordered.doubts,
    )


def _checked(crystals: Sequence[Crystal]) -> list[Crystal | InputError]:
    checked: list[Crystal | InputError] = []
    for crystal in crystals:
        try:
            checked.append(check(crystal))
        except InputError as error:
            checked.append(error)
    return checked


def _ranked(
    crystals: Sequence[Crystal | InputError],
    chosen: Sequence[Candidate],
    settings: OrderSettings,
    potentials: PotentialPair,
    cache: Cache,
    log: LogCallback,
    temperature: float,
) -> tuple[Ordering, ...]:
    """The best by the potential, relaxed and weighted.

    Raises:
        InputError: None could be computed.
    """
    relaxer, potential = potentials.relaxer, potentials.energy_model
    errors = [one for one in crystals if isinstance(one, InputError)]
    computed: list[tuple[float, int, Crystal]] = []
    for k, crystal in enumerate(crystals):
        if isinstance(crystal, InputError):
            continue
        try:
            computed.append((cached_outputs([crystal], potential, cache)[0].energy, k, crystal))
        except InputError as error:
            errors.append(error)
    computed = sorted((one for one in computed if np.isfinite(one[0])), key=lambda one: one[:2])[: settings.keep]
    if not computed:
        raise errors[0] if errors else refusal("order", "no ordering has an energy", "Check cell and coordinates")
    if settings.relax:
        relaxed = []
        for count, (energy, k, crystal) in enumerate(computed, start=1):
            log(f"relaxing ordering {count} of {len(computed)}")
            relaxed.append(_relaxed(energy, k, crystal, settings, relaxer, potential, cache))
        computed = sorted(relaxed, key=lambda one: one[:2])
    ways = [degeneracy(chosen[k].cell, chosen[k].arrangement) for _, k, _ in computed]
    weights = boltzmann([energy for energy, _, _ in computed], ways, temperature)
    return tuple(
        Ordering(crystal, chosen[k].energy, energy, float(weight), way)
        for (energy, k, crystal), way, weight in zip(computed, ways, weights, strict=True)
    )


def _relaxed(
    energy: float,
    k: int,
    crystal: Crystal,
    settings: OrderSettings,
    relaxer: Potential,
    potential: Potential,
    cache: Cache,
) -> tuple[float, int, Crystal]:
    """The ordering relaxed; as it was where the one potential cannot relax it or the other finds no energy."""
    try:
        better = cached_relax(crystal, relaxer, settings.relaxation, cache).crystal
        found = cached_outputs([better], potential, cache)[0].energy
    except InputError:
        return energy, k, crystal
    return (found, k, better) if np.isfinite(found) else (energy, k, crystal)


def boltzmann(energies: Sequence[float], ways: Sequence[int], temperature: float) -> NDArray[np.float64]:
    """Shares of orderings, shape (n,), which add up to 1.

    Args:
        energies: eV per supercell.
        ways: Degeneracies.
        temperature: K.
    """
    exponents = np.log(np.asarray(ways, dtype=np.float64)) - np.asarray(energies) / (BOLTZMANN * temperature)
    shares = np.exp(exponents - exponents.max())
    found: NDArray[np.float64] = shares / shares.sum()
    return found


def _temperature(cell: AverageCell) -> float:
    disordered = [site for site in cell.occupancies if len(site) > 1 or min(site.values()) < 1.0]
    return MOBILE_AT if all(len(site) == 1 and set(site) <= _MOBILE for site in disordered) else FROZEN


def _composition(cell: AverageCell, filled: Filling) -> dict[int, float]:
    """Atoms of the supercell by atomic number."""
    amounts: dict[int, float] = {}
    for orbit, site in enumerate(cell.occupancies):
        held = filled.counts.get(orbit)
        if held is None:
            held = {z: filled.size * int(cell.multiplicities[orbit]) for z in site}
        for z, number in held.items():
            if z != EMPTY:
                amounts[z] = amounts.get(z, 0.0) + number
    return amounts


def _oxyfluoride(cell: AverageCell) -> tuple[str, ...]:
    both = {ATOMIC_NUMBERS["O"], ATOMIC_NUMBERS["F"]}
    if any(set(site) == both for site in cell.occupancies):
        return ("O and F share sites: X-rays hardly tell them apart, so that their places are a guess by energy",)
    return ()


def _already_ordered(disordered: DisorderedCrystal, cell: AverageCell) -> Orderings:
    numbers = np.array([max(site, key=lambda z: site[z]) for site in disordered.sites], dtype=np.int64)
    crystal = check(
        Crystal(
            disordered.lattice,
            numbers,
            disordered.frac_coords,
            disordered.source,
            (*disordered.warnings, *cell.notes),
            disordered.doubts,
        )
    )
    alone = Ordering(crystal, 0.0, 0.0, 1.0, 1)
    return Orderings(disordered.source, (alone,), MOBILE_AT, 1, 1, True, {}, cell.notes)
