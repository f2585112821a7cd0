"""``ionvolt compute``: voltages from a universal potential, one electrode or a table of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ionvolt.cli.pairs import Known
    from ionvolt.models.interface import Estimate
    from ionvolt.physics.average import AverageVoltage, RelaxOptions
    from ionvolt.physics.cache import Cache
    from ionvolt.physics.potentials.chgnet import CHGNetPotential, Potential
    from ionvolt.physics.profile import Profile

PARTLY = (
    "such an electrode is seldom emptied (chance {:.0f} %): the voltage is that of the part which it gives up, learned "
    "from unrelaxed structures; the potential's own is that of all"
)
JSON_HELP = "JSON on standard output: an object, for --pairs a list."


def compute(
    file: Annotated[
        str | None,
        typer.Argument(
            help="A structure: with the working ion it is discharged, without it the charged host.", metavar="FILE"
        ),
    ] = None,
    ion: Annotated[str | None, typer.Option("--ion", "-i", help="Working ion.")] = None,
    charged: Annotated[str | None, typer.Option(help="The charged structure, if known.", metavar="FILE2")] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="A table of electrodes instead: columns discharged, charged (may be empty), working_ion.",
            metavar="TABLE.csv",
        ),
    ] = None,
    relax: Annotated[
        bool | None,
        typer.Option("--relax/--no-relax", help="Relax both structures [default: unless both are given]."),
    ] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Voltage against filling, step by step.")] = False,
    insert: Annotated[
        int | None,
        typer.Option(
            min=1, help="Ions to put into a cell of a charged host [default: one electron per transition metal]."
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1.0, help="Seconds for one relaxation, which then ends with what it has.")
    ] = 120.0,
    fmax: Annotated[float, typer.Option(min=0.001, help="Force below which a relaxation has converged, eV/Å.")] = 0.1,
    potential: Annotated[
        str,
        typer.Option(
            help="Whose energies give the voltage: SevenNet's (7net-l3i5; CHGNet relaxes) or those of a version of "
            "CHGNet, which then does everything (0.3.0, 0.2.0, r2scan)."
        ),
    ] = "7net-l3i5",
    cache: Annotated[
        Path | None, typer.Option(help="Where results are remembered [default: the user's cache folder].")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Remember nothing.")] = False,
    vasp: Annotated[
        Path | None, typer.Option(help="Write VASP inputs of both end members here.", metavar="DIR")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP)] = False,
) -> None:
    """Compute the average voltage of electrodes from the energies of their end members.

    Exit code 0: all computed; 1: some rows of the table were refused (one line each on standard error); 2: nothing
    could be done.
    """
    from ionvolt.errors import InputError
    from ionvolt.physics.average import RelaxOptions
    from ionvolt.physics.cache import Cache, default_folder
    from ionvolt.physics.potentials.sevennet import load_potentials
    from ionvolt.physics.relaxation import RelaxSettings

    if (file is None) == (pairs is None):
        raise InputError("compute", "give a structure or --pairs, one of them", "See ionvolt compute --help")
    if pairs is not None and (charged or profile or insert):
        raise InputError("--pairs", "--charged, --profile and --insert are for one structure", "Leave them out")
    options = RelaxOptions(relax, insert, RelaxSettings(fmax=fmax, timeout=timeout))
    remembered = Cache(None if no_cache else cache or default_folder())
    potentials = load_potentials(potential)
    if pairs is not None:
        _table(pairs, ion, potentials, remembered, options, vasp, as_json)
        return
    assert file is not None
    if ion is None:
        raise InputError(file, "no working ion given", "Name it with --ion, such as --ion Mg")
    _single(file, charged, ion, potentials, remembered, options, profile, vasp, as_json)


def _learned(computed: AverageVoltage, known: Known) -> tuple[Estimate | None, tuple[str, ...]]:
    """The answer of the Δ-model, which has learned the potential's errors, and reservations.

    The answer is None where the model does not come along.
    """
    from ionvolt.models.mlip.delta_model import DeltaModel
    from ionvolt.models.registry import DELTA_MODEL, is_shipped, load_model

    if not is_shipped(DELTA_MODEL):
        return None, ()
    model = load_model(DELTA_MODEL)
    assert isinstance(model, DeltaModel)
    if known.charged is not None or known.discharged is None:
        return model.estimate_computed(computed, "both"), ()
    partly, chance = model.estimate_partly(known.discharged, computed.ion.symbol)
    if partly is not None:
        return partly, (PARTLY.format(100 * chance),)
    # An unrelaxed host that was made by removing the ion has errors of its own, for which there is a variant.
    return model.estimate_computed(computed, "discharged" if computed.converged is None else "both"), ()


def _single(
    file: str,
    charged: str | None,
    ion_name: str,
    potentials: tuple[CHGNetPotential, Potential],
    cache: Cache,
    options: RelaxOptions,
    profile: bool,
    vasp: Path | None,
    as_json: bool,
) -> None:
    from dataclasses import asdict

    from ionvolt.cli.compute_output import print_one, print_profile, record_of
    from ionvolt.cli.pairs import Pair, load
    from ionvolt.cli.progress import Bar
    from ionvolt.ions import working_ion
    from ionvolt.physics.average import compute as compute_electrode
    from ionvolt.physics.profile import voltage_profile

    ion = working_ion(ion_name)
    potential, energies = potentials
    known = load(Pair(file, charged, ion.symbol), insert=options.insert is not None)
    found: Profile | None = None
    with Bar("computing") as bar:
        computed = compute_electrode(
            known.discharged, known.charged, ion, potential, cache, options, bar.say, energies=energies
        )
        if profile:
            bar.say("emptying step by step")
            settings = None if options.relax is False else options.settings
            start = computed.discharged if known.discharged is None else known.discharged
            found = voltage_profile(start, ion, potential, settings, cache, bar.to, energies=energies)
    if vasp is not None:
        _write_vasp(computed, vasp)
    record = record_of(Pair(file, charged, ion.symbol), computed, *_learned(computed, known))
    if as_json:
        print(json.dumps(record | ({"profile": asdict(found)} if found else {}), ensure_ascii=False))
        return
    print_one(record, computed)
    if found:
        print_profile(found)


def _table(
    table: Path,
    ion_name: str | None,
    potentials: tuple[CHGNetPotential, Potential],
    cache: Cache,
    options: RelaxOptions,
    vasp: Path | None,
    as_json: bool,
) -> None:
    from ionvolt.cli.compute_output import print_records, record_of
    from ionvolt.cli.pairs import load, read_pairs
    from ionvolt.cli.progress import Bar
    from ionvolt.errors import InputError
    from ionvolt.ions import working_ion
    from ionvolt.physics.average import compute as compute_electrode

    pairs = read_pairs(table, ion_name)
    potential, energies = potentials
    records: list[dict[str, Any]] = []
    with Bar("computing electrodes", len(pairs)) as bar:
        for number, pair in enumerate(pairs, start=1):
            try:
                ion = working_ion(pair.working_ion)
                known = load(pair, table.parent)
                ends = known.discharged, known.charged
                computed = compute_electrode(*ends, ion, potential, cache, options, energies=energies)
                if vasp is not None:
                    _write_vasp(computed, vasp / f"{number:04d}")
                records.append(record_of(pair, computed, *_learned(computed, known)))
            except InputError as error:
                print(f"ionvolt: row {number}: {error}", file=sys.stderr)
                records.append(
                    {
                        "discharged": pair.discharged,
                        "charged": pair.charged,
                        "working_ion": pair.working_ion,
                        "error": str(error),
                    }
                )
            bar.advance()
    failed = sum("error" in record for record in records)
    if as_json:
        print(json.dumps(records, ensure_ascii=False, indent=1))
    else:
        print_records(records)
    raise typer.Exit(0 if not failed else 1 if failed < len(records) else 2)


def _write_vasp(computed: AverageVoltage, folder: Path) -> None:
    from ionvolt.physics.vasp import write_vasp

    write_vasp(computed.discharged, folder / "discharged")
    write_vasp(computed.charged, folder / "charged")
