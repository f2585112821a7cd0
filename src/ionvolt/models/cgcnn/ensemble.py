"""An ensemble of crystal graph networks with heads for one or more working ions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from ionvolt.errors import InputError, ModelError
from ionvolt.graphs import CrystalGraph, Ties, build_graph, collate, iterate_batches
from ionvolt.graphs.elements import KNOWN_ELEMENTS
from ionvolt.ions import EndMembers
from ionvolt.models.card import ModelCard, parameters_of
from ionvolt.models.cgcnn.convolution import kernels_available
from ionvolt.models.cgcnn.fused_heads import FusedHeads, fuse_heads
from ionvolt.models.cgcnn.kept import Kept
from ionvolt.models.cgcnn.local_voltages import local_voltages
from ionvolt.models.cgcnn.network import CGCNN, N_FEATURES, Head, LocalHead, Trunk
from ionvolt.models.interface import AtomContributions, Estimate, Query
from ionvolt.models.storage import WEIGHTS_FILE, read_model, write_model
from ionvolt.models.tensors import Arrays, fill, named_arrays
from ionvolt.structures.crystal import SYMBOLS, Crystal

if TYPE_CHECKING:
    from ionvolt.models.cgcnn.fused_trunks import FusedTrunks

KIND = "cgcnn"

AVERAGE_HOST = "what the networks give for the average host of their training"


@dataclass(frozen=True)
class Calibration:
    """How the answers for an ion are judged.

    Attributes:
        std_scale: Standard deviation of the expected error in units of the members' spread, joined with the floor.
        std_floor: V.
        distance_limit: Distance to the nearest training host beyond which a host is out of the domain; None: not told.
    """

    std_scale: float = 1.0
    std_floor: float = 0.0
    distance_limit: float | None = None


@dataclass(frozen=True)
class EnsembleParameters:
    """What an ensemble needs to answer, besides its weights.

    Attributes:
        n_members: Networks.
        ties: How its graphs choose among neighbours at equal distance (``graphs.neighbours.Ties``).
        calibration: By ion.
    """

    n_members: int = 1
    ties: Ties = "invariant"
    calibration: dict[str, Calibration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.n_members < 1:
            raise ValueError(f"hyperparameters.n_members is {self.n_members}")


@dataclass
class Ensemble:
    """Networks that answer together: their mean is the voltage, their spread a hint of how sure it is.

    Attributes:
        trunks: One for each member.
        heads: For each working ion, one head for each member.
        card: What the ensemble is and how well it does.
        local_heads: For each working ion that has them, one local-voltage head for each member.
        references: For each working ion that has them, the first trunk's pooled vectors of the training hosts, shape
            (n_hosts, N_FEATURES), divided by ``reference_scale``.
        reference_scale: Deviation of each feature over the pre-training hosts, shape (N_FEATURES,).
    """

    trunks: list[Trunk]
    heads: dict[str, list[Head]]
    card: ModelCard
    local_heads: dict[str, list[LocalHead]] = field(default_factory=dict)
    references: dict[str, torch.Tensor] = field(default_factory=dict)
    reference_scale: torch.Tensor | None = None
    _trunks_kept: Kept[FusedTrunks] | None = field(default=None, init=False, repr=False, compare=False)
    _heads_kept: dict[str, Kept[FusedHeads]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        counts = {ion: len(heads) for ion, heads in self.heads.items()}
        counts |= {f"{ion} (local)": len(heads) for ion, heads in self.local_heads.items()}
        for ion, count in counts.items():
            if count != len(self.trunks):
                raise ValueError(f"{count} heads for {ion}, but {len(self.trunks)} trunks")

    accepts: ClassVar[frozenset[EndMembers]] = frozenset({"charged"})

    @property
    def ions(self) -> list[str]:
        """Working ions that it has heads for."""
        return list(self.heads)

    @property
    def ties(self) -> Ties:
        """How its graphs choose among neighbours at equal distance."""
        ties: Ties = self.card.hyperparameters.get("ties", "invariant")
        return ties

    def calibration(self, ion: str) -> Calibration:
        """How answers for an ion are judged."""
        return Calibration(**self.card.hyperparameters.get("calibration", {}).get(ion, {}))

    def member(self, index: int, ion: str) -> CGCNN:
        """One member as a whole network."""
        return CGCNN(self.trunks[index], self.heads[ion][index])

    @torch.inference_mode()
    def pooled(self, graphs: Sequence[CrystalGraph]) -> list[torch.Tensor]:
        """Each member's pooled vectors of the crystals, shape (n_crystals, N_FEATURES), in the order given."""
        self._rest()
        fused = self._fused_trunks()
        parts: list[list[torch.Tensor]] = [[] for _ in self.trunks]
        for _, batch in iterate_batches(graphs):
            vectors = fused(batch) if fused is not None else [trunk(batch) for trunk in self.trunks]
            for vector, part in zip(vectors, parts, strict=True):
                part.append(vector)
        return [torch.cat(part) for part in parts]

    def voltages(self, graphs: Sequence[CrystalGraph], ions: Sequence[str]) -> NDArray[np.float64]:
        """What every member says for every ion, in V, shape (n_ions, n_members, n_crystals).

        Raises:
            ModelError: It has no head for one of the ions.
        """
        self.require(ions)
        if not graphs:
            return np.empty((len(ions), len(self.trunks), 0))
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
        return bool(self.local_heads)

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """See ``interface.Predictor``: the local voltages of the host's atoms, from those of an average host.

        Raises:
            ModelError: It has no local-voltage head for one of the ions.
        """
        self.require_local([query.ion for query in queries])
        vectors: dict[int, list[torch.Tensor]] = {}
        found = []
        for query, answer in zip(queries, self.estimate(queries), strict=True):
            if id(query.host) not in vectors:
                vectors[id(query.host)] = self.atom_vectors(build_graph(query.host, ties=self.ties))
            local = local_voltages(vectors[id(query.host)], self.heads[query.ion], self.local_heads[query.ion])
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
            if ion not in self.heads:
                raise ModelError(f"{self.card.name}: no head for {ion}; it knows {', '.join(self.heads)}")

    @torch.inference_mode()
    def voltages_of(self, pooled: Sequence[torch.Tensor], ions: Sequence[str]) -> NDArray[np.float64]:
        """``voltages`` of crystals whose pooled vectors are known."""
        members = torch.stack(list(pooled))
        return np.array([self._fused_heads(ion)(members).double().numpy() for ion in ions])

    @torch.inference_mode()
    def distances(self, pooled: Sequence[torch.Tensor], ion: str) -> NDArray[np.float64] | None:
        """How far crystals are from the nearest training host of an ion, shape (n_crystals,); None if not known.

        Euclidean distance of the first member's pooled vectors in units of each feature's deviation, divided by the
        square root of the number of features.
        """
        if ion not in self.references or self.reference_scale is None:
            return None
        vectors, reference = pooled[0] / self.reference_scale, self.references[ion].float()
        if len(vectors) == 1:  # for which cdist takes five times as long
            nearest = torch.linalg.vector_norm(reference - vectors, dim=1).min()[None]
        else:
            nearest = torch.cdist(vectors, reference).min(1).values
        distances: NDArray[np.float64] = (nearest / N_FEATURES**0.5).double().numpy()
        return distances

    @torch.inference_mode()
    def atom_vectors(self, graph: CrystalGraph) -> list[torch.Tensor]:
        """Each member's vectors of a crystal's atoms after the last convolution, shape (n_atoms, N_FEATURES)."""
        self._rest()
        batch = collate([graph])
        return [trunk.atom_vectors(batch) for trunk in self.trunks]

    def _fused_trunks(self) -> FusedTrunks | None:
        """The trunks as one; None where compiled passes cannot be used on them."""
        weight = self.trunks[0].embedding.weight
        if weight.device.type != "cpu" or weight.dtype != torch.float32 or not kernels_available():
            return None
        from ionvolt.models.cgcnn.fused_trunks import fuse_trunks

        if self._trunks_kept is None or not self._trunks_kept.holds:
            self._trunks_kept = fuse_trunks(self.trunks)
        return self._trunks_kept.made

    def _fused_heads(self, ion: str) -> FusedHeads:
        kept = self._heads_kept.get(ion)
        if kept is None or not kept.holds:
            kept = self._heads_kept[ion] = fuse_heads(self.heads[ion])
        return kept.made

    def _rest(self) -> None:
        for trunk in self.trunks:
            if trunk.training:  # asked first, for to say it anew takes as long as a small crystal's convolution
                trunk.eval()

    def require_local(self, ions: Sequence[str]) -> None:
        """Raise ``ModelError`` where there is no local-voltage head for one of the ions."""
        for ion in ions:
            if ion not in self.local_heads:
                known = ", ".join(self.local_heads) or "none"
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
    arrays: Arrays = {}
    for index, trunk in enumerate(ensemble.trunks):
        arrays |= named_arrays(f"trunk.{index}", trunk)
        for ion, heads in ensemble.heads.items():
            arrays |= named_arrays(f"head.{ion}.{index}", heads[index])
        for ion, local in ensemble.local_heads.items():
            arrays |= named_arrays(f"local.{ion}.{index}", local[index])
    arrays |= {f"reference.{ion}": vectors.half().numpy() for ion, vectors in ensemble.references.items()}
    if ensemble.reference_scale is not None:
        arrays["reference_scale"] = ensemble.reference_scale.numpy()
    ensemble.card.hyperparameters["n_members"] = len(ensemble.trunks)
    write_model(folder, arrays, ensemble.card)


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
        trunks = [fill(Trunk(), f"trunk.{m}", arrays) for m in range(n_members)]
        ions = dict.fromkeys(name.split(".")[1] for name in arrays if name.startswith("head."))
        order = [ion for ion in card.ions if ion in ions] + [ion for ion in ions if ion not in card.ions]
        heads = {ion: [fill(Head(), f"head.{ion}.{m}", arrays) for m in range(n_members)] for ion in order}
        for name in [name for name in arrays if name.startswith("local.") and name.endswith(".linear.bias")]:
            # Models written before there were baselines do without.
            arrays.setdefault(name.replace("linear.bias", "baseline"), np.full(N_FEATURES, np.nan, np.float32))
        local = {
            ion: [fill(LocalHead(), f"local.{ion}.{m}", arrays) for m in range(n_members)]
            for ion in order
            if f"local.{ion}.0.linear.weight" in arrays
        }
    except (SafetensorError, RuntimeError, KeyError) as error:
        raise ModelError(
            f"{path}: the weights do not fit a {card.kind} model ({error}). Write the model again"
        ) from error
    references = {
        name.removeprefix("reference."): torch.from_numpy(array).float()
        for name, array in arrays.items()
        if name.startswith("reference.")
    }
    if any(t.ndim != 2 or t.shape[1] != N_FEATURES for t in references.values()):
        raise ModelError(f"{path}: its reference vectors do not fit a {card.kind} model. Write the model again")
    scale = torch.from_numpy(arrays["reference_scale"]) if "reference_scale" in arrays else None
    return Ensemble(trunks, heads, card, local, references, scale)
