"""Networks of PyTorch, which learn, to ensembles, which answer, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ionvolt.models.card import ModelCard
from ionvolt.models.cgcnn.ensemble import Ensemble
from ionvolt.models.cgcnn.network import CGCNN, Head, Trunk
from ionvolt.models.storage import Arrays
from ionvolt.models.tensors import fill, named_arrays


def ensemble_of(trunks: Sequence[Trunk], heads: Mapping[str, Sequence[Head]], card: ModelCard) -> Ensemble:
    """An ensemble of networks as they are now: what they learn afterwards does not change it.

    Args:
        trunks: One for each member.
        heads: For each working ion one for each member.
        card: What the ensemble is.

    Raises:
        ValueError: An ion has fewer heads or more than there are trunks.
    """
    arrays: Arrays = {}
    for ion, members in heads.items():
        if len(members) != len(trunks):
            raise ValueError(f"{len(members)} heads for {ion}, but {len(trunks)} trunks")
        for m, head in enumerate(members):
            arrays |= named_arrays(f"head.{ion}.{m}", head)
    for m, trunk in enumerate(trunks):
        arrays |= named_arrays(f"trunk.{m}", trunk)
    return Ensemble({name: array.copy() for name, array in arrays.items()}, card)


def network_of(ensemble: Ensemble, member: int, ion: str) -> CGCNN:
    """One member as a whole network with its head for an ion, ready to answer or to learn on."""
    arrays = dict(ensemble.arrays)
    return CGCNN(fill(Trunk(), f"trunk.{member}", arrays), fill(Head(), f"head.{ion}.{member}", arrays)).eval()
