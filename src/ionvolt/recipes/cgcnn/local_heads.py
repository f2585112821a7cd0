"""Refit the local-voltage heads of a shipped model and write its weights and card again.

    python scripts/local_heads.py runs/mp2020.parquet [--model cgcnn-mp2020] [--dry-run]

The rows, cleaning and validation parts are those that ``shipped_models.py train`` used, so what the card says of the
sum rule is measured on rows that the member was not trained on. Nothing but the local heads and their facts changes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ionvolt.datasets import ElectrodeSet, clean, read_dataset
from ionvolt.graphs import CrystalGraph, build_graph
from ionvolt.models.cgcnn.ensemble import Ensemble, load_ensemble, save_ensemble
from ionvolt.models.cgcnn.local_voltages import local_voltages
from ionvolt.models.registry import PAPER_MODEL, model_folder
from ionvolt.training.cgcnn.local_head import fit_local_heads
from ionvolt.training.cgcnn.runs import prepare

CHECKED = 100
"""Crystals of each ion on which the sum rule of the additive shares is tried."""


def facts_of(
    ensemble: Ensemble, data: ElectrodeSet, graphs: list[CrystalGraph], pooled: list[torch.Tensor], ion: str
) -> dict[str, Any]:
    """Fit an ion's local heads in place and measure the sum rule."""
    of_ion = np.flatnonzero(data.ions == ion)
    parts = prepare(data, ion, n_members=len(ensemble.trunks), keep_test=False)
    own = [vectors[of_ion] for vectors in pooled]
    heads, fits = [], []
    for m, part in enumerate(parts.members):
        # A host of another ion may be the very crystal that a validation row holds.
        spared = np.isin(data.frameworks, data.frameworks[of_ion][part[1]])
        others = pooled[m][torch.from_numpy(np.flatnonzero((data.ions != ion) & ~spared))]
        fitted, fact = fit_local_heads(
            own[m : m + 1], ensemble.heads[ion][m : m + 1], parts.rows.voltages, [part], [others]
        )
        heads += fitted
        fits += fact
    ensemble.local_heads[ion] = heads
    voltage = ensemble.voltages_of(own, [ion])[0].mean(0)
    with torch.no_grad():
        linear = np.mean([head(p).double().numpy() for head, p in zip(heads, own, strict=True)], 0)
    worst = 0.0
    for row in np.random.default_rng(0).permutation(len(of_ion))[:CHECKED]:
        found = local_voltages(ensemble.atom_vectors(graphs[of_ion[row]]), ensemble.heads[ion], heads)
        worst = max(worst, abs(float(found.additive.mean()) - float(voltage[row])))
    return {
        "mae_to_label_V": round(float(np.mean([fit.mae_to_label for fit in fits])), 4),
        "mae_to_head_V": round(float(np.mean([fit.mae_to_head for fit in fits])), 4),
        "ensemble_mae_to_voltage_V": round(float(np.abs(linear - voltage).mean()), 4),
        "additive_max_error_V": float(f"{max(worst, 1e-6):.1g}"),
        "note": "mae: mean of the linear local voltages, eq. (2), against label and voltage head on validation rows of "
        "each member; ensemble: against the voltage, ensemble means, all rows; additive: largest difference between "
        "the mean of the additive local voltages and the voltage",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default=PAPER_MODEL)
    parser.add_argument("--dry-run", action="store_true", help="Tell, write nothing.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start = time.time()
    folder = model_folder(arguments.model)
    ensemble = load_ensemble(folder)
    data, _ = clean(read_dataset(arguments.data), list(ensemble.card.training.get("cleaning", {})))
    graphs = [build_graph(host, ties=ensemble.card.ties) for host in data.hosts]
    pooled = [vectors.clone() for vectors in ensemble.pooled(graphs)]
    for ion in ensemble.ions:
        facts = facts_of(ensemble, data, graphs, pooled, ion)
        before = ensemble.card.ions[ion].get("local_voltages", {}).get("mae_to_head_V")
        ensemble.card.ions[ion]["local_voltages"] = facts
        print(
            f"{ion}: linear against the head {facts['mae_to_head_V']:.3f} V (was {before}), ensemble "
            f"{facts['ensemble_mae_to_voltage_V']:.3f} V, additive {facts['additive_max_error_V']:.0e} V"
        )
    if not arguments.dry_run:
        save_ensemble(ensemble, folder)
        print(f"{folder}: written, {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
