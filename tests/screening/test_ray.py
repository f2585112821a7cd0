"""Ray's actors do the shards, and go on when a node is lost. Real nodes of ``ray start`` on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ionvolt.device import VARIABLE
from ionvolt.errors import DataError
from ionvolt.screening.places import shard_file
from ionvolt.screening.ray_executor import RayActors, actors_on_gpus
from ionvolt.screening.run import prepare, screen
from ionvolt.screening.settings import Settings
from screening.conftest import expected, keys, line

RULES = Settings(("Mg",), stages=("rules",))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Node:
    """A node of a cluster, in a process group of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        beside = Path(sys.executable).with_name("ray")
        command = [str(beside) if beside.exists() else str(shutil.which("ray")), "start", "--block", "--num-cpus=1"]
        command += ["--object-store-memory=80000000", "--disable-usage-stats", "--include-dashboard=false", *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self._log = (folder / f"node-{time.monotonic_ns()}.log").open("wb")
        self.process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, env=environment, start_new_session=True
        )

    def kill(self) -> None:
        """All processes of the node at once, as where a machine is switched off."""
        parents: dict[int, list[int]] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
        waiting, found = [self.process.pid], list[int]()
        while waiting:
            one = waiting.pop()
            found.append(one)
            waiting += parents.get(one, [])
        for one in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self.process.wait()
        self._log.close()


def wait_for(port: int) -> None:
    """Until a head listens there."""
    deadline = time.monotonic() + 120
    while True:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[str, Node, Node]]:
    pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    port = free_port()
    head = Node(tmp_path, "--head", f"--port={port}")
    wait_for(port)
    second = Node(tmp_path, f"--address=127.0.0.1:{port}")
    yield f"127.0.0.1:{port}", head, second
    for node in (second, head):
        if node.process.poll() is None:
            node.kill()


@pytest.mark.slow
def test_a_lost_node_loses_nothing(tmp_path: Path, nodes: tuple[str, Node, Node]) -> None:
    address, _, second = nodes
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps(line(number)) + "\n" for number in range(3000)))
    plan = prepare([str(path)], RULES, tmp_path / "run", shard_size=15)
    stopped = threading.Event()

    def kill_after_a_while() -> None:
        while not stopped.wait(0.3):
            done = sum(shard_file(plan.folder, 0, shard.number).exists() for shard in plan.shards)
            if done > 20:
                second.kill()
                return

    watch = threading.Thread(target=kill_after_a_while)
    watch.start()
    try:
        status = screen(
            [str(path)], "Mg", plan.folder, settings=RULES, executor=RayActors(address, lease=20), shard_size=15
        )
    finally:
        stopped.set()
        watch.join()
    assert second.process.poll() is not None
    assert status.complete
    assert keys(plan) == expected(plan)


def test_no_cluster_is_told_in_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    path = tmp_path / "many.jsonl"
    path.write_text(json.dumps(line(1)) + "\n")
    with pytest.raises(DataError, match="no cluster"):
        screen([str(path)], "Mg", tmp_path / "run", settings=RULES, executor=RayActors("127.0.0.1:1"))


@pytest.mark.parametrize(
    ("device", "nodes", "on_gpus"),
    [
        ("", [{"CPU": 8.0}], 0),
        ("auto", [{"CPU": 8.0, "GPU": 1.0}], 4),
        ("auto", [{"CPU": 8.0, "GPU": 4.0}], 8),
        ("auto", [{"CPU": 2.0, "GPU": 1.0}, {"CPU": 8.0}, {}], 2),
        ("cpu", [{"CPU": 8.0, "GPU": 4.0}], 0),
    ],
)
def test_actors_share_gpus(
    monkeypatch: pytest.MonkeyPatch, device: str, nodes: list[dict[str, float]], on_gpus: int
) -> None:
    """No more than there are cores for beside the GPU."""
    monkeypatch.setenv(VARIABLE, device)
    assert actors_on_gpus(nodes, 8) == on_gpus


@pytest.mark.slow
def test_a_node_that_says_it_has_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray gives the actor its share; PyTorch sees none here, and the actor works on the processor."""
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    monkeypatch.setenv(VARIABLE, "auto")
    port = free_port()
    head = Node(tmp_path, "--head", f"--port={port}", "--num-gpus=1")
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps(line(n)) + "\n" for n in range(30)))
    free: set[float] = set()

    def look(done: int, total: int, words: str) -> None:
        free.add(ray.available_resources().get("GPU", 0.0))

    try:
        wait_for(port)
        plan = prepare([str(path)], RULES, tmp_path / "run", shard_size=10)
        actors = RayActors(f"127.0.0.1:{port}")
        status = screen([str(path)], "Mg", plan.folder, settings=RULES, executor=actors, shard_size=10, progress=look)
    finally:
        head.kill()
    assert 0.75 in free
    assert status.complete
    assert keys(plan) == expected(plan)
