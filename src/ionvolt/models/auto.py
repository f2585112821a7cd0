"""The default: the best of the shipped models that the input allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ionvolt.models.card import ModelCard
from ionvolt.models.interface import Estimate, Query
from ionvolt.models.mlip.delta_model import DeltaModel
from ionvolt.models.mlip.foundation_model import FoundationModel


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
        hosts = [i for i, query in enumerate(queries) if query.discharged is None]
        pairs = [i for i, query in enumerate(queries) if query.discharged is not None]
        answers = dict(zip(hosts, self.foundation.estimate([queries[i] for i in hosts]), strict=True))
        answers |= dict(zip(pairs, self.delta.estimate([queries[i] for i in pairs]), strict=True))
        return [answers[i] for i in range(len(queries))]
