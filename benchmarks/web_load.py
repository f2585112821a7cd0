"""Latency, throughput, fairness and memory of the server under load, over the loopback interface.

    python benchmarks/web_load.py --model cgcnn-mp2020 [--parts alone,clients,killed] [--requests 10000] [--clients 50]
    python benchmarks/web_load.py --model auto --parts alone,clients,heavy,drip --requests 200
    python benchmarks/web_load.py --model auto --parts files FILE ... [--ion all]

Parts: ``alone``, one client; ``clients``, many at once, with the memory of all processes; ``killed``, many while one
worker is killed; ``heavy``, a light client while another has 200 structures of all ions under way; ``drip``, a client
while 1,000 connections trickle; ``files``, files with the defaults, as one job. Requests are crystals of 30 atoms for
one ion, no two alike. The processor time of the machine that others took meanwhile is printed with each part.
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
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

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
PARTS = ("alone", "clients", "killed", "heavy", "drip", "files")
DRIPPING = 1_000


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


def post(path: str, asked: dict[str, Any]) -> bytes:
    """A whole HTTP request."""
    body = json.dumps(asked).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def request(number: int) -> bytes:
    """One structure, one ion."""
    asked = {"structures": [{"name": f"{number}.cif", "text": crystal(number)}], "ions": ["Mg"]}
    return post("/api/v1/predict", asked)


class Client:
    """As little of an HTTP client as will do: it shares the cores with the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, data: bytes) -> tuple[int, bytes]:
        """Status and body."""
        if self.line is None:
            self.line = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.line
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        body = await reader.readexactly(int(length[1]) if length else 0)
        return int(head.split(b" ", 2)[1]), body

    async def ask(self, data: bytes) -> tuple[int, float]:
        """Status and seconds."""
        start = time.perf_counter()
        status, body = await self.send(data)
        assert status != 200 or b'"voltage"' in body, body[:500]
        return status, time.perf_counter() - start

    async def get(self, path: str) -> Any:
        """What a path answers."""
        _, body = await self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return json.loads(body)


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


def reported(name: str, found: list[tuple[int, float]], wall: float) -> dict[str, float]:
    """Print and return what a part measured."""
    seconds = sorted(s for _, s in found)
    statuses = dict(Counter(status for status, _ in found))
    facts = {
        "requests": len(found),
        "per_second": len(found) / wall,
        **{f"p{q}_ms": 1e3 * seconds[min(len(seconds) - 1, int(q / 100 * len(seconds)))] for q in (50, 95, 99)},
        "longest_ms": 1e3 * seconds[-1],
    }
    print(f"{name}: " + ", ".join(f"{k} {v:.3g}" for k, v in facts.items()) + f", statuses {statuses}", flush=True)
    return facts


def processes(pid: int) -> dict[int, int]:
    """Resident bytes of a process and all below it; shared memory counts in part (Pss)."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return {member: _held(member) for member in sorted(family)}


def _held(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def processor_seconds(pid: int) -> float:
    """Of a process and all below it."""
    total = 0
    for member in processes(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def machine_seconds() -> float:
    """Busy processor seconds of the whole machine."""
    fields = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


class Meter:
    """Wall time of a part, and what of the machine was the server's and what was others'."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.start = time.perf_counter(), processor_seconds(pid), machine_seconds(), time.process_time()

    def stop(self) -> float:
        """Print and return the wall time."""
        wall = time.perf_counter() - self.start[0]
        own = processor_seconds(self.pid) - self.start[1]
        client = time.process_time() - self.start[3]
        others = machine_seconds() - self.start[2] - own - client
        print(
            f"  in {wall:.1f} s: server {own / wall:.2f}, load generator {client / wall:.2f}, others "
            f"{max(0.0, others) / wall:.2f} of {os.cpu_count()} cores",
            flush=True,
        )
        return wall


def workers(pid: int) -> list[int]:
    """The processes that predict: those without children that are below two others."""
    family = processes(pid)
    parents = {}
    for member in family:
        try:
            parents[member] = int(Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    leaves = [m for m in parents if m not in parents.values()]
    return [m for m in leaves if parents.get(parents.get(m, 0)) in family]


@asynccontextmanager
async def heavy_job(port: int) -> AsyncIterator[str]:
    """200 structures of all ions under way."""
    client = Client(port)
    asked = {"structures": [{"name": f"{n}", "text": crystal(5_000 + n)} for n in range(200)], "ions": "all"}
    status, body = await client.send(post("/api/v1/jobs", asked))
    assert status == 202, body
    name = json.loads(body)["id"]
    while not (await client.get(f"/api/v1/jobs/{name}"))["done"]:
        await asyncio.sleep(0.2)
    try:
        yield name
    finally:
        client = Client(port)  # the server has closed the silent line meanwhile
        state = await client.get(f"/api/v1/jobs/{name}")
        print(f"  the heavy one had {state['done']} of {state['total']} by then, and was {state['status']}")
        await client.send(f"DELETE /api/v1/jobs/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


@asynccontextmanager
async def dripping(port: int) -> AsyncIterator[None]:
    """Connections that send a byte of their request a second, again and again."""

    async def drip() -> None:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                for byte in itertools.cycle(b"GET / HTTP/1.1\r\nX-Long: "):
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(1.0)
            except OSError:
                await asyncio.sleep(0.1)

    tasks = [asyncio.create_task(drip()) for _ in range(DRIPPING)]
    await asyncio.sleep(3.0)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def files_job(port: int, files: list[Path], ions: str) -> bool:
    """Files with the defaults, as the page asks for them; whether all were answered."""
    client = Client(port)
    texts = [{"name": file.name, "text": file.read_text()} for file in files]
    _, body = await client.send(post("/api/v1/jobs", {"structures": texts, "ions": ions}))
    name = json.loads(body)["id"]
    start = time.perf_counter()
    first = None
    while (state := await client.get(f"/api/v1/jobs/{name}"))["status"] == "running":
        if first is None and any(r.get("predictions") for r in state["outcome"]["results"]):
            first = time.perf_counter() - start
        await asyncio.sleep(0.5)
    results = state["outcome"]["results"]
    answered = sum(len(r.get("predictions", [])) for r in results)
    problems = Counter(r["problem"]["type"] for r in results if "problem" in r)
    problems += Counter(entry["problem"]["type"] for r in results for entry in r.get("refused", []))
    print(
        f"{len(files)} files: {answered} of {state['total']} answered in {state['seconds']:.0f} s, the first after "
        f"{first or 0:.1f} s; {dict(problems)}"
    )
    return all(r.get("predictions") for r in results)


async def measure(port: int, pid: int, given: argparse.Namespace) -> bool:
    """The parts asked for; whether every bound was kept."""
    deadline = time.monotonic() + given.seconds
    slow = given.model != "cgcnn-mp2020"
    kept = True
    few = 30 if slow else 300
    await load(port, given.workers, iter(range(9_000, 9_000 + 2 * given.workers)), deadline)
    alone = {"p50_ms": 0.0}
    if "alone" in given.parts:
        meter = Meter(pid)
        found = await load(port, 1, iter(range(few)), deadline)
        alone = reported("alone", found, meter.stop())
    if "clients" in given.parts:
        curve: list[tuple[int, float]] = []
        count = itertools.count()

        def counted() -> Iterator[int]:
            for number in range(given.requests):
                if next(count) % max(1, given.requests // 10) == 0:
                    curve.append((number, sum(processes(pid).values()) / 1e6))
                yield number

        meter = Meter(pid)
        found = await load(port, given.clients, counted(), deadline)
        loaded = reported(f"{given.clients} clients", found, meter.stop())
        curve.append((len(found), sum(processes(pid).values()) / 1e6))
        print("memory of all processes (MB) after requests: " + ", ".join(f"{n}: {size:.0f}" for n, size in curve))
        after = [size for n, size in curve if n >= min(1_000, given.requests // 2)]
        print(f"growth of memory after the first thousand requests: {after[-1] - after[0]:+.0f} MB")
        kept &= all(status == 200 for status, _ in found) and after[-1] - after[0] < 100
        kept &= loaded["p95_ms"] <= (5_000 if slow else 500)
    if "killed" in given.parts:
        task = asyncio.create_task(load(port, given.clients, iter(range(60 if slow else 600)), deadline + 60))
        await asyncio.sleep(0.5)
        meter = Meter(pid)
        os.kill(workers(pid)[0], signal.SIGKILL)
        found = await task
        reported("one worker killed", found, meter.stop())
        lost = sum(status != 200 for status, _ in found)
        print(f"lost by the killed worker: {lost}; workers afterwards: {len(workers(pid))}")
        kept &= lost <= 1
    for part, around in (("heavy", heavy_job), ("drip", dripping)):
        if part in given.parts:
            async with around(port):
                meter = Meter(pid)
                found = await load(port, 1, iter(range(20_000, 20_000 + few)), deadline)
                beside = reported(f"one client beside: {part}", found, meter.stop())
            print(f"  median {beside['p50_ms'] - alone['p50_ms']:+.0f} ms against alone")
            kept &= all(status == 200 for status, _ in found)
    if "files" in given.parts:
        meter = Meter(pid)
        kept &= await files_job(port, given.files, given.ions)
        meter.stop()
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="for the part `files`")
    parser.add_argument("--model", default="cgcnn-mp2020")
    parser.add_argument("--parts", type=lambda text: text.split(","), default=["alone", "clients", "killed"])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ions", default="all", help="of the part `files`")
    parser.add_argument("--seconds", type=float, default=600, help="no new request after this time")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}")
    # As the command `ionvolt` does, of the IonVolt that this Python imports.
    command = [sys.executable, "-c", "from ionvolt.cli.main import main; main()", "serve", "--port", "0"]
    command += ["--model", given.model, "--workers", str(given.workers), "--log-json"]
    with Path("/dev/null").open("w") as log:
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert server.stderr is not None
            first = server.stderr.readline()
            port = re.search(r":(\d+) ", first)
            if not port:
                print(first + server.stderr.read(), file=sys.stderr)
                return 2
            drain = subprocess.Popen(["cat"], stdin=server.stderr, stdout=log)
            print(f"load of the machine before: {os.getloadavg()[0]:.1f}; cores: {os.cpu_count()}")
            sizes = {pid: f"{size / 1e6:.0f}" for pid, size in processes(server.pid).items()}
            print(f"memory (Pss, MB) of the server and its processes when ready: {', '.join(sizes.values())}")
            kept = asyncio.run(measure(int(port[1]), server.pid, given))
            drain.terminate()
        finally:
            server.terminate()
            server.wait(20)
    print("all bounds kept" if kept else "a bound was not kept")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
