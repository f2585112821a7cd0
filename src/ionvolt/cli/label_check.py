"""``ionvolt data check``: labels held against answers; a table of the suspects, JSON, or a file that grows."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ionvolt.cli.outputs import require_data
from ionvolt.cli.predict_output import ERROR, file_columns
from ionvolt.cli.terminal import Column, folded, json_text, print_table, printable

if TYPE_CHECKING:
    from ionvolt.datasets import ElectrodeSet
    from ionvolt.prediction.label_check import LabelCheck
    from ionvolt.store import Column as Kind

    Told = LabelCheck | str
    """A check, or the words of the error that refused an electrode."""

SHOWN = 20
"""Suspects in the table."""
OTHER_KIND = 0.2
"""V of the median difference beyond which the labels are likely those of another functional or reference."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """What was asked for.

    Attributes:
        data: The electrodes.
        beyond: V.
        model: Name or folder.
        jobs: Processes; None is sensible.
    """

    data: ElectrodeSet
    beyond: float
    model: str | None
    jobs: int | None

    def told(self, done: int = 0) -> Iterator[Told]:
        """The checks of all electrodes behind the first ``done``; refusals are told on standard error as they come."""
        from ionvolt.cli.progress import Bar
        from ionvolt.errors import InputError
        from ionvolt.parallel import sensible_jobs
        from ionvolt.prediction.label_check import checked_labels

        left = self.data.electrodes[done:]
        if not left:
            return
        with Bar("labels", len(self.data)) as bar:
            bar.to(done, len(self.data), "checking labels")
            jobs = self.jobs or sensible_jobs(len(left))
            checks = checked_labels(left, model=self.model, beyond=self.beyond, jobs=jobs)
            for number, check in enumerate(checks, start=done + 1):
                bar.to(number, len(self.data))
                if isinstance(check, InputError):
                    print(f"ionvolt: {printable(str(check))}", file=sys.stderr)
                    yield str(check)
                else:
                    yield check


def check_file(
    file: Path, output: Path | None, ion: str | None, beyond: float, model: str | None, jobs: int | None, as_json: bool
) -> int:
    """Check the labels of a data set and tell what came of it; returns the exit code."""
    require_data(file)
    from ionvolt.cli.inputs import exit_code
    from ionvolt.datasets import read_dataset
    from ionvolt.errors import DataError
    from ionvolt.ions import parse_ions
    from ionvolt.models.registry import check_known
    from ionvolt.prediction.label_check import require_cut

    require_cut(beyond)
    symbols = None if ion is None else [chosen.symbol for chosen in parse_ions(ion)]
    data = read_dataset(file)
    if symbols is not None:
        data = data[[i for i, electrode in enumerate(data) if electrode.working_ion in symbols]]
    if not len(data):
        of = "" if symbols is None else f" of {', '.join(symbols)}"
        raise DataError(f"{file}: it holds no electrodes{of}. Name another data set or ion")
    cards = check_known(model, sorted(set(data.ions.tolist())))  # before anything is written
    asked = _Asked(data, beyond, model, jobs)
    if output is None:
        found = list(asked.told())
    else:
        from ionvolt._version import __version__
        from ionvolt.store import file_sha256

        about = {
            "ionvolt": __version__,
            "data": file_sha256(file),
            "ions": symbols,
            "beyond": beyond,
            "model": {card.name: card.weights_sha256 for card in cards},
        }
        found = _grown(asked, output, about)
    summary = _summary(file, output, found, beyond)
    if as_json:
        print(json_text(summary))
    else:
        _print(summary)
    return exit_code(summary["checked"], summary["refused"])


def _grown(asked: _Asked, path: Path, about: Mapping[str, Any]) -> list[Told]:
    """The checks of all electrodes, written to a file as they come; what an earlier run has left is taken up.

    Rows stand in the order of the data, so that their number says which are there.
    """
    from ionvolt.errors import DataError
    from ionvolt.prediction.label_check import LabelCheck
    from ionvolt.store import growing_table

    found: list[Told] = []
    with growing_table(path, file_columns(LabelCheck), about, key="battery_id", mark=ERROR, whole=bool) as table:
        before = table.rows
        if before > len(asked.data):
            raise DataError(f"{path}: it has more rows than the data set. Name another file")
        try:
            for electrode, check in zip(asked.data.electrodes[before:], asked.told(before), strict=True):
                found.append(check)
                if isinstance(check, str):
                    facts = {name: getattr(electrode, name) for name in _FACTS}
                    table.append([facts | {"label": electrode.average_voltage, ERROR: check}])
                else:
                    table.append([check.to_dict()])
        except KeyboardInterrupt:
            print(f"ionvolt: {table.rows} rows are kept; the same command goes on from there", file=sys.stderr)
            raise
    return [*_rows_of_before(path, asked.data, before), *found] if before else found


_FACTS = ("battery_id", "working_ion", "formula_charge", "formula_discharge", "id_charge", "id_discharge")
"""Columns that the data set holds under the same names."""


def _rows_of_before(path: Path, data: ElectrodeSet, before: int) -> Iterator[Told]:
    """The first rows of a file that is complete; texts are those of the data set, which a CSV holds escaped."""
    from ionvolt.errors import DataError
    from ionvolt.prediction.label_check import LabelCheck

    columns = file_columns(LabelCheck)
    for electrode, row in zip(data, islice(_rows(path), before), strict=False):
        if words := row.get(ERROR):
            # It begins with the battery id, before which a CSV may have put an apostrophe.
            yield str(words) if electrode.battery_id.startswith("'") else str(words).removeprefix("'")
            continue
        facts = {name: getattr(electrode, name) for name in _FACTS}
        try:
            yield LabelCheck(**facts, **{k: _value(row[k], columns[k]) for k in columns if k not in (*facts, ERROR)})
        except (KeyError, ValueError):
            raise DataError(f"{path}: the row of {electrode.battery_id} is not of this command") from None


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.suffix == ".parquet":
        from ionvolt.store import read_parquet

        yield from read_parquet(path).to_pylist()
        return
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file) if path.suffix == ".csv" else map(json.loads, file)


def _value(cell: Any, kind: Kind) -> Any:
    """What a cell holds; those of a CSV are text."""
    if not isinstance(cell, str):
        return cell
    if not cell:
        return None
    return cell == "True" if kind == "truth" else float(cell)


def _summary(file: Path, output: Path | None, found: Sequence[Told], beyond: float) -> dict[str, Any]:
    from ionvolt.prediction.label_check import shared_ends

    checks = [check for check in found if not isinstance(check, str)]
    suspects = sorted((check for check in checks if check.suspect), key=lambda check: -abs(check.difference))
    groups: dict[str, list[float]] = {"all": [check.difference for check in checks]}
    for check in checks:
        groups.setdefault(check.working_ion, []).append(check.difference)
    refused = [words for words in found if isinstance(words, str)]
    return {
        "file": str(file),
        "output": None if output is None else str(output),
        "beyond": beyond,
        "checked": len(checks),
        "suspects": len(suspects),
        "out_of_domain": sum(check.in_domain is False for check in checks),
        "refused": len(refused),
        "median_difference": {name: median(some) for name, some in groups.items() if some},
        "suspect_rows": [
            check.to_dict() | {"shared_end": end} for check, end in zip(suspects, shared_ends(suspects), strict=True)
        ],
        "refused_rows": refused,
    }


def _print(summary: Mapping[str, Any]) -> None:
    suspects = summary["suspect_rows"]
    if suspects:
        shared = any(row["shared_end"] for row in suspects[:SHOWN])
        columns = [Column("electrode", True), Column("ion", True), Column("charged", True), Column("discharged", True)]
        columns += [Column("label\n(V)"), Column("predicted\n(V)"), Column("90 % interval\n(V)")]
        columns += [Column("difference\n(V)"), *([Column("shared end", True)] if shared else [])]
        print_table(columns, [_row(row)[: len(columns)] for row in suspects[:SHOWN]])
    if len(suspects) > SHOWN:
        where = summary["output"] or "--json shows all of them, -o FILE writes all rows"
        print(folded(f"and {len(suspects) - SHOWN} more: {where}"))
    ends = Counter(row["shared_end"] for row in suspects if row["shared_end"])
    if ends:
        words = ", ".join(f"{name} ({n})" for name, n in ends.most_common(SHOWN))
        print(folded(f"shared end: the calculation of that end is likely the culprit – {words}"))
    print(
        folded(
            f"{summary['checked']:,} labels checked: {summary['suspects']:,} suspect (over "
            f"{summary['beyond']:g} V from the answer, outside of its interval), "
            f"{summary['out_of_domain']:,} out of the domain, {summary['refused']:,} refused"
        )
    )
    middle = summary["median_difference"].get("all", 0.0)
    if abs(middle) > OTHER_KIND:
        print(
            folded(
                f"the labels lie {abs(middle):.2f} V {'above' if middle > 0 else 'below'} the answers in the median: "
                "they may be of another functional or reference, and the check means little then"
            )
        )
    if summary["output"]:
        print(f"{printable(summary['output'])}: {summary['checked'] + summary['refused']} rows")


def _row(row: Mapping[str, Any]) -> list[str]:
    def end(name: str) -> str:
        formula, number = row[f"formula_{name}"], row[f"id_{name}"]
        return f"{formula or ''} ({number})" if number else formula or ""

    span = "" if row["lower"] is None else f"{row['lower']:.2f} to {row['upper']:.2f}"
    return [
        row["battery_id"], row["working_ion"], end("charge"), end("discharge"), f"{row['label']:.2f}",
        f"{row['voltage']:.2f}", span, f"{row['difference']:+.2f}", row["shared_end"] or "",
    ]  # fmt: skip
