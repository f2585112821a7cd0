"""Latency, throughput and memory of the server under load, over the loopback interface.

    python benchmarks/web_load.py --model cgcnn-mp2020 [--requests 10000] [--clients 50] [--workers 2] [--seconds 600]

Three parts: one client alone; many clients at once, with the memory of all processes; many clients while one worker
is killed. Every request is a crystal of 30 atoms for one ion, no two alike.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HEAD = """data_CaTiO3
_cell_length_a {a:.4f}
_cell_length_b {b:.4f}
_cell_length_c {c:.4f}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
"""
PEROVSKITE = (
    ("Ca", 0.0, 0.0, 0.0),
    ("Ti", 0.5, 0.5, 0.5),
    ("O", 0.5, 0.5, 0.0),
    ("O", 0.5, 0.0, 0.5),
    ("O", 0.0, 0.5, 0.5),
)


def crystal(number: int) -> str:
    """A perovskite of 30 atoms in a cell of its own."""
    a = 3.8 + 0.1 * (number % 997) / 997
    lines = [HEAD.format(a=a, b=2 * a, c=3 * a)]
    atoms = [
        (element, x, (y + j) / 2, (z + k) / 3)
        for j, k in itertools.product(range(2), range(3))
        for element, x, y, z in PEROVSKITE
    ]
    shift = 0.002 * ((number // 997) % 11)
    lines += [f"{e}{n} {x:.5f} {y:.5f} {z + (shift if e == 'Ti' else 0):.5f}\n" for n, (e, x, y, z) in enumerate(atoms)]
    return "".join(lines)


def request(number: int) -> bytes:
    """A whole HTTP request."""
    asked = {"structures": [{"name": f"{number}.cif", "text": crystal(number)}], "ions": ["Mg"]}
    body = json.dumps(asked).encode()
    return (
        b"POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )


class Client:
    """As little of an HTTP client as will do: it shares the cores with the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, data: bytes) -> tuple[int, float]:
        """Status and seconds."""
        start = time.perf_counter()
        if self.line is None:
            self.line = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.line
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        body = await reader.readexactly(int(length[1]) if length else 0)
        status = int(head.split(b" ", 2)[1])
        assert status != 200 or b'"voltage"' in body, body[:500]
        return status, time.perf_counter() - start


async def load(port: int, clients: int, numbers: Iterator[int], deadline: float) -> list[tuple[int, float]]:
    """Every client asks again as soon as it is answered, until the numbers run out."""
    found: list[tuple[int, float]] = []

    async def one() -> None:
        client = Client(port)
        for number in numbers:
            if time.monotonic() > deadline:
                return
            found.append(await client.ask(request(number)))

    await asyncio.gather(*(one() for _ in range(clients)))
    return found


def told(name: str, found: list[tuple[int, float]], wall: float) -> dict[str, float]:
    """Print and return what a part measured."""
    seconds = sorted(s for _, s in found)
    statuses = dict(Counter(status for status, _ in found))
    facts = {
        "requests": len(found),
        "per_second": len(found) / wall,
        **{f"p{q}_ms": 1e3 * seconds[min(len(seconds) - 1, int(q / 100 * len(seconds)))] for q in (50, 95, 99)},
        "longest_ms": 1e3 * seconds[-1],
    }
    print(f"{name}: " + ", ".join(f"{k} {v:.0f}" for k, v in facts.items()) + f", statuses {statuses}", flush=True)
    return facts


def processes(pid: int) -> dict[int, int]:
    """Resident bytes of a process and all below it."""
    parents: dict[int, int] = {}
    held: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        parents[int(folder.name)] = int(fields["PPid"])
        held[int(folder.name)] = 1024 * int(fields.get("VmRSS", "0 kB").split()[0])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return {member: held[member] for member in sorted(family)}


def workers(pid: int) -> list[int]:
    """The processes that predict: below the fork server, which is below the server."""
    return [member for member in processes(pid) if member != pid and "forkserver" in _parent_command(member)]


def _parent_command(pid: int) -> str:
    status = Path(f"/proc/{pid}/status").read_text()
    parent = re.search(r"PPid:\s+(\d+)", status)
    assert parent
    try:
        return Path(f"/proc/{parent[1]}/cmdline").read_text()
    except OSError:
        return ""


async def measure(port: int, pid: int, given: argparse.Namespace) -> bool:
    """All parts; whether every bound was kept."""
    deadline = time.monotonic() + given.seconds
    numbers = itertools.count()
    await load(port, given.workers, iter(range(20)), deadline)
    start = time.perf_counter()
    alone = told("alone", await load(port, 1, iter(range(300)), deadline), time.perf_counter() - start)

    curve: list[tuple[int, float]] = []
    count = itertools.count()

    def counted() -> Iterator[int]:
        for number in itertools.islice(numbers, given.requests):
            if next(count) % 1_000 == 0:
                curve.append((number, sum(processes(pid).values()) / 1e6))
            yield number

    start = time.perf_counter()
    found = await load(port, given.clients, counted(), deadline)
    curve.append((len(found), sum(processes(pid).values()) / 1e6))
    loaded = told(f"{given.clients} clients", found, time.perf_counter() - start)
    print("memory of all processes (MB) after requests: " + ", ".join(f"{n}: {size:.0f}" for n, size in curve))
    errors = sum(status != 200 for status, _ in found)

    task = asyncio.create_task(load(port, given.clients, iter(range(600)), deadline + 60))
    await asyncio.sleep(0.5)
    victim = workers(pid)[0]
    os.kill(victim, signal.SIGKILL)
    start = time.perf_counter()
    found = await task
    told("one worker killed", found, time.perf_counter() - start)
    lost = sum(status != 200 for status, _ in found)
    print(f"lost by the killed worker: {lost}; workers afterwards: {len(workers(pid))}")

    middle = [size for n, size in curve if n >= min(1_000, given.requests // 2)]
    growth = middle[-1] - middle[0]
    print(f"growth of memory after the first thousand requests: {growth:+.0f} MB")
    return alone["p95_ms"] <= 100 and loaded["p95_ms"] <= 500 and errors == 0 and lost <= 1 and growth < 100


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cgcnn-mp2020")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=600, help="no new request after this time")
    given = parser.parse_args()
    command = [Path(sys.executable).with_name("ionvolt"), "serve", "--port", "0", "--model", given.model]
    log = Path("/dev/null").open("w")  # noqa: SIM115
    server = subprocess.Popen([*command, "--workers", str(given.workers)], stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        first = server.stderr.readline()
        port = re.search(r":(\d+) ", first)
        if not port:
            print(first + server.stderr.read(), file=sys.stderr)
            return 2
        drain = subprocess.Popen(["cat"], stdin=server.stderr, stdout=log)
        print(f"load of the machine before: {os.getloadavg()[0]:.1f}; cores: {os.cpu_count()}")
        kept = asyncio.run(measure(int(port[1]), server.pid, given))
        drain.terminate()
    finally:
        server.terminate()
        server.wait(20)
    print("all bounds kept" if kept else "a bound was not kept")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
