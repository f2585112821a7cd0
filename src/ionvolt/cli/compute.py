"""``ionvolt compute``: voltages from universal potentials, one electrode or a table of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ionvolt.computation import Computer, VoltageResult

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
            help="Whose energies give the voltage: SevenNet's (7net-l3i5; CHGNet relaxes), or one that does "
            "everything: chgnet-0.3.0, chgnet-0.2.0, chgnet-r2scan, 7net-mf-0:pbe, 7net-mf-0:r2scan, a SevenNet "
            "checkpoint (PATH or PATH:head), or a calculator of ASE (ase:module.Class)."
        ),
    ] = "7net-l3i5",
    trust_checkpoint: Annotated[
        bool,
        typer.Option("--trust-checkpoint", help="Read a checkpoint even if that may run code of whoever made it."),
    ] = False,
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
    from ionvolt.cli.inputs import require_inputs
    from ionvolt.errors import InputError

    if (file is None) == (pairs is None):
        raise InputError("compute", "give a structure or --pairs, one of them", "See ionvolt compute --help")
    if pairs is not None and (charged or profile or insert):
        raise InputError("--pairs", "--charged, --profile and --insert are for one structure", "Leave them out")
    if file is not None and ion is None:
        raise InputError(file, "no working ion given", "Name it with --ion, such as --ion Mg")

    require_inputs([str(pairs)] if pairs is not None else [file] if file is not None else [])
    if charged is not None:
        require_inputs([charged])
    from ionvolt.computation import Computer
    from ionvolt.physics.average import RelaxOptions
    from ionvolt.physics.cache import Cache, default_folder
    from ionvolt.physics.potentials.pair import load_potentials
    from ionvolt.physics.relaxation import RelaxSettings

    options = RelaxOptions(relax, insert, RelaxSettings(fmax=fmax, timeout=timeout))
    potentials = load_potentials(potential, trusted=trust_checkpoint)
    computer = Computer.load(potentials, Cache(None if no_cache else cache or default_folder()), options)
    if pairs is not None:
        _table(pairs, ion, computer, vasp, as_json)
    else:
        assert file is not None
        assert ion is not None
        _single(file, charged, ion, computer, profile, vasp, as_json)


def _single(
    file: str, charged: str | None, ion: str, computer: Computer, profile: bool, vasp: Path | None, as_json: bool
) -> None:
    from ionvolt.cli.compute_output import print_one, print_profile, record_of
    from ionvolt.cli.pairs import Pair, load
    from ionvolt.cli.progress import Bar
    from ionvolt.computation import compute_checked, compute_partly_filled
    from ionvolt.ions import working_ion
    from ionvolt.structures.disorder import DisorderError

    pair = Pair(file, charged, ion)
    with Bar("computing") as bar:
        more: dict[str, Any] = {"profile": profile, "log": bar.describe}
        try:
            result = compute_checked(*load(pair), working_ion(ion), computer, **more)
        except DisorderError as error:
            if charged is not None or computer.options.insert is not None:
                raise
            result = compute_partly_filled(error, working_ion(ion), computer, **more)
    if vasp is not None:
        _write_vasp(result, vasp)
    if as_json:
        print(json.dumps(record_of(pair, result), ensure_ascii=False))
        return
    print_one(result)
    if result.profile:
        print_profile(result)


def _table(table: Path, ion: str | None, computer: Computer, vasp: Path | None, as_json: bool) -> None:
    from ionvolt.cli.compute_output import print_records, record_of
    from ionvolt.cli.inputs import exit_code
    from ionvolt.cli.pairs import load, read_pairs
    from ionvolt.cli.progress import Bar
    from ionvolt.computation import compute_checked
    from ionvolt.errors import InputError, printable
    from ionvolt.ions import working_ion

    pairs = read_pairs(table, ion)
    records: list[dict[str, Any]] = []
    with Bar("computing electrodes", len(pairs)) as bar:
        for number, pair in enumerate(pairs, start=1):
            try:
                chosen = working_ion(pair.working_ion)
                result = compute_checked(*load(pair, table.parent), chosen, computer)
                if vasp is not None:
                    _write_vasp(result, vasp / f"{number:04d}")
                records.append(record_of(pair, result))
            except InputError as error:
                print(f"ionvolt: row {number}: {printable(str(error))}", file=sys.stderr)
                names = {"discharged": pair.discharged, "charged": pair.charged, "working_ion": pair.working_ion}
                records.append(names | {"error": str(error)})
            bar.advance()
    failed = sum("error" in record for record in records)
    if as_json:
        print(json.dumps(records, ensure_ascii=False, indent=1))
    else:
        print_records(records)
    raise typer.Exit(exit_code(len(records) - failed, failed))


def _write_vasp(result: VoltageResult, folder: Path) -> None:
    from ionvolt.physics.vasp import write_vasp

    write_vasp(result.discharged, folder / "discharged")
    write_vasp(result.charged, folder / "charged")
