"""Claims: several runs share a list of files to make, and no file is made twice at the same time.

A claim on ``x.npz`` is a file ``x.npz.0.claim`` beside it that names its owner. As long as the owner lives, a thread
of it renews the file's time. A claim is dead when its owner is a process of this machine that is gone, or when its
time has not been renewed for a lease. A dead claim is taken over by making ``x.npz.1.claim``, and so on: the highest
number counts, and as a file is made once only, of several runs that see a dead claim one gets it.

Claims save work; they do not guard the result. An owner that was stopped for longer than a lease goes on beside its
successor. So results are written with ``atomic_file``, and both come to the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

LEASE_S = 300.0
"""Time without a sign of life after which a claim is dead; clocks of machines that share a folder differ by less."""


@dataclass(frozen=True)
class Owner:
    """Who holds a claim.

    Attributes:
        machine: Name of the machine and of its process namespace, within which ``process`` has a meaning.
        process: Its number.
    """

    machine: str
    process: int

    @classmethod
    def this(cls) -> Owner:
        """The process that asks."""
        try:
            namespace = str(Path("/proc/self/ns/pid").readlink())
        except OSError:
            namespace = ""
        return cls(f"{platform.node()} {namespace}".strip(), os.getpid())

    def is_gone(self) -> bool:
        """Whether it was a process of this machine that is no more. Of other machines' processes nothing is known."""
        if self.machine != Owner.this().machine or os.name != "posix":
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


@contextmanager
def claim(target: Path, lease: float = LEASE_S) -> Iterator[bool]:
    """Claim a file or folder that is to be made, until the block ends.

    Args:
        target: What is to be made; it need not be there, nor its folder.
        lease: Seconds without a sign of life after which another run may take the claim over.

    Yields:
        Whether it is this run's. Ask then whether the target is there by now: another run may just have made it.
    """
    number = _take(target, lease)
    if number is None:
        yield False
        return
    path = _path(target, number)
    ended = threading.Event()
    beat = threading.Thread(target=_keep_alive, args=(path, lease / 4, ended), daemon=True)
    beat.start()
    try:
        yield True
    finally:
        ended.set()
        beat.join()
        _release(target, number)


def unclaimed(targets: Iterable[Path], lease: float = LEASE_S) -> Iterator[Path]:
    """Those of some files that are not there and that no other run is at, each claimed while the caller makes it.

    Whoever needs all of them asks afterwards which are still missing: other runs may be at these.
    """
    for target in targets:
        if target.exists():
            continue
        with claim(target, lease) as mine:
            if mine and not target.exists():
                yield target


def owner_of(target: Path) -> Owner | None:
    """Who has claimed a target, where anyone has and can be read."""
    claims = _claims(target)
    return _read(_path(target, claims[-1])) if claims else None


def _take(target: Path, lease: float) -> int | None:
    """The number of a new claim, or None where another one lives."""
    claims = _claims(target)
    if claims and not _is_dead(_path(target, claims[-1]), lease):
        return None
    number = claims[-1] + 1 if claims else 0
    path = _path(target, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(asdict(Owner.this()), file)
    except FileExistsError:
        return None
    return number


def _release(target: Path, number: int) -> None:
    """End a claim and remove the dead ones before it; one that came after is a successor's."""
    # From above: whoever looks in between must not find the number of this claim free while a lower one is gone.
    for old in reversed([n for n in _claims(target) if n <= number]):
        _path(target, old).unlink(missing_ok=True)


def _path(target: Path, number: int) -> Path:
    return target.with_name(f"{target.name}.{number}.claim")


def _claims(target: Path) -> list[int]:
    """Numbers of all claims on a target, dead ones included, from below."""
    pattern = re.compile(re.escape(target.name) + r"\.(\d+)\.claim")
    try:
        found = [pattern.fullmatch(path.name) for path in target.parent.iterdir()]
    except OSError:
        return []
    return sorted(int(match[1]) for match in found if match)


def _is_dead(path: Path, lease: float) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False  # it has just ended: the target is there or can be claimed in the next round
    owner = _read(path)
    return age > lease or (owner is not None and owner.is_gone())


def _read(path: Path) -> Owner | None:
    try:
        return Owner(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # not written yet, or gone


def _keep_alive(path: Path, interval: float, ended: threading.Event) -> None:
    while not ended.wait(interval):
        with contextlib.suppress(OSError):
            os.utime(path)
