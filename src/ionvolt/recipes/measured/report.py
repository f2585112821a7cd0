"""What held-out measured electrodes say of a model: figures by group, as cards and docs have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ionvolt.evaluation.metrics import share_within
from ionvolt.experiment.expected import HeldOut

MULTIVALENT = ("Mg", "Ca", "Zn", "Al")


def errors(held: Sequence[HeldOut]) -> dict[str, float | int]:
    """Figures of some held-out answers, V; shares are fractions."""
    measured = np.array([h.point.cathode.voltage for h in held], dtype=float)
    expected = np.array([h.estimate.voltage for h in held])
    calculated = np.array([h.point.electrode.calculated for h in held])
    lower, upper = (np.array([getattr(h.estimate, end) for h in held]) for end in ("lower", "upper"))
    off = np.abs(expected - measured)
    return {
        "n": len(held),
        "mae_calculated": round(float(np.abs(calculated - measured).mean()), 3),
        "mae": round(float(off.mean()), 3),
        "median": round(float(np.median(off)), 3),
        "within_0.1": round(share_within(off, 0.1), 3),
        "bias": round(float((expected - measured).mean()), 3),
        "coverage_90": round(float(((lower <= measured) & (measured <= upper)).mean()), 3),
        "mean_width": round(float((upper - lower).mean()), 3),
        "out_of_domain": sum(not h.estimate.in_domain for h in held),
    }


def groups(held: Sequence[HeldOut]) -> dict[str, list[HeldOut]]:
    """Held-out answers by what they have in common; those over a part of the range stand alone."""
    whole = [h for h in held if not h.point.part]
    found = {
        "all": whole,
        "rows that count": [h for h in whole if h.point.cathode.use],
        "not from memory": [h for h in whole if h.point.cathode.checked != "recalled"],
        "from memory": [h for h in whole if h.point.cathode.checked == "recalled"],
        "multivalent": [h for h in whole if h.point.cathode.multivalent],
        "multivalent that count": [h for h in whole if h.point.cathode.multivalent and h.point.cathode.use],
        "monovalent": [h for h in whole if not h.point.cathode.multivalent],
    }
    for ion in ("Li", "Na", "K", *MULTIVALENT):
        found[ion] = [h for h in whole if h.point.cathode.ion == ion]
    for anion in ("oxide", "polyanion", "chalcogenide", "cyanide", "fluoride"):
        found[anion] = [h for h in whole if h.point.electrode.chemistry.anion == anion]
    found["layered oxides over the whole range"] = [h for h in whole if h.point.electrode.chemistry.fully_extracted]
    found["the same over the measured part"] = [h for h in held if h.point.part]
    return {name: group for name, group in found.items() if group}


def figures(held: Sequence[HeldOut]) -> dict[str, dict[str, float | int]]:
    """``errors`` of each of the ``groups``."""
    return {name: errors(group) for name, group in groups(held).items()}
