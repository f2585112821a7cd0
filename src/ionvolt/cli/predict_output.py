"""What ``ionvolt predict`` found: a table, JSON, CSV, or a file that grows."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionvolt.cli.expectation import HEADING, cell_text, footnotes
from ionvolt.cli.terminal import Column, common_folder, fits, folded, is_one_table, json_text, print_table

if TYPE_CHECKING:
    from ionvolt.errors import InputError
    from ionvolt.prediction import LabelCheck, Prediction
    from ionvolt.store import Column as Kind

COLUMNS = (
    "source", "formula", "working_ion", "voltage", "voltage_std", "model", "end_members", "capacity_grav",
    "energy_grav", "warnings", "voltage_lower", "voltage_upper", "epistemic_std", "in_domain",
    "voltage_potential", "host_formula", "removed", "capacity_vol", "energy_vol", "capacity_is_estimate",
    "full_extraction", "voltage_measured", "voltage_measured_lower", "voltage_measured_upper", "measured_basis",
)  # fmt: skip

KINDS: dict[str, Kind] = {
    "str": "text",
    "float": "number",
    "int": "whole",
    "bool": "truth",
    "tuple[str, ...]": "texts",
    "tuple[float, ...]": "numbers",
}
"""Columns of files by the types of a prediction's fields; all others are text."""
ERROR = "error"
"""The column with the reason why an input was refused."""


def write_json(predictions: Iterable[Prediction]) -> None:
    """A JSON list, item by item."""
    separator = "[\n"
    for prediction in predictions:
        sys.stdout.write(separator + json_text(prediction.to_dict(), indent=None))
        sys.stdout.flush()
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def write_csv(predictions: Iterable[Prediction]) -> None:
    """CSV, row by row; no cell is taken for a formula by a spreadsheet, nor for an order by a terminal."""
    from ionvolt.errors import printable
    from ionvolt.store import spreadsheet_cell

    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for prediction in predictions:
        row = _flat(prediction) | {"warnings": "; ".join(prediction.warnings)}
        cells = {name: printable(value) if isinstance(value, str) else value for name, value in row.items()}
        writer.writerow({name: spreadsheet_cell(value) for name, value in cells.items()})
        sys.stdout.flush()


def file_columns(kind: type[Prediction | LabelCheck]) -> dict[str, Kind]:
    """Columns of a file of such results: their fields, and why an input was refused."""
    found: dict[str, Kind] = {
        field.name: KINDS.get(str(field.type).removesuffix(" | None"), "text") for field in fields(kind)
    }
    return found | {ERROR: "text"}


def file_rows(source: str, ions: Sequence[str], answers: Sequence[Prediction | InputError]) -> list[dict[str, Any]]:
    """The rows of one input: its answers and refusals in the order of the ions, or one row where it was not read."""
    from ionvolt.errors import InputError

    rows: list[dict[str, Any]] = []
    symbols: Sequence[str | None] = ions if len(answers) == len(ions) else [None] * len(answers)
    for ion, answer in zip(symbols, answers, strict=True):
        if isinstance(answer, InputError):
            rows.append({"source": source, "working_ion": ion, ERROR: str(answer)})
        else:
            rows.append(_flat(answer))
    return rows


def are_whole(ions: Sequence[str], rows: Sequence[Any]) -> bool:
    """Whether these rows of a file are all of an input."""
    return len(rows) == len(ions) or (len(rows) == 1 and not rows[0]["working_ion"])


def _flat(prediction: Prediction) -> dict[str, Any]:
    removed = " ".join(f"{symbol}{n}" for symbol, n in prediction.removed.items())
    return prediction.to_dict() | {"removed": removed}


def print_predictions(predictions: Sequence[Prediction]) -> None:
    """A table that fits the screen, then what is to be noted, and which model answered."""
    if not predictions:
        return
    names = [p.source for p in predictions]
    if not fits(*_table(names, predictions)) and (folder := common_folder(names)):
        print(folded(f"structures in {folder}"))
        names = [str(Path(name).relative_to(folder)) for name in names]
    wide = is_one_table(*_table(names, predictions))
    print_table(*_table(names, predictions, wide))
    for line in footnotes(predictions):
        print(folded(line))
    notes: dict[str, list[str]] = {}
    for name, p in zip(names, predictions, strict=True):
        taken = f"taken as {p.end_members}"
        told = wide or any(text.startswith(taken) for text in p.warnings)
        for words in [*([] if told else [taken]), *(f"note: {text}" for text in p.warnings)]:
            notes.setdefault(words, []).append(f"{name} ({p.working_ion})")
    for words, about in sorted(notes.items(), key=lambda item: item[0].startswith("note")):
        more = f" and {len(about) - 4} more" if len(about) > 4 else ""
        print(folded(f"{words} – {', '.join(about[:4])}{more}"))
    print(folded(f"model: {', '.join(dict.fromkeys(p.model for p in predictions))}"))


def _table(
    names: Sequence[str], predictions: Sequence[Prediction], wide: bool = True
) -> tuple[list[Column], list[list[str]]]:
    """Columns and rows; on a narrow screen without what the structures were taken as, which stands below then."""
    intervals = any(p.voltage_lower is not None for p in predictions)
    expected = any(p.voltage_measured is not None for p in predictions)
    columns = [
        Column("structure", True), Column("formula", True), Column("ion", True), Column("voltage\n(V)"),
        *([Column("90 % interval\n(V)")] if intervals else []), *([Column(HEADING)] if expected else []),
        *([Column("taken as", True), Column("capacity\n(mAh/g)"), Column("energy\n(Wh/kg)")] if wide else
          [Column("mAh/g"), Column("Wh/kg")]),
    ]  # fmt: skip

    def row(name: str, p: Prediction) -> list[str]:
        spread = "" if p.voltage_std is None or p.voltage_lower is not None else f" ± {p.voltage_std:.2f}"
        span = "" if p.voltage_lower is None else f"{p.voltage_lower:.2f} to {p.voltage_upper:.2f}"
        return [
            name, p.formula, p.working_ion, f"{p.voltage:.2f}{spread}", *([span] if intervals else []),
            *([cell_text(p)] if expected else []), *([p.end_members] if wide else []),
            "" if p.capacity_grav is None else f"{p.capacity_grav:.0f}",
            "" if p.energy_grav is None else f"{p.energy_grav:.0f}",
        ]  # fmt: skip

    return columns, [row(name, p) for name, p in zip(names, predictions, strict=True)]


def told_once(answers: Iterable[Prediction | InputError]) -> Iterator[Prediction | InputError]:
    """The same, with each error once: one that holds for all ions of a structure stands in place of each of them."""
    from ionvolt.errors import InputError

    seen: set[str] = set()
    for answer in answers:
        if isinstance(answer, InputError):
            if str(answer) in seen:
                continue
            seen.add(str(answer))
        yield answer
