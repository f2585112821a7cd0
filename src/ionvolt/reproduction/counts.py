"""Table S1: how many electrodes there are, before and after the paper's trimming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ionvolt.ions import WORKING_IONS
from ionvolt.reproduction import paper
from ionvolt.reproduction.exhibits import Claim, Exhibit, Holds, write_table
from ionvolt.reproduction.stages import FEWEST, Job

NEAR = 0.1
"""Counts within this share of the paper's are called the same size."""


def make_counts(job: Job, folder: Path) -> list[Exhibit]:
    """Table S1."""
    name = "table-s1"
    rows = count_rows(job)
    write_table(rows, folder, name)
    snapshots = ", ".join(sorted({e.snapshot for e in job.data if e.snapshot})) or "no snapshot named"
    caption = (
        f"{len(job.data)} electrodes of {job.source or 'the data set'} ({snapshots}); kept: after the paper's "
        "trimming (within 2 standard deviations of the ion's mean, Na 1.5, K all). Ions with fewer than "
        f"{FEWEST} kept electrodes are not trained."
    )
    claims = [
        _claim(rows, "kept", paper.KEPT, "are kept for training"),
        _claim(rows, "electrodes", paper.ENTRIES, "are there"),
    ]
    return [
        Exhibit(
            name, "Table S1: electrodes", caption, [], [name], claims,
            inferred="The counts stand in the preprint's Methods; the table's other columns, if any, are not known.",
        )
    ]  # fmt: skip


def count_rows(job: Job) -> list[dict[str, Any]]:
    """A row for each ion of the data or the paper."""
    ions, kept = job.data.ions.tolist(), job.cleaned.ions.tolist()
    rows = []
    for ion in WORKING_IONS:
        n = ions.count(ion)
        if not n and ion not in paper.ENTRIES:
            continue
        of = job.data.for_ion(ion).voltages
        rows.append(
            {
                "ion": ion, "electrodes": n, "kept": kept.count(ion),
                "mean_voltage": float(of.mean()) if n else None, "std_voltage": float(of.std()) if n else None,
                "paper_electrodes": paper.ENTRIES.get(ion), "paper_kept": paper.KEPT.get(ion),
            }
        )  # fmt: skip
    return rows


def _claim(rows: list[dict[str, Any]], column: str, stated: dict[str, int], words: str) -> Claim:
    """Whether the counts are those of the paper."""
    both = {r["ion"]: (int(r[column]), stated[r["ion"]]) for r in rows if r["ion"] in stated}
    off = {ion: here / there - 1 for ion, (here, there) in both.items()}
    near = [ion for ion, share in off.items() if abs(share) <= NEAR]
    holds: Holds = "yes" if len(near) == len(off) else "in part" if near else "no"
    others = ", ".join(f"{ion} {share:+.0%}" for ion, share in off.items() if ion not in near)
    sentence = f"{len(near)} of {len(off)} ions within {NEAR:.0%} of the paper's counts" + (
        f"; not {others}." if others else "."
    )
    total = f"{sum(there for _, there in both.values()):,}"
    here = f"{sum(here for here, _ in both.values()):,}"
    return Claim(f"so many electrodes of the seven ions {words}", total, here, holds, sentence)
