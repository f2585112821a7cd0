"""Local voltages: what each atom of a crystal adds to its voltage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.graphs import CrystalGraph, build_graph
from ionvolt.ions import parse_ions, working_ion
from ionvolt.models.cgcnn.local_voltages import LocalVoltages, local_voltages
from ionvolt.prediction import Assume, Prediction, as_explainer, predict_checked
from ionvolt.reading import read_question
from ionvolt.structures import as_crystal
from ionvolt.structures.crystal import SYMBOLS, Crystal

if TYPE_CHECKING:
    from ionvolt.models.cgcnn.ensemble import Ensemble


@dataclass(frozen=True)
class Site:
    """An atom of the host and what it adds.

    Attributes:
        index: Its place in the host, from 0.
        element: Symbol.
        frac_coords: Fractional coordinates.
        cart_coords: Å.
        local_voltage: Its share of the voltage, mean over the ensemble, V; the mean over all atoms is the crystal's
            voltage (see ``additive``).
        local_voltage_std: Spread over the ensemble, V (0 for a single network).
        linear_voltage: Local voltage by the fitted linear law, eq. (2) of the paper, mean over the ensemble, V; the
            mean over all atoms comes as close to the voltage as the model's card says.
        coordination: Effective coordination number (Hoppe 1979), from the distances of the nearest neighbours.
        neighbours: Elements of the nearest shell, such as ``O6``.
    """

    index: int
    element: str
    frac_coords: tuple[float, float, float]
    cart_coords: tuple[float, float, float]
    local_voltage: float
    local_voltage_std: float
    linear_voltage: float
    coordination: float
    neighbours: str


@dataclass(frozen=True)
class Explanation:
    """A prediction, atom by atom.

    Attributes:
        prediction: The voltage and its circumstances.
        lattice: Cell vectors of the host as rows, Å.
        sites: The atoms of the host.
        elements: For each element the number of atoms, the median, lowest and highest local voltage, V, and its
            ``contribution``: how far its atoms together move the voltage away from ``reference_voltage``, V.
        mean_local_voltage: Mean over the atoms, V: ``prediction.voltage`` but for rounding.
        mean_linear_voltage: Mean of the linear local voltages, V.
        reference_voltage: What the model gives for the average host that it was trained on, V; with all elements'
            contributions it makes the voltage.
    """

    prediction: Prediction
    lattice: list[list[float]]
    sites: list[Site]
    elements: dict[str, dict[str, float]]
    mean_local_voltage: float
    mean_linear_voltage: float
    reference_voltage: float

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain JSON types."""
        content = asdict(self)
        content["prediction"] = self.prediction.to_dict()
        content["sites"] = [
            asdict(site) | {"frac_coords": list(site.frac_coords), "cart_coords": list(site.cart_coords)}
            for site in self.sites
        ]
        return content


def explain(
    structure: object, ion: str, *, model: str | Path | Ensemble | None = None, assume: Assume = "auto"
) -> Explanation:
    """What each atom of an electrode adds to its voltage; arguments and errors are those of ``predict``."""
    return explain_many(structure, [ion], model=model, assume=assume)[0]


def explain_many(
    structure: object, ions: str | Sequence[str], *, model: str | Path | Ensemble | None = None, assume: Assume = "auto"
) -> list[Explanation]:
    """``explain`` for several working ions.

    Raises:
        ModelError: The model has no local-voltage heads.
    """
    ensemble = as_explainer(model)
    crystal = as_crystal(structure)
    ensemble.require_local([ion.symbol for ion in parse_ions(ions if isinstance(ions, str) else ",".join(ions))])
    predictions = predict_checked([crystal], ions, model=ensemble, assume=assume)
    # All ions that find the crystal charged share one host, so its graph and atom vectors are made once.
    hosts = {
        _host_key(p): read_question(crystal, working_ion(p.working_ion), assume=assume).query.host for p in predictions
    }
    found: dict[str, tuple[list[Site], LocalVoltages]] = {}
    for key, host in hosts.items():
        of_host = [p.working_ion for p in predictions if _host_key(p) == key]
        graph = build_graph(host, ties=ensemble.card.ties)
        vectors = ensemble.atom_vectors(graph)
        surroundings = _coordination(graph)
        for ion in of_host:
            of_ion = local_voltages(vectors, ensemble.heads[ion], ensemble.local_heads[ion])
            found[ion] = (_sites(host, of_ion, *surroundings), of_ion)
    return [_explanation(p, hosts[_host_key(p)], *found[p.working_ion]) for p in predictions]


def _host_key(prediction: Prediction) -> str:
    removed = ", ".join(prediction.removed)
    return f"without {removed}" if prediction.end_members == "charged" else f"without {prediction.working_ion}"


def _sites(host: Crystal, members: LocalVoltages, coordination: NDArray[np.float64], shells: list[str]) -> list[Site]:
    """The atoms of a host with their local voltages."""
    local, linear = members.additive.mean(0), members.linear.mean(0)
    spread = members.additive.std(0, ddof=1) if len(members.additive) > 1 else np.zeros(len(host))
    cart = host.frac_coords @ host.lattice
    return [
        Site(
            index=i,
            element=symbol,
            frac_coords=_triple(host.frac_coords[i]),
            cart_coords=_triple(cart[i]),
            local_voltage=float(local[i]),
            local_voltage_std=float(spread[i]),
            linear_voltage=float(linear[i]),
            coordination=round(float(coordination[i]), 2),
            neighbours=shells[i],
        )
        for i, symbol in enumerate(host.symbols)
    ]


def _explanation(prediction: Prediction, host: Crystal, sites: list[Site], members: LocalVoltages) -> Explanation:
    symbols, local = np.array(host.symbols), members.additive.mean(0)
    reference = float(members.reference.mean())
    elements = {
        symbol: {
            "n": int((symbols == symbol).sum()),
            "median": float(np.median(local[symbols == symbol])),
            "min": float(local[symbols == symbol].min()),
            "max": float(local[symbols == symbol].max()),
            "contribution": float((local[symbols == symbol] - reference).sum() / len(host)),
        }
        for symbol in dict.fromkeys(host.symbols)
    }
    linear = float(members.linear.mean())
    return Explanation(prediction, host.lattice.tolist(), sites, elements, float(local.mean()), linear, reference)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (round(float(v), 6) for v in values)
    return x, y, z


def _coordination(graph: CrystalGraph) -> tuple[NDArray[np.float64], list[str]]:
    """Hoppe's effective coordination number of each atom and the make-up of its shell.

    A neighbour at d counts exp(1 - (d / l)^6), l being the mean distance weighted in the same way from the shortest.
    """
    d = graph.distances.astype(np.float64)
    shortest = d.min(axis=1, keepdims=True)
    weight = np.exp(1 - (d / shortest) ** 6)
    mean = (d * weight).sum(1, keepdims=True) / weight.sum(1, keepdims=True)
    weight = np.minimum(np.exp(1 - (d / mean) ** 6), 1.0)
    shells = []
    for counted, neighbours in zip(weight > 0.25, graph.neighbours, strict=True):
        symbols, counts = np.unique(graph.numbers[neighbours[counted]], return_counts=True)
        shells.append(" ".join(f"{SYMBOLS[z]}{n}" for z, n in zip(symbols[::-1], counts[::-1], strict=True)))
    return weight.sum(1), shells
