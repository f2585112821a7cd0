"""From what is known of an electrode, one end member or both, to its voltage."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from ionvolt.ions import WorkingIon, remove_ion
from ionvolt.physics.cache import Cache, cached_outputs, cached_relax
from ionvolt.physics.insertion import insert
from ionvolt.physics.potentials.interface import PotentialOutput
from ionvolt.physics.potentials.pair import PotentialPair
from ionvolt.physics.reaction import IntercalationReaction, average_voltage, balance, volume_change
from ionvolt.physics.references import metal_reference
from ionvolt.physics.relaxation import Relaxation, RelaxSettings
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.wording import refusal
from ionvolt.typing import LogCallback, no_log

GREAT_CHANGE = 0.25
"""Growth of the volume beyond which a host hardly stays the same framework."""


@dataclass(frozen=True)
class RelaxOptions:
    """How end members are treated.

    Attributes:
        relax: Whether both end members are relaxed; None means unless both are given.
        insert: Ions to insert into a cell of a charged host; None for one electron per transition-metal atom.
        settings: When a relaxation is done.
    """

    relax: bool | None = None
    insert: int | None = None
    settings: RelaxSettings = field(default_factory=RelaxSettings)


@dataclass(frozen=True, eq=False)
class AverageVoltage:
    """An electrode whose voltage the potential gave.

    Attributes:
        ion: The working ion.
        discharged: The discharged end member, as it was computed.
        charged: The charged end member, as it was computed.
        reaction: Which ions move between them, and how many.
        outputs: What the potential behind the energies says of the discharged and the charged one.
        potential: Version of that potential.
        voltage: Average voltage, V.
        volume_change: Growth of the host on discharge, as a fraction of the charged volume.
        method: How the end members came about, in words.
        converged: Whether all relaxations converged; None where nothing was relaxed.
        steps: Steps of all relaxations together.
        seconds: Wall-clock time; what came from the cache counts as long as reading it took.
        warnings: Reservations, in plain words.
    """

    ion: WorkingIon
    discharged: Crystal
    charged: Crystal
    reaction: IntercalationReaction
    outputs: tuple[PotentialOutput, PotentialOutput]
    potential: str
    voltage: float
    volume_change: float
    method: str
    converged: bool | None
    steps: int
    seconds: float
    warnings: tuple[str, ...]


def compute(
    discharged: Crystal | None,
    charged: Crystal | None,
    ion: WorkingIon,
    potentials: PotentialPair,
    cache: Cache,
    options: RelaxOptions | None = None,
    log: LogCallback = no_log,
) -> AverageVoltage:
    """The average voltage of an electrode.

    With both end members their energies suffice. From the discharged one alone, the charged host is made by removing
    the ion; from the charged host alone, the discharged one is made by inserting ions. What is made has to be relaxed,
    and the other with it: two structures relaxed alike are compared, whoever drew the first.

    Args:
        discharged: The discharged electrode, if known.
        charged: The charged host, if known.
        ion: The working ion.
        potentials: The potential that relaxes and ranks, and the one whose energies give the voltage.
        cache: Where results are remembered.
        options: How end members are treated.
        log: Called with words on what begins.

    Raises:
        InputError: Neither is given, frameworks differ, nothing is exchanged, or the potential cannot compute one.
    """
    options = options or RelaxOptions()
    started = time.monotonic()
    relaxations: list[Relaxation] = []

    relax = options.relax if options.relax is not None else discharged is None or charged is None
    if discharged is not None and charged is not None:
        balance(discharged, charged, ion)  # before minutes are spent on it
        method = "both end members given"
    elif discharged is not None:
        method = "charged host made by removing the ion"
        charged = replace(remove_ion(discharged, ion), source=f"{discharged.source} without {ion.symbol}")
        balance(discharged, charged, ion)
    elif charged is not None:
        method = "discharged electrode made by inserting the ion"
    else:
        raise refusal("electrode", "no end member is given", "Give a discharged structure, a charged one or both")

    def relaxed(crystal: Crystal, words: str) -> Crystal:
        if not relax:
            return crystal
        log(f"relaxing {words}")
        relaxations.append(cached_relax(crystal, potentials.relaxer, options.settings, cache))
        return relaxations[-1].crystal

    charged = relaxed(charged, "the charged host")
    if discharged is not None:
        discharged = relaxed(discharged, "the discharged electrode")
    else:
        log("inserting ions")
        best = insert(charged, ion, potentials.relaxer, options.settings if relax else None, cache, options.insert)[0]
        relaxations += [best] if relax else []
        discharged = replace(best.crystal, source=f"{charged.source} with {ion.symbol}")
    moved = balance(discharged, charged, ion)
    log("computing energies")
    full, empty = cached_outputs([discharged, charged], potentials.energy_model, cache)
    for crystal, output in ((discharged, full), (charged, empty)):
        if not np.isfinite(output.energy):
            raise refusal(crystal.source, "the potential gives no finite energy", "Check cell and coordinates")
    growth = volume_change(discharged, charged, moved)
    metal, notes = metal_reference(ion, potentials.energy_model, cache)
    return AverageVoltage(
        ion=ion,
        discharged=discharged,
        charged=charged,
        reaction=moved,
        outputs=(full, empty),
        potential=potentials.version,
        voltage=average_voltage(full.energy, empty.energy, moved, metal, ion),
        volume_change=growth,
        method=f"{method}, {'relaxed' if relax else 'unrelaxed'}",
        converged=all(relaxation.converged for relaxation in relaxations) if relaxations else None,
        steps=sum(relaxation.steps for relaxation in relaxations),
        seconds=time.monotonic() - started,
        warnings=(*_warnings(discharged, charged, relaxations, growth), *notes),
    )


def _warnings(discharged: Crystal, charged: Crystal, relaxations: list[Relaxation], growth: float) -> tuple[str, ...]:
    found = [*discharged.warnings, *charged.warnings]
    found += [
        f"{relaxation.crystal.source}: the relaxation did not converge (stopped by {relaxation.stopped_by} after "
        f"{relaxation.steps} steps, {relaxation.max_force:.2f} eV/Å left)"
        for relaxation in relaxations
        if not relaxation.converged
    ]
    if abs(growth) > GREAT_CHANGE:
        found.append(f"the volume changes by {100 * growth:.0f} %: the host may not survive it")
    return tuple(dict.fromkeys(found))
