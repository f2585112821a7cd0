"""The parts of the OpenAPI description that FastAPI cannot derive: bodies are read by hand, within bounds."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from ionvolt.web.problems import MEDIA_TYPE, TITLES
from ionvolt.web.schemas import ExplainRequest, PredictRequest, ProblemDetails

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
        "assume": {"type": "string", "enum": ["auto", "charged", "discharged"]},
        "model": {"type": "string"},
    },
}

PREDICT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": _REF + PredictRequest.__name__}},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}
EXPLAIN_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": _REF + ExplainRequest.__name__}}},
    }
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
        [(PredictRequest, "validation"), (ExplainRequest, "validation"), (ProblemDetails, "validation")],
        ref_template=_REF + "{model}",
    )
    schema["components"]["schemas"] |= definitions["$defs"]
    return schema
