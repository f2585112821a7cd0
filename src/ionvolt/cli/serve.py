"""``ionvolt serve``: the page and the API on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ionvolt.cli.choices import DeviceOption


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; any but loopback opens it to others.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that predict.")] = 2,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name by which the server may be called, besides loopback; repeat for more.", metavar="NAME"
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="A shipped model's name or a model's folder; the first is the default.",
            metavar="MODEL",
        ),
    ] = None,
    landscape: Annotated[
        Path | None,
        typer.Option(help="Table of known electrodes for the page, made by `ionvolt data landscape`.", metavar="JSON"),
    ] = None,
    run_folder: Annotated[
        Path | None,
        typer.Option(
            "--run", help="Show a screen (ionvolt screen) instead: the page of the run in this folder.", metavar="RUN"
        ),
    ] = None,
    behind_proxy: Annotated[
        bool,
        typer.Option(
            "--behind-proxy", help="Tell clients apart by X-Forwarded-For, which the reverse proxy in front sets."
        ),
    ] = False,
    device: DeviceOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="One JSON object a line in the log.")] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve the page and the API, on this machine only unless told otherwise."""
    from ionvolt.errors import IonVoltError

    try:
        from ionvolt.web.serving import run
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("fastapi", "uvicorn", "starlette", "pydantic", "python_multipart"):
            raise
        raise IonVoltError("serve: the web tool is not installed. Install it: pip install 'ionvolt[web]'") from None
    run(
        host,
        port,
        workers=workers,
        allow_hosts=allow_host or [],
        models=model or [],
        landscape=landscape,
        behind_proxy=behind_proxy,
        log_json=log_json,
        open_page=open_page,
        screen=run_folder,
    )
