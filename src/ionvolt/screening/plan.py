"""The plan of a run: what is read, what is asked, and the shards that cut the work up. Written once, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from ionvolt._version import __version__
from ionvolt.errors import DataError, InputError
from ionvolt.models.card import read_card, require_ions
from ionvolt.models.registry import AUTO, DELTA_MODEL, FOUNDATION_MODEL, auto_card, model_folder
from ionvolt.models.storage import CARD_FILE
from ionvolt.screening.places import PLAN, shard_file
from ionvolt.screening.settings import Settings
from ionvolt.screening.sources import Found, Source, find_sources, unchanged
from ionvolt.store import claim, fingerprint, sha256, write_json

FORMAT = 1
LARGEST_SHARD = 2000
"""Units of a shard at most: what a worker keeps in memory."""

SHARDS = 100
"""Shards that a small input is cut into, so that every core has some."""

_VERSIONS = ("torch", "numpy", "pymatgen", "sevenn", "chgnet")


class Piece(NamedTuple):
    """A part of one source.

    Attributes:
        source: Number of the source.
        start: First unit in it.
        stop: The one after the last.
        marked: A unit at or before ``start`` whose place is known.
        offset: That place, bytes after decompression; 0 for Parquet.
    """

    source: int
    start: int
    stop: int
    marked: int
    offset: int


@dataclass(frozen=True)
class Shard:
    """What a worker takes at a time.

    Attributes:
        number: Counted from 0.
        first: Number of its first unit, over all sources.
        pieces: Where its units are.
    """

    number: int
    first: int
    pieces: tuple[Piece, ...]

    @property
    def units(self) -> int:
        """How many it holds."""
        return sum(piece.stop - piece.start for piece in self.pieces)


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes:
        folder: The run's folder.
        settings: What is asked.
        inputs: As they were given.
        sources: What they are.
        cuts: Pieces of each shard.
        facts: Everything that changes an answer: settings, models, versions, contents of the inputs.
        passed_over: Files of folders that hold no structure, by ending.
        made: When, seconds since 1970.
    """

    folder: Path
    settings: Settings
    inputs: tuple[str, ...]
    sources: tuple[Source, ...]
    cuts: tuple[tuple[Piece, ...], ...]
    facts: dict[str, Any]
    passed_over: dict[str, int]
    made: float

    @property
    def fingerprint(self) -> str:
        """Name of all that changes an answer, 64 digits."""
        return fingerprint(self.facts)

    @property
    def units(self) -> int:
        """Units of all sources."""
        return sum(source.units for source in self.sources)

    @cached_property
    def shards(self) -> tuple[Shard, ...]:
        """In the order of the inputs."""
        found: list[Shard] = []
        first = 0
        for number, pieces in enumerate(self.cuts):
            found.append(Shard(number, first, pieces))
            first += found[-1].units
        return tuple(found)

    def files(self, stage: int) -> Iterator[Path]:
        """Tables of all shards of a stage, there or not."""
        return (shard_file(self.folder, stage, number) for number in range(len(self.cuts)))


def open_plan(folder: Path) -> Plan:
    """The plan of a run.

    Raises:
        DataError: There is none in the folder, or it cannot be read.
    """
    path = folder / PLAN
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise DataError(f"{path}: format {content['format']} is not that of this IonVolt ({FORMAT})")
        return Plan(
            folder=folder,
            settings=Settings.of_dict(content["facts"]["settings"]),
            inputs=tuple(content["inputs"]),
            sources=tuple(Source(**source) for source in content["sources"]),
            cuts=tuple(tuple(Piece(*piece) for piece in pieces) for pieces in content["shards"]),
            facts=content["facts"],
            passed_over=content["passed_over"],
            made=content["made"],
        )
    except FileNotFoundError:
        raise DataError(
            f"{folder}: no screen in it. Begin one with `ionvolt screen INPUT… --ion … -o {folder}`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: it cannot be read ({error}). Begin the screen in another folder") from error


def make_plan(
    inputs: Sequence[str], settings: Settings, folder: Path, now: float, shard_size: int | None = None
) -> Plan:
    """The plan of a new run, or that which the folder holds if it is the same.

    Args:
        inputs: Files, folders, patterns.
        settings: What is asked.
        folder: The run's folder.
        now: Seconds since 1970.
        shard_size: Units of a shard; by default a hundredth of all, and no more than ``LARGEST_SHARD``.

    Raises:
        InputError: An input cannot be used, or the folder holds another run; the text says what differs.
        ModelError: A model is not there or does not know an ion.
    """
    models = _models(settings)
    facts: dict[str, Any] = {"settings": settings.to_dict(), "models": models, "versions": _versions()}
    path = folder / PLAN
    while not path.exists():
        with claim(path) as mine:
            if mine and not path.exists():
                _write_plan(inputs, facts, folder, now, shard_size)
                return open_plan(folder)
        _wait()
    plan = open_plan(folder)
    _require_same(plan, facts, inputs)
    return plan


def _wait() -> None:
    import time

    time.sleep(0.2)


def _write_plan(inputs: Sequence[str], facts: dict[str, Any], folder: Path, now: float, shard_size: int | None) -> None:
    found, passed_over = find_sources(inputs, folder)
    contents = [source.source.sha256 for source in found]
    cuts = cut(found, shard_size)
    write_json(
        folder / PLAN,
        {
            "format": FORMAT,
            "inputs": list(inputs),
            "made": now,
            "facts": {**facts, "contents": contents, "shards": len(cuts)},
            "sources": [source.source.to_dict() for source in found],
            "passed_over": passed_over,
            "shards": cuts,
        },
        indent=None,
    )


def cut(found: Sequence[Found], shard_size: int | None = None) -> list[list[Piece]]:
    """Shards of equal size; small sources share one, large ones are cut."""
    total = sum(source.source.units for source in found)
    size = shard_size or max(1, min(LARGEST_SHARD, -(-total // SHARDS)))
    shards: list[list[Piece]] = []
    room = 0
    for number, source in enumerate(found):
        start = 0
        while start < source.source.units:
            if not room:
                shards.append([])
                room = size
            stop = min(source.source.units, start + room)
            shards[-1].append(Piece(number, start, stop, *source.offset(start)))
            room -= stop - start
            start = stop
    return shards


def _models(settings: Settings) -> dict[str, str]:
    """Checksums of the cards (which hold those of the weights) of all models that take part."""
    names = [getattr(settings, stage) for stage in settings.stages if stage in ("network", "model")]
    if "compute" in settings.stages:
        names.append(AUTO)
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        if name == AUTO and (card := auto_card()) is not None:
            require_ions(card, settings.ions)
            folders = [model_folder(FOUNDATION_MODEL), model_folder(DELTA_MODEL)]
        else:
            folders = [model_folder(name)]
            require_ions(read_card(folders[0] / CARD_FILE), settings.ions)
        found[name] = sha256((folder / CARD_FILE).read_bytes() for folder in folders)
    return found


def _versions() -> dict[str, str]:
    found = {"ionvolt": __version__}
    for name in _VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def _require_same(plan: Plan, facts: dict[str, Any], inputs: Sequence[str]) -> None:
    """Refuse to go on with what is not the same run."""
    remedy = "Give the same command to go on, or another folder"
    for group in ("settings", "models", "versions"):
        for key in {**plan.facts[group], **facts[group]}:
            was, now = plan.facts[group].get(key), facts[group].get(key)
            if json.dumps(was) != json.dumps(now):
                what = f"{group[:-1]} {key} is {_short(now)}, and was {_short(was)} when the run began"
                raise InputError(str(plan.folder), what, remedy)
    if list(inputs) != list(plan.inputs):
        was, now = ", ".join(plan.inputs[:3]), ", ".join(inputs[:3])
        raise InputError(str(plan.folder), f"it holds a screen of {was}, not of {now}", remedy)
    for source in plan.sources:
        if source.kind != "files" and not unchanged(source):
            raise InputError(source.path, "it has changed since the run began", "Begin in another folder")


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:59] + "~"
