"""What it costs to start from the discharged electrode: the ion removed, the rest left unrelaxed.

Compares, for electrodes with both ends known, what a model says of the charged host and of the discharged structure
without its ions. Many of these electrodes are in the training data of a shipped model, so only the difference between
the two means something, not the errors themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ionvolt.datasets import ElectrodeSet
from ionvolt.graphs import build_graph
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.cgcnn.ensemble import Ensemble


@dataclass(frozen=True)
class InputErrors:
    """Mean absolute errors of an ion, V.

    Attributes:
        n: Electrodes whose charged end is free of the ion.
        charged: From the charged host.
        discharged: From the discharged structure without its ions.
        difference: Between the two answers.
    """

    n: int
    charged: float
    discharged: float
    difference: float


def compare_inputs(model: Ensemble, data: ElectrodeSet) -> dict[str, InputErrors]:
    """Both inputs, ion by ion."""
    found = {}
    for symbol in (ion for ion in model.ions if ion in set(data.ions.tolist())):
        ion = WORKING_IONS[symbol]
        rows = [
            (e, e.discharged)
            for e in data.for_ion(symbol)
            if e.discharged is not None and ion.number not in e.host.numbers and ion.number in e.discharged.numbers
        ]
        if not rows:
            continue
        target = np.array([e.average_voltage for e, _ in rows])
        ties = model.ties
        charged = model.voltages([build_graph(e.host, ties=ties) for e, _ in rows], [symbol])[0].mean(0)
        stripped = [build_graph(remove_ion(discharged, ion), ties=ties) for _, discharged in rows]
        discharged = model.voltages(stripped, [symbol])[0].mean(0)
        found[symbol] = InputErrors(
            len(rows),
            float(np.abs(charged - target).mean()),
            float(np.abs(discharged - target).mean()),
            float(np.abs(discharged - charged).mean()),
        )
    return found
