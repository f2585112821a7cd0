"""What puts substitutions in order before anything is predicted: local voltages, known compounds, or chance."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.designing.records import Substitution
from ionvolt.ions import WorkingIon, remove_ion
from ionvolt.models.interface import Predictor, Query
from ionvolt.structures.crystal import Crystal

NEVER = -50.0
"""Logarithm of the probability of a substitution of which nothing is known."""


@dataclass(frozen=True, eq=False)
class LocalVoltages:
    """What the atoms of a host do to its voltage, by a crystal graph network.

    Attributes:
        voltage: Voltage of the host, V.
        departures: By how much each atom's local voltage departs from it, V, shape (n_atoms,) of the discharged cell;
            0 for the working ions, which the network does not see.
        n_atoms: Atoms of the host.
    """

    voltage: float
    departures: NDArray[np.float64]
    n_atoms: int


def local_voltages(discharged: Crystal, ion: WorkingIon, network: Predictor) -> LocalVoltages:
    """Local voltages of the host of a discharged electrode.

    Args:
        discharged: The electrode; its working ions are taken out.
        ion: The working ion.
        network: A model that shares its answers out among the host's atoms by means (``Pooling``).

    Raises:
        InputError: The network does not know one of the elements.
    """
    host = remove_ion(discharged, ion)
    (found,) = network.attribute([Query(ion.symbol, host)])
    departures = np.zeros(len(discharged))
    departures[discharged.numbers != ion.number] = found.departures
    return LocalVoltages(found.estimate.voltage, departures, len(host))


def expected_gain(substitution: Substitution, local: LocalVoltages, elements: Mapping[str, float]) -> float:
    """By how much a substitution should raise the voltage, V, if a new atom does what its element does elsewhere.

    Args:
        substitution: What is done.
        local: Local voltages of the host.
        elements: Median departure of each element (``element_departures``), V; for one that is missing none is known,
            and the answer is minus infinity.
    """
    if substitution.new not in elements:
        return -math.inf
    new = elements[substitution.new]
    return float(sum(new - local.departures[site] for site in substitution.sites)) / local.n_atoms


@cache
def element_departures(ion: str) -> Mapping[str, float]:
    """Median departure of the local voltages of each element from the voltages of its hosts, V, by symbol.

    By the paper's network over the hosts of the Materials Project's electrodes; ``benchmarks/design_guidance.py
    --table`` writes it.
    """
    text = (files("ionvolt.designing") / "element_voltages.csv").read_text(encoding="utf-8")
    return {row["element"]: float(row[ion]) for row in csv.DictReader(text.splitlines())}


def log_probability(substitution: Substitution, charges: Mapping[str, float]) -> float:
    """How likely the new element stands where the old one does in known compounds, natural logarithm.

    Hautier et al., Inorg. Chem. 50, 656 (2011), as pymatgen has it, over all charges of the new element. Which of the
    old element's atoms are meant does not matter.

    Args:
        substitution: What is done.
        charges: Formal charges of the host's elements.
    """
    return element_log_probability(substitution.old, round(charges.get(substitution.old, 0.0)), substitution.new)


@cache
def element_log_probability(old: str, charge: int, new: str) -> float:
    """The same of one element for another that has a charge."""
    table, species = _table()
    known = [other for other in species if other.symbol == new]
    before = [other for other in species if (other.symbol, other.oxi_state) == (old, charge)]
    if not known or not before:
        return NEVER
    return math.log(max(sum(table.cond_prob(other, before[0]) for other in known), math.exp(NEVER)))


@cache
def _table() -> tuple[Any, list[Any]]:
    """The table as pymatgen has it, and the ions in it."""
    from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionProbability

    table = SubstitutionProbability()  # type: ignore[no-untyped-call]
    return table, sorted(table.species, key=str)
