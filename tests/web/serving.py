"""Servers for the tests: the real application on a free port of the loopback interface."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from ionvolt.ions import WORKING_IONS
from ionvolt.models.card import ModelCard, Record
from ionvolt.models.cgcnn.conversion import ensemble_of
from ionvolt.models.cgcnn.ensemble import save_ensemble
from ionvolt.training.cgcnn.networks import new_network
from ionvolt.web.app import create_app
from ionvolt.web.connections import PromptProtocol
from ionvolt.web.serving import listen
from ionvolt.web.settings import Settings
from models.networks import random_local_heads

ROCK_SALT = """data_NaCl
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Mn1 0 0 0
O1 0.5 0.5 0.5
"""


def stand_in(folder: Path) -> Path:
    """A model with random weights and heads for all ions."""
    networks = [new_network(seed) for seed in range(3)]
    heads = {
        ion: [new_network(100 * number + seed).head for seed in range(3)]
        for number, ion in enumerate(WORKING_IONS, start=1)
    }
    for head in (head for members in heads.values() for head in members):
        head.target_mean.fill_(2.0)  # so that random weights answer what an electrode could show
        head.target_std.fill_(0.3)
    errors = {"n": 9, "mae": 0.5, "mae_low": 0.4, "mae_high": 0.6, "rmse": 0.7}
    records = [Record("paper/random", ion, values=errors) for ion in WORKING_IONS]
    card = ModelCard("stand-in", ions=list(WORKING_IONS), evaluation=records)
    bare = ensemble_of([network.trunk for network in networks], heads, card)
    save_ensemble(bare.with_arrays(random_local_heads(list(WORKING_IONS), 3)), folder)
    return folder


@dataclass(frozen=True)
class Served:
    """A running server."""

    address: str
    client: httpx.Client
    app: Any

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    @property
    def workers(self) -> list[int]:
        """Process ids."""
        pids: list[int] = self.app.state.service.pieces.pool.pids
        return pids

    def predict(self, *texts: str, ions: object = "Mg", **more: object) -> httpx.Response:
        structures = [{"name": f"{number}.cif", "text": text} for number, text in enumerate(texts)]
        return self.client.post("/api/v1/predict", json={"structures": structures, "ions": ions} | more)


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    """The application in a thread of this process, its workers beside it."""
    app = create_app(settings)
    listening = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(app, http=PromptProtocol, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 300
    while not server.started:
        assert thread.is_alive(), "the server could not be started"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        yield Served(address, client, app)
    server.should_exit = True
    thread.join(20)


def peak_bytes(pid: int) -> int:
    """Most memory that a process has held."""
    return _status(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    """Memory that a process holds."""
    return _status(pid, "VmRSS")


def _status(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise AssertionError(key)
