"""From the bytes of a request to structures, ions and a model."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ionvolt.web.examples import example_names, example_text
from ionvolt.web.problems import Problem, problem
from ionvolt.web.schemas import (
    ASSUMPTIONS,
    ById,
    ByText,
    ComputeJob,
    DesignJob,
    ExplainRequest,
    JobRequest,
    OrderJob,
    PredictJob,
    PredictRequest,
    StructureInput,
    StructuresRequest,
)
from ionvolt.web.settings import Settings

FIELDS = ("files", "ions", "assume", "model", "discharged_formula", "charged_formula")
OPTIONS = ("discharged_formula", "charged_formula", "exchange", "relax")
SCHEMA = "See /api/v1/openapi.json"
LongJob = ComputeJob | OrderJob | DesignJob
Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True)
class Question:
    """What is asked for.

    Attributes:
        structures: Each as a worker takes it (``name`` and ``text`` or ``base64``), or with ``mp_id`` to be fetched.
        ions: As given.
        assume: What the structures are taken to be.
        model: Name, or None for the default.
        first: The ion that is to be answered first.
        options: Further options of a prediction, as ``predict`` takes them.
        charged: The charged structure, where the only one of ``structures`` is the discharged one.
        check_relaxation: Whether it is checked that the structures are relaxed; None leaves it to the model.
    """

    structures: list[dict[str, Any]]
    ions: str
    assume: str
    model: str | None
    first: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    charged: dict[str, Any] | None = None
    check_relaxation: bool | None = None


@dataclass(frozen=True)
class Asked:
    """A question that can be answered: its model and ions are known.

    Attributes:
        structures: As in ``Question``.
        ions: Symbols.
        assume: What the structures are taken to be.
        model: Name.
        first: The ion that is to be answered first.
        options: As in ``Question``.
        charged: As in ``Question``.
        checks: Whether it is checked that the structures are relaxed.
    """

    structures: list[dict[str, Any]]
    ions: list[str]
    assume: str
    model: str
    first: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    charged: dict[str, Any] | None = None
    checks: bool = False

    def task(
        self, kind: str, structure: dict[str, Any], ions: Sequence[str], charged: dict[str, Any] | None
    ) -> dict[str, Any]:
        """A piece of work, for a worker."""
        return {
            "task": kind,
            "structure": structure,
            "charged": charged,
            "ions": list(ions),
            "assume": self.assume,
            "model": self.model,
            "options": self.options,
            "checks": self.checks,
        }

    @property
    def relaxes(self) -> bool:
        """Whether structures are relaxed first, which takes long."""
        return bool(self.options.get("relax") or self.options.get("exchange"))

    @property
    def pieces(self) -> int:
        """Structures times ions."""
        return len(self.structures) * len(self.ions)


async def predict_question(content_type: str, body: bytes, settings: Settings) -> Question:
    """Read the body of a predict request, JSON or multipart."""
    kind = content_type.split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _from_form(content_type, body, settings)
    return _question(_validated(PredictRequest, kind, body, "application/json or multipart/form-data"), settings)


def _question(asked: PredictRequest, settings: Settings, first: str | None = None) -> Question:
    if len(asked.structures) > settings.max_structures:
        raise _too_many(settings)
    if asked.charged is not None and len(asked.structures) != 1:
        rule = f"charged: it belongs to one discharged structure, not to {len(asked.structures)}"
        raise problem("invalid-request", "request", rule, "Ask for one electrode at a time")
    structures = [_structure(given) for given in asked.structures]
    charged = None if asked.charged is None else _structure(asked.charged)
    options = {name: getattr(asked, name) for name in OPTIONS if getattr(asked, name)}
    return Question(
        structures, _ions(asked.ions), asked.assume, asked.model, first, options, charged, asked.check_relaxation
    )


def _options(asked: PredictRequest | ExplainRequest) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in OPTIONS if getattr(asked, name)}


def job_question(content_type: str, body: bytes, settings: Settings) -> tuple[Question, PredictJob | LongJob]:
    """Read the body of a request for a job: what is asked, and the request itself."""
    kind = content_type.split(";")[0].strip().lower()
    asked = _validated(JobRequest, kind, body, "application/json").root
    if isinstance(asked, PredictJob):
        return _question(asked, settings, asked.first), asked
    structures = [_structure(asked.structure)]
    if isinstance(asked, ComputeJob):
        charged = None if asked.charged is None else _structure(asked.charged)
        options = {"relax": asked.relax, "insert": asked.insert, "profile": asked.profile}
        return Question(structures, asked.ion, "auto", None, options=options, charged=charged), asked
    if isinstance(asked, DesignJob):
        options = {name: getattr(asked, name) for name in ("voltage", "elements", "exclude", "candidates")}
        return Question(structures, asked.ion, "auto", None, options=options), asked
    options = {"max_atoms": asked.max_atoms}
    ions = "" if asked.ions is None else _ions(asked.ions)
    return Question(structures, ions, asked.assume, asked.model, options=options), asked


def explain_question(content_type: str, body: bytes) -> Question:
    """Read the body of an explain request."""
    kind = content_type.split(";")[0].strip().lower()
    asked = _validated(ExplainRequest, kind, body, "application/json")
    charged = None if asked.charged is None else _structure(asked.charged)
    structures = [_structure(asked.structure)]
    return Question(structures, _ions(asked.ions), asked.assume, asked.model, options=_options(asked), charged=charged)


def structures_question(content_type: str, body: bytes) -> Question:
    """Read the body of a request for a structure's files."""
    kind = content_type.split(";")[0].strip().lower()
    asked = _validated(StructuresRequest, kind, body, "application/json")
    return Question([_structure(asked.structure)], asked.ion or "", asked.assume, None)


def _validated(schema: type[Body], kind: str, body: bytes, wanted: str) -> Body:
    if kind != "application/json":
        raise problem("media-type", "request", f"its Content-Type is not {wanted}", SCHEMA)
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise problem("malformed", "request", f"it is not JSON ({first['msg']})", SCHEMA) from None
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise problem("invalid-request", "request", f"{_short(place)}: {first['msg']}", SCHEMA) from None


def _structure(given: StructureInput) -> dict[str, Any]:
    if isinstance(given, ByText):
        return {"name": given.name, "text": given.text}
    if isinstance(given, ById):
        return {"name": given.mp_id, "mp_id": given.mp_id}
    text = example_text(given.example)
    if text is None:
        known = ", ".join(example_names())
        return {
            "name": given.example,
            "problem": problem("refused", _short(given.example), "no such example", f"Choose from {known}"),
        }
    return {"name": given.example, "text": text}


def _ions(given: str | list[str]) -> str:
    return given if isinstance(given, str) else ",".join(given)


class _InMemory(MultiPartParser):
    """The body is in memory already: nothing of it is written to a disk."""

    spool_max_size = 1 << 40


async def _from_form(content_type: str, body: bytes, settings: Settings) -> Question:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = _InMemory(
        Headers({"content-type": content_type}), stream(), max_files=settings.max_structures, max_fields=10
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError, AttributeError) as error:
        reason = error.message if isinstance(error, MultiPartException) else "damaged"
        raise problem("malformed", "request", f"it is not multipart/form-data ({_short(reason)})", SCHEMA) from None
    try:
        return await _question_of(form)
    finally:
        await form.close()


async def _question_of(form: FormData) -> Question:
    unknown = sorted(set(form) - set(FIELDS))
    if unknown:
        raise problem("invalid-request", "request", f"unknown field {_short(unknown[0])}", f"Use {', '.join(FIELDS)}")
    structures = []
    for upload in form.getlist("files"):
        if not isinstance(upload, UploadFile):
            raise problem("invalid-request", "request", "files: it holds no file", "Send it as a file: files=@a.cif")
        data = await upload.read()
        name = (upload.filename or "structure")[:300]
        structures.append({"name": name, "base64": base64.b64encode(data).decode()})
    values = {name: form.get(name) for name in FIELDS[1:]}
    if not structures:
        raise problem("invalid-request", "request", "files: there is none", "Send at least one: files=@a.cif")
    if any(isinstance(value, UploadFile) for value in values.values()):
        raise problem("invalid-request", "request", "a file stands where text should", SCHEMA)
    texts = {name: str(value) for name, value in values.items() if value is not None}
    if "ions" not in texts:
        raise problem("invalid-request", "request", "ions: there are none", "Give ions=Mg,Ca or ions=all")
    assume = texts.get("assume", "auto")
    if assume not in ASSUMPTIONS:
        raise problem("invalid-request", "request", f"assume: not one of {', '.join(ASSUMPTIONS)}", SCHEMA)
    options = {name: texts[name][:100] for name in OPTIONS if texts.get(name)}
    return Question(structures, texts["ions"][:200], assume, texts.get("model") or None, options=options)


def _too_many(settings: Settings) -> Problem:
    rule = f"more than {settings.max_structures} structures"
    return problem("invalid-request", "request", rule, "Send fewer at a time")


def _short(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:100])
