"""``ionvolt design``: one host or a known framework in, better electrodes out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ionvolt.cli.choices import DeviceOption
from ionvolt.cli.terminal import Column, folded, json_text, print_table, printable

if TYPE_CHECKING:
    from ionvolt.designing import Design, DesignResult


def design(
    file: Annotated[
        str | None,
        typer.Argument(
            help="The host: with the working ion it is discharged; another mobile ion is exchanged for it; into a host "
            "without any it is put.",
            metavar="FILE",
        ),
    ] = None,
    ion: Annotated[str | None, typer.Option("--ion", "-i", help="Working ion.")] = None,
    prototype: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Start from known electrodes instead: olivine, spinel, nasicon, layered, ..., a formula such as "
            "LiFePO4, several with commas, or all.",
            metavar="FRAMEWORK",
        ),
    ] = None,
    voltage: Annotated[
        str | None, typer.Option(help="Voltages that are wanted, V: 2.5:3.5, 3:, :2.", metavar="LOW:HIGH")
    ] = None,
    max_volume_change: Annotated[
        float | None, typer.Option(help="Largest change of the volume that is wanted, %.", metavar="PERCENT")
    ] = None,
    elements: Annotated[
        str | None, typer.Option(help="Elements that may come in [default: 27 common ones].", metavar="EL[,EL…]")
    ] = None,
    exclude: Annotated[
        str | None, typer.Option(help="Elements that no candidate may hold.", metavar="EL[,EL…]")
    ] = None,
    guide: Annotated[
        Literal["local", "probability", "random"],
        typer.Option(help="What puts candidates in order: local voltages, known compounds, chance."),
    ] = "local",
    changes: Annotated[int, typer.Option(min=1, max=2, help="Elements that are substituted at once, at most.")] = 2,
    candidates: Annotated[int, typer.Option(min=1, help="Candidates that the fast model predicts.")] = 96,
    budget: Annotated[int, typer.Option(min=0, help="Candidates that are relaxed; 0 for none.")] = 6,
    timeout: Annotated[float, typer.Option(min=1.0, help="Seconds for one relaxation.")] = 120.0,
    fmax: Annotated[float, typer.Option(min=0.001, help="Force below which a relaxation has converged, eV/Å.")] = 0.1,
    max_steps: Annotated[int, typer.Option(min=1, help="Steps after which a relaxation stops.")] = 200,
    model: Annotated[
        str, typer.Option("--model", "-m", help="The fast model: a shipped model's name or a model's folder.")
    ] = "cgcnn-mp2020",
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    top: Annotated[int, typer.Option(min=1, help="Electrodes that the table shows.")] = 15,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write a table, a picture, CIFs and VASP inputs here; the same command goes on where it was.",
            metavar="DIR",
        ),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where relaxations are remembered [default: the user's cache folder].")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Remember nothing.")] = False,
    device: DeviceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object on standard output.")] = False,
) -> None:
    """Design better electrodes: substitutions in a known one, predicted, relaxed and ranked.

    Exit code 0: done; 1: some candidates were refused (one line each on standard error); 2: nothing could be done.
    """
    from ionvolt.cli.inputs import require_inputs
    from ionvolt.errors import InputError

    if (file is None) == (prototype is None):
        raise InputError("design", "give a host or --from, one of them", "See ionvolt design --help")
    if ion is None:
        raise InputError(file or str(prototype), "no working ion given", "Name it with --ion, such as --ion Mg")
    if file is not None:
        require_inputs([file])
    from ionvolt.ions import working_ion

    symbol = working_ion(ion).symbol
    from ionvolt.designing.settings import DesignSettings, parse_elements, parse_voltage

    settings = DesignSettings(
        voltage=None if voltage is None else parse_voltage(voltage),
        max_volume_change=None if max_volume_change is None else max_volume_change / 100,
        elements=() if elements is None else parse_elements(elements),
        exclude=() if exclude is None else parse_elements(exclude),
        guide=guide,
        candidates=candidates,
        budget=budget,
        changes=changes,
        seed=seed,
        fmax=fmax,
        max_steps=max_steps,
        timeout=timeout,
    )

    from ionvolt.cli.progress import Bar
    from ionvolt.designing import design as run
    from ionvolt.physics.cache import Cache, default_folder

    remembered = Cache(None if no_cache else cache or default_folder())
    with Bar("designing") as bar:
        found = run(
            file, symbol, prototype=prototype, settings=settings, model=model, output=output, cache=remembered,
            progress=bar.to,
        )  # fmt: skip
    for line in found.refused:
        print(f"ionvolt: {printable(line)}", file=sys.stderr)
    if as_json:
        print(json_text(found.to_dict()))
    else:
        _print(found, top, output)
    raise typer.Exit(1 if found.refused else 0)


def _print(found: DesignResult, top: int, output: Path | None) -> None:
    relaxed = sum(one.stage == "relaxed" for one in found.designs)
    words = (
        f"{found.proposed} substitutions, {found.balanced} candidates made, {len(found.designs)} predicted, "
        f"{relaxed} relaxed"
    )
    print(folded(words))
    columns = [
        Column(""), Column("", True), Column("electrode", True), Column("voltage\n(V)"),
        Column("90 % interval\n(V)"), Column("energy\n(Wh/kg)"), Column("energy\n(Wh/L)"), Column("volume\n(%)"),
        Column("far"), Column("missed", True),
    ]  # fmt: skip
    print_table(columns, [_row(one) for one in found.designs[:top]])
    if len(found.designs) > top:
        print(f"{len(found.designs) - top} more (--top, -o, --json)")
    words = (
        "*: first Pareto front; =: a host; ~: predicted only, not relaxed; far: distance from the training electrodes, "
        "1 is the model's limit; missed: targets"
    )
    print(folded(words))
    if output is not None:
        print(printable(f"written to {output}"))


def _row(one: Design) -> list[str]:
    mark = "~" if one.stage == "predicted" else "*" if one.front == 1 and not one.missed else ""
    return [
        str(one.rank), mark + ("=" if not one.substitutions else ""), one.formula, f"{one.voltage:.2f}",
        "" if one.voltage_lower is None else f"{one.voltage_lower:.2f} to {one.voltage_upper:.2f}",
        f"{one.energy_grav:.0f}", f"{one.energy_vol:.0f}",
        "" if one.volume_change is None else f"{100 * one.volume_change:+.1f}",
        "" if one.distance is None else f"{one.distance:.2f}", ", ".join(one.missed),
    ]  # fmt: skip
