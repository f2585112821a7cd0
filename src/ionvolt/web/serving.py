"""Starting the server."""

from __future__ import annotations

import logging
import socket
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from ionvolt.errors import IonVoltError
from ionvolt.models.card import read_card
from ionvolt.models.registry import AUTO, SHIPPED, default_model, model_folder
from ionvolt.models.storage import CARD_FILE
from ionvolt.web.app import create_app
from ionvolt.web.connections import PromptProtocol, raise_open_files
from ionvolt.web.run_page import create_run_app
from ionvolt.web.settings import LOOPBACK, Settings


def run(
    host: str,
    port: int,
    *,
    workers: int,
    allow_hosts: Sequence[str] = (),
    models: Sequence[str] = (),
    landscape: Path | None = None,
    behind_proxy: bool = False,
    log_json: bool = False,
    open_page: bool = False,
    screen: Path | None = None,
) -> None:
    """Serve until interrupted; with ``screen``, the page of the run in that folder and nothing else.

    Raises:
        IonVoltError: The address or a model cannot be used.
    """
    raise_open_files()
    listening = listen(host, port)
    port = listening.getsockname()[1]
    own = (host,) if host not in ("0.0.0.0", "::", "") else ()
    settings = Settings(
        models=_folders(models),
        workers=workers,
        hosts=(*LOOPBACK, *own, *allow_hosts),
        landscape=landscape,
        behind_proxy=behind_proxy,
        log_json=log_json,
    )
    app = create_app(settings) if screen is None else create_run_app(screen, settings)
    _log_to_stderr()
    config = uvicorn.Config(
        app,
        http=PromptProtocol,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=64_000,
    )
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::1", "::") else host
    address = f"http://{shown}:{port}"
    server = _Server(config, address, open_page)
    server.run(sockets=[listening])
    if server.failed:
        raise IonVoltError("serve: the server could not be started. See the message above")


class _Server(uvicorn.Server):
    """Says where it is once it can answer."""

    def __init__(self, config: uvicorn.Config, address: str, open_page: bool) -> None:
        super().__init__(config)
        self.address = address
        self.open_page = open_page
        self.failed = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.failed = not self.started
        if self.started:
            print(f"IonVolt: {self.address} (Ctrl-C ends it)", file=sys.stderr, flush=True)
            if self.open_page:
                webbrowser.open(self.address)


def _folders(models: Sequence[str]) -> dict[str, Path]:
    folders = {}
    for given in models:
        if given == AUTO and default_model() == AUTO:
            folders[AUTO] = Path(AUTO)
            continue
        folder = model_folder(given)
        name = folder.name if folder.parent == SHIPPED else read_card(folder / CARD_FILE).name
        folders[name] = folder
    return folders


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address.

    Its protocol is named: asyncio sends at once (TCP_NODELAY) only where it is, and waits 40 ms otherwise.

    Raises:
        IonVoltError: It cannot.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise IonVoltError(f"{host}:{port}: cannot listen there ({reason}). Choose another --host or --port") from error
    return listening


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("ionvolt.web")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
