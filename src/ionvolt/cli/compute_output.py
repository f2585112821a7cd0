"""What ``ionvolt compute`` found, as records for JSON and as tables."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ionvolt.cli.pairs import Pair
    from ionvolt.models.interface import Estimate
    from ionvolt.physics.average import AverageVoltage
    from ionvolt.physics.profile import Profile


def record_of(
    pair: Pair, computed: AverageVoltage, learned: Estimate | None, notes: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What ``--json`` says of an electrode: the learned answer where there is one, the potential's own beside it."""
    from ionvolt.ions import capacity_grav

    n_all = computed.discharged.composition[computed.ion.symbol] * computed.reaction.discharged_cells
    return {
        "discharged": pair.discharged,
        "charged": pair.charged,
        "working_ion": computed.ion.symbol,
        "formula_discharged": computed.discharged.formula,
        "formula_charged": computed.charged.formula,
        "voltage_potential": computed.voltage,
        "voltage": learned.voltage if learned else computed.voltage,
        "voltage_lower": learned.lower if learned else None,
        "voltage_upper": learned.upper if learned else None,
        "in_domain": learned.in_domain if learned else None,
        "model": learned.model if learned else computed.potential,
        "n_ions": computed.reaction.n_ions,
        "capacity_grav": capacity_grav(computed.discharged, computed.ion) * computed.reaction.n_ions / n_all,
        "method": computed.method,
        "volume_change": computed.volume_change,
        "converged": computed.converged,
        "steps": computed.steps,
        "seconds": round(computed.seconds, 3),
        "warnings": [*computed.warnings, *(learned.reasons if learned else ()), *notes],
    }


def print_one(record: dict[str, Any], computed: AverageVoltage) -> None:
    """Print one electrode in lines."""
    print(f"{record['formula_charged']} → {record['formula_discharged']} against {record['working_ion']}")
    interval = ""
    if record["voltage_lower"] is not None:
        interval = f", 90 % interval {record['voltage_lower']:.2f} to {record['voltage_upper']:.2f} V"
    alone = f"the potential alone {record['voltage_potential']:.2f} V"
    print(f"average voltage  {record['voltage']:.2f} V{interval} ({alone})")
    print(f"model            {record['model']}")
    print(f"capacity         {record['capacity_grav']:.0f} mAh/g, volume {100 * record['volume_change']:+.1f} %")
    print(f"method           {record['method']}")
    if computed.converged is not None:
        done = "converged" if computed.converged else "not converged"
        print(f"relaxation       {done}, {computed.steps} steps, {computed.seconds:.1f} s")
    for warning in record["warnings"]:
        print(f"note: {warning}")


def print_profile(profile: Profile) -> None:
    """Print a voltage profile as a table."""
    from rich.console import Console
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
    Console(width=None if sys.stdout.isatty() else 1000).print(table)
    done = "" if profile.converged else ", not all relaxations converged"
    print(f"average of the steps {profile.average:.2f} V; {profile.n_computed} arrangements computed{done}")


def print_records(records: list[dict[str, Any]]) -> None:
    """Print many electrodes as a table; those with an error were told of already."""
    from rich.console import Console
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
    Console(width=None if sys.stdout.isatty() else 1000, markup=False, emoji=False, highlight=False).print(table)
    for r in records:
        for warning in r.get("warnings", []):
            print(f"note: {warning}")
