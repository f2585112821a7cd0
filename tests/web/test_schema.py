"""Schemathesis over the OpenAPI description: no 5xx, no answer that the description does not allow."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from web.serving import Served

pytestmark = pytest.mark.slow

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.unsupported_method,
    checks.negative_data_rejection,
]
"""All but the acceptance of what fits the schema: no schema tells text that is a crystal from text that is none."""


OPERATIONS = [
    ("POST", "/api/v1/predict"),
    ("POST", "/api/v1/explain"),
    ("GET", "/api/v1/models"),
    ("GET", "/api/v1/examples"),
    ("GET", "/api/v1/ions"),
    ("GET", "/healthz"),
]
# Jobs live for an hour and stream; tests of their own ask for them (test_jobs.py, test_api.py).
HELD_APART = [
    ("POST", "/api/v1/jobs"),
    ("GET", "/api/v1/jobs/{name}"),
    ("DELETE", "/api/v1/jobs/{name}"),
    ("GET", "/api/v1/jobs/{name}/events"),
    ("POST", "/api/v1/structures"),
    ("GET", "/api/v1/landscape/{ion}"),
    ("GET", "/api/v1/materials"),
]


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [(*operation, GenerationMode.POSITIVE) for operation in OPERATIONS]
    + [(*operation, GenerationMode.NEGATIVE) for operation in OPERATIONS if operation[0] == "POST"],
)
def test_every_operation(server: Served, method: str, path: str, mode: GenerationMode) -> None:
    description = schemathesis.openapi.from_url(f"{server.address}/api/v1/openapi.json")
    operation = description[path][method]

    @settings(max_examples=60 if method == "POST" else 5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        case.call_and_validate(checks=CHECKS)

    ask()


def test_description_is_complete(server: Served) -> None:
    paths = server.client.get("/api/v1/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, item in paths.items() for method in item}
    assert described == set(OPERATIONS) | set(HELD_APART)
