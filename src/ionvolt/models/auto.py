"""The default: the best of the shipped models that the input allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, TypeVar

from ionvolt.ions import EndMembers
from ionvolt.models.card import ModelCard, require_ions
from ionvolt.models.interface import AtomContributions, Estimate, Predictor, Query

Answer = TypeVar("Answer")
Ask: TypeAlias = Callable[[Predictor, Sequence[Query]], list[Answer]]


@dataclass(frozen=True, eq=False)
class Part:
    """A model that is loaded when it is first asked: who has hosts alone need not wait for the Δ-model.

    Attributes:
        card: Its card.
        load: Gives it; called at each question, so that it should remember what it gave.
    """

    card: ModelCard
    load: Callable[[], Predictor]


@dataclass(eq=False)
class AutoModel:
    """End members to the Δ-model, hosts alone to the foundation model; every answer names the one that gave it.

    Attributes:
        foundation: For hosts alone.
        delta: For electrodes whose discharged structure is known.
        card: A card of both, with the errors of the foundation model.
    """

    foundation: Part
    delta: Part
    card: ModelCard

    accepts: ClassVar[frozenset[EndMembers]] = frozenset({"charged", "discharged", "both"})
    explains: ClassVar[bool] = True

    @property
    def ions(self) -> list[str]:
        """Working ions that both know."""
        return [ion for ion in self.foundation.card.ions if ion in self.delta.card.ions]

    def require(self, ions: Sequence[str]) -> None:
        """See ``interface.Predictor``."""
        require_ions(self.foundation.card, ions)
        require_ions(self.delta.card, ions)

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        """See ``interface.Predictor``."""
        return self._by_part(queries, lambda model, some: model.estimate(some))

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """See ``interface.Predictor``."""
        return self._by_part(queries, lambda model, some: model.attribute(some))

    def _by_part(self, queries: Sequence[Query], ask: Ask[Answer]) -> list[Answer]:
        """Answers in the order of the queries: hosts alone are put to the one, electrodes to the other."""
        answers: dict[int, Answer] = {}
        for part, with_ends in ((self.foundation, False), (self.delta, True)):
            chosen = [i for i, query in enumerate(queries) if (query.discharged is not None) == with_ends]
            if chosen:
                answers |= dict(zip(chosen, ask(part.load(), [queries[i] for i in chosen]), strict=True))
        return [answers[i] for i in range(len(queries))]
