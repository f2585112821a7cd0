"""What ``ionvolt compute`` found, as records for JSON and as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ionvolt.cli.terminal import console

if TYPE_CHECKING:
    from ionvolt.cli.pairs import Pair
    from ionvolt.computation import VoltageResult
    from ionvolt.physics.profile import Profile


def record_of(pair: Pair, result: VoltageResult) -> dict[str, Any]:
    """What ``--json`` says of an electrode: the result, and the names of the files that it came from."""
    return {"discharged": pair.discharged, "charged": pair.charged} | result.to_dict()


def print_one(result: VoltageResult) -> None:
    """Print one electrode in lines."""
    r = result
    print(f"{r.formula_charged} → {r.formula_discharged} against {r.working_ion}")
    interval = ""
    if r.voltage_lower is not None:
        interval = f", 90 % interval {r.voltage_lower:.2f} to {r.voltage_upper:.2f} V"
    print(f"average voltage  {r.voltage:.2f} V{interval} (the potential alone {r.voltage_potential:.2f} V)")
    if r.voltage_measured is not None:
        span = f"90 % interval {r.voltage_measured_lower:.2f} to {r.voltage_measured_upper:.2f} V"
        print(f"expect in a cell {r.voltage_measured:.2f} V, {span} ({r.measured_basis})")
    print(f"model            {r.model}")
    print(f"capacity         {r.capacity_grav:.0f} mAh/g, {r.capacity_vol:.0f} mAh/cm³")
    print(f"energy           {r.energy_grav:.0f} Wh/kg, {r.energy_vol:.0f} Wh/L")
    print(f"volume change    {100 * r.volume_change:+.1f} %")
    print(f"method           {r.method}")
    if r.converged is not None:
        done = "converged" if r.converged else "not converged"
        print(f"relaxation       {done}, {r.steps} steps, {r.seconds:.1f} s")
    for warning in r.warnings:
        print(f"note: {warning}")


def print_profile(profile: Profile) -> None:
    """Print a voltage profile as a table."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("filling", "from", "to", "voltage (V)", "volume"):
        table.add_column(name, justify="right" if name in ("voltage (V)", "volume") else "left")
    for step in profile.steps:
        table.add_row(
            f"{step.filling_charged:.2f}–{step.filling_discharged:.2f}",
            step.formula_charged,
            step.formula_discharged,
            f"{step.voltage:.2f}",
            f"{100 * step.volume_change:+.1f} %",
        )
    console().print(table)
    done = "" if profile.converged else ", not all relaxations converged"
    print(f"average of the steps {profile.average:.2f} V; {profile.n_computed} arrangements computed{done}")


def print_records(records: list[dict[str, Any]]) -> None:
    """Print many electrodes as a table; those with an error were told of already."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("discharged", "charged", "ion", "voltage (V)", "physics (V)", "volume", "converged"):
        table.add_column(name, overflow="fold")
    for r in records:
        if "error" not in r:
            table.add_row(
                r["formula_discharged"], r["formula_charged"], r["working_ion"], f"{r['voltage']:.2f}",
                f"{r['voltage_potential']:.2f}", f"{100 * r['volume_change']:+.1f} %",
                {True: "yes", False: "no", None: "-"}[r["converged"]],
            )  # fmt: skip
    console().print(table)
    for r in records:
        for warning in r.get("warnings", []):
            print(f"note: {warning}")
