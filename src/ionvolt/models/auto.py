"""The default: the best of the shipped models that the input allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, TypeVar

from ionvolt.ions import EndMembers
from ionvolt.models.card import ModelCard
from ionvolt.models.interface import AtomContributions, Estimate, Query
from ionvolt.models.mlip.delta_model import DeltaModel
from ionvolt.models.mlip.foundation_model import FoundationModel

Answer = TypeVar("Answer")
Ask: TypeAlias = Callable[[Sequence[Query]], list[Answer]]


@dataclass(eq=False)
class AutoModel:
    """End members to the Δ-model, hosts alone to the foundation model; every answer names the one that gave it.

    Attributes:
        foundation: For hosts alone.
        delta: For electrodes whose discharged structure is known.
        card: A card of both, with the errors of the foundation model.
    """

    foundation: FoundationModel
    delta: DeltaModel
    card: ModelCard

    accepts: ClassVar[frozenset[EndMembers]] = frozenset({"charged", "discharged", "both"})
    explains: ClassVar[bool] = True

    @property
    def ions(self) -> list[str]:
        """Working ions that both know."""
        return [ion for ion in self.foundation.ions if ion in self.delta.ions]

    def require(self, ions: Sequence[str]) -> None:
        """See ``interface.Predictor``."""
        self.foundation.require(ions)
        self.delta.require(ions)

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        """See ``interface.Predictor``."""
        return _by_part(queries, self.foundation.estimate, self.delta.estimate)

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """See ``interface.Predictor``."""
        return _by_part(queries, self.foundation.attribute, self.delta.attribute)


def _by_part(queries: Sequence[Query], of_hosts: Ask[Answer], of_pairs: Ask[Answer]) -> list[Answer]:
    """Answers in the order of the queries: hosts alone are put to the one, electrodes to the other."""
    hosts = [i for i, query in enumerate(queries) if query.discharged is None]
    pairs = [i for i, query in enumerate(queries) if query.discharged is not None]
    answers = dict(zip(hosts, of_hosts([queries[i] for i in hosts]), strict=True))
    answers |= dict(zip(pairs, of_pairs([queries[i] for i in pairs]), strict=True))
    return [answers[i] for i in range(len(queries))]
