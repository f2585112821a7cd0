"""What an ensemble of crystal graph networks answers to queries: it sees the host alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ionvolt.errors import InputError
from ionvolt.graphs import build_graph
from ionvolt.graphs.elements import KNOWN_ELEMENTS
from ionvolt.models.interface import Estimate, Query
from ionvolt.structures.crystal import SYMBOLS, Crystal

if TYPE_CHECKING:
    from ionvolt.models.cgcnn.ensemble import Ensemble


def graph_answers(ensemble: Ensemble, queries: Sequence[Query]) -> list[Estimate]:
    """Answer queries, in their order; a host that stands in several is looked at once.

    Raises:
        InputError: A host holds an element that the networks have no vector for.
        ModelError: The ensemble has no head for an ion.
    """
    symbols = list(dict.fromkeys(query.ion for query in queries))
    hosts = {id(query.host): query.host for query in queries}
    for host in hosts.values():
        _require_known_elements(host)
    ensemble.require(symbols)
    if not queries:
        return []
    place = {key: i for i, key in enumerate(hosts)}
    pooled = ensemble.pooled([build_graph(host, ties=ensemble.ties) for host in hosts.values()])
    voltages = dict(zip(symbols, ensemble.voltages_of(pooled, symbols), strict=True))
    distances = {symbol: ensemble.distances(pooled, symbol) for symbol in symbols}
    answers = []
    for query in queries:
        column = place[id(query.host)]
        far = distances[query.ion]
        distance = None if far is None else float(far[column])
        answers.append(_answer(ensemble, query, voltages[query.ion][:, column], distance))
    return answers


def _answer(ensemble: Ensemble, query: Query, voltages: np.ndarray, distance: float | None) -> Estimate:
    card, symbol = ensemble.card, query.ion
    calibration = ensemble.calibration(symbol)
    std = spread = None
    if voltages.size > 1:
        spread = float(voltages.std(ddof=1))
        std = float(calibration.std_scale * math.hypot(spread, calibration.std_floor))
    reasons = []
    present = set(query.host.numbers.tolist())
    unseen = sorted(present - set(card.elements.get(symbol, present)))
    if unseen:
        names = ", ".join(SYMBOLS[z] for z in unseen)
        reasons.append(f"{names}: in no {symbol} electrode that the model was trained on; treat the voltage as a guess")
    limit = calibration.distance_limit
    if distance is not None and limit and distance > limit:
        reasons.append(
            f"far from the {symbol} electrodes that the model was trained on (distance {distance:.2f}, "
            f"19 of 20 of them lie within {limit:.2f} of another framework): expect a larger error"
        )
    judged = symbol in card.elements or (distance is not None and bool(limit))
    return Estimate(
        voltage=float(voltages.mean()),
        std=std,
        epistemic_std=spread,
        in_domain=not reasons if judged else None,
        reasons=tuple(reasons),
        model=card.name,
    )


def _require_known_elements(host: Crystal) -> None:
    unknown = sorted(set(host.numbers.tolist()) - KNOWN_ELEMENTS)
    if unknown:
        raise InputError(
            host.source,
            f"no element vector for {', '.join(SYMBOLS[z] for z in unknown)}",
            f"The networks know the elements up to {SYMBOLS[max(KNOWN_ELEMENTS)]}",
        )
