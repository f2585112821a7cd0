"""From a host to a ranked list: candidates, the fast model, relaxations within the budget."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ionvolt._version import __version__
from ionvolt.computation import Computer
from ionvolt.designing.assessment import Judge, Relaxed, predicted, relaxing
from ionvolt.designing.candidates import candidates
from ionvolt.designing.journal import PLAN, Journal
from ionvolt.designing.parents import ready_parents
from ionvolt.designing.prototypes import prototypes
from ionvolt.designing.ranking import design_of, ranked, worth_relaxing
from ionvolt.designing.records import Candidate, Design, DesignResult
from ionvolt.designing.settings import DesignSettings
from ionvolt.errors import InputError
from ionvolt.ions import WorkingIon, working_ion
from ionvolt.models.interface import Predictor
from ionvolt.models.registry import PAPER_MODEL, load_networks
from ionvolt.physics.average import RelaxOptions
from ionvolt.physics.cache import Cache, default_folder, key
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.prediction import Prediction, as_model
from ionvolt.store import claim
from ionvolt.structures import as_crystal
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import LogCallback, ProgressCallback, no_progress

FORMAT = 1
"""Counted up when candidates or records come about otherwise."""


def design(
    structure: object | None,
    ion: str,
    *,
    prototype: str | None = None,
    settings: DesignSettings | None = None,
    model: str | Path | Predictor | None = PAPER_MODEL,
    output: Path | str | None = None,
    cache: Cache | None = None,
    progress: ProgressCallback = no_progress,
    **options: Any,
) -> DesignResult:
    """Better electrodes by substitution in a known one.

    Args:
        structure: The host, as ``predict`` takes it; None where a prototype is named.
        ion: Working ion: ``"Mg"``.
        prototype: Known electrodes to start from instead: ``"olivine"``, ``"spinel,nasicon"`` or ``"all"``
            (``prototypes``).
        settings: Targets and budget; or name them one by one among ``options``.
        model: The fast model that predicts all candidates before the best are relaxed.
        output: Folder for what was found: a table, a picture, CIFs, inputs for VASP. The same call on the same folder
            goes on where it was.
        cache: Where relaxations are remembered; by default the user's cache folder, ``Cache(None)`` for none.
        progress: Called with what is done, of how much, and words on it.
        **options: Fields of ``DesignSettings``: ``voltage=(2.5, 3.5)``, ``exclude=("Co",)``, ``budget=4``.

    Raises:
        InputError: The host or an option cannot be used, no candidate was found, or the folder holds another design.
        ModelError: The model cannot be used, or does not know the ion.
    """
    if settings is not None and options:
        raise InputError(", ".join(options), "settings were given, too", "Give them within the settings")
    hosts = _hosts(structure, prototype)
    folder = None if output is None else Path(output)
    chosen = settings or DesignSettings(**options)
    found = design_job(hosts, ion, chosen, model=model, folder=folder, cache=cache, progress=progress)
    if folder is not None:
        from ionvolt.designing.output import write_results

        progress(0, 0, "writing")
        write_results(found, folder)
    return found


def design_job(
    hosts: Sequence[Crystal],
    ion: str,
    settings: DesignSettings,
    *,
    model: str | Path | Predictor | None = PAPER_MODEL,
    folder: Path | None = None,
    cache: Cache | None = None,
    judge: Judge | None = None,
    progress: ProgressCallback = no_progress,
) -> DesignResult:
    """``design`` from crystals that were checked, without writing results.

    Args:
        hosts: Crystals to start from.
        ion: Working ion.
        settings: Targets and budget. ``budget=0`` relaxes nothing and takes seconds.
        model: See ``design``.
        folder: Where the records of relaxed candidates are kept; None: nowhere.
        cache: See ``design``.
        judge: What relaxes a candidate; by default ``relaxing`` with the shipped potentials.
        progress: See ``design``.

    Raises:
        InputError: See ``design``.
        ModelError: See ``design``.
    """
    chosen, predictor = working_ion(ion), as_model(model)
    predictor.require([chosen.symbol])
    cache = Cache(default_folder()) if cache is None else cache
    journal = Journal(folder)
    with claim(folder / PLAN) if folder is not None else nullcontext(True) as mine:
        if not mine:
            raise InputError(str(folder), "another run is at it", "Wait for it, or name another folder")
        journal.begin(_plan(hosts, chosen, settings, predictor))
        return _designed(hosts, chosen, settings, predictor, journal, cache, judge, progress)


def _designed(
    hosts: Sequence[Crystal],
    ion: WorkingIon,
    settings: DesignSettings,
    predictor: Predictor,
    journal: Journal,
    cache: Cache,
    judge: Judge | None,
    progress: ProgressCallback,
) -> DesignResult:
    relaxation = RelaxSettings(settings.fmax, settings.max_steps, settings.timeout)
    progress(0, 0, "making hosts ready")
    parents, errors = ready_parents(hosts, ion, relaxation, cache)
    if not parents:
        raise errors[0]
    progress(0, 0, "making candidates")
    network = load_networks() if settings.guide == "local" else None
    drawn, proposed = candidates(parents, ion, settings, network)
    progress(0, 0, f"predicting {len(drawn)} candidates")
    refused = [str(error) for error in errors]
    judged: list[tuple[Candidate, Prediction]] = []
    for candidate, answer in zip(drawn, predicted(drawn, ion, predictor), strict=True):
        if isinstance(answer, InputError):
            refused.append(str(answer))
        else:
            judged.append((candidate, answer))
    if not judged:
        raise InputError(
            parents[0].source,
            f"none of {proposed} substitutions gives an electrode whose charges balance",
            "Allow more elements with --elements, exclude fewer, or give another host",
        )
    order = worth_relaxing(judged, settings)
    todo = _to_relax(order, settings, len(parents))
    relaxed: dict[int, Relaxed] = {}
    for done, (candidate, _) in enumerate(todo):
        formula = candidate.crystal.formula
        progress(done, len(todo), f"relaxing {formula}")
        known = journal.load(candidate)
        if known is None:
            judge = judge or _default_judge(relaxation, cache)
            try:
                known = judge(candidate, ion, _log(progress, done, len(todo), formula))
            except InputError as error:
                known = error
            journal.save(candidate, known)
        if isinstance(known, InputError):
            refused.append(f"{candidate.crystal.formula}: {known}")
        else:
            relaxed[id(candidate)] = known
    progress(len(todo), len(todo), "")
    designs: list[Design] = [design_of(one, before, relaxed.get(id(one)), settings) for one, before in order]
    names = tuple(parent.source for parent in parents)
    return DesignResult(ion.symbol, settings, names, proposed, len(drawn), ranked(designs), tuple(refused))


def _to_relax(
    order: Sequence[tuple[Candidate, Prediction]], settings: DesignSettings, n_parents: int
) -> list[tuple[Candidate, Prediction]]:
    """The first of the list; a single host comes on top of the budget, for what is made of it is held against it."""
    if not settings.budget:
        return []
    if n_parents > 1:
        return list(order[: settings.budget])
    host = [one for one in order if not one[0].substitutions]
    return host + [one for one in order if one[0].substitutions][: settings.budget]


def _log(progress: ProgressCallback, done: int, total: int, formula: str) -> LogCallback:
    return lambda words: progress(done, total, f"{formula}: {words}")


def _default_judge(relaxation: RelaxSettings, cache: Cache) -> Judge:
    return relaxing(Computer.load(cache=cache, options=RelaxOptions(True, None, relaxation)))


def _hosts(structure: object | None, prototype: str | None) -> list[Crystal]:
    if (structure is None) == (prototype is None):
        raise InputError("design", "give a host or --from, one of them", "See ionvolt design --help")
    return [as_crystal(structure)] if prototype is None else prototypes(prototype)


def _plan(hosts: Sequence[Crystal], ion: WorkingIon, settings: DesignSettings, predictor: Predictor) -> dict[str, Any]:
    """What makes a design this one and no other."""
    told = DesignResult(ion.symbol, settings, (), 0, 0, (), ()).to_dict()["settings"]
    return {
        "format": FORMAT,
        "ionvolt": __version__,
        "host": [key(host, "host")[:16] for host in hosts],
        "working_ion": ion.symbol,
        "model": predictor.card.name,
        **told,
    }
