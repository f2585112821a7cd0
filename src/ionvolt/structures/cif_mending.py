"""CIFs that are damaged where it does not matter, and the long parts of them that are never needed."""

from __future__ import annotations

import re

_LINE = re.compile(r"(\d+):\d+\(\d+\)")
# What a structure is read from.
_NEEDED = re.compile(r"_(cell[_.](?!measurement)|atom_site[_.](?!aniso)|symmetry|space_group|chemical_formula)", re.I)
_ITEM = re.compile(r"\s*(_|loop_|data_|save_|global_|stop_)", re.I)
_MOST_SKIPPED = 200
_REFLECTIONS = re.compile(
    r"(?P<field>_(?:shelx[a-z]*_(?:hkl|fab|fcf|res)_file|iucr_refine_[a-z_]+_details))\b"
    r"|(?P<loop>loop_\s+(?:_(?:diffrn_refln|refln|pd_meas|pd_proc|pd_data|pd_calc)[_.]\S+\s+)+)"
)
_NEXT_ITEM = re.compile(r"(?<=\n)[ \t]*(?:loop_|_[A-Za-z]|data_)", re.I)


def without_damage(text: str, reason: str) -> str | None:
    """The text less the damaged item, or None where that item is needed or cannot be told.

    Args:
        text: The CIF.
        reason: What the parser says, with the line where it stopped.
    """
    found = _LINE.search(reason)
    lines = text.split("\n")
    if not found or not 0 < int(found[1]) <= len(lines):
        return None
    stopped = int(found[1]) - 1
    begin = stopped
    while begin > 0 and not _ITEM.match(lines[begin]):
        begin -= 1
    # The tag of a loop stands below its loop_.
    head = begin
    while head > 0 and lines[head].lstrip().startswith("_") and not lines[head].strip().partition(" ")[2]:
        head -= 1
        if not lines[head].strip():
            continue
        if lines[head].strip().lower() == "loop_":
            begin = head
            break
    keyword = lines[begin].strip().lower()
    end = begin + 1
    if keyword.startswith("loop_"):
        while end < len(lines) and lines[end].lstrip().startswith("_"):
            end += 1
    elif not keyword.startswith("_"):
        return None
    if any(_NEEDED.match(word) for line in lines[begin:end] for word in line.split()):
        return None
    while end < len(lines) and (end <= stopped or not _ITEM.match(lines[end])):
        end += 1
    return "\n".join(lines[:begin] + lines[end:])


def without_reflections(text: str) -> str:
    """The text less the reflections and powder patterns that are embedded in it."""
    kept, at = [], 0
    for _ in range(_MOST_SKIPPED):
        found = _REFLECTIONS.search(text, at)
        if found is None:
            break
        begin, end = _extent(text, found.start(), found.end(), found.lastgroup == "field")
        kept.append(text[at:begin])
        at = end
    kept.append(text[at:])
    return "".join(kept)


def _extent(text: str, begin: int, after: int, is_field: bool) -> tuple[int, int]:
    """Where a text field or loop begins and ends; nothing where it is none."""
    if is_field:
        opening = text.find("\n;", after)
        closing = text.find("\n;", opening + 2)
        if opening < 0 or text[after : min(opening, after + 200)].strip():
            return after, after
        return begin, closing + 2 if closing >= 0 else len(text)
    end = _NEXT_ITEM.search(text, after)
    return begin, end.start() if end else len(text)
