"""The page of a screen: voltage against capacity, counted on the server, so that a million points stay fluid."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ionvolt._version import __version__
from ionvolt.errors import IonVoltError
from ionvolt.screening.export import structures_of
from ionvolt.screening.points import COLOURS, Points, load_points, rows_at
from ionvolt.screening.status import status_of
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.writing import structure_text
from ionvolt.web.metrics import Metrics
from ionvolt.web.pages import STATIC, served, vendor_folder
from ionvolt.web.problems import Problem, problem
from ionvolt.web.security import Gate
from ionvolt.web.settings import Settings

_MOST_ROWS = 200
_MOST_CELLS = 600
_CRYSTALS = 64

Bound = Annotated[float, Query(allow_inf_nan=False)]
Size = Annotated[int, Query(ge=1, le=_MOST_CELLS)]
Ion = Annotated[str, Query(max_length=3)]


def create_run_app(folder: Path, settings: Settings | None = None) -> FastAPI:
    """The application that shows the run in a folder, and nothing else. It only reads.

    Raises:
        DataError: There is no run, or no row of it has a voltage yet.
    """
    points = load_points(folder)
    app = FastAPI(title="IonVolt", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(Gate, settings=settings or Settings(), metrics=Metrics())
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _nothing)

    @lru_cache(maxsize=_CRYSTALS)
    def crystal_of(unit: int, part: int) -> Crystal | None:
        return structures_of(folder, [{"unit": unit, "part": part}]).get((unit, part))

    @app.get("/api/v1/run")
    def about() -> Response:
        return _json(_about(folder, points))

    @app.get("/api/v1/run/density")
    def density(
        x0: Bound, x1: Bound, y0: Bound, y1: Bound, nx: Size, ny: Size, ion: Ion = "", kept: bool = True,
        colour: Annotated[str, Query(max_length=20)] = "energy_grav",
    ) -> Response:  # fmt: skip
        if not (x0 < x1 and y0 < y1) or colour not in COLOURS:
            raise problem("invalid-request", "request", "no such region or colour", "Give x0 < x1, y0 < y1")
        chosen = points.within(ion, kept, (x0, x1), (y0, y1))
        return _json({"n": len(chosen), "cells": points.density(chosen, (x0, x1), (y0, y1), (nx, ny), colour)})

    @app.get("/api/v1/run/rows")
    def rows(
        x0: Bound, x1: Bound, y0: Bound, y1: Bound, ion: Ion = "", kept: bool = True,
        limit: Annotated[int, Query(ge=1, le=_MOST_ROWS)] = 50,
    ) -> Response:  # fmt: skip
        chosen = points.within(ion, kept, (x0, x1), (y0, y1))
        energy = points.values["voltage"][chosen] * points.values["capacity_grav"][chosen]
        best = chosen[np.argsort(-energy, kind="stable")[:limit]]
        return _json({"n": len(chosen), "rows": rows_at(folder, points, best.tolist())})

    @app.get("/api/v1/run/crystal/{unit}/{part}")
    def crystal(unit: int, part: int) -> Response:
        try:
            found = crystal_of(unit, part) if 0 <= unit < 2**62 and 0 <= part < 2**31 else None
        except IonVoltError as error:
            raise problem("not-found", f"{unit}/{part}", str(error), "Put the input back") from error
        if found is None:
            raise problem("not-found", f"{unit}/{part}", "no crystal there", "Choose a row of the run")
        sites = [
            {"element": symbol, "frac_coords": place}
            for symbol, place in zip(found.symbols, found.frac_coords.tolist(), strict=True)
        ]
        return _json(
            {
                "id": found.source,
                "formula": found.formula,
                "lattice": found.lattice.tolist(),
                "sites": sites,
                "cif": structure_text(found, "cif"),
            }
        )

    @app.get("/")
    def page() -> Response:
        return served(STATIC, "screen.html", "Install IonVolt with its page")

    @app.get("/static/{name:path}")
    def static(name: str) -> Response:
        return served(STATIC, name, "Check the address")

    @app.get("/vendor/{name:path}")
    def vendor(name: str) -> Response:
        return served(vendor_folder(), name, "Run `make vendor` to fetch the page's third-party scripts")

    return app


def _about(folder: Path, points: Points) -> dict[str, Any]:
    status = status_of(folder)
    high = float(np.quantile(points.values["capacity_grav"], 0.999))
    voltages = np.quantile(points.values["voltage"], [0.0005, 0.9995])
    return {
        "name": folder.resolve().name,
        "ions": list(points.ions),
        "points": len(points),
        "kept": int(points.kept.sum()),
        "units": status.units,
        "complete": status.complete,
        "colours": {name: _range(points.values[name]) for name in COLOURS if np.isfinite(points.values[name]).any()},
        "x": [0.0, max(1.0, 50 * math.ceil(high / 50))],
        "y": [min(0.0, math.floor(2 * float(voltages[0])) / 2), max(1.0, math.ceil(2 * float(voltages[1])) / 2)],
    }


def _range(values: Any) -> list[float]:
    low, high = np.nanquantile(values, [0.02, 0.98])
    return [float(low), float(high)]


def _json(content: object) -> Response:
    return Response(json.dumps(content, ensure_ascii=False, allow_nan=False), media_type="application/json")


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _invalid(_: Request, error: Exception) -> Response:
    return problem("invalid-request", "request", "a value is missing or out of bounds", "See docs/screening").response()


async def _nothing(_: Request, error: Exception) -> Response:
    return problem("not-found", "request", "there is nothing here", "The page is at /").response()
