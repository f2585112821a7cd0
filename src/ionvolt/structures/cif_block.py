"""The data blocks of a CIF: their tags in one spelling, whatever dialect the file is in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from gemmi import cif

from ionvolt.structures.cif_mending import without_damage
from ionvolt.structures.limits import Limits
from ionvolt.structures.wording import refusal, shown

_MOST_MENDED = 20
EMPTY = ("", "?", ".")


class Block:
    """The tags of a data block, in small letters and with ``_`` for the ``.`` of the newer dictionaries.

    ``_space_group_symop.magn_operation_xyz`` and ``_space_group_symop_magn_operation.xyz`` are one tag here.

    Attributes:
        name: What follows ``data_``.
        tags: The tags that the block holds.
    """

    def __init__(self, block: cif.Block, source: str) -> None:
        self.name: str = block.name
        self._source = source
        self._pairs: dict[str, list[str]] = {}
        self._columns: dict[str, list[tuple[_Loop, int]]] = {}
        for item in block:
            pair = cast("Sequence[str] | None", item.pair)
            if pair is not None:
                tag, value = pair
                self._pairs.setdefault(_spelled(tag), []).append(value)
            elif item.loop is not None:
                loop = _Loop(item.loop)
                for place, tag in enumerate(item.loop.tags):
                    self._columns.setdefault(_spelled(tag), []).append((loop, place))

    @property
    def tags(self) -> set[str]:
        """Every tag of the block."""
        return self._pairs.keys() | self._columns.keys()

    def has(self, tag: str) -> bool:
        """Whether the block holds a tag, in a loop or not."""
        return tag in self._pairs or tag in self._columns

    def states(self, tag: str) -> bool:
        """Whether the block has a value under a tag, other than ``?`` and ``.``."""
        return any(text not in EMPTY for text in self.column(tag))

    def raw(self, tag: str) -> str | None:
        """The one value of a tag as it is written, quotes and all; None where there is none.

        Raises:
            InputError: It is given twice, with different values.
        """
        values = [*self._pairs.get(tag, ()), *(text for text in self.column(tag) if tag not in self._pairs)]
        stated = list(dict.fromkeys(value for value in values if cif.as_string(value).strip() not in EMPTY))
        if len(stated) > 1:
            raise refusal(
                self._source, f"{tag} is given twice, as {shown(stated[0])} and {shown(stated[1])}", "Leave one out"
            )
        return stated[0] if stated else (values[0] if values else None)

    def value(self, *tags: str) -> str:
        """The first value that is stated under one of the tags, or ""."""
        for tag in tags:
            if self.has(tag):
                text = self.raw(tag)
                if text is not None and (plain := cif.as_string(text).strip()) not in EMPTY:
                    return plain
        return ""

    def values(self, *tags: str) -> list[str]:
        """Every value that is stated under the tags, those given twice included."""
        found = [cif.as_string(text).strip() for tag in tags for text in (*self._pairs.get(tag, ()), *self.column(tag))]
        return [text for text in found if text not in EMPTY]

    def column(self, tag: str) -> list[str]:
        """A column of a loop as it is written; a value outside a loop is a column of one.

        Raises:
            InputError: Two loops give it, and differ.
        """
        found = self._columns.get(tag, [])
        if not found:
            return self._pairs.get(tag, [])[:1]
        columns = [loop.column(place) for loop, place in found]
        if any(column != columns[0] for column in columns[1:]):
            raise refusal(self._source, f"{tag} is given in two loops", "Leave one out")
        return columns[0]

    def texts(self, tag: str, n: int) -> list[str]:
        """A column without quotes, or nothing where it has not ``n`` values: then it belongs to something else."""
        column = self.column(tag)
        return [cif.as_string(text) for text in column] if len(column) == n else []


def parse(text: str, source: str, limits: Limits) -> list[Block]:
    """The data blocks of a CIF.

    Raises:
        InputError: It is no CIF.
    """
    if "data_" not in text and "_atom_site_" in text and "data_" not in text.lower():
        text = "data_\n" + text
    for _ in range(_MOST_MENDED):
        try:
            return [Block(block, source) for block in cif.read_string(text, check_level=0)]
        except (ValueError, RuntimeError, IndexError) as error:
            reason = str(error).removeprefix("string:")
            mended = without_damage(text, reason)
            if mended is None:
                break
            text = mended
    if "data_" not in text.lower():
        raise refusal(source, "no structure in it: it holds no CIF data block", "Give a CIF or POSCAR")
    raise refusal(source, f"not a valid CIF: line {shown(reason, 90)[1:-1]}", "Mend that line, or export the file anew")


@lru_cache(maxsize=4096)
def _spelled(tag: str) -> str:
    return tag.lower().replace(".", "_")


class _Loop:
    """A loop whose values are copied once, and only where one of its columns is asked for."""

    def __init__(self, loop: cif.Loop) -> None:
        self._loop = loop
        self._values: list[str] | None = None

    def column(self, place: int) -> list[str]:
        if self._values is None:
            self._values = list(self._loop.values)
        return self._values[place :: self._loop.width()]
