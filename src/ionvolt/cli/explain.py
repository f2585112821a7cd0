"""``ionvolt explain``: which atoms make the voltage."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ionvolt.cli.choices import AssumeOption, ModelOption


def explain(
    file: Annotated[str, typer.Argument(help="A CIF or POSCAR file.", metavar="FILE")],
    ion: Annotated[str, typer.Option("--ion", "-i", help="Working ion.")],
    model: ModelOption = None,
    assume: AssumeOption = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
    cif: Annotated[
        Path | None,
        typer.Option(
            help="Write the host with local voltages as _atom_site_ionvolt_local_voltage.", metavar="FILE.cif"
        ),
    ] = None,
) -> None:
    """Print what each atom of an electrode adds to its voltage."""
    from ionvolt.electrode import working_ion
    from ionvolt.explain import explain as explain_structure
    from ionvolt.explain.files import to_cif
    from ionvolt.structures import read_file

    explanation = explain_structure(read_file(Path(file)), working_ion(ion).symbol, model=model, assume=assume)
    if cif:
        cif.write_text(to_cif(explanation), encoding="utf-8")
    if as_json:
        print(json.dumps(explanation.to_dict(), ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    p = explanation.prediction
    print(f"{p.source}: {p.formula} against {p.working_ion}, taken as {p.host_state}: {p.voltage:.2f} V")
    print(f"mean of local voltages {explanation.mean_local_voltage:.2f} V; atoms above it raise the voltage")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("atom", "element", "local voltage (V)", "coordination", "shell"):
        table.add_column(name, justify="left" if name in ("element", "shell") else "right")
    for site in sorted(explanation.sites, key=lambda s: -s.local_voltage):
        table.add_row(
            str(site.index + 1),
            site.element,
            f"{site.local_voltage:+.2f} ± {site.local_voltage_std:.2f}",
            f"{site.coordination:.1f}",
            site.neighbours,
        )
    Console(width=None if sys.stdout.isatty() else 1000).print(table)
    for symbol, facts in sorted(explanation.elements.items(), key=lambda item: -item[1]["median"]):
        print(f"{symbol}: median {facts['median']:+.2f} V over {facts['n']} atoms")
    for warning in p.warnings:
        print(f"note: {warning}")
