"""Crystals side by side on a GPU, as many as its memory holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ionvolt.structures.crystal import Crystal
from ionvolt.structures.wording import refusal

Answer = TypeVar("Answer")


def as_memory_allows(
    answer: Callable[[Sequence[Crystal]], Iterable[Answer]], crystals: Sequence[Crystal]
) -> list[Answer]:
    """Answers of crystals in their order: of all together, or of halves where memory does not hold them.

    Raises:
        InputError: It does not hold one of them alone.
    """
    import torch

    try:
        return list(answer(crystals))
    except RuntimeError as error:
        # Scripted layers tell it as any other error, by its words.
        if not isinstance(error, torch.OutOfMemoryError) and "out of memory" not in str(error):
            raise
    # Not in the handler: until it ends, the error holds what the attempt took.
    torch.cuda.empty_cache()
    if len(crystals) == 1:
        raise refusal(
            crystals[0].source,
            f"its {len(crystals[0])} atoms are too many for the GPU's memory",
            "Give --device cpu, or fewer processes (-j)",
        )
    middle = len(crystals) // 2
    return as_memory_allows(answer, crystals[:middle]) + as_memory_allows(answer, crystals[middle:])
