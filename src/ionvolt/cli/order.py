"""``ionvolt order``: disordered crystals in, the ordered ones that they most likely are out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ionvolt.cli.terminal import Column, folded, json_text, print_table

if TYPE_CHECKING:
    from ionvolt.cli.choices import Assume
    from ionvolt.errors import InputError
    from ionvolt.ordered_prediction import OrderedPrediction
    from ionvolt.ordering import Orderings, OrderSettings
    from ionvolt.physics.cache import Cache
    from ionvolt.structures import DisorderedCrystal
    from ionvolt.typing import LogCallback

MaxAtomsOption = Annotated[
    int, typer.Option(min=1, help="Atoms that a supercell may hold; a larger cell is taken as it is.")
]
KeepOption = Annotated[int, typer.Option(min=1, help="Orderings that are kept, those of lowest energy.")]


def order(
    files: Annotated[
        list[str],
        typer.Argument(help="CIF files with occupancies, folders, globs, or - for standard input.", metavar="FILE"),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the ordered structures here.", metavar="DIR")
    ] = None,
    fmt: Annotated[Literal["cif", "poscar"], typer.Option("--format", help="What they are written as.")] = "cif",
    max_atoms: MaxAtomsOption = 64,
    keep: KeepOption = 4,
    candidates: Annotated[
        int, typer.Option(min=1, help="Orderings of lowest electrostatic energy whose energy is computed.")
    ] = 16,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            help="K at which orderings are weighted [default: 1000, and 300 where only mobile ions are disordered].",
        ),
    ] = None,
    relax: Annotated[bool, typer.Option("--relax/--no-relax", help="Relax the orderings that are kept.")] = True,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    cache: Annotated[
        Path | None, typer.Option(help="Where results are remembered [default: the user's cache folder].")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Remember nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list on standard output.")] = False,
) -> None:
    """Order disordered crystals: supercells with whole atoms, ranked by electrostatics and by the potential.

    Exit code 0: every input was ordered; 1: some were refused (one line each on standard error); 2: none was.
    """
    from ionvolt.cli.inputs import exit_code, require_inputs
    from ionvolt.errors import InputError, printable

    require_inputs(files)
    from ionvolt.ordering import OrderSettings
    from ionvolt.physics.cache import Cache, default_folder

    settings = OrderSettings(max_atoms, keep, candidates, relax, temperature, seed)
    remembered = Cache(None if no_cache else cache or default_folder())
    records: list[dict[str, Any]] = []
    refused = 0
    for found in _ordered(files, settings, remembered):
        if isinstance(found, InputError):
            refused += 1
            print(f"ionvolt: {printable(str(found))}", file=sys.stderr)
            continue
        paths = [] if output is None else _write(found, output, fmt, len(records), len(files))
        records.append(_record(found, paths))
        if not as_json:
            _print(found, paths)
    if as_json:
        print(json_text(records))
    raise typer.Exit(exit_code(len(records), refused))


def ordered_predictions(
    files: Sequence[str],
    ions: Sequence[str],
    model: str | None,
    assume: Assume,
    jobs: int | None,
    skip: Callable[[str], bool],
) -> Iterator[list[OrderedPrediction | InputError]]:
    """For every structure the voltages over its orderings, ion by ion, or the error that refused it.

    Structures whose name ``skip`` says yes to are left out.
    """
    from ionvolt.cli.progress import Bar
    from ionvolt.errors import InputError
    from ionvolt.parallel import Work, answered, sensible_jobs
    from ionvolt.structures.sources import found_files

    names = [name for name in found_files(files) if isinstance(name, InputError) or not skip(name)]
    jobs = jobs or sensible_jobs(len(names))
    with Bar("ordering", len(names)) as bar:
        log = bar.describe if jobs <= 1 else None
        for answers in answered(Work(order_answerer, (model, ions, assume, log)), _read(names), jobs):
            bar.advance("ordering")
            yield answers


def order_answerer(
    model: str | None, ions: Sequence[str], assume: Assume, log: LogCallback | None
) -> Callable[[list[DisorderedCrystal | InputError]], list[list[OrderedPrediction | InputError]]]:
    """What orders and predicts, one process's share of ``parallel.answered``."""
    from ionvolt.errors import InputError
    from ionvolt.ordered_prediction import predict_orderings
    from ionvolt.ordering import order as order_crystal
    from ionvolt.physics.cache import Cache, default_folder
    from ionvolt.prediction import as_model
    from ionvolt.typing import no_log

    predictor, cache = as_model(model), Cache(default_folder())

    def one(found: DisorderedCrystal | InputError) -> list[OrderedPrediction | InputError]:
        try:
            if isinstance(found, InputError):
                return [found]
            orderings = order_crystal(found, cache=cache, log=log or no_log)
            return list(predict_orderings(orderings, ions, model=predictor, assume=assume))
        except InputError as error:
            return [error]

    return lambda questions: [one(question) for question in questions]


def _ordered(files: Sequence[str], settings: OrderSettings, cache: Cache) -> Iterator[Orderings | InputError]:
    from ionvolt.cli.progress import Bar
    from ionvolt.errors import InputError
    from ionvolt.ordering import order as order_crystal
    from ionvolt.structures.sources import found_files

    names = list(found_files(files))
    with Bar("ordering", len(names)) as bar:
        for found in _read(names):
            if isinstance(found, InputError):
                yield found
                continue
            try:
                yield order_crystal(found, settings, cache=cache, log=bar.describe)
            except InputError as error:
                yield error
            bar.advance("ordering")


def _read(names: Sequence[str | InputError]) -> Iterator[DisorderedCrystal | InputError]:
    from ionvolt.errors import InputError
    from ionvolt.structures import DEFAULT_LIMITS, read_disordered
    from ionvolt.structures.reading import read_bounded

    for name in names:
        try:
            if isinstance(name, InputError):
                yield name
            elif name == "-":
                data = read_bounded(sys.stdin.buffer, "standard input", DEFAULT_LIMITS)
                yield read_disordered(data.decode("utf-8", "replace") + "\n", "standard input")
            else:
                yield read_disordered(name)
        except InputError as error:
            yield error


def _write(found: Orderings, folder: Path, fmt: Literal["cif", "poscar"], done: int, many: int) -> list[str]:
    """Write the structures; of several inputs each has a number, for two may have one name."""
    from ionvolt.structures.writing import ENDINGS, write_structure

    stem = Path(found.source).name.split(".")[0].replace(" ", "_") or "structure"
    if many > 1:
        stem = f"{done + 1:04d}-{stem}"
    paths = [folder / f"{stem}-{k}{ENDINGS[fmt]}" for k in range(1, len(found.orderings) + 1)]
    for one, path in zip(found.orderings, paths, strict=True):
        write_structure(one.crystal, path, fmt)
    return [str(path) for path in paths]


def _record(found: Orderings, paths: Sequence[str]) -> dict[str, Any]:
    return {
        "source": found.source,
        "formula": found.orderings[0].crystal.formula,
        "primitive_cells": found.cells,
        "distinct_found": found.found,
        "complete": found.complete,
        "temperature": found.temperature,
        "charges": {symbol: round(charge, 4) for symbol, charge in found.charges.items()},
        "warnings": list(found.orderings[0].crystal.warnings),
        "orderings": [
            {
                "n_atoms": len(one.crystal),
                "weight": one.weight,
                "degeneracy": one.degeneracy,
                "energy": one.energy,
                "electrostatic_energy": one.electrostatic_energy,
                "lattice": one.crystal.lattice.tolist(),
                "symbols": one.crystal.symbols,
                "frac_coords": one.crystal.frac_coords.tolist(),
                "file": paths[k] if paths else None,
            }
            for k, one in enumerate(found.orderings)
        ],
    }


def _print(found: Orderings, paths: Sequence[str]) -> None:
    first = found.orderings[0]
    if found.was_ordered:
        print(folded(f"{found.source}: {first.crystal.formula} is ordered already"))
    else:
        many = "all" if found.complete else "found by annealing"
        words = (
            f"{found.source}: {first.crystal.formula}, {found.cells} primitive cells, {found.found} distinct orderings "
            f"({many}), weighted at {found.temperature:.0f} K"
        )
        print(folded(words))
        charges = ", ".join(f"{symbol} {charge:+.2f}" for symbol, charge in found.charges.items())
        print(folded(f"charges taken: {charges}"))
    columns = [
        Column("atoms"), Column("energy\n(meV/atom)"), Column("electrostatic\n(meV/atom)"), Column("ways"),
        Column("weight"), *([Column("file", True)] if paths else []),
    ]  # fmt: skip
    rows = []
    for k, one in enumerate(found.orderings):
        above = (one.energy - first.energy) / len(one.crystal) * 1000
        electrostatic = (one.electrostatic_energy - first.electrostatic_energy) / len(one.crystal) * 1000
        row = [str(len(one.crystal)), f"{above:.1f}", f"{electrostatic:.1f}", str(one.degeneracy), f"{one.weight:.3f}"]
        rows.append([*row, *([paths[k]] if paths else [])])
    print_table(columns, rows)
    for warning in first.crystal.warnings:
        print(folded(f"note: {warning}"))
