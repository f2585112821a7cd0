"""Workers as Ray actors: one for each core of the cluster, more when nodes join, new ones when a node is lost.

Where the cluster has GPUs, so many of the actors as fit share them; the others stay on processors.

All nodes must see the run's folder and the inputs under the same names, as claims and tables are files.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ionvolt.device import AUTO, CPU, SHARES, chosen, use_device
from ionvolt.errors import DataError
from ionvolt.screening.status import progress_of
from ionvolt.store.claims import LEASE_S
from ionvolt.typing import ProgressCallback

_POLL_S = 1.0
_MOST_DEATHS = 50


@dataclass
class RayActors:
    """Actors that work until the run is complete.

    Attributes:
        address: Address of the cluster; ``auto`` is the one that runs on this machine, ``local`` starts one.
        n: Actors at most; 0: one for each core of the cluster.
        lease: Seconds of silence after which a worker on a lost node is taken for dead.
    """

    address: str = "auto"
    n: int = 0
    lease: float = LEASE_S

    def run(self, folder: Path, progress: ProgressCallback) -> None:
        """See ``Executor``."""
        ray = _import_ray()
        try:
            _knock(self.address)
            ray.init(address=None if self.address == "local" else self.address, log_to_driver=False)
        except (OSError, ValueError) as error:
            words = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(
                f"Ray at {self.address}: no cluster ({words}). Start one with `ray start --head`"
            ) from error
        try:
            self._run(ray, folder.resolve(), progress)
        finally:
            ray.shutdown()

    def _run(self, ray: Any, folder: Path, progress: ProgressCallback) -> None:
        actor = ray.remote(num_cpus=1, max_restarts=0)(_Actor)
        at_work: dict[Any, tuple[Any, bool]] = {}
        deaths, last = 0, -1
        while True:
            state = progress_of(folder)
            state.report(progress)
            if not state.stage:
                return
            if state.units_done != last:
                deaths, last = 0, state.units_done
            wanted = self.n or int(ray.cluster_resources().get("CPU", 0))
            on_gpus = actors_on_gpus([node["Resources"] for node in ray.nodes() if node["Alive"]], wanted)
            # Actors for which there is no core wait in Ray; none are asked for beyond what the cluster has.
            while len(at_work) < wanted:
                with_gpu = sum(shares for _, shares in at_work.values()) < on_gpus
                one = actor.options(num_gpus=1 / SHARES if with_gpu else 0).remote()
                at_work[one.work.remote(str(folder), self.lease, AUTO if with_gpu else CPU)] = one, with_gpu
            done, _ = ray.wait(list(at_work), num_returns=1, timeout=_POLL_S)
            for task in done:
                del at_work[task]
                try:
                    words = ray.get(task)
                except ray.exceptions.RayError as error:
                    deaths += 1
                    if deaths > _MOST_DEATHS:
                        words = f"{folder}: {deaths} actors ended and nothing was done in between ({error})"
                        raise DataError(words.splitlines()[0]) from error
                    continue
                if words:
                    raise DataError(words)
            if done:
                time.sleep(0.1)


def actors_on_gpus(nodes: Iterable[Mapping[str, float]], wanted: int) -> int:
    """How many of the wanted actors get a share of the nodes' GPUs; none where the processor was chosen.

    An actor takes a core, too: shares beyond a node's cores would be waited for without end.
    """
    shares = sum(int(min(SHARES * node.get("GPU", 0), node.get("CPU", 0))) for node in nodes)
    return 0 if chosen() == CPU else min(wanted, shares)


class _Actor:
    """A worker in a process of Ray."""

    def work(self, folder: str, lease: float, device: str) -> str:
        """Work until the run is complete; gives the error that ended it, or nothing.

        Args:
            folder: The run's.
            lease: As ``RayActors`` has it.
            device: For ``use_device``: a GPU if this actor has a share of one.
        """
        import torch

        from ionvolt.errors import IonVoltError
        from ionvolt.screening.worker import work

        torch.set_num_threads(1)
        use_device(device)
        try:
            work(Path(folder), lease)
        except IonVoltError as error:
            return str(error)
        except OSError as error:
            return f"{error.filename or folder}: {error.strerror or error}. Check path and disk"
        return ""


def _knock(address: str) -> None:
    """Raise ``OSError`` where nobody listens: Ray itself would try for minutes."""
    host, mark, port = address.rpartition(":")
    if mark and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


def _import_ray() -> Any:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise DataError("Ray is not installed. Install it with `pip install 'ionvolt[ray]'`") from error
    return ray
