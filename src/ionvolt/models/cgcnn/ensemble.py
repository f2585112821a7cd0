"""An ensemble of crystal graph networks with heads for one or more working ions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from ionvolt.errors import InputError, ModelError
from ionvolt.graphs import CrystalGraph, Ties, build_graph, collate, iterate_batches
from ionvolt.graphs.elements import KNOWN_ELEMENTS
from ionvolt.ions import EndMembers
from ionvolt.models.card import ModelCard, parameters_of
from ionvolt.models.cgcnn.architecture import N_FEATURES, check_arrays
from ionvolt.models.cgcnn.inference import (
    Heads,
    LocalHeads,
    Trunks,
    folded_trunks,
    side_by_side_heads,
    side_by_side_local_heads,
)
from ionvolt.models.cgcnn.local_voltages import local_voltages
from ionvolt.models.cgcnn.parameters import Calibration, EnsembleParameters
from ionvolt.models.cgcnn.references import References
from ionvolt.models.interface import AtomContributions, Estimate, Query
from ionvolt.models.storage import WEIGHTS_FILE, Arrays, read_model, write_model
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.typing import Array, Array32

KIND = "cgcnn"

AVERAGE_HOST = "what the networks give for the average host of their training"


@dataclass(eq=False)
class Ensemble:
    """Networks that answer together: their mean is the voltage, their spread a hint of how sure it is.

    Attributes:
        arrays: What the networks are made of, never changed: ``trunk.<member>.<name>``, ``head.<ion>.<member>.<name>``
            and ``local.<ion>.<member>.<name>`` with names and shapes of ``architecture``, float32; for each working ion
            that has them ``reference.<ion>``, the first trunk's pooled vectors of the training hosts, shape (n_hosts,
            N_FEATURES), divided by ``reference_scale``, the deviation of each feature over the pre-training hosts,
            shape (N_FEATURES,).
        card: What the ensemble is and how well it does.
    """

    arrays: Mapping[str, NDArray[np.generic]]
    card: ModelCard
    _heads: dict[str, Heads] = field(default_factory=dict, init=False, repr=False)
    _references: dict[str, References] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_arrays(self.arrays, self.n_members, self._head_ions)

    accepts: ClassVar[frozenset[EndMembers]] = frozenset({"charged"})

    @cached_property
    def n_members(self) -> int:
        """How many networks it has."""
        return len({name.split(".")[1] for name in self.arrays if name.startswith("trunk.")})

    @cached_property
    def _head_ions(self) -> list[str]:
        return list(dict.fromkeys(name.split(".")[1] for name in self.arrays if name.startswith("head.")))

    @property
    def ions(self) -> list[str]:
        """Working ions that it has heads for, in the order of its card."""
        known = self._head_ions
        return [ion for ion in self.card.ions if ion in known] + [ion for ion in known if ion not in self.card.ions]

    @cached_property
    def local_ions(self) -> list[str]:
        """Working ions that it has local-voltage heads for."""
        return [ion for ion in self.ions if f"local.{ion}.0.linear.weight" in self.arrays]

    @property
    def ties(self) -> Ties:
        """How its graphs choose among neighbours at equal distance."""
        ties: Ties = self.card.hyperparameters.get("ties", "invariant")
        return ties

    def calibration(self, ion: str) -> Calibration:
        """How answers for an ion are judged."""
        return Calibration(**self.card.hyperparameters.get("calibration", {}).get(ion, {}))

    def with_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> Ensemble:
        """The same with more arrays, and the same card."""
        return replace(self, arrays={**self.arrays, **arrays})

    @cached_property
    def trunks(self) -> Trunks:
        """The members' embeddings and convolutions as they answer."""
        return folded_trunks(self.arrays, self.n_members)

    def heads(self, ion: str) -> Heads:
        """The members' voltage heads for an ion as they answer."""
        if ion not in self._heads:
            self._heads[ion] = side_by_side_heads(self.arrays, ion, self.n_members)
        return self._heads[ion]

    def local_heads(self, ion: str) -> LocalHeads:
        """The members' local-voltage heads for an ion."""
        return side_by_side_local_heads(self.arrays, ion, self.n_members)

    def pooled(self, graphs: Sequence[CrystalGraph]) -> Array32:
        """Each member's pooled vectors of crystals, shape (n_members, n_crystals, N_FEATURES), in the order given."""
        return np.concatenate([self.trunks.pooled(batch) for _, batch in iterate_batches(graphs)], axis=1)

    def voltages(self, graphs: Sequence[CrystalGraph], ions: Sequence[str]) -> NDArray[np.float64]:
        """What every member says for every ion, in V, shape (n_ions, n_members, n_crystals).

        Raises:
            ModelError: It has no head for one of the ions.
        """
        self.require(ions)
        if not graphs:
            return np.empty((len(ions), self.n_members, 0))
        return self.voltages_of(self.pooled(graphs), ions)

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        """See ``interface.Predictor``: by the host alone; one that stands in several queries is looked at once.

        Raises:
            InputError: A host holds an element that the networks have no vector for.
            ModelError: It has no head for an ion.
        """
        symbols = list(dict.fromkeys(query.ion for query in queries))
        hosts = {id(query.host): query.host for query in queries}
        for host in hosts.values():
            _require_known_elements(host)
        self.require(symbols)
        if not queries:
            return []
        place = {key: i for i, key in enumerate(hosts)}
        pooled = self.pooled([build_graph(host, ties=self.ties) for host in hosts.values()])
        voltages = dict(zip(symbols, self.voltages_of(pooled, symbols), strict=True))
        distances = {symbol: self.distances(pooled, symbol) for symbol in symbols}
        answers = []
        for query in queries:
            column = place[id(query.host)]
            far = distances[query.ion]
            distance = None if far is None else float(far[column])
            answers.append(_estimate(self, query, voltages[query.ion][:, column], distance))
        return answers

    @property
    def explains(self) -> bool:
        """Whether it has local-voltage heads."""
        return bool(self.local_ions)

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """See ``interface.Predictor``: the local voltages of the host's atoms, from those of an average host.

        Raises:
            ModelError: It has no local-voltage head for one of the ions.
        """
        self.require_local([query.ion for query in queries])
        vectors: dict[int, Array32] = {}
        found = []
        for query, answer in zip(queries, self.estimate(queries), strict=True):
            if id(query.host) not in vectors:
                vectors[id(query.host)] = self.atom_vectors(build_graph(query.host, ties=self.ties))
            local = local_voltages(vectors[id(query.host)], self.heads(query.ion), self.local_heads(query.ion))
            n_atoms, n_members = len(query.host), len(local.additive)
            contributions = (local.additive.mean(0) - local.reference.mean()) / n_atoms
            spread = local.additive.std(0, ddof=1) / n_atoms if n_members > 1 else np.zeros(n_atoms)
            found.append(
                AtomContributions(
                    estimate=answer,
                    crystal=query.host,
                    contributions=contributions,
                    spread=spread,
                    remainder=answer.voltage - float(contributions.sum()),
                    remainder_is=AVERAGE_HOST,
                    pooling="mean",
                    linear=local.linear.mean(0),
                )
            )
        return found

    def require(self, ions: Sequence[str]) -> None:
        """Raise ``ModelError`` where there is no head for one of the ions."""
        for ion in ions:
            if ion not in self._head_ions:
                raise ModelError(f"{self.card.name}: no head for {ion}; it knows {', '.join(self.ions)}")

    def voltages_of(self, pooled: Array32, ions: Sequence[str]) -> Array:
        """``voltages`` of crystals whose pooled vectors are known."""
        return np.array([self.heads(ion)(pooled) for ion in ions], dtype=np.float64)

    def distances(self, pooled: Array32, ion: str) -> Array | None:
        """How far crystals are from the nearest training host of an ion, shape (n_crystals,); None if not known.

        Euclidean distance of the first member's pooled vectors in units of each feature's deviation, divided by the
        square root of the number of features.
        """
        if f"reference.{ion}" not in self.arrays or "reference_scale" not in self.arrays:
            return None
        if ion not in self._references:
            self._references[ion] = References(self.arrays[f"reference.{ion}"])
        far: Array = self._references[ion].nearest(pooled[0] / self.arrays["reference_scale"]) / N_FEATURES**0.5
        return far

    def atom_vectors(self, graph: CrystalGraph) -> Array32:
        """Each member's vectors of a crystal's atoms after the last convolution, (n_members, n_atoms, N_FEATURES)."""
        return self.trunks.atom_vectors(collate([graph]))

    def require_local(self, ions: Sequence[str]) -> None:
        """Raise ``ModelError`` where there is no local-voltage head for one of the ions."""
        for ion in ions:
            if ion not in self.local_ions:
                known = ", ".join(self.local_ions) or "none"
                raise ModelError(f"{self.card.name}: no local-voltage head for {ion} (ions that have one: {known})")


def _estimate(ensemble: Ensemble, query: Query, voltages: NDArray[np.float64], distance: float | None) -> Estimate:
    """The answer to one query, from what every member says and the distance to the training hosts."""
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


def save_ensemble(ensemble: Ensemble, folder: Path) -> None:
    """Write ``weights.safetensors`` and ``card.json``; the card's checksum is brought up to date."""
    ensemble.card.hyperparameters["n_members"] = ensemble.n_members
    write_model(folder, dict(ensemble.arrays), ensemble.card)


def load_ensemble(folder: Path) -> Ensemble:
    """Read an ensemble and check it against its card before any number of it is used.

    Raises:
        ModelError: Files missing, checksum wrong, or tensors that do not fit the network.
    """
    card, content = read_model(folder)
    path = folder / WEIGHTS_FILE
    if card.kind != KIND:
        raise ModelError(f"{folder}: a {card.kind} model, not a {KIND} one. Give a model's folder of that kind")
    n_members = parameters_of(card, EnsembleParameters, folder).n_members
    try:
        arrays: Arrays = load(content)
        ensemble = Ensemble(arrays, card)
        if ensemble.n_members != n_members:
            raise ValueError(f"{ensemble.n_members} networks, but {n_members} on the card")
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path}: the weights do not fit a {card.kind} model ({error}). Write the model again"
        ) from error
    return ensemble
