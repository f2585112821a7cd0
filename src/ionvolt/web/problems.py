"""Errors as problem+json (RFC 9457), with the sentences of the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from ionvolt.errors import InputError

MEDIA_TYPE = "application/problem+json"

TITLES = {
    "refused": (422, "The input was refused"),
    "invalid-request": (422, "The request does not fit the schema"),
    "malformed": (400, "The request cannot be read"),
    "forbidden-host": (403, "The server does not go by this name"),
    "forbidden-origin": (403, "Requests of other sites are not answered"),
    "not-found": (404, "There is nothing here"),
    "method": (405, "The method does not apply here"),
    "slow": (408, "The request came in too slowly"),
    "too-large": (413, "The request is too large"),
    "media-type": (415, "The media type is not understood"),
    "too-long": (422, "The request would take too long"),
    "cancelled": (409, "It was given up"),
    "share": (429, "Too much was asked for at one time"),
    "unavailable": (424, "The Materials Project cannot be asked"),
    "overloaded": (503, "The server is busy"),
    "worker-lost": (503, "The worker was lost"),
    "time-limit": (504, "The time limit was passed"),
    "internal": (500, "Something went wrong in the server"),
}
"""Status and title of every kind of problem."""

RETRY_SECONDS = 2


class Problem(Exception):
    """An answer that is an error.

    Attributes:
        kind: One of ``TITLES``.
        error: What was wrong, the rule and the remedy.
        headers: Further headers of the answer.
    """

    def __init__(self, kind: str, error: InputError, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(kind, str(error))
        self.kind = kind
        self.error = error
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """HTTP status."""
        return TITLES[self.kind][0]

    def to_dict(self) -> dict[str, Any]:
        """The problem as plain JSON types."""
        status, title = TITLES[self.kind]
        return {
            "type": f"urn:ionvolt:problem:{self.kind}",
            "title": title,
            "status": status,
            "detail": str(self.error),
            "source": self.error.source,
            "rule": self.error.rule,
            "remedy": self.error.remedy,
        }

    def response(self) -> Response:
        """The HTTP answer."""
        headers = dict(self.headers)
        if self.status in (429, 503):
            headers.setdefault("Retry-After", str(RETRY_SECONDS))
        return Response(
            json.dumps(self.to_dict(), ensure_ascii=False), self.status, headers=headers, media_type=MEDIA_TYPE
        )


def problem(kind: str, source: str, rule: str, remedy: str, headers: Mapping[str, str] | None = None) -> Problem:
    """A problem from its parts."""
    return Problem(kind, InputError(source, rule, remedy), headers)
