"""``ionvolt screen``: many crystals through stages from cheap to dear, and a look at what came out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from ionvolt.cli.choices import DeviceOption
from ionvolt.cli.terminal import Column, common_folder, fits, folded, json_text, print_table, printable

if TYPE_CHECKING:
    from ionvolt.screening.executors import Executor
    from ionvolt.screening.front import Filters
    from ionvolt.screening.records import Row
    from ionvolt.screening.status import Status


class _RunByDefault(TyperGroup):
    """A group whose first word is a subcommand, or else the first input of ``run``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ("--help", "-h"):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if args and args[0] in self.commands else ["run", *args])


screen_app = typer.Typer(
    cls=_RunByDefault,
    help="Screen many crystals: ionvolt screen INPUT… --ion Mg -o run/ (options: ionvolt screen run --help). The same "
    "command goes on where an earlier one ended.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Run = Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
Format = Literal["csv", "parquet", "cif", "json"]
IonOption = Annotated[str, typer.Option("--ion", "-i", help="Only rows of this ion.", metavar="ION")]
Where = Annotated[
    list[str] | None,
    typer.Option(help="A condition on a column: 'voltage>2', 'n_atoms<=40'. Repeatable.", metavar="CONDITION"),
]
Elements = Annotated[str, typer.Option(help="Crystals that hold one of these: V,Mn.", metavar="ELEMENTS")]
Without = Annotated[
    str, typer.Option(help="Crystals that hold none of these: Co,toxic.", metavar="ELEMENTS|toxic|costly|radioactive")
]
InDomain = Annotated[bool, typer.Option("--in-domain", help="Only answers in the model's domain.")]


@screen_app.command()
def run(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Structure files, folders, globs, zip archives, JSON (OPTIMADE, pymatgen), JSON lines, or Parquet "
            "with columns id, lattice, numbers, frac_coords.",
            metavar="INPUT",
        ),
    ],
    ion: Annotated[
        str, typer.Option("--ion", "-i", help="Working ions: Mg, or Mg,Ca, or all.", metavar="ION[,ION…]|all")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.", metavar="RUN")],
    stages: Annotated[
        str,
        typer.Option(
            help="Stages from cheap to dear, of rules, network (the paper's, 1 ms), model (as predict), compute "
            "(minutes for each).",
            metavar="STAGE[,STAGE…]",
        ),
    ] = "rules,network,model",
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="How many rows of each ion enter a stage: model=1000, or model=0.1 for a share of those that passed. "
            "Without a name the last stage. By default 1000 enter model and 20 compute. Repeatable.",
            metavar="[STAGE=]N|SHARE",
        ),
    ] = None,
    voltage: Annotated[
        str | None,
        typer.Option(help="Voltages that are looked for; rows stay whose interval reaches in.", metavar="LOW:HIGH"),
    ] = None,
    min_capacity: Annotated[float, typer.Option(min=0, help="Least theoretical capacity, mAh/g.")] = 0.0,
    exclude: Annotated[
        str,
        typer.Option(help="No crystal with these: Co,toxic,costly,radioactive.", metavar="ELEMENT|LIST[,…]"),
    ] = "",
    rank: Annotated[
        Literal["energy_grav", "energy_vol", "capacity_grav", "capacity_vol", "voltage"],
        typer.Option(help="By what a budget chooses."),
    ] = "energy_grav",
    model: Annotated[str, typer.Option("--model", "-m", help="Model of the stage model: a name or a folder.")] = "auto",
    check_relaxed: Annotated[
        bool, typer.Option(help="In the stage model, ask a potential whether structures are relaxed.")
    ] = True,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Processes on this machine; 0: one for each core.")
    ] = 0,
    ray: Annotated[
        str | None,
        typer.Option(help="Run on a Ray cluster that sees RUN (extra ray): its address, or auto.", metavar="ADDRESS"),
    ] = None,
    slurm: Annotated[
        int | None,
        typer.Option(min=1, help="Write and submit a SLURM array of so many workers, and end.", metavar="N"),
    ] = None,
    slurm_option: Annotated[
        list[str] | None, typer.Option(help="A line for the script: 'partition=short'. Repeatable.", metavar="OPTION")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what was refused or failed.")] = False,
    shard: Annotated[
        int | None,
        typer.Option(min=1, help="Structures that a process takes at a time; by default by the size of the input."),
    ] = None,
    lease: Annotated[
        float, typer.Option(min=5, help="Seconds of silence after which another machine's worker counts as dead.")
    ] = 300.0,
    device: DeviceOption = None,
    as_json: AsJson = False,
) -> None:
    """Screen crystals. The same command goes on where an earlier one ended; one row for each structure and ion.

    Exit code 0: all was answered or dropped; 1: some were refused or failed (ionvolt screen status says why); 2: it
    could not be done.
    """
    from ionvolt.cli.inputs import exit_code, require_inputs

    require_inputs(inputs)
    from ionvolt.ions import parse_ions
    from ionvolt.screening.run import prepare, screen
    from ionvolt.screening.settings import Settings, parse_elements, parse_keep, parse_window

    names: Any = tuple(name.strip() for name in stages.split(",") if name.strip())
    settings = Settings(
        ions=tuple(chosen.symbol for chosen in parse_ions(ion)),
        stages=names,
        keep=parse_keep(keep or [], names),
        window=None if voltage is None else parse_window(voltage),
        min_capacity=min_capacity,
        exclude=parse_elements(exclude),
        rank=rank,
        model=model,
        check_relaxed=check_relaxed,
    )
    if slurm is not None:
        from ionvolt.screening.slurm import submit

        plan = prepare(inputs, settings, output, retry_failed=retry_failed, shard_size=shard)
        print(folded(submit(plan.folder, slurm, tuple(slurm_option or ()), lease)))
        return
    executor = _executor(ray, jobs, lease)
    with _Report() as report:
        status = screen(
            inputs, settings.ions, output, settings=settings, executor=executor, retry_failed=retry_failed,
            shard_size=shard, progress=report,
        )  # fmt: skip
    _print_status(status, as_json)
    answered, wrong = (
        sum(stage.rows.get(name, 0) for stage in status.stages for name in names)
        for names in (("kept", "dropped"), ("refused", "failed"))
    )
    raise typer.Exit(exit_code(answered, wrong))


@screen_app.command()
def status(folder: Run, as_json: AsJson = False) -> None:
    """How far a run is: rows by stage, rate, time left, why rows were dropped or refused."""
    from ionvolt.screening.status import status_of

    _print_status(status_of(folder), as_json)


@screen_app.command()
def top(
    folder: Run,
    n: Annotated[int, typer.Option("-n", min=1, help="Rows of the list.")] = 20,
    by: Annotated[str, typer.Option(help="Column that ranks; or front, for the Pareto front.")] = "front",
    objectives: Annotated[
        str, typer.Option(help="What the front weighs.", metavar="NAME[,NAME…]")
    ] = "voltage,energy_grav,energy_vol,volume_change,uncertainty",
    ion: IonOption = "",
    where: Where = None,
    elements: Elements = "",
    without: Without = "",
    in_domain: InDomain = False,
    everything: Annotated[bool, typer.Option("--all", help="Also rows that did not pass all stages.")] = False,
    as_json: AsJson = False,
) -> None:
    """The best of a run: rows that none beats in voltage, energies, volume change and uncertainty at once."""
    from ionvolt.screening.front import best, front

    filters = _filters(ion, where, elements, without, in_domain, not everything)
    if by == "front":
        found, weighed = front(folder, filters, [name.strip() for name in objectives.split(",") if name.strip()])
        words = f"Pareto front of {', '.join(weighed) or 'nothing'}: {len(found)} rows"
        if len(found) > n:
            words += f", {n} of them shown (-n); highest voltage first"
        found = found[:n] if not as_json else found
    else:
        found, words = best(folder, n, by, filters), f"the best by {by}, one for each formula"
    if as_json:
        print(json_text([{key: value for key, value in row.items() if value is not None} for row in found]))
        return
    _print_rows(found)
    print(folded(words))


@screen_app.command()
def export(
    folder: Run,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="FILE.csv, FILE.parquet, FILE.json, or a folder for CIFs.")
    ],
    fmt: Annotated[
        Format | None,
        typer.Option("--format", help="By default what the name of the output says."),
    ] = None,
    n: Annotated[int | None, typer.Option("-n", min=1, help="Only so many, the best by --by.")] = None,
    by: Annotated[str, typer.Option(help="Column that ranks, where -n is given.")] = "energy_grav",
    ion: IonOption = "",
    where: Where = None,
    elements: Elements = "",
    without: Without = "",
    in_domain: InDomain = False,
    everything: Annotated[bool, typer.Option("--all", help="Also rows that did not pass all stages.")] = False,
) -> None:
    """Write rows of a run: a table (CSV, Parquet), their crystals (CIF), or both (pymatgen JSON)."""
    from ionvolt.screening.export import export as write
    from ionvolt.screening.front import best
    from ionvolt.screening.results import rows_of

    endings: dict[str, Format] = {".csv": "csv", ".parquet": "parquet", ".json": "json"}
    chosen: Format = fmt or endings.get(output.suffix.lower(), "cif")
    filters = _filters(ion, where, elements, without, in_domain, not everything)
    rows = (row for row in rows_of(folder) if filters.admits(row)) if n is None else best(folder, n, by, filters)
    print(printable(f"{output}: {write(folder, rows, output, chosen):,} rows"))


@screen_app.command()
def merge(folder: Run) -> None:
    """Write all rows of a finished run as one Parquet file, records.parquet in its folder."""
    from ionvolt.screening.results import merge as write

    print(printable(str(write(folder))))


@screen_app.command()
def query(
    folder: Run, sql: Annotated[str, typer.Argument(help="SQL on the table records.")], as_json: AsJson = False
) -> None:
    """Ask a run in SQL (extra screen): SELECT ion, count(*) FROM records WHERE voltage > 2 GROUP BY ion."""
    from ionvolt.screening.results import query as ask

    names, rows = ask(folder, sql)
    if as_json:
        print(json_text([dict(zip(names, map(_plain, row), strict=True)) for row in rows]))
        return
    cells = [["" if value is None else str(_plain(value)) for value in row] for row in rows]
    numbers = [all(isinstance(row[k], int | float | None) for row in rows) for k in range(len(names))]
    print_table([Column(name, not number) for name, number in zip(names, numbers, strict=True)], cells)


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | list | type(None)) else str(value)


def _executor(ray: str | None, jobs: int, lease: float) -> Executor:
    if ray is not None:
        from ionvolt.screening.ray_executor import RayActors

        return RayActors(ray, jobs, lease)
    from ionvolt.screening.executors import LocalProcesses

    return LocalProcesses(jobs, lease)


def _filters(ion: str, where: list[str] | None, elements: str, without: str, in_domain: bool, last: bool) -> Filters:
    from ionvolt.ions import working_ion
    from ionvolt.screening.front import Filters
    from ionvolt.screening.settings import parse_elements

    return Filters(
        ion=working_ion(ion).symbol if ion else "",
        conditions=tuple(where or ()),
        elements=parse_elements(elements),
        without=parse_elements(without),
        in_domain=in_domain,
        last=last,
    )


class _Report:
    """Progress on standard error: a bar on a terminal, else a line a minute."""

    _EVERY_S = 60.0

    def __init__(self) -> None:
        from ionvolt.cli.progress import Bar

        self._bar = Bar("screening")
        self._last = 0.0

    def __enter__(self) -> _Report:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.__exit__(None, None, None)

    def __call__(self, done: int, total: int, words: str) -> None:
        import time

        if not words:
            return
        if sys.stderr.isatty():
            self._bar.to(done, total, words)
        elif time.monotonic() - self._last > self._EVERY_S:
            self._last = time.monotonic()
            print(f"{words}, {done:,} of {total:,}", file=sys.stderr, flush=True)


def _print_status(status: Status, as_json: bool) -> None:
    from ionvolt.screening.status import age

    if as_json:
        print(json_text(status.to_dict()))
        return
    print(folded(f"{status.folder}: {status.units:,} inputs, {', '.join(status.ions)}"))
    for number, stage in enumerate(status.stages, start=1):
        rows = ", ".join(f"{count:,} {name}" for name, count in stage.rows.items())
        shards = f"{stage.shards_done:,} of {stage.shards:,} shards"
        print(folded(f"{number} {stage.name}: {shards}{'; ' + rows if rows else ''}"))
        if stage.per_second:
            often = (
                f"{stage.per_second:.1f} a second" if stage.per_second >= 1 else f"{60 * stage.per_second:.1f} a minute"
            )
            words = f"  {often}, {1e3 * stage.cpu_s / max(stage.units, 1):.1f} ms of processor each"
            words += f", {age(stage.left_s)} left" if stage.left_s else ""
            words += f", {stage.memory_mb[1]:.0f} MB a process" if stage.memory_mb else ""
            print(folded(words))
        for reason, count in list(stage.reasons.items())[:8]:
            print(folded(f"  {count:9,}  {reason}"))
        if len(stage.reasons) > 8:
            print(f"             and {len(stage.reasons) - 8} other reasons (--json)")
        for ion, one in (stage.selection or {}).items():
            print(folded(f"  {ion}: {one.passed:,} passed, {one.entering:,} go on{_lost(one)}"))
    if status.passed_over:
        from ionvolt.structures.sources import passed_over_text

        print(folded(f"passed over {passed_over_text(status.passed_over)}, which are no structures"))
    print("complete" if status.complete else "not complete: the same command as before goes on")


def _lost(one: Any) -> str:
    """How much may have been dropped wrongly, in words."""
    words = ""
    if one.wanted:
        share = 100 * one.lost_by_cut / one.wanted
        words += f"; of {one.wanted:.0f} expected in the window {share:.1f} % are expected among the dropped"
    if one.lost_by_budget is not None:
        words += f"; {one.lost_by_budget:.0f} left out by the budget are expected to belong above its threshold"
    return words


def _print_rows(rows: list[Row]) -> None:
    intervals = any(row.get("voltage_lower") is not None for row in rows)
    columns = [
        Column("structure", True), Column("formula", True), Column("ion", True), Column("voltage\n(V)"),
        *([Column("90 % interval\n(V)")] if intervals else []), Column("mAh/g"), Column("Wh/kg"), Column("Wh/L"),
        Column("volume"), Column("by", True),
    ]  # fmt: skip
    names = [str(row["id"]) for row in rows]
    cells = [_cells(name, row, intervals) for name, row in zip(names, rows, strict=True)]
    if not fits(columns, cells) and (folder := common_folder(names)):
        print(folded(f"structures in {folder}"))
        cells = [[str(Path(name).relative_to(folder)), *row[1:]] for name, row in zip(names, cells, strict=True)]
    print_table(columns, cells)


def _cells(name: str, row: Row, intervals: bool) -> list[str]:
    low, high, std = row.get("voltage_lower"), row.get("voltage_upper"), row.get("voltage_std")
    known = low is not None and high is not None
    change = row.get("volume_change")
    return [
        name, row.get("formula") or "", row["ion"],
        _number(row.get("voltage"), 2) + ("" if known or std is None else f" ± {std:.2f}"),
        *([f"{low:.2f} to {high:.2f}" if known else ""] if intervals else []),
        _number(row.get("capacity_grav"), 0), _number(row.get("energy_grav"), 0), _number(row.get("energy_vol"), 0),
        "" if change is None else f"{100 * change:+.1f} %", row.get("model") or row["stage"],
    ]  # fmt: skip


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
