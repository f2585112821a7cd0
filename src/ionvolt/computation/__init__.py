"""From end members to computed voltages: what ``ionvolt compute`` answers is decided here, and nowhere else.

Potentials relax the end members and give the energies; the Δ-model, which has learned the potentials' errors, corrects
the voltage. Where an electrode is seldom fully extracted, the Δ-model's variant for unrelaxed hosts answers: it has
learned where calculated voltages stop.
"""

from ionvolt.computation.checked import compute_checked
from ionvolt.computation.computer import Computer, calculator
from ionvolt.computation.correction import UNCORRECTED, corrected
from ionvolt.computation.many import Ends, compute_many, computing
from ionvolt.computation.one import compute
from ionvolt.computation.partly_filled import compute_partly_filled
from ionvolt.computation.result import VoltageResult

__all__ = [
    "UNCORRECTED",
    "Computer",
    "Ends",
    "VoltageResult",
    "calculator",
    "compute",
    "compute_checked",
    "compute_many",
    "compute_partly_filled",
    "computing",
    "corrected",
]
