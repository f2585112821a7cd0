"""End members of the measured electrodes, and what is calculated of each: the rows of ``calculated.csv``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core.composition import Composition

from ionvolt.computation import Computer
from ionvolt.errors import InputError
from ionvolt.experiment.cathodes import Cathode, host_structures
from ionvolt.experiment.computed import SETTINGS, relaxed_ends
from ionvolt.ions import remove_ion, working_ion
from ionvolt.models.measured import functional_gap
from ionvolt.models.measured.chemistry import chemistry_of
from ionvolt.physics.average import RelaxOptions, compute
from ionvolt.physics.cache import Cache, cached_outputs, cached_relax
from ionvolt.physics.orderings import remove_sites, symmetry_distinct_orderings
from ionvolt.physics.potentials.pair import load_potentials
from ionvolt.physics.potentials.sevennet import VERSION
from ionvolt.physics.reaction import average_voltage, balance
from ionvolt.physics.references import metal_energy
from ionvolt.structures.crystal import ATOMIC_NUMBERS, SYMBOLS, Crystal

if TYPE_CHECKING:
    from ionvolt.models.interface import Predictor
    from ionvolt.prediction import Prediction

SMALL = 30
"""Atoms up to which a discharged crystal of the Materials Project is relaxed anew."""

SUBSTITUTED = {"Na in NaFeP2O7 (triclinic)": {"Mn": "Fe"}, "K in KTi2(PO4)3 (NASICON)": {"Na": "K"}}
"""Electrodes made of another compound's structure."""

BRIDGING = "K in TiPO4F (KTP type)"
"""KTiOPO4 whose oxygen is fluorine where no phosphorus is bound to it."""

Read = Callable[[str], Crystal]
"""A crystal of the Materials Project by its id."""


@dataclass(frozen=True)
class Given:
    """An electrode's crystals.

    Attributes:
        discharged: The discharged end, before it is relaxed.
        charged: The charged end, likewise; None where the table has none.
        full: The discharged end as it was calculated.
        empty: The charged one.
    """

    discharged: Crystal
    charged: Crystal | None
    full: Crystal
    empty: Crystal


def given(cathode: Cathode, part: bool, read: Read, cache: Cache) -> Given:
    """The crystals of a row.

    Typed-in structures are relaxed with CHGNet; ends of the Materials Project are taken as they are, but for small
    cells without a charged end. A charged end that the table lacks is the discharged one less its ions, relaxed.

    Args:
        cathode: The row.
        part: Only over the part of the range that was measured.
        read: Reads the Materials Project's crystals.
        cache: Where relaxations are remembered.

    Raises:
        InputError: A crystal cannot be read or computed.
    """
    computer = Computer.load(cache=cache)
    if not part and not cathode.mp_discharged:
        discharged, charged = (_typed(name) for name in (cathode.discharged, cathode.charged))
        if charged is not None and discharged is None and (cells := _cells(cathode, charged)) > 1:
            repeated = charged.to_pymatgen().make_supercell((cells, 1, 1), in_place=False)
            host = Crystal.from_pymatgen(repeated, source=charged.source)
            worker, options = working_ion(cathode.ion), RelaxOptions(True, 1, SETTINGS)
            found = compute(None, host, worker, computer.potentials, cache, options)
        else:
            found = relaxed_ends(cathode, computer)
        return Given(discharged or found.discharged, charged, found.discharged, found.charged)
    discharged = _typed(cathode.discharged) or _substituted(cathode, read(cathode.mp_discharged))
    charged = read(cathode.mp_charged) if cathode.mp_charged else _typed(cathode.charged)
    as_given = bool(cathode.mp_discharged) and (bool(cathode.mp_charged) or len(discharged) > SMALL)
    if cathode.name in SUBSTITUTED or cathode.name == BRIDGING or not as_given:
        full = cached_relax(discharged, computer.potentials.relaxer, SETTINGS, cache).crystal
    else:
        full = discharged
    if cathode.mp_charged:
        return Given(discharged, charged, full, read(cathode.mp_charged))
    x_from = (cathode.x_from or 0.0) if part or cathode.host.startswith(cathode.ion) else 0.0
    return Given(
        discharged, charged, full, partly_extracted(discharged, cathode.ion, x_from / (cathode.x_to or 1.0), cache)
    )


def partly_extracted(discharged: Crystal, ion: str, left: float, cache: Cache) -> Crystal:
    """The discharged crystal with this share of its ions left, where that costs least, relaxed."""
    potential = load_potentials().relaxer
    worker = working_ion(ion)
    if left == 0:
        return cached_relax(remove_ion(discharged, worker), potential, SETTINGS, cache).crystal
    cell, held = discharged, 0
    for shape in ((1, 1, 1), (2, 1, 1), (2, 2, 1), (3, 1, 1)):
        structure = discharged.to_pymatgen().make_supercell(shape, in_place=False)
        cell = Crystal.from_pymatgen(structure, source=discharged.source)
        held = int((cell.numbers == worker.number).sum())
        if abs(held * left - round(held * left)) < 0.02:
            break
    ways = symmetry_distinct_orderings(cell, worker, max(1, round(held * left)))
    crystals = [remove_sites(cell, removed) for removed in ways]
    energies = [output.energy for output in cached_outputs(crystals, potential, cache)]
    best = [crystals[k] for k in np.argsort(energies)[:2]]
    return min((cached_relax(c, potential, SETTINGS, cache) for c in best), key=lambda r: r.energy).crystal


def calculated_row(cathode: Cathode, part: bool, read: Read, cache: Cache, model: Predictor) -> dict[str, str]:
    """A row of ``calculated.csv``: energies of both ends, what ``model`` predicts of one end alone, and the class.

    Args:
        cathode: The electrode.
        part: Only over the part of the range that was measured; predictions are of the whole.
        read: Reads the Materials Project's crystals.
        cache: Where relaxations and passes are remembered.
        model: What ``predict`` asks.

    Raises:
        InputError: An end cannot be read or computed.
    """
    ends = given(cathode, part, read, cache)
    ion, potentials = working_ion(cathode.ion), load_potentials()
    reaction = balance(ends.full, ends.empty, ion)
    e_full, e_empty = (o.energy for o in cached_outputs([ends.full, ends.empty], potentials.energy_model, cache))
    calculated = average_voltage(e_full, e_empty, reaction, metal_energy(ion, VERSION), ion)
    moments = []
    for crystal in (ends.full, ends.empty):
        (output,) = cached_outputs([crystal], potentials.relaxer, cache)
        assert output.magmoms is not None
        moments.append(float(np.abs(output.magmoms).sum()))
    taken = moments[0] * reaction.discharged_cells - moments[1] * reaction.charged_cells
    row = {
        "cathode": cathode.name,
        "range": "measured" if part else "whole",
        "calculated": f"{calculated:.3f}",
        "gap": f"{functional_gap(ends.full, ends.empty, cathode.ion, cache):.3f}",
        "moment": f"{taken / reaction.n_ions / ion.charge:.3f}",
    }
    row |= dict.fromkeys(("discharged", "discharged_std", "host", "host_std"), "")
    if not part:
        row |= _predictions(ends, cathode, model)
    chemistry = chemistry_of(ends.empty, cathode.ion)
    return row | {
        "charge": str(chemistry.charge),
        "anion": chemistry.anion,
        "centres": " ".join(f"{metal}:{share:.4g}" for metal, share in sorted(chemistry.centres.items())),
        "hubbard": f"{chemistry.hubbard:.4g}",
        "layered": "yes" if chemistry.layered else "no",
        "fully_extracted": "yes" if chemistry.fully_extracted else "no",
    }


def _predictions(ends: Given, cathode: Cathode, model: Predictor) -> dict[str, str]:
    """What is predicted of the discharged crystal as it was given, and of the charged one."""
    from ionvolt.prediction import predict_checked

    found: dict[str, str] = {}

    def note(way: str, answer: Prediction) -> None:
        found[way] = f"{answer.voltage:.3f}"
        found[f"{way}_std"] = "" if answer.voltage_std is None else f"{answer.voltage_std:.3f}"

    left = ends.empty.formula if cathode.ion in ends.empty.composition else None
    try:
        (answer,) = predict_checked(
            [ends.discharged], [cathode.ion], model=model, charged_formula=left, check_relaxation=False
        )
        note("discharged", answer)
    except InputError as error:
        print(f"{cathode.name}: {error}")
    host = ends.charged or ends.empty
    try:
        (answer,) = predict_checked([host], [cathode.ion], model=model, assume="charged", check_relaxation=False)
        note("host", answer)
    except InputError as error:
        print(f"{cathode.name}: {error}")
    return found


def _cells(cathode: Cathode, host: Crystal) -> int:
    """Cells of a charged host that take up one ion where less than one was measured to go into each."""
    units = len(host) / Composition(host_structures()[cathode.charged].formula).num_atoms
    taken = units * ((cathode.x_to or 1.0) - (cathode.x_from or 0.0))
    return max(1, round(1 / taken)) if taken <= 0.5 else 1


def _typed(name: str) -> Crystal | None:
    return host_structures()[name].crystal(primitive=True) if name else None


def _substituted(cathode: Cathode, crystal: Crystal) -> Crystal:
    numbers = crystal.numbers.copy()
    for old, new in SUBSTITUTED.get(cathode.name, {}).items():
        numbers[numbers == ATOMIC_NUMBERS[old]] = ATOMIC_NUMBERS[new]
    if cathode.name == BRIDGING:
        structure = crystal.to_pymatgen()
        phosphorus = [i for i, number in enumerate(crystal.numbers) if SYMBOLS[number] == "P"]
        for i, number in enumerate(crystal.numbers):
            if SYMBOLS[number] == "O" and min(structure.get_distance(i, j) for j in phosphorus) > 2.0:
                numbers[i] = ATOMIC_NUMBERS["F"]
    return replace(crystal, numbers=numbers)
