"""``ionvolt explain``: which atoms make the voltage."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionvolt.cli.choices import AssumeOption, ModelOption

if TYPE_CHECKING:
    from ionvolt.explain import Explanation


def explain(
    file: Annotated[str, typer.Argument(help="A CIF or POSCAR file.", metavar="FILE")],
    ion: Annotated[str, typer.Option("--ion", "-i", help="Working ion.")],
    model: ModelOption = None,
    assume: AssumeOption = "auto",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write figure, JSON, CIF and pymatgen JSON there.", metavar="FOLDER"),
    ] = None,
    png: Annotated[
        Path | None, typer.Option(help="Write the figure (png, svg or pdf, by its ending).", metavar="FILE.png")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
    cif: Annotated[
        Path | None,
        typer.Option(
            help="Write the host with local voltages as _atom_site_ionvolt_local_voltage.", metavar="FILE.cif"
        ),
    ] = None,
) -> None:
    """Print and draw what raises and lowers the voltage of an electrode, atom by atom and element by element."""
    from ionvolt.errors import InputError
    from ionvolt.explain import explain as explain_structure
    from ionvolt.explain.files import to_cif, write_all
    from ionvolt.ions import working_ion
    from ionvolt.structures import read_file

    if png and png.suffix not in _FIGURES:
        raise InputError(str(png), "no kind of figure", f"End its name in {', '.join(_FIGURES)}")
    explanation = explain_structure(read_file(Path(file)), working_ion(ion).symbol, model=model, assume=assume)
    if cif:
        cif.write_text(to_cif(explanation), encoding="utf-8")
    if png:
        from ionvolt.explain.drawing import draw_explanation
        from ionvolt.explain.figures import save

        save(draw_explanation(explanation=explanation), png)
    written = write_all(explanation, output) if output else []
    if as_json:
        print(json.dumps(explanation.to_dict(), ensure_ascii=False))
        return
    _tell(explanation)
    for path in written:
        print(f"written: {path}")


_FIGURES = (".png", ".svg", ".pdf")


def _tell(explanation: Explanation) -> None:
    from rich.console import Console
    from rich.table import Table

    p = explanation.prediction
    print(f"{p.source}: {p.formula} against {p.working_ion}, taken as {p.end_members}: {p.voltage:.2f} V")
    print(f"mean of local voltages {explanation.mean_local_voltage:.2f} V; atoms above it raise the voltage")
    print(f"by the linear law of the paper: mean {explanation.mean_linear_voltage:.2f} V (last column)")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("atom", "element", "local voltage (V)", "coordination", "shell", "linear (V)"):
        table.add_column(name, justify="left" if name in ("element", "shell") else "right")
    for site in sorted(explanation.sites, key=lambda s: -s.local_voltage):
        table.add_row(
            str(site.index + 1),
            site.element,
            f"{site.local_voltage:+.2f} ± {site.local_voltage_std:.2f}",
            f"{site.coordination:.1f}",
            site.neighbours,
            f"{site.linear_voltage:+.2f}",
        )
    Console(width=None if sys.stdout.isatty() else 1000).print(table)
    print(f"the average host of the training gives {explanation.reference_voltage:.2f} V; from there")
    for symbol, facts in sorted(explanation.elements.items(), key=lambda item: -item[1]["contribution"]):
        word = "raises" if facts["contribution"] > 0 else "lowers"
        print(
            f"{symbol} {word} it by {abs(facts['contribution']):.2f} V "
            f"({facts['n']} atoms, median {facts['median']:+.2f} V)"
        )
    for warning in p.warnings:
        print(f"note: {warning}")
