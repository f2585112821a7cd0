"""What ``ionvolt compute`` found, as records for JSON and as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ionvolt.cli.expectation import HEADING, cell_text, footnotes
from ionvolt.cli.terminal import Column, folded, print_table

if TYPE_CHECKING:
    from ionvolt.cli.pairs import Pair
    from ionvolt.computation import VoltageResult


def record_of(pair: Pair, result: VoltageResult) -> dict[str, Any]:
    """What ``--json`` says of an electrode: the result, and the names of the files that it came from."""
    return {"discharged": pair.discharged, "charged": pair.charged} | result.to_dict()


def print_one(result: VoltageResult) -> None:
    """Print one electrode in lines."""
    r = result
    print(folded(f"{r.formula_charged} → {r.formula_discharged} against {r.working_ion}"))
    interval = ""
    if r.voltage_lower is not None:
        interval = f", 90 % interval {r.voltage_lower:.2f} to {r.voltage_upper:.2f} V"
    print(folded(f"average voltage  {r.voltage:.2f} V{interval} (the potential alone {r.voltage_potential:.2f} V)"))
    if r.voltage_measured is not None:
        span = f"90 % interval {r.voltage_measured_lower:.2f} to {r.voltage_measured_upper:.2f} V"
        print(folded(f"expect in a cell {r.voltage_measured:.2f} V, {span} ({r.measured_basis})"))
    print(folded(f"model            {r.model}"))
    print(f"capacity         {r.capacity_grav:.0f} mAh/g, {r.capacity_vol:.0f} mAh/cm³")
    if r.energy_grav is not None:
        print(f"energy           {r.energy_grav:.0f} Wh/kg, {r.energy_vol:.0f} Wh/L")
    print(f"volume change    {100 * r.volume_change:+.1f} %")
    print(folded(f"method           {r.method}"))
    if r.converged is not None:
        done = "converged" if r.converged else "not converged"
        print(f"relaxation       {done}, {r.steps} steps, {r.seconds:.1f} s")
    for warning in r.warnings:
        print(folded(f"note: {warning}"))


def print_profile(result: VoltageResult) -> None:
    """Print a voltage profile as a table, and how its steps and the average voltage belong together."""
    profile = result.profile
    assert profile is not None
    expected = any(step.voltage_measured is not None for step in profile.steps)
    judged = any(step.voltage_lower is not None for step in profile.steps)
    columns = [
        Column("filling", True), Column("from", True), Column("to", True), Column("potential\nalone (V)"),
        *([Column("90 % interval\n(V)")] if judged else []), *([Column(HEADING)] if expected else []), Column("volume"),
    ]  # fmt: skip
    rows = [
        [
            f"{step.filling_charged:.2f}–{step.filling_discharged:.2f}",
            step.formula_charged,
            step.formula_discharged,
            f"{step.voltage:.2f}",
            *(
                ["" if step.voltage_lower is None else f"{step.voltage_lower:.2f} to {step.voltage_upper:.2f}"]
                if judged
                else []
            ),
            *([cell_text(step)] if expected else []),
            f"{100 * step.volume_change:+.1f} %",
        ]
        for step in profile.steps
    ]
    print_table(columns, rows)
    for line in footnotes(profile.steps):
        print(folded(line))
    done = "" if profile.converged else ", not all relaxations converged"
    corrected = ""
    if result.voltage_lower is not None:
        corrected = f"; the correction, which holds for the average alone, gives {result.voltage:.2f} V"
    words = f"average of the steps {profile.average:.2f} V by the potential alone{corrected}"
    print(folded(f"{words}; {profile.n_computed} arrangements computed{done}"))


def print_records(records: list[dict[str, Any]]) -> None:
    """Print many electrodes as a table; those with an error were told of already."""
    columns = [
        Column("discharged", True), Column("charged", True), Column("ion", True), Column("voltage\n(V)"),
        Column("90 % interval\n(V)"), Column("potential\nalone (V)"), Column(HEADING), Column("volume"),
    ]  # fmt: skip
    answered = [r for r in records if "error" not in r]
    rows = [
        [
            r["formula_discharged"], r["formula_charged"], r["working_ion"], f"{r['voltage']:.2f}",
            "" if r["voltage_lower"] is None else f"{r['voltage_lower']:.2f} to {r['voltage_upper']:.2f}",
            f"{r['voltage_potential']:.2f}",
            "" if r["voltage_measured"] is None else f"{r['voltage_measured']:.2f}",
            f"{100 * r['volume_change']:+.1f} %",
        ]
        for r in answered
    ]  # fmt: skip
    if rows:
        print_table(columns, rows)
    for warning in dict.fromkeys(warning for r in answered for warning in r.get("warnings", [])):
        print(folded(f"note: {warning}"))
