"""The parts of the OpenAPI description that FastAPI cannot derive: bodies are read by hand, within bounds."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ionvolt.web.problems import MEDIA_TYPE, TITLES
from ionvolt.web.schemas import (
    ASSUMPTIONS,
    ExplainRequest,
    JobRequest,
    PredictRequest,
    ProblemDetails,
    StructuresRequest,
)

REQUESTS = (PredictRequest, JobRequest, ExplainRequest, StructuresRequest, ProblemDetails)
_REF = "#/components/schemas/"
_FORM = {
    "type": "object",
    "required": ["files", "ions"],
    "additionalProperties": False,
    "properties": {
        "files": {
            "type": "array",
            "minItems": 1,
            "maxItems": 200,
            "items": {"type": "string", "format": "binary"},
            "description": "CIF or POSCAR, plain or gzipped.",
        },
        "ions": {"type": "string", "description": "`Mg`, `Mg,Ca` or `all`."},
        "assume": {"type": "string", "enum": list(ASSUMPTIONS)},
        "model": {"type": "string"},
        "discharged_formula": {"type": "string"},
        "charged_formula": {"type": "string"},
    },
}

_STRUCTURES = [{"example": "LiFePO4"}, {"mp_id": "mp-25210"}, {"name": "a.cif", "text": "data_..."}]
_EXAMPLES = {
    PredictRequest.__name__: {
        "one ion": {"value": {"structures": [{"example": "TiS2"}], "ions": ["Mg"]}},
        "both ends": {
            "value": {
                "structures": [{"name": "discharged.cif", "text": "data_..."}],
                "charged": {"name": "charged.cif", "text": "data_..."},
                "ions": ["Mg"],
            }
        },
        "a host and how much goes in": {
            "value": {"structures": [{"example": "TiS2"}], "ions": ["Mg"], "discharged_formula": "MgTi2S4"}
        },
        "all ions of some structures": {"value": {"structures": _STRUCTURES, "ions": "all"}},
    },
    JobRequest.__name__: {
        "all ions, Mg first": {
            "value": {"kind": "predict", "structures": [{"example": "MgMn2O4"}], "ions": "all", "first": "Mg"}
        },
        "order": {"value": {"kind": "order", "structure": {"name": "a.cif", "text": "data_..."}, "ions": ["Li"]}},
        "compute": {"value": {"kind": "compute", "structure": {"example": "MgMn2O4"}, "ion": "Mg", "profile": True}},
        "design": {
            "value": {
                "kind": "design",
                "structure": {"example": "MgMn2O4"},
                "ion": "Mg",
                "voltage": [2.5, 3.5],
                "exclude": ["Co"],
            }
        },
    },
    StructuresRequest.__name__: {"with and without Mg": {"value": {"structure": {"example": "MgMn2O4"}, "ion": "Mg"}}},
    ExplainRequest.__name__: {"one ion": {"value": {"structure": {"example": "TiS2"}, "ions": ["Mg"]}}},
}


def _json_body(schema: type[BaseModel]) -> dict[str, Any]:
    name = schema.__name__
    return {"application/json": {"schema": {"$ref": _REF + name}, "examples": _EXAMPLES[name]}}


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


PREDICT_BODY = _body(_json_body(PredictRequest) | {"multipart/form-data": {"schema": _FORM}})
EXPLAIN_BODY = _body(_json_body(ExplainRequest))
STRUCTURES_BODY = _body(_json_body(StructuresRequest))
JOB_BODY = _body(_json_body(JobRequest))
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events, each a JSON object; `end` is the last.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
LOCATION: dict[int | str, dict[str, Any]] = {
    202: {"headers": {"Location": {"schema": {"type": "string"}, "description": "Where the job is."}}}
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Descriptions of the errors that a route answers with."""
    titles: dict[int, list[str]] = {}
    for status, title in TITLES.values():
        titles.setdefault(status, []).append(title)
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF + ProblemDetails.__name__}}}
    return {status: {"description": "; or ".join(titles[status]), "content": content} for status in statuses}


def with_request_schemas(schema: dict[str, Any]) -> dict[str, Any]:
    """Add the schemas of bodies and problems that routes refer to."""
    _, definitions = models_json_schema(
        [(schema, "validation") for schema in REQUESTS],
        ref_template=_REF + "{model}",
    )
    schema["components"]["schemas"] |= definitions["$defs"]
    schema["servers"] = [{"url": "/", "description": "The server that gave this description."}]
    return schema
