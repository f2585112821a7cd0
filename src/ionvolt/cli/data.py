"""``ionvolt data``: fetch or import labelled electrodes, look at what a data set holds, check its labels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionvolt.cli.choices import ModelOption
from ionvolt.cli.outputs import require_data
from ionvolt.cli.terminal import fitting_tables, folded, json_text, printable, screen_width

if TYPE_CHECKING:
    from ionvolt.datasets.importers import Imported

_NOTES_SHOWN = 20
BEYOND = 0.3
"""V; as ``prediction.label_check.BEYOND``, which is too heavy to import for --help."""

data_app = typer.Typer(
    help="Data sets: fetch or import labelled electrodes, describe what is there, check labels.", no_args_is_help=True
)


OutputOption = Annotated[
    Path, typer.Option("--output", "-o", help="The Parquet file to write.", metavar="FILE.parquet")
]
RulesOption = Annotated[
    list[str] | None,
    typer.Option("--clean", "--trim", help="Cleaning rule: 2sigma, paper, abs7, positive, dedupe. Repeatable."),
]
SummaryOption = Annotated[bool, typer.Option("--json", help="A JSON summary on standard output.")]


@data_app.command("crystals")
def write_crystals(
    inputs: Annotated[
        list[str], typer.Argument(help="Whatever ionvolt screen takes: files, folders, JSON lines…", metavar="INPUT")
    ],
    output: OutputOption,
) -> None:
    """Write the crystals of any inputs as one Parquet file, which ionvolt screen reads fastest.

    Exit code 0: all were written; 1: some were refused, one line each on standard error; 2: nothing could be done.
    """
    from ionvolt.cli.inputs import exit_code, require_inputs

    require_inputs(inputs)
    from ionvolt.cli.progress import Bar
    from ionvolt.errors import InputError
    from ionvolt.screening.crystal_tables import write_crystals as write

    refused = 0

    def tell(error: InputError) -> None:
        nonlocal refused
        refused += 1
        print(f"ionvolt: {printable(str(error))}", file=sys.stderr)

    with Bar("reading structures") as bar:
        written = write(inputs, output, tell, lambda done, total, words: bar.advance())
    print(printable(f"{output}: {written:,} crystals"))
    raise typer.Exit(exit_code(written, refused))


@data_app.command("fetch")
def fetch_data(
    ion: Annotated[
        str, typer.Option("--ion", "-i", help="Working ions: Mg, or Mg,Ca, or all.", metavar="ION[,ION…]|all")
    ],
    output: OutputOption,
    key: Annotated[
        str | None,
        typer.Option(help="API key; by default MP_API_KEY, or PMG_MAPI_KEY of ~/.config/.pmgrc.yaml.", metavar="KEY"),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Address of the API, if not the Materials Project's own.", metavar="URL")
    ] = None,
    rules: RulesOption = None,
    as_json: SummaryOption = False,
) -> None:
    """Fetch all insertion electrodes of some ions from the Materials Project (extra mp).

    What has come is kept in FILE.parquet.parts until the file is written: the same command goes on after an end that
    came early. Exit codes as for import.
    """
    from ionvolt.cli.progress import Bar
    from ionvolt.datasets.cleaning import check_rules
    from ionvolt.datasets.fetch import fetch_source, parts_of
    from ionvolt.errors import DataError
    from ionvolt.ions import parse_ions

    check_rules(rules or [])
    ions = [chosen.symbol for chosen in parse_ions(ion)]
    if output.is_dir():
        raise DataError(f"{output}: it is a folder. Name a file to write")
    parts = parts_of(output)
    with Bar("Materials Project") as bar:

        def progress(done: int, total: int, words: str) -> None:
            bar.advance(words, by=0)
            bar.to(done, total)

        imported = fetch_source(
            ions,
            parts,
            key=key,
            endpoint=endpoint,
            progress=progress,
            log=lambda words: print(f"ionvolt: Materials Project: {words}", file=sys.stderr),
        )
    code = _finish(imported, output, rules, as_json)
    parts.remove()
    raise typer.Exit(code)


@data_app.command("import")
def import_data(
    source: Annotated[
        Path,
        typer.Argument(help="CSV table, CGCNN folder, or folder of structure files with one CSV.", metavar="SOURCE"),
    ],
    output: OutputOption,
    structures: Annotated[
        Path | None, typer.Option("--structures", "-s", help='JSON lines {"id", "cif"} (.gz too) or a folder.')
    ] = None,
    ion: Annotated[str | None, typer.Option("--ion", "-i", help="Working ion, where the source does not say.")] = None,
    snapshot: Annotated[str, typer.Option(help="Name of the calculation behind the voltages, such as mp2020.")] = "",
    licence: Annotated[
        str | None, typer.Option(help="Licence of the data (known for snapshots mp2020 and such).", metavar="TEXT")
    ] = None,
    attribution: Annotated[
        str | None, typer.Option(help="Whom to name when the data are passed on (likewise).", metavar="TEXT")
    ] = None,
    rules: RulesOption = None,
    as_json: SummaryOption = False,
) -> None:
    """Import labelled electrodes into one Parquet file.

    Exit code 0: all was taken; 1: the file is written, but rows or discharged structures were refused (one line
    each); 2: nothing was written.
    """
    from ionvolt.cli.inputs import require_inputs

    require_inputs([str(source)])
    from ionvolt.cli.progress import Bar
    from ionvolt.datasets.cleaning import check_rules
    from ionvolt.datasets.importers import import_source

    check_rules(rules or [])

    with Bar("reading structures") as bar:
        imported = import_source(
            source,
            structures=structures,
            ion=ion,
            snapshot=snapshot,
            licence=licence,
            attribution=attribution,
            progress=bar.to,
        )
    raise typer.Exit(_finish(imported, output, rules, as_json))


def _finish(imported: Imported, output: Path, rules: list[str] | None, as_json: bool) -> int:
    """Clean, write and tell what came of it; returns the exit code."""
    from ionvolt.datasets import write_dataset
    from ionvolt.datasets.cleaning import clean

    data, removed = clean(imported.data, rules or [])
    write_dataset(data, output)
    for line in (*imported.refused, *imported.incomplete):
        print(f"ionvolt: refused: {printable(line)}", file=sys.stderr)
    for line in imported.notes[:_NOTES_SHOWN]:
        print(f"ionvolt: note: {printable(line)}", file=sys.stderr)
    if len(imported.notes) > _NOTES_SHOWN:
        print(f"ionvolt: {len(imported.notes) - _NOTES_SHOWN} more notes (all of them with --json)", file=sys.stderr)
    summary = {
        "file": str(output),
        "electrodes": len(data),
        "refused": len(imported.refused),
        "incomplete": len(imported.incomplete),
        "removed": removed,
        "refused_rows": imported.refused,
        "incomplete_rows": imported.incomplete,
        "notes": imported.notes,
    }
    if as_json:
        print(json_text(summary, indent=None))
    else:
        print(f"{printable(str(output))}: {len(data)} electrodes; {len(imported.refused)} rows refused")
        if imported.incomplete:
            print(f"  {len(imported.incomplete)} taken without their discharged structure, which was refused")
        for rule, count in removed.items():
            print(f"  --clean {rule}: {count} removed")
    return 1 if imported.refused or imported.incomplete else 0


@data_app.command("landscape")
def landscape_data(
    file: Annotated[Path, typer.Argument(help="A data set of IonVolt.", metavar="FILE.parquet")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.", metavar="FILE.json")],
) -> None:
    """Write the table of known electrodes that `ionvolt serve --landscape FILE.json` shows beside a prediction."""
    require_data(file)
    from ionvolt.datasets import read_dataset
    from ionvolt.datasets.landscape import write_landscape

    data = read_dataset(file)
    n = write_landscape(data, output)
    left = f"; {len(data) - n} without a discharged formula left out" if n < len(data) else ""
    print(f"{printable(str(output))}: {n} electrodes{left}")


@data_app.command("check")
def check_data(
    file: Annotated[Path, typer.Argument(help="A data set of IonVolt, with both ends.", metavar="FILE.parquet")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write all rows there as they come (.parquet, .csv or .jsonl), refusals with their reasons included; "
            "the same command goes on where it was.",
            metavar="FILE",
        ),
    ] = None,
    ion: Annotated[
        str | None, typer.Option("--ion", "-i", help="Only these working ions.", metavar="ION[,ION…]|all")
    ] = None,
    beyond: Annotated[
        float, typer.Option(help="Difference from the answer from which on a label is suspect.", metavar="V")
    ] = BEYOND,
    model: ModelOption = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Processes, each with a model of its own [default: 1 for a few electrodes, else one a core].",
        ),
    ] = None,
    as_json: SummaryOption = False,
) -> None:
    """Tell which labels are likely calculations that ended elsewhere: in another magnetic state, another cell.

    Each label is held against the answer from both ends. It is suspect where it is farther than --beyond from the
    answer, outside of the answer's 90 % interval, and the electrode is in the domain.

    Exit code 0: every label was checked; 1: some could not be (one line each on standard error); 2: nothing could be
    done.
    """
    from ionvolt.cli.label_check import check_file

    raise typer.Exit(check_file(file, output, ion, beyond, model, jobs, as_json))


@data_app.command("describe")
def describe_data(
    file: Annotated[Path, typer.Argument(help="A data set of IonVolt.", metavar="FILE.parquet")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """Print counts, ranges, duplicates and frameworks, ion by ion."""
    require_data(file)
    from ionvolt.datasets import read_dataset
    from ionvolt.datasets.describe import describe

    facts = describe(read_dataset(file))
    if as_json:
        print(json_text(facts))
        return
    snapshots = ", ".join(f"{printable(name)} {n}" for name, n in facts["snapshots"].items())
    words = (
        f"{file}: {facts['n']} electrodes, {facts['frameworks']} frameworks "
        f"({facts['shared_frameworks']} of them for more than one ion); snapshot {snapshots}"
    )
    print(folded(words))
    columns = list(next(iter(facts["ions"].values()), {}))
    rows = [
        [printable(ion), *(f"{values[c]:.2f}" if isinstance(values[c], float) else str(values[c]) for c in columns)]
        for ion, values in facts["ions"].items()
    ]
    for line in fitting_tables(["ion", *(name.replace("_", "\n") for name in columns)], rows, screen_width()):
        print(line)
    print(folded("voltages in V; same: rows beyond the first of a formula or host; shared: rows that other ions share"))
    _print_provenance(facts["provenance"])


def _print_provenance(provenance: dict[str, Any]) -> None:
    for name in ("licence", "attribution"):
        print(folded(f"{name}: {provenance.get(name) or 'not stated'}"))
    for made_from in provenance.get("files", []):
        print(folded(f"made from {made_from['name']}, sha256 {str(made_from['sha256'])[:16]}…"))
    for step in provenance.get("cleaning", []):
        print(folded(f"cleaned: {step['rule']} removed {step['removed']}"))
    for name, words in (
        ("refused", "rows refused on import"),
        ("incomplete", "discharged structures refused on import"),
        ("notes", "notes of the import"),
    ):
        if lines := provenance.get(name):
            print(folded(f"{words}: {len(lines)} (all of them with --json); first: {lines[0]}"))
