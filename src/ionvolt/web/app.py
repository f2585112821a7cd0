"""The application: routes, and how it is put together."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from ionvolt._version import __version__
from ionvolt.ions import WORKING_IONS
from ionvolt.web import schemas
from ionvolt.web.body import Buffer
from ionvolt.web.clients import client_of
from ionvolt.web.metrics import Metrics
from ionvolt.web.openapi import (
    EVENTS,
    EXPLAIN_BODY,
    JOB_BODY,
    LOCATION,
    PREDICT_BODY,
    STRUCTURES_BODY,
    problems,
    with_request_schemas,
)
from ionvolt.web.pages import STATIC, served, vendor_folder
from ionvolt.web.problems import Problem, problem
from ionvolt.web.requests import explain_question, job_question, predict_question, structures_question
from ionvolt.web.security import Gate
from ionvolt.web.service import Service
from ionvolt.web.settings import Settings
from ionvolt.web.streaming import streamed, while_wanted


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application.

    Args:
        settings: How it behaves; by default loopback names only and the models that come with IonVolt.

    Raises:
        ModelError: There is no model, or one cannot be used.
    """
    settings = settings or Settings()
    metrics = Metrics()
    service = Service(settings, metrics)
    buffer = Buffer(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            await service.pieces.start()
            yield
        finally:
            service.close()

    app = FastAPI(
        title="IonVolt",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    app.add_middleware(Gate, settings=settings, metrics=metrics)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_error)

    add_predictions(app, service, buffer)
    add_jobs(app, service, buffer)
    add_facts(app, service)
    add_state(app, service, buffer, metrics)
    add_pages(app)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
            app.openapi_schema = with_request_schemas(schema)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def add_predictions(app: FastAPI, service: Service, buffer: Buffer) -> None:
    """What is answered while one waits: voltages, explanations, structures in other formats."""

    @app.post(
        "/api/v1/predict",
        tags=["predict"],
        response_model=schemas.PredictResponse,
        responses=problems(400, 403, 408, 413, 415, 422, 424, 429, 503, 504),
        openapi_extra=PREDICT_BODY,
    )
    async def predict(request: Request) -> Response:
        """Voltages of structures, each for one or more working ions."""
        async with buffer.body(request) as body:
            question = await predict_question(request.headers.get("content-type", ""), body, service.settings)
            return _json({"results": await while_wanted(request, service.predict(question, _client(request, service)))})

    @app.post(
        "/api/v1/explain",
        tags=["predict"],
        response_model=schemas.ExplainResponse,
        responses=problems(400, 403, 408, 413, 415, 422, 424, 429, 503, 504),
        openapi_extra=EXPLAIN_BODY,
    )
    async def explain(request: Request) -> Response:
        """What each atom of a structure adds to its voltage."""
        async with buffer.body(request) as body:
            question = explain_question(request.headers.get("content-type", ""), body)
            return _json(await while_wanted(request, service.explain(question, _client(request, service))))

    @app.post(
        "/api/v1/structures",
        tags=["predict"],
        response_model=schemas.StructuresResponse,
        responses=problems(400, 403, 408, 413, 415, 422, 424, 429, 503, 504),
        openapi_extra=STRUCTURES_BODY,
    )
    async def in_formats(request: Request) -> Response:
        """A structure in common formats: CIF, POSCAR, extended XYZ and pymatgen's JSON."""
        async with buffer.body(request) as body:
            question = structures_question(request.headers.get("content-type", ""), body)
            return _json(await while_wanted(request, service.structures(question, _client(request, service))))


def add_jobs(app: FastAPI, service: Service, buffer: Buffer) -> None:
    """What takes longer than a request: its start, its state, its events, its end."""

    @app.post(
        "/api/v1/jobs",
        tags=["jobs"],
        status_code=202,
        response_model=schemas.JobOut,
        responses=problems(400, 403, 408, 413, 415, 422, 429, 503) | LOCATION,
        openapi_extra=JOB_BODY,
    )
    async def start(request: Request) -> Response:
        """Ask for what takes longer than a request; its results are told as they come, and kept for an hour."""
        async with buffer.body(request) as body:
            question, asked = job_question(request.headers.get("content-type", ""), body, service.settings)
            more: dict[str, Any] = {"client": _client(request, service), "size": len(body), "attended": asked.attended}
            if asked.kind == "predict":
                job = service.start_predict(question, **more)
            else:
                job = service.start_long(asked.kind, question, **more)
        return _json(job.to_dict(), 202, {"Location": f"/api/v1/jobs/{job.id}"})

    @app.get("/api/v1/jobs/{name}", tags=["jobs"], response_model=schemas.JobOut, responses=problems(403, 404))
    async def state(name: str) -> Response:
        """How far a job is, and what has come out so far."""
        return _json(service.jobs.find(name).to_dict())

    @app.get("/api/v1/jobs/{name}/events", tags=["jobs"], responses=EVENTS | problems(403, 404))
    async def events(request: Request, name: str) -> Response:
        """Follow a job from its first event to its `end`.

        Predictions have `structure`, `prediction`, `refused`, `doubts` and `problem`; long work has `progress` and
        `result`. A reader that comes back says where it was (`Last-Event-ID`).
        """
        job = service.jobs.find(name)
        last = request.headers.get("last-event-id", "")
        start = int(last[:9]) + 1 if last[:9].isdecimal() and last.isascii() else 0
        return StreamingResponse(
            streamed(job, start), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    @app.delete("/api/v1/jobs/{name}", tags=["jobs"], response_model=schemas.JobOut, responses=problems(403, 404))
    async def give_up(name: str) -> Response:
        """Give a job up; what has come out is kept."""
        job = service.jobs.find(name)
        service.jobs.cancel(job)
        return _json(job.to_dict())


def add_facts(app: FastAPI, service: Service) -> None:
    """What there is to ask for: models, examples, ions, known electrodes, materials."""

    @app.get("/api/v1/models", tags=["facts"], response_model=schemas.ModelsResponse, responses=problems(403))
    async def models() -> Response:
        """Models that the server answers with."""
        return _json({"models": service.models(), "materials_project": service.has_materials_project})

    @app.get("/api/v1/examples", tags=["facts"], response_model=schemas.ExamplesResponse, responses=problems(403))
    async def bundled() -> Response:
        """Bundled crystals."""
        return _json({"examples": service.examples()})

    @app.get("/api/v1/ions", tags=["facts"], response_model=list[schemas.IonOut], responses=problems(403))
    async def ions() -> Response:
        """Working ions and their charges."""
        return _json([{"symbol": ion.symbol, "charge": ion.charge} for ion in WORKING_IONS.values()])

    @app.get("/api/v1/landscape/{ion}", tags=["facts"], response_model=schemas.Landscape, responses=problems(403, 422))
    async def known(ion: Annotated[str, Path(max_length=20)]) -> Response:
        """Known electrodes of an ion: computed ones, and those whose voltage was measured."""
        return _json(service.landscape(ion))

    @app.get(
        "/api/v1/materials",
        tags=["facts"],
        response_model=schemas.MaterialsResponse,
        responses=problems(403, 422, 424, 429, 503),
    )
    async def materials(request: Request, formula: Annotated[str, Query(max_length=100)]) -> Response:
        """Materials of a formula in the Materials Project, the most stable first; their ids can be predicted."""
        return _json({"materials": await while_wanted(request, service.search(formula, _client(request, service)))})


def add_state(app: FastAPI, service: Service, buffer: Buffer, metrics: Metrics) -> None:
    """How the server is, for those who watch it."""

    @app.get("/healthz", tags=["state"], response_model=schemas.Health, responses=problems(403))
    async def healthz() -> Response:
        """Whether the server can answer."""
        alive = service.pieces.pool.alive
        return _json({"status": "ok" if alive else "starting", "workers": alive})

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        gauges = {
            "ionvolt_requests_active": service.admission.active,
            "ionvolt_workers": service.pieces.pool.alive,
            "ionvolt_worker_restarts": service.pieces.pool.restarts,
            "ionvolt_buffered_bytes": buffer.held,
            "ionvolt_jobs_running": service.jobs.running,
            "ionvolt_jobs_bytes": service.jobs.held,
            "ionvolt_pieces_open": service.admission.pieces,
            "ionvolt_pieces_waiting": service.pieces.pool.turns.waiting,
        }
        return Response(metrics.text(gauges), media_type="text/plain; version=0.0.4")


def add_pages(app: FastAPI) -> None:
    """The page, its files and its third-party scripts."""

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return served(STATIC, "index.html", "Install IonVolt with its page; the API answers below /api/v1")

    @app.get("/static/{name:path}", include_in_schema=False)
    async def static(name: str) -> Response:
        return served(STATIC, name, "Check the address")

    @app.get("/vendor/{name:path}", include_in_schema=False)
    async def vendor(name: str) -> Response:
        return served(vendor_folder(), name, "Run `make vendor` to fetch the page's third-party scripts")


def _client(request: Request, service: Service) -> str:
    return client_of(request, behind_proxy=service.settings.behind_proxy)


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(content, ensure_ascii=False), status, headers, media_type="application/json")


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _invalid(request: Request, error: Exception) -> Response:
    return problem("invalid-request", "request", "its address is too long", "See /api/v1/openapi.json").response()


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    place = "".join(c if c.isprintable() else "?" for c in request.url.path[:100])
    if error.status_code == 405:
        rule = f"{request.method[:20]} does not apply here"
        return problem("method", place, rule, "See /api/v1/openapi.json", error.headers).response()
    if error.status_code == 404:
        return problem("not-found", place, "there is nothing here", "See /api/v1/openapi.json").response()
    return problem("malformed", place, "it cannot be answered", "See /api/v1/openapi.json").response()
