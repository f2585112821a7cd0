"""A small server that speaks the words of the Materials Project's interface that IonVolt's client uses.

As the service does, it refuses parameters that it does not know, gives at most 1000 documents at a time, counts pages
from 1, gives only the fields that are asked for, and hides deprecated materials. Faults are put into a queue.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pymatgen.core import Lattice, Structure

KEY = "k" * 32
DATABASE = "2025.09.25"

_COMMON = {"_fields", "_all_fields", "_limit", "_skip", "_page", "_per_page", "_sort_fields"}
_ALLOWED = {
    "materials/core": {"material_ids", "deprecated"},
    "materials/summary": {"material_ids", "deprecated", "formula"},
    "materials/insertion_electrodes": {"working_ion", "battery_ids"},
}


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong once.

    Attributes:
        path: Requests that it strikes: those whose path begins so.
        status: Answer with this status, …
        headers: … and these headers;
        cut: or break off: "before" anything is sent, "within" an answer of stated length, "unseen" within one without.
        skip: Let so many such requests pass first.
    """

    path: str
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    cut: str = ""
    skip: int = 0


@dataclass
class Api:
    """What the server holds, and what it was asked.

    Attributes:
        electrodes: Insertion-electrode documents.
        materials: Material documents by id, with ``structure`` and perhaps ``deprecated``.
        database: Version of the database.
        faults: What goes wrong next.
        asked: Path and parameters of every request but heartbeats.
        agents: What called.
    """

    electrodes: list[dict[str, Any]] = field(default_factory=list)
    materials: dict[str, dict[str, Any]] = field(default_factory=dict)
    database: str = DATABASE
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    shuffle: bool = False
    url: str = ""

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(asked == path for asked, _ in self.asked)

    def fault(self, path: str) -> Fault | None:
        """The next thing that goes wrong on a path."""
        for i, fault in enumerate(self.faults):
            if path.startswith(fault.path):
                if fault.skip:
                    self.faults[i] = Fault(fault.path, fault.status, fault.headers, fault.cut, fault.skip - 1)
                else:
                    del self.faults[i]
                return None if fault.skip else fault
        return None

    def answer(self, path: str, given: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and body of a request with a good key."""
        if path not in _ALLOWED:
            return 404, {"detail": "Not Found"}
        if unknown := given.keys() - _COMMON - _ALLOWED[path]:
            return 400, {"detail": f"Request contains query parameters which cannot be used: {', '.join(unknown)}"}
        limit = int(given.get("_per_page" if "_page" in given else "_limit", "100"))
        page = int(given.get("_page", "0"))
        skip = (page - 1) * limit if page >= 1 else int(given.get("_skip", "0")) if "_page" not in given else 0
        if limit > 1000:
            return 400, {"detail": "Requested more data per query than allowed by this endpoint."}
        found = self._electrodes(given) if path.endswith("electrodes") else self._materials(given)
        if (order := given.get("_sort_fields")) and not self.shuffle:
            found.sort(key=lambda document: str(document.get(order) or ""))
        elif self.shuffle:
            # Another order at each request, as a database without one may have it.
            found = found[len(self.asked) % max(1, len(found)) :] + found[: len(self.asked) % max(1, len(found))]
        fields = given.get("_fields", "material_id,battery_id").split(",")
        if given.get("_all_fields") == "True":
            fields = sorted({name for document in found for name in document})
        data = [{name: d[name] for name in fields if name in d} for d in found[skip : skip + limit]]
        return 200, {"data": data, "meta": {"api_version": "0.87", "total_doc": len(found), "max_limit": 1000}}

    def _electrodes(self, given: dict[str, str]) -> list[dict[str, Any]]:
        ions = given.get("working_ion", "").split(",")
        return [d for d in self.electrodes if d.get("working_ion", "Mg") in ions]

    def _materials(self, given: dict[str, str]) -> list[dict[str, Any]]:
        deprecated = given.get("deprecated", "False") == "True"
        if "formula" in given:
            return [
                {"material_id": i, **document}
                for i, document in self.materials.items()
                if document.get("formula_pretty") == given["formula"] and not document.get("deprecated", False)
            ]
        wanted = {value_of(i) for i in given["material_ids"].split(",")}
        return [
            {"material_id": i, "deprecated": False, **document}
            for i, document in self.materials.items()
            if value_of(i) in wanted and document.get("deprecated", False) == deprecated
        ]


def value_of(mp_id: str) -> tuple[str, int]:
    """What an id stands for, however it is spelled."""
    from emmet.core.mpid import AlphaID

    alpha = AlphaID(mp_id)
    return alpha.parts


def alpha_id(mp_id: str) -> str:
    """An id in letters: mp-149 as mp-aaaaaaft."""
    from emmet.core.mpid import AlphaID

    alpha = AlphaID(mp_id)
    return str(AlphaID(int(alpha), prefix=alpha.parts[0], padlen=8))


def remember_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the client work out the fields of a document once: it does so for every field of every request."""
    from mp_api.client.core.client import BaseRester

    slow = BaseRester.available_fields.fget  # type: ignore[attr-defined]
    found: dict[type, list[str]] = {}
    monkeypatch.setattr(
        BaseRester,
        "available_fields",
        property(lambda self: found.get(type(self)) or found.setdefault(type(self), slow(self))),
    )


def spelled_in_letters(api: Api) -> Api:
    """The same records with every id in letters."""
    electrodes = copy.deepcopy(api.electrodes)
    for document in electrodes:
        for part in (document, *document.get("adj_pairs", [])):
            for name in ("id_charge", "id_discharge"):
                if part.get(name):
                    part[name] = alpha_id(part[name])
        if "material_ids" in document:
            document["material_ids"] = [alpha_id(i) for i in document["material_ids"]]
        if "battery_id" in document:
            material, _, ion = document["battery_id"].partition("_")
            document["battery_id"] = f"{alpha_id(material)}_{ion}"
    return Api(electrodes, {alpha_id(i): document for i, document in api.materials.items()}, api.database)


def structure(a: float = 4.2, *elements: str) -> dict[str, Any]:
    """Structure document of a cubic cell with one or two atoms."""
    elements = elements or ("Ni", "O")
    crystal = Structure(Lattice.cubic(a), list(elements), [[0, 0, 0], [0.5, 0.5, 0.5]][: len(elements)])
    return json.loads(json.dumps(crystal.as_dict()))


@contextmanager
def serving_api(api: Api) -> Iterator[Api]:
    """The server on a free port of loopback; its address is ``api.url``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            path = asked.path.strip("/")
            given = {name: values[-1] for name, values in parse_qs(asked.query).items()}
            if path != "heartbeat":
                api.asked.append((path, given))
                api.agents.add(self.headers.get("user-agent", ""))
            fault = api.fault(path)
            if fault and fault.cut == "before":
                self.close_connection = True
                return
            if fault and fault.status:
                self._send(fault.status, {"detail": "something went wrong"}, fault.headers)
                return
            if path == "heartbeat":
                beat = {"version": "0.87.3", "db_version": api.database, "access_controlled_batch_ids": []}
                self._send(200, {"status": "OK"} | beat)
            elif self.headers.get("x-api-key") != KEY:
                self._send(403, {"detail": "no"})
            else:
                self._send(*api.answer(path, given), cut=fault.cut if fault else "")

        def _send(
            self, status: int, body: dict[str, Any], headers: tuple[tuple[str, str], ...] = (), cut: str = ""
        ) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            for name, value in headers:
                self.send_header(name, value)
            if cut != "unseen":
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(OSError):  # who asked may have gone
                self.wfile.write(data[: len(data) // 2] if cut else data)
            self.close_connection = bool(cut)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        api.url = f"http://127.0.0.1:{server.server_port}/"
        yield api
        server.shutdown()
