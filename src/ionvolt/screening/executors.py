"""Where workers run. An executor starts workers on a run's folder and returns when the run is complete."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from ionvolt.device import VARIABLE, for_process
from ionvolt.errors import DataError
from ionvolt.parallel import THREADS, cores
from ionvolt.screening.status import progress_of
from ionvolt.store.claims import LEASE_S
from ionvolt.typing import ProgressCallback

_POLL_S = 0.5
_TELL_EVERY_S = 2.0
_GRACE_S = 20.0
_MOST_DEATHS = 10


class Executor(Protocol):
    """Starts workers wherever it can."""

    def run(self, folder: Path, progress: ProgressCallback) -> None:
        """Work until the run in a folder is complete.

        Raises:
            DataError: The workers cannot go on; the text says why.
        """
        ...


@dataclass
class LocalProcesses:
    """Processes on this machine, one thread each; one that dies is started anew.

    Attributes:
        n: How many; by default one for each core that this process may use.
        lease: Seconds of silence after which a worker on another machine is taken for dead.
    """

    n: int = 0
    lease: float = LEASE_S
    _running: list[_Process] = field(default_factory=list, init=False)

    def run(self, folder: Path, progress: ProgressCallback) -> None:
        """See ``Executor``."""
        n = self.n or cores()
        deaths, last, told = 0, -1, 0.0
        try:
            self._running = [_Process(folder, self.lease, number) for number in range(n)]
            while self._running:
                time.sleep(_POLL_S)
                if time.monotonic() - told > _TELL_EVERY_S:
                    told = time.monotonic()
                    state = progress_of(folder)
                    state.report(progress)
                    if state.units_done != last:
                        deaths, last = 0, state.units_done
                for process in list(self._running):
                    code = process.poll()
                    if code is None:
                        continue
                    self._running.remove(process)
                    if code == 0:
                        process.close()
                        continue
                    words = process.error()
                    process.close()
                    if words:
                        raise DataError(words)
                    deaths += 1
                    if deaths > _MOST_DEATHS:
                        raise DataError(
                            f"{folder}: {deaths} workers ended (last with code {code}) and nothing was done in "
                            "between. Run fewer (-j), see that there is memory, then give the same command"
                        )
                    self._running.append(_Process(folder, self.lease, process.number))
            progress_of(folder).report(progress)
        finally:
            self._stop()

    def _stop(self) -> None:
        """End all workers; each ends after the chunk that it is at."""
        for process in self._running:
            process.terminate()
        deadline = time.monotonic() + _GRACE_S
        for process in self._running:
            process.end(max(0.0, deadline - time.monotonic()))
        self._running = []


class _Process:
    """A worker in a process of its own."""

    def __init__(self, folder: Path, lease: float, number: int) -> None:
        self.number = number
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        environment = {
            **os.environ,
            **dict.fromkeys((*THREADS, "RAYON_NUM_THREADS"), "1"),
            VARIABLE: for_process(number),
        }
        command = [*worker_command(folder, lease), str(os.getpid())]
        # A session of its own: Ctrl-C reaches the parent, which then ends the workers in order.
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._errors,
            start_new_session=True,
        )  # fmt: skip

    def poll(self) -> int | None:
        return self._process.poll()

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()

    def end(self, patience: float) -> None:
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.close()

    def error(self) -> str:
        """What a worker that ended said in words; empty where it died."""
        self._errors.seek(0)
        return error_of(self._errors.read().decode(errors="replace"))

    def close(self) -> None:
        self._errors.close()


def error_of(text: str) -> str:
    """The error that a worker wrote as its last line; empty where there is none."""
    for line in reversed(text.strip().splitlines()):
        with suppress(ValueError):
            content: Any = json.loads(line)
            if isinstance(content, dict) and isinstance(content.get("error"), str):
                return str(content["error"])
    return ""


def worker_command(folder: Path, lease: float = LEASE_S) -> list[str]:
    """The command that is a worker, wherever it runs."""
    return [sys.executable, "-m", "ionvolt.screening.worker", str(folder), f"{lease:g}"]
