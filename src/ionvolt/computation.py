"""From end members to computed voltages: what ``ionvolt compute`` answers is decided here, and nowhere else.

Potentials relax the end members and give the energies; the Δ-model, which has learned the potentials' errors, corrects
the voltage. Where an electrode is seldom fully extracted, the Δ-model's variant for unrelaxed hosts answers: it has
learned where calculated voltages stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from operator import length_hint
from typing import TYPE_CHECKING, Any, TypeAlias

from ionvolt.errors import InputError
from ionvolt.ions import EndMembers, WorkingIon, capacity_grav, end_member, volumetric, working_ion
from ionvolt.ordering.hosts import host_of
from ionvolt.parallel import Work, answered, jobs_of, shown
from ionvolt.physics.average import AverageVoltage, RelaxOptions
from ionvolt.physics.average import compute as average_of
from ionvolt.physics.cache import Cache, default_folder
from ionvolt.physics.potentials.chgnet import DEFAULT_VERSION, VERSIONS
from ionvolt.physics.potentials.pair import PotentialPair, load_potential, load_potentials
from ionvolt.physics.potentials.sevennet import VERSION
from ionvolt.physics.profile import Profile, Step, step_half_width, voltage_profile
from ionvolt.physics.reaction import balance
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.prediction import States, relaxation_doubts, strains, widened
from ionvolt.reading import deleted, doubts_about, made_by_removal
from ionvolt.results import ResultList, html_table
from ionvolt.structures import as_crystal
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderError
from ionvolt.typing import LogCallback, ProgressCallback, no_log, no_progress

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from pymatgen.apps.battery.insertion_battery import InsertionElectrode

    from ionvolt.models.interface import Estimate
    from ionvolt.models.measured import MeasuredEstimate
    from ionvolt.physics.potentials.interface import Potential

PARTLY = (
    "full extraction is unlikely (probability {:.0f} %): the voltage is that of the part of the ions that comes out, "
    "learned from unrelaxed structures; voltage_potential is that of all"
)

CORRECTED = frozenset({VERSION, *VERSIONS})
"""Potentials for which the Δ-model answers: CHGNet relaxes, as it did for the model's training."""

UNCORRECTED = (
    f"the voltage is that of the potential alone, without an interval: the correction was learned for {VERSION}, on "
    "structures that CHGNet relaxes"
)


@dataclass(frozen=True)
class VoltageResult:
    """A computed voltage and its circumstances.

    Attributes:
        source: The input, as the user named it.
        working_ion: Symbol of the ion.
        formula_discharged: Reduced formula of the discharged end member.
        formula_charged: Reduced formula of the charged one.
        end_members: Which end members were given.
        voltage: Average voltage, V against the ion's metal: the corrected one where the Δ-model comes along.
        voltage_lower: Lower end of the 90 % interval, V; None without a correction.
        voltage_upper: Upper end, V.
        voltage_potential: What the potential's energies alone give, V.
        in_domain: Whether the electrode is like those that the correction was learned from; None without one. Why not
            stands among the warnings.
        model: Name of the model that answered, or version of the potential.
        n_ions: Ions that move between the cells.
        capacity_grav: mAh per gram of the discharged electrode, for the ions that move.
        capacity_vol: mAh per cm³ of the same.
        energy_grav: Voltage times capacity, Wh/kg.
        energy_vol: Wh/L.
        method: How the end members came about.
        volume_change: Growth of the host on discharge, as a fraction of the charged volume.
        converged: Whether all relaxations converged; None where nothing was relaxed.
        steps: Steps of all relaxations.
        seconds: Wall-clock time.
        warnings: Reservations, in plain words.
        voltage_measured: What a cell is expected to show, V: the potential's voltage corrected towards measured ones
            (``models.measured``); None by another potential.
        voltage_measured_lower: Lower end of its 90 % interval, V.
        voltage_measured_upper: Upper end, V.
        measured_basis: What that expectation rests on: ``corrected``, or ``calculated`` and why.
        profile: Voltage against filling, where it was asked for.
        discharged: The discharged end member as it was computed; not part of ``to_dict``.
        charged: The charged one; not part of ``to_dict``.
    """

    source: str
    working_ion: str
    formula_discharged: str
    formula_charged: str
    end_members: EndMembers
    voltage: float
    voltage_lower: float | None
    voltage_upper: float | None
    voltage_potential: float
    in_domain: bool | None
    model: str
    n_ions: int
    capacity_grav: float
    capacity_vol: float
    energy_grav: float
    energy_vol: float
    method: str
    volume_change: float
    converged: bool | None
    steps: int
    seconds: float
    warnings: tuple[str, ...]
    voltage_measured: float | None = None
    voltage_measured_lower: float | None = None
    voltage_measured_upper: float | None = None
    measured_basis: str = ""
    profile: Profile | None = None
    discharged: Crystal = field(repr=False, compare=False, kw_only=True)
    charged: Crystal = field(repr=False, compare=False, kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types, without the structures."""
        kept = {k: v for k, v in self.__dict__.items() if k not in ("discharged", "charged", "profile")}
        profile = {"profile": self.profile.to_dict()} if self.profile else {}
        return kept | {"seconds": round(self.seconds, 3), "warnings": list(self.warnings)} | profile

    def to_insertion_electrode(self, *, steps: bool = False) -> InsertionElectrode:
        """Pymatgen's ``InsertionElectrode`` of both end members, with their structures and this voltage.

        The energies of its entries are relative: that of the charged host and that of the ion's metal are zero.

        Args:
            steps: Whether it holds the steps of the profile instead. Their voltages are the potential's own, without
                the correction, which holds for the average alone.

        Raises:
            InputError: A voltage is not positive, so that pymatgen knows no electrode; or there is no profile.
        """
        from pymatgen.apps.battery.insertion_battery import InsertionElectrode
        from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry

        ion = working_ion(self.working_ion)
        states = self._states_of_profile() if steps else [(self.charged, 0.0), (self.discharged, self._energy())]
        lowest = min(step.voltage for step in self.profile.steps) if steps and self.profile else self.voltage
        if lowest <= 0:
            raise InputError(
                self.source, f"{lowest:.2f} V: the ion does not go in", "pymatgen takes positive voltages only"
            )
        entries = [ComputedStructureEntry(crystal.to_pymatgen(), energy) for crystal, energy in states]
        return InsertionElectrode.from_entries(entries, ComputedEntry(ion.symbol, 0.0), strip_structures=False)

    def _energy(self) -> float:
        """Energy of the discharged cell, eV, where that of the host and that of the metal are zero."""
        ion = working_ion(self.working_ion)
        cells = balance(self.discharged, self.charged, ion).discharged_cells
        return -self.voltage * self.n_ions * ion.charge / cells

    def _states_of_profile(self) -> list[tuple[Crystal, float]]:
        """Crystals on the profile, from charged to discharged, with their energies in eV as in ``_energy``."""
        ion = working_ion(self.working_ion)
        found: list[tuple[Crystal, float]] = []
        for step in self.profile.steps if self.profile else ():
            if step.charged is None or step.discharged is None:
                raise InputError(self.source, "its profile came without crystals", "Compute it anew")
            before, after = (int((crystal.numbers == ion.number).sum()) for crystal in (step.charged, step.discharged))
            found = found or [(step.charged, 0.0)]
            found.append((step.discharged, found[-1][1] - step.voltage * (after - before) * ion.charge))
        if not found:
            raise InputError(self.source, "no profile was computed", "Ask for one: compute(..., profile=True)")
        return found

    def _repr_html_(self) -> str:
        return html_table([self.to_dict()])


@dataclass(frozen=True, eq=False)
class Computer:
    """What computations share: potentials, cache and settings.

    Attributes:
        potentials: The potential that relaxes, and the one whose energies count.
        cache: Where results are remembered.
        options: How end members are treated.
    """

    potentials: PotentialPair
    cache: Cache
    options: RelaxOptions = field(default_factory=RelaxOptions)

    @classmethod
    def load(
        cls,
        potential: str | PotentialPair = VERSION,
        cache: Cache | None = None,
        options: RelaxOptions | None = None,
        trusted: bool = False,
    ) -> Computer:
        """With potentials by name, and the user's cache folder where none is given.

        Nothing is remembered of potentials whose names do not settle what they compute. ``trusted`` is that of
        ``load_potentials``.

        Raises:
            InputError: A checkpoint cannot be used.
            ModelError: There is no such potential.
        """
        potentials = load_potentials(potential, trusted=trusted) if isinstance(potential, str) else potential
        cache = Cache(default_folder()) if cache is None else cache
        return cls(potentials, cache if potentials.remembers else Cache(None), options or RelaxOptions())


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


def calculator(potential: str | Potential = DEFAULT_VERSION) -> Calculator:
    """A potential as a calculator of ASE: energy, forces and stress, for relaxations and dynamics of one's own.

    Args:
        potential: ``chgnet-0.3.0`` (quick), ``7net-l3i5`` (better), any other name that ``compute`` takes, or an object
            of ``load_potential``.

    Raises:
        InputError: The checkpoint cannot be used.
        ModelError: There is no such potential.
    """
    from ionvolt.physics.potentials.calculator import PotentialCalculator

    return PotentialCalculator(load_potential(potential) if isinstance(potential, str) else potential)


def compute_checked(
    structure: Crystal,
    charged: Crystal | None,
    ion: WorkingIon,
    computer: Computer,
    *,
    profile: bool = False,
    log: LogCallback = no_log,
) -> VoltageResult:
    """``compute`` for crystals that were read and checked already."""
    options = computer.options
    holds = end_member(structure, ion)
    discharged: Crystal | None = structure
    if charged is None and (holds == "charged" or options.insert is not None):
        discharged, charged = None, structure
    reservations: tuple[str, ...] = ()
    if discharged and charged and options.relax is None and made_by_removal(discharged, charged, ion):
        reservations = (f"{deleted(discharged, charged, ion)}: both were relaxed",)
        options = replace(options, relax=True)
        charged = charged if ion.symbol in charged.composition else None
    given: EndMembers = "charged" if discharged is None else "discharged" if charged is None else "both"
    average = average_of(discharged, charged, ion, computer.potentials, computer.cache, options, log)
    found: Profile | None = None
    if profile:
        log("extracting step by step")
        settings = None if options.relax is False else options.settings
        start = average.discharged if discharged is None else discharged
        found = voltage_profile(start, ion, computer.potentials, settings, computer.cache)
        if settings is not None and average.potential == VERSION:
            found = replace(found, steps=tuple(_judged_step(step, ion, computer.cache) for step in found.steps))
    answer, notes = corrected(average, discharged, given)
    answer, doubts = judged(answer, average, given)
    notes = (*reservations, *doubts, *notes)
    measured = expected(average, given, computer.cache, answer)
    return _result(structure.source, average, given, answer, notes, found, measured)


def compute_partly_filled(
    error: DisorderError, ion: WorkingIon, computer: Computer, *, profile: bool = False, log: LogCallback = no_log
) -> VoltageResult:
    """``compute`` for a crystal that was refused as disordered, where only sites of the working ion are partly filled.

    It is emptied, and as many ions as the sites hold are put in, rounded to whole ones (``ordering.host_of``).

    Raises:
        DisorderError: Other sites are disordered, too.
    """
    filled = host_of(error.crystal, ion)
    if filled is None:
        raise error
    n_ions = max(1, round(filled.n_ions))
    note = (
        f"{ion.symbol} fills {filled.n_ions:.3g} of {filled.n_sites} sites of a cell: it was taken out, and {n_ions} "
        "were put where their energy is lowest"
    )
    again = replace(computer, options=replace(computer.options, insert=n_ions))
    found = compute_checked(filled.host, None, ion, again, profile=profile, log=log)
    return replace(found, source=error.crystal.source, warnings=(*found.warnings, note))


def judged(
    answer: Estimate | None, average: AverageVoltage, given: EndMembers
) -> tuple[Estimate | None, tuple[str, ...]]:
    """An answer as the structures behind it allow: wider where they are strained, out of the domain where in doubt.

    Returns:
        The answer, and doubts and notes.
    """
    relaxed = average.converged is not None
    doubts = doubts_about(average.discharged, average.charged, average.ion, relaxed=relaxed)
    notes: tuple[str, ...] = ()
    if not relaxed:
        ends = [average.discharged, *([average.charged] if given == "both" else [])]
        states: States = {}
        doubts += relaxation_doubts(ends, states)
        if answer is not None:
            answer, notes = widened(answer, strains(ends, states), given)
    if answer is not None and doubts:
        answer = replace(answer, in_domain=False)
    return answer, (*doubts, *notes)


def corrected(
    average: AverageVoltage, discharged: Crystal | None, given: EndMembers
) -> tuple[Estimate | None, tuple[str, ...]]:
    """The corrected voltage of a computed electrode, and reservations.

    Args:
        average: What the potentials said.
        discharged: The discharged structure as it was given; None where it was made.
        given: Which end members were given.

    Returns:
        The Δ-model's answer, None where the model does not come along, and notes on it.
    """
    from ionvolt.models.registry import shipped_delta

    if average.potential not in CORRECTED:
        return None, (UNCORRECTED,)
    model = shipped_delta()
    if model is None:
        return None, ()
    if given == "both":
        return model.estimate_computed(average, "both"), ()
    if discharged is None:
        return model.estimate_computed(average, "both", "inserted"), ()
    partly, probability = model.estimate_partly(discharged, average.ion.symbol)
    if partly is not None:
        return partly, (PARTLY.format(100 * probability),)
    # An unrelaxed host that was made by removing the ion has errors of its own, for which there is a variant.
    if average.converged is None:
        return model.estimate_computed(average, "discharged"), ()
    return model.estimate_computed(average, "both", "relaxed"), ()


def expected(
    average: AverageVoltage, given: EndMembers, cache: Cache, answer: Estimate | None = None
) -> MeasuredEstimate | None:
    """What a cell is expected to show.

    Args:
        average: What the potentials said. Ends that are relaxed, or both given, are asked of r2SCAN, too.
        given: Which end members were given.
        cache: Where the potential's answers are remembered.
        answer: The corrected voltage: it counts where the host is the discharged structure less its ions, unrelaxed.

    Returns:
        None for ends, or a potential, that were not held against measured voltages.
    """
    from ionvolt.models.measured import expected_measured, functional_gap

    ion = average.ion.symbol
    if average.potential != VERSION:
        return None
    if average.converged is None and given != "both":
        if answer is None or given != "discharged":
            return None
        return expected_measured(
            ion, average.charged, answer.voltage, end_members="discharged", calculated_std=answer.std or 0.0
        )
    gap = functional_gap(average.discharged, average.charged, ion, cache)
    return expected_measured(ion, average.charged, average.voltage, gap=gap)


def _judged_step(step: Step, ion: WorkingIon, cache: Cache) -> Step:
    """A step with its interval and what a cell is expected to show; relaxed ends, so both functionals are asked."""
    from ionvolt.models.measured import expected_measured, functional_gap

    assert step.discharged is not None
    assert step.charged is not None
    gap = functional_gap(step.discharged, step.charged, ion.symbol, cache)
    measured = expected_measured(ion.symbol, step.charged, step.voltage, gap=gap)
    half = step_half_width(step, ion)
    return replace(
        step,
        voltage_lower=step.voltage - half,
        voltage_upper=step.voltage + half,
        voltage_measured=measured.voltage,
        voltage_measured_lower=measured.lower,
        voltage_measured_upper=measured.upper,
        measured_basis=measured.basis_in_words,
    )


def _result(
    source: str,
    average: AverageVoltage,
    given: EndMembers,
    answer: Estimate | None,
    notes: tuple[str, ...],
    profile: Profile | None,
    measured: MeasuredEstimate | None,
) -> VoltageResult:
    ion, reaction = average.ion, average.reaction
    left = average.discharged.composition[ion.symbol] - reaction.n_ions / reaction.discharged_cells
    capacity = capacity_grav(average.discharged, ion, left)
    voltage = answer.voltage if answer else average.voltage
    return VoltageResult(
        source=source,
        working_ion=ion.symbol,
        formula_discharged=average.discharged.formula,
        formula_charged=average.charged.formula,
        end_members=given,
        voltage=voltage,
        voltage_lower=answer.lower if answer else None,
        voltage_upper=answer.upper if answer else None,
        voltage_potential=average.voltage,
        in_domain=answer.in_domain if answer else None,
        model=answer.model if answer else average.potential,
        n_ions=reaction.n_ions,
        capacity_grav=capacity,
        capacity_vol=volumetric(capacity, average.discharged),
        energy_grav=voltage * capacity,
        energy_vol=volumetric(voltage * capacity, average.discharged),
        method=average.method,
        volume_change=average.volume_change,
        converged=average.converged,
        steps=average.steps,
        seconds=average.seconds,
        warnings=(*average.warnings, *(answer.reasons if answer else ()), *notes),
        voltage_measured=measured.voltage if measured else None,
        voltage_measured_lower=measured.lower if measured else None,
        voltage_measured_upper=measured.upper if measured else None,
        measured_basis=measured.basis_in_words if measured else "",
        profile=profile,
        discharged=average.discharged,
        charged=average.charged,
    )
