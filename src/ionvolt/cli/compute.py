"""``ionvolt compute``: voltages from universal potentials, one electrode or a table of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionvolt.cli.choices import DeviceOption
from ionvolt.cli.terminal import json_text, printable

if TYPE_CHECKING:
    from ionvolt.cli.pairs import Pair
    from ionvolt.computation import Computer, Ends, VoltageResult
    from ionvolt.errors import InputError
    from ionvolt.parallel import Work

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
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Processes for the rows of --pairs, each with potentials of its own [default: 1 for a few rows, else "
            "one a core].",
        ),
    ] = None,
    device: DeviceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP)] = False,
) -> None:
    """Compute the average voltage of electrodes from the energies of their end members.

    Exit code 0: all computed; 1: some rows of the table were refused (one line each on standard error); 2: nothing
    could be done.
    """
    from ionvolt.cli.inputs import require_inputs
    from ionvolt.cli.pairs import read_pairs
    from ionvolt.errors import InputError

    if (file is None) == (pairs is None):
        raise InputError("compute", "give a structure or --pairs, one of them", "See ionvolt compute --help")
    if pairs is not None and (charged or profile or insert):
        raise InputError("--pairs", "--charged, --profile and --insert are for one structure", "Leave them out")
    if file is not None and ion is None:
        raise InputError(file, "no working ion given", "Name it with --ion, such as --ion Mg")
    if file is not None and jobs is not None:
        raise InputError("--jobs", "it is for the rows of --pairs", "Leave it out")

    require_inputs([str(pairs)] if pairs is not None else [file] if file is not None else [])
    if charged is not None:
        require_inputs([charged])
    from ionvolt.ions import working_ion

    symbol = working_ion(ion).symbol if ion is not None else None
    rows = [] if pairs is None else read_pairs(pairs, symbol)
    from ionvolt.computation import Computer, computing
    from ionvolt.parallel import Work, sensible_jobs
    from ionvolt.physics.average import RelaxOptions
    from ionvolt.physics.cache import Cache, default_folder
    from ionvolt.physics.relaxation import RelaxSettings

    options = RelaxOptions(relax, insert, RelaxSettings(fmax=fmax, timeout=timeout))
    remembered = Cache(None if no_cache else cache or default_folder())
    how = (potential, remembered, options, trust_checkpoint)
    if pairs is not None:
        _table(rows, pairs.parent, Work(computing, how), jobs or sensible_jobs(len(rows)), vasp, as_json)
    else:
        assert file is not None
        assert symbol is not None
        _single(file, charged, symbol, Computer.load(*how), profile, vasp, as_json)


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
        print(json_text(record_of(pair, result), indent=None))
        return
    print_one(result)
    if result.profile:
        print_profile(result)


def _table(
    pairs: list[Pair],
    folder: Path,
    work: Work[tuple[Ends, str], VoltageResult | InputError],
    jobs: int,
    vasp: Path | None,
    as_json: bool,
) -> None:
    from ionvolt.cli.compute_output import print_records, record_of
    from ionvolt.cli.inputs import exit_code
    from ionvolt.cli.progress import Bar
    from ionvolt.errors import InputError
    from ionvolt.parallel import answered

    records: list[dict[str, Any]] = []

    def tell() -> None:
        if as_json:
            print(json_text(records))
        else:
            print_records(records)

    try:
        with Bar("computing electrodes", len(pairs)) as bar:
            answers = answered(work, (_question(pair, folder) for pair in pairs), jobs)
            for number, (pair, answer) in enumerate(zip(pairs, answers, strict=True), start=1):
                if isinstance(answer, InputError):
                    print(f"ionvolt: row {number}: {printable(str(answer))}", file=sys.stderr)
                    names = {"discharged": pair.discharged, "charged": pair.charged, "working_ion": pair.working_ion}
                    records.append(names | {"error": str(answer)})
                else:
                    if vasp is not None:
                        _write_vasp(answer, vasp / f"{number:04d}")
                    records.append(record_of(pair, answer))
                bar.advance()
    except KeyboardInterrupt:
        tell()
        raise
    tell()
    failed = sum("error" in record for record in records)
    raise typer.Exit(exit_code(len(records) - failed, failed))


def _question(pair: Pair, folder: Path) -> tuple[Ends, str]:
    """The end members of a row, or why they cannot be used, and the ion."""
    from ionvolt.cli.pairs import load
    from ionvolt.errors import InputError
    from ionvolt.ions import working_ion
    from ionvolt.structures.disorder import DisorderError

    try:
        symbol = working_ion(pair.working_ion).symbol
        return load(pair, folder), symbol
    except DisorderError as error:  # of two end members neither is filled as a file says
        both = pair.discharged and pair.charged
        return InputError(error.source, error.rule, error.remedy) if both else error, symbol
    except InputError as error:
        return error, ""


def _write_vasp(result: VoltageResult, folder: Path) -> None:
    from ionvolt.physics.vasp import write_vasp

    write_vasp(result.discharged, folder / "discharged")
    write_vasp(result.charged, folder / "charged")
