"""What it costs to start from the discharged electrode: the ion removed, the rest left unrelaxed.

    python scripts/discharged_inputs.py runs/mp2025.parquet   # writes its table into docs/models.md

Compares, for electrodes with both ends known, what the shipped model says of the charged host and of the discharged
structure without its ions. Many of these electrodes are in the training data of the model, so only the difference
between the two columns means something, not the errors themselves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ionvolt.datasets import clean, read_dataset
from ionvolt.graphs import build_graph
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.prediction import as_explainer
from model_page import ROOT, write_between


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data, _ = clean(read_dataset(parser.parse_args().data), ["abs7"])
    model = as_explainer(None)
    lines = [
        "| ion | n | MAE from the charged host | from the discharged structure | mean difference |",
        "|---|---|---|---|---|",
    ]
    for symbol, ion in WORKING_IONS.items():
        rows = [
            e
            for e in data.for_ion(symbol)
            if e.discharged is not None and ion.number not in e.host.numbers and ion.number in e.discharged.numbers
        ]
        target = np.array([e.average_voltage for e in rows])
        charged = model.voltages([build_graph(e.host) for e in rows], [symbol])[0].mean(0)
        stripped = [remove_ion(e.discharged, ion) for e in rows if e.discharged is not None]
        discharged = model.voltages([build_graph(crystal) for crystal in stripped], [symbol])[0].mean(0)
        lines.append(
            f"| {symbol} | {len(rows)} | {np.abs(charged - target).mean():.2f} | "
            f"{np.abs(discharged - target).mean():.2f} | {np.abs(discharged - charged).mean():.2f} |"
        )
    write_between(ROOT / "docs/models.md", "discharged", "\n".join(lines))


if __name__ == "__main__":
    main()
