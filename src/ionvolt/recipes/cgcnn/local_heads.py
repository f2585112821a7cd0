"""Local-voltage heads of a fitted ensemble, and how closely they keep to the voltages that they explain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ionvolt.datasets import ElectrodeSet
from ionvolt.graphs import CrystalGraph
from ionvolt.models.card import Record
from ionvolt.models.cgcnn.ensemble import Ensemble
from ionvolt.models.cgcnn.inference import LocalHeads
from ionvolt.models.cgcnn.local_voltages import local_voltages
from ionvolt.models.storage import Arrays
from ionvolt.training.cgcnn.local_head import LocalFit, fit_local_heads, named_local_heads
from ionvolt.training.cgcnn.runs import prepare
from ionvolt.typing import Array32

NOTE = (
    "mae: mean of the linear local voltages, eq. (2), against label and voltage head on validation rows of each "
    "member; ensemble: against the voltage, ensemble means, all rows; additive: largest difference between the mean "
    "of the additive local voltages and the voltage"
)


def fit_ion(
    ensemble: Ensemble,
    data: ElectrodeSet,
    graphs: Sequence[CrystalGraph],
    pooled: Array32,
    ion: str,
    checked: int,
) -> tuple[Arrays, Record]:
    """Fit an ion's local heads and measure the sum rule.

    Args:
        ensemble: With voltage heads for the ion.
        data: What it was fitted on, all ions: the validation parts are those of its members.
        graphs: Graphs of the hosts.
        pooled: Each member's pooled vectors of them, shape (n_members, n_hosts, N_FEATURES).
        ion: Symbol of the ion whose heads are fitted.
        checked: Crystals on which the sum rule of additive local voltages is tried.

    Returns:
        The heads under their names in an ensemble, and a line of the card's evaluation.
    """
    of_ion = np.flatnonzero(data.ions == ion)
    parts = prepare(data, ion, n_members=ensemble.n_members, keep_test=False)
    own = pooled[:, of_ion]
    heads, fits = list[LocalHeads](), list[LocalFit]()
    for m, part in enumerate(parts.members):
        # A host of another ion may be the very crystal that a validation row holds.
        spared = np.isin(data.frameworks, data.frameworks[of_ion][part[1]])
        others = pooled[m][(data.ions != ion) & ~spared]
        head = ensemble.heads(ion).member(m)
        fitted, facts = fit_local_heads([own[m]], [head], parts.rows.voltages, [part], [others])
        heads += fitted
        fits += facts
    arrays = named_local_heads(ion, heads)
    local = ensemble.with_arrays(arrays).local_heads(ion)
    voltage = ensemble.voltages_of(own, [ion])[0].mean(0)
    linear = local(own).astype(np.float64).mean(0)
    worst = 0.0
    for row in np.random.default_rng(0).permutation(len(of_ion))[:checked]:
        found = local_voltages(ensemble.atom_vectors(graphs[of_ion[row]]), ensemble.heads(ion), local)
        worst = max(worst, abs(float(found.additive.mean()) - float(voltage[row])))
    values = {
        "mae_to_label_V": round(float(np.mean([fit.mae_to_label for fit in fits])), 4),
        "mae_to_head_V": round(float(np.mean([fit.mae_to_head for fit in fits])), 4),
        "ensemble_mae_to_voltage_V": round(float(np.abs(linear - voltage).mean()), 4),
        "additive_max_error_V": float(f"{max(worst, 1e-6):.1g}"),
    }
    return arrays, Record("local voltages", ion, values=values, note=NOTE)
