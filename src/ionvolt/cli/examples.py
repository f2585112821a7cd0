"""``ionvolt examples``: known electrodes, predicted beside what is measured, and their files to try things with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionvolt.cli.choices import ModelOption
from ionvolt.cli.terminal import folded, json_text

if TYPE_CHECKING:
    from ionvolt.experiment.cathodes import Cathode
    from ionvolt.structures import Crystal


@dataclass(frozen=True)
class Known:
    """An electrode that everybody in the field knows.

    Attributes:
        file: Name of its file among the bundled examples, without the ending.
        ion: Working ion.
        host: Formula of the charged host, as the table of measured cathodes names it.
        phase: Its phase there.
    """

    file: str
    ion: str
    host: str
    phase: str


KNOWN = (
    Known("LiFePO4", "Li", "FePO4", "olivine"),
    Known("LiCoO2", "Li", "CoO2", "layered O3"),
    Known("LiMn2O4", "Li", "Mn2O4", "spinel"),
    Known("TiS2", "Li", "TiS2", "1T"),
    Known("NaCrO2", "Na", "CrO2", "layered O3"),
    Known("MgMn2O4", "Mg", "Mn2O4", "spinel"),
    Known("Mo6S8", "Mg", "Mo6S8", "Chevrel"),
    Known("Mo6S8", "Zn", "Mo6S8", "Chevrel"),
)


def examples(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the example CIFs into this folder; predict nothing.", metavar="DIR"),
    ] = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """Predict eight known electrodes and show what is measured beside, or write their files to try things with."""
    if output is not None:
        print(folded(f"{output}: {', '.join(_write(output))}"))
        return
    rows = _rows(model)
    if as_json:
        print(json_text(rows))
        return
    print(f"{'electrode':<11}{'ion':<5}{'predicted (V)':>13}{'90 % interval (V)':>20}{'measured (V)':>16}")
    for row in rows:
        interval = "" if row["voltage_lower"] is None else f"{row['voltage_lower']:.2f} to {row['voltage_upper']:.2f}"
        measured = f"{row['measured']:.2f} ± {row['measured_uncertainty']:.2f}"
        name = row["file"].removesuffix(".cif")
        print(f"{name:<11}{row['working_ion']:<5}{row['voltage']:>13.2f}{interval:>20}{measured:>16}")
    error = sum(abs(row["voltage"] - row["measured"]) for row in rows) / len(rows)
    print(f"predicted: calculated voltage (PBE+U); off by {error:.2f} V in the mean of these eight")
    print("yours: ionvolt predict FILE.cif --ion Mg; these files: ionvolt examples -o DIR")


def _rows(model: str | None) -> list[dict[str, Any]]:
    from ionvolt.prediction import as_model, predict

    predictor = as_model(model)
    rows = []
    for known in KNOWN:
        cathode = measured(known)
        found = predict(crystal_of(known), known.ion, model=predictor)
        rows.append(
            {
                "file": f"{known.file}.cif",
                "formula": found.formula,
                "working_ion": known.ion,
                "voltage": found.voltage,
                "voltage_lower": found.voltage_lower,
                "voltage_upper": found.voltage_upper,
                "model": found.model,
                "measured": cathode.voltage,
                "measured_uncertainty": cathode.uncertainty,
                "measured_doi": cathode.doi,
                "measured_checked": cathode.checked,
            }
        )
    return rows


def measured(known: Known) -> Cathode:
    """The row of the table of measured cathodes that belongs to a known electrode."""
    from ionvolt.experiment.cathodes import usable_cathodes

    (row,) = (c for c in usable_cathodes() if (c.ion, c.host, c.phase) == (known.ion, known.host, known.phase))
    return row


def crystal_of(known: Known) -> Crystal:
    """The bundled structure of a known electrode."""
    from ionvolt.structures import read_text

    return read_text(_texts()[known.file], f"{known.file}.cif")


def _texts() -> dict[str, str]:
    from importlib.resources import files

    folder = files("ionvolt") / "examples"
    found = {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".cif")}
    return {name.removesuffix(".cif"): found[name] for name in sorted(found)}


def _write(folder: Path) -> list[str]:
    from ionvolt.errors import InputError

    texts = {f"{name}.cif": text for name, text in _texts().items()}
    other = [name for name, text in texts.items() if (folder / name).exists() and _differs(folder / name, text)]
    if other:
        raise InputError(str(folder / other[0]), "another file of that name is there", "Name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(texts)


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text
