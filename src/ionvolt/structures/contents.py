"""The structures that one file holds, each read when it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderedCrystal
from ionvolt.structures.wording import listed, refusal, shown


@dataclass(frozen=True)
class Entry:
    """One structure of a file.

    Attributes:
        name: What the file calls it, or its number in the file.
        crystal: Reads it, given what to call it in messages; raises ``InputError``.
        disordered: Reads it with the occupancies of its sites, likewise; None where the format has none.
    """

    name: str
    crystal: Callable[[str], Crystal]
    disordered: Callable[[str], DisorderedCrystal] | None = None


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes:
        entries: At least one.
        steps: Whether they are steps of one structure, such as those of a relaxation, of which the last counts.
    """

    entries: Sequence[Entry]
    steps: bool = False


def of_one(read: Callable[[str], Crystal]) -> Contents:
    """The contents of a file with one structure in it."""
    return Contents([Entry("1", read)])


def named(entries: Iterable[Entry]) -> list[Entry]:
    """The entries with names that differ: a second ``a`` is ``a:2``; one without a name gets its number."""
    seen: Counter[str] = Counter()
    found: list[Entry] = []
    for number, entry in enumerate(entries, start=1):
        name = entry.name.strip() or str(number)
        seen[name.lower()] += 1
        count = seen[name.lower()]
        found.append(replace(entry, name=name if count == 1 else f"{name}:{count}"))
    return found


def wanted(contents: Contents, source: str, chosen: str | None = None) -> list[tuple[str, Entry]]:
    """The entries that are answered, each with what to call it.

    Args:
        contents: What the file holds.
        source: Name of the file.
        chosen: Name or number of the one that is wanted, as behind ``file.cif#``.

    Raises:
        InputError: There is no such entry.
    """
    entries = contents.entries
    if chosen is None:
        if len(entries) == 1:
            return [(source, entries[0])]
        if contents.steps:
            return [(source, _last_step(entries))]
        return [(f"{source}#{entry.name}", entry) for entry in entries]
    found = [entry for entry in entries if entry.name == chosen] or [
        entry for entry in entries if entry.name.lower() == chosen.lower()
    ]
    if not found and chosen.isascii() and chosen.isdigit() and 0 < int(chosen[:9]) <= len(entries):
        found = [entries[int(chosen[:9]) - 1]]
    if not found:
        raise refusal(
            source,
            f"no structure in it is called {shown(chosen)}",
            f"Choose one of {_names(entries)}, or its number",
        )
    return [(f"{source}#{chosen}", found[0])]


def only(contents: Contents, source: str, chosen: str | None = None) -> tuple[str, Entry]:
    """The one entry that is answered.

    Raises:
        InputError: There are several, or none of that name.
    """
    found = wanted(contents, source, chosen)
    if len(found) > 1:
        raise refusal(
            source,
            f"{len(found)} structures in one file ({_names(contents.entries)})",
            f"Choose one, as in {shown(_short(source) + '#' + contents.entries[0].name, 80)[1:-1]}, or give one a file",
        )
    return found[0]


def _last_step(entries: Sequence[Entry]) -> Entry:
    last = entries[-1]

    def read(source: str) -> Crystal:
        crystal = last.crystal(source)
        note = f"the last of {len(entries)} steps is taken; file#1 names the first"
        return replace(crystal, warnings=(*crystal.warnings, note))

    return replace(last, crystal=read)


def _names(entries: Sequence[Entry]) -> str:
    return listed([shown(entry.name)[1:-1] for entry in entries])


def _short(source: str) -> str:
    return source.replace("\\", "/").rsplit("/", 1)[-1]
