"""Latency, throughput, fairness and memory of the server under load, over the loopback interface.

    python benchmarks/web_load.py [--only default,fast] [--results load.jsonl] [FILE ...]

The server is started as it is shipped, with two workers. Each part takes five minutes at most (``--seconds``) and adds
a line to ``--results``; parts that stand there already are passed over, so that the same command goes on after an end.

Parts: ``default``, 50 clients at once, each asking the default model for one ion of a crystal of its own; ``examples``,
the same with the bundled examples, as in a class; ``fast``, 10,000 requests of 50 clients to ``cgcnn-mp2020`` with the
memory of all processes; ``killed``, many while one worker is killed; ``heavy``, a light client while another has 200
structures of all ions under way; ``drip``, a client while 1,000 connections trickle; ``files``, the FILEs with the
page's settings, as one job. Crystals have 30 atoms and no two are alike; clients have addresses of their own. The
processor time of the machine that others took meanwhile is told with each part.
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
import threading
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
DRIPPING = 1_000
FAST = "cgcnn-mp2020"
EXAMPLES = ("LiFePO4", "MgMn2O4", "MoO3", "NaCoO2", "TiS2", "V2O5")
IONS = ("Li", "Na", "Mg", "Ca", "Zn", "Al")
Found = list[tuple[int, float]]


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


def request(number: int, model: str | None = None) -> bytes:
    """One structure, one ion."""
    asked: dict[str, Any] = {"structures": [{"name": f"{number}.cif", "text": crystal(number)}], "ions": ["Mg"]}
    return post("/api/v1/predict", asked | ({"model": model} if model else {}))


def example_request(number: int) -> bytes:
    """A bundled example, one ion."""
    example, ion = EXAMPLES[number % len(EXAMPLES)], IONS[number // len(EXAMPLES) % len(IONS)]
    return post("/api/v1/predict", {"structures": [{"example": example}], "ions": [ion]})


class Client:
    """As little of an HTTP client as will do: it shares the cores with the server.

    Its number is the end of its address, by which the server tells clients apart.
    """

    def __init__(self, port: int, number: int = 1) -> None:
        self.port = port
        self.address = f"127.0.0.{number}"
        self.line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, data: bytes) -> tuple[int, bytes]:
        """Status and body."""
        if self.line is None:
            self.line = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(self.address, 0))
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


async def load(port: int, clients: int, asked: Iterator[bytes], deadline: float) -> Found:
    """Every client asks again as soon as it is answered, until the requests run out."""
    found: Found = []

    async def one(number: int) -> None:
        client = Client(port, number)
        for data in asked:
            if time.monotonic() > deadline:
                return
            found.append(await client.ask(data))

    await asyncio.gather(*(one(number) for number in range(2, 2 + clients)))
    return found


def summed_up(name: str, found: Found, wall: float) -> dict[str, Any]:
    """Print and return what was measured."""
    seconds = sorted(s for _, s in found)
    facts: dict[str, Any] = {
        "requests": len(found),
        "lost": sum(status != 200 for status, _ in found),
        "per_second": round(len(found) / wall, 2),
        **{f"p{q}_ms": round(1e3 * seconds[min(len(seconds) - 1, int(q / 100 * len(seconds)))]) for q in (50, 95, 99)},
        "longest_ms": round(1e3 * seconds[-1]),
    }
    statuses = dict(Counter(status for status, _ in found))
    print(f"{name}: " + ", ".join(f"{k} {v:.4g}" for k, v in facts.items()) + f", statuses {statuses}", flush=True)
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

    def stop(self) -> tuple[float, dict[str, float]]:
        """Print and return the wall time, and cores by who used them."""
        wall = time.perf_counter() - self.start[0]
        own = processor_seconds(self.pid) - self.start[1]
        client = time.process_time() - self.start[3]
        others = machine_seconds() - self.start[2] - own - client
        cores = {"server": own / wall, "load_generator": client / wall, "others": max(0.0, others) / wall}
        cores = {name: round(share, 2) for name, share in cores.items()}
        print(f"  in {wall:.1f} s; cores of {os.cpu_count()}: {cores}", flush=True)
        return wall, {"seconds": round(wall, 1)} | {f"{name}_cores": share for name, share in cores.items()}


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
    """200 structures of all ions under way, for a client of its own."""
    client = Client(port, 200)
    asked = {"structures": [{"name": f"{n}", "text": crystal(5_000 + n)} for n in range(200)], "ions": "all"}
    status, body = await client.send(post("/api/v1/jobs", asked))
    assert status == 202, body
    name = json.loads(body)["id"]
    while not (await client.get(f"/api/v1/jobs/{name}"))["done"]:
        await asyncio.sleep(0.2)
    try:
        yield name
    finally:
        client = Client(port, 200)  # the server has closed the silent line meanwhile
        state = await client.get(f"/api/v1/jobs/{name}")
        print(f"  the heavy one had {state['done']} of {state['total']} by then, and was {state['status']}")
        await client.send(f"DELETE /api/v1/jobs/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


@asynccontextmanager
async def dripping(port: int) -> AsyncIterator[None]:
    """Connections that send a byte of their request a second, again and again."""

    async def drip() -> None:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.201", 0))
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


class Load:
    """The parts, each with what it measured and whether its bounds were kept."""

    def __init__(self, port: int, pid: int, given: argparse.Namespace) -> None:
        self.port, self.pid, self.given = port, pid, given
        self.deadline = 0.0

    async def measured(self, name: str, clients: int, asked: Iterator[bytes]) -> dict[str, Any]:
        """A load, and what others took of the machine."""
        meter = Meter(self.pid)
        found = await load(self.port, clients, asked, self.deadline)
        wall, cores = meter.stop()
        return summed_up(name, found, wall) | cores

    async def default(self) -> tuple[dict[str, Any], bool]:
        """Clients at once on the default model, a crystal of its own each."""
        n = self.given.clients
        facts = await self.measured("default model", n, map(request, range(n)))
        return facts, not facts["lost"] and facts["p95_ms"] <= 5_000

    async def examples(self) -> tuple[dict[str, Any], bool]:
        """The same, with the bundled examples and one ion each."""
        n = self.given.clients
        facts = await self.measured("default model, bundled examples", n, map(example_request, range(n)))
        return facts, not facts["lost"] and facts["p95_ms"] <= 5_000

    async def fast(self) -> tuple[dict[str, Any], bool]:
        """Many requests to the fast model, and the memory of all processes on the way."""
        curve: list[tuple[int, float]] = []
        step = max(1, self.given.requests // 10)

        def asked() -> Iterator[bytes]:
            for number in range(self.given.requests):
                if number % step == 0:
                    curve.append((number, sum(processes(self.pid).values()) / 1e6))
                yield request(number, FAST)

        facts = await self.measured(FAST, self.given.clients, asked())
        curve.append((facts["requests"], sum(processes(self.pid).values()) / 1e6))
        print("memory of all processes (MB) after requests: " + ", ".join(f"{n}: {size:.0f}" for n, size in curve))
        after = [size for n, size in curve if n >= min(1_000, self.given.requests // 2)]
        facts["growth_MB"] = round(after[-1] - after[0])
        print(f"growth of memory after the first thousand requests: {facts['growth_MB']:+d} MB")
        return facts, not facts["lost"] and facts["growth_MB"] < 100 and facts["p95_ms"] <= 500

    async def killed(self) -> tuple[dict[str, Any], bool]:
        """One worker is killed under load."""
        task = asyncio.create_task(
            self.measured("a worker killed", self.given.clients, (request(n, FAST) for n in range(30_000, 30_600)))
        )
        await asyncio.sleep(0.5)
        os.kill(workers(self.pid)[0], signal.SIGKILL)
        facts = await task
        return facts, facts["lost"] <= 1

    async def alone(self) -> float:
        """Median milliseconds of a client that asks the fast model and is alone."""
        found = await load(self.port, 1, (request(n, FAST) for n in range(50_000, 50_050)), self.deadline)
        return 1e3 * sorted(s for _, s in found)[len(found) // 2]

    async def heavy(self) -> tuple[dict[str, Any], bool]:
        """A light client beside 200 structures of all ions on the default model."""
        alone = await self.alone()
        async with heavy_job(self.port):
            facts = await self.measured("light client", 1, (request(n, FAST) for n in range(20_000, 20_200)))
            slow = await self.measured("one ion of the default model", 1, map(request, range(21_000, 21_010)))
        facts |= {
            "alone_ms": round(alone),
            "default_model_p50_ms": slow["p50_ms"],
            "default_model_p95_ms": slow["p95_ms"],
        }
        return facts, not facts["lost"] and facts["p95_ms"] <= 100

    async def drip(self) -> tuple[dict[str, Any], bool]:
        """A client beside connections that trickle."""
        alone = await self.alone()
        async with dripping(self.port):
            facts = await self.measured("beside the trickle", 1, (request(n, FAST) for n in range(25_000, 25_200)))
        return facts | {"alone_ms": round(alone)}, not facts["lost"]

    async def files(self) -> tuple[dict[str, Any], bool]:
        """Files with all ions and the default model, as the page asks for them."""
        client, start = Client(self.port), time.perf_counter()
        texts = [{"name": file.name, "text": file.read_text()} for file in self.given.files]
        meter = Meter(self.pid)
        _, body = await client.send(post("/api/v1/jobs", {"structures": texts, "ions": "all"}))
        name = json.loads(body)["id"]
        first = None
        while (state := await client.get(f"/api/v1/jobs/{name}"))["status"] == "running":
            if first is None and any(r.get("predictions") for r in state["outcome"]["results"]):
                first = round(time.perf_counter() - start, 1)
            if time.monotonic() > self.deadline:
                await client.send(f"DELETE /api/v1/jobs/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                break
            await asyncio.sleep(0.5)
        results = state["outcome"]["results"]
        problems = Counter(r["problem"]["type"] for r in results if "problem" in r)
        problems += Counter(entry["problem"]["type"] for r in results for entry in r.get("refused", []))
        facts = {
            "files": len(texts),
            "with_an_answer": sum(bool(r.get("predictions")) for r in results),
            "answered": sum(len(r.get("predictions", [])) for r in results),
            "total": state["total"],
            "job_seconds": round(state["seconds"]),
            "first_s": first,
            "status": state["status"],
            "problems": dict(problems),
        }
        print(f"files: {facts}", flush=True)
        return facts | meter.stop()[1], facts["with_an_answer"] == len(texts) and state["status"] == "done"


PARTS = ("default", "examples", "fast", "killed", "heavy", "drip", "files")


async def measure(port: int, pid: int, given: argparse.Namespace) -> bool:
    """The parts asked for; whether every bound was kept."""
    parts = Load(port, pid, given)
    await load(port, given.workers, (request(n) for n in range(9_000, 9_000 + given.workers)), time.monotonic() + 60)
    kept = True
    for name in given.only:
        parts.deadline = time.monotonic() + given.seconds
        facts, good = await getattr(parts, name)()
        kept &= good
        print(f"{name}: {'kept' if good else 'NOT KEPT'}", flush=True)
        if given.results:
            line = {"part": name, "kept": good, "load_of_the_machine": os.getloadavg()[0], **facts}
            with given.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
    return kept


def done_already(results: Path | None) -> set[str]:
    """Parts that stand in the results of an earlier run."""
    if results is None or not results.exists():
        return set()
    return {json.loads(line)["part"] for line in results.read_text(encoding="utf-8").splitlines()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="for the part `files`")
    parser.add_argument("--only", type=lambda text: text.split(","), help=f"parts: {','.join(PARTS)}")
    parser.add_argument("--results", type=Path, help="a file of JSON lines that the parts are added to")
    parser.add_argument("--requests", type=int, default=10_000, help="of the part `fast`")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=240, help="no new request of a part after this time")
    given = parser.parse_args()
    wanted = given.only or [part for part in PARTS if part != "files" or given.files]
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}")
    given.only = [part for part in wanted if part not in done_already(given.results)]
    if not given.only:
        print("all parts are in the results already")
        return 0
    # As the command `ionvolt` does, of the IonVolt that this Python imports.
    command = [sys.executable, "-c", "from ionvolt.cli.main import main; main()", "serve", "--port", "0"]
    command += ["--workers", str(given.workers), "--log-json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            first = server.stderr.readline()
            port = re.search(r":(\d+) ", first)
            if not port:
                print(first, file=sys.stderr)
                return 2
            drain = threading.Thread(target=server.stderr.read, daemon=True)
            drain.start()
            print(f"load of the machine before: {os.getloadavg()[0]:.1f}; cores: {os.cpu_count()}")
            sizes = {pid: f"{size / 1e6:.0f}" for pid, size in processes(server.pid).items()}
            print(
                f"memory (Pss, MB) of the server and its processes when ready: {', '.join(sizes.values())}", flush=True
            )
            kept = asyncio.run(measure(int(port[1]), server.pid, given))
        finally:
            server.terminate()
            server.wait(20)
    print("all bounds kept" if kept else "a bound was not kept")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
