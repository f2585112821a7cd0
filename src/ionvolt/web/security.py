"""What stands before every route: names, origins, headers, the log, and a last word when something breaks."""

from __future__ import annotations

import json
import logging
import time
import traceback
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ionvolt.web.metrics import Metrics
from ionvolt.web.problems import Problem, problem
from ionvolt.web.settings import Settings

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

GONE = 499
"""Stands in the log where the client went away before the answer."""

log = logging.getLogger("ionvolt.web")


class Gate:
    """Lets a request through if the server goes by the name used and, where it may change or cost, is not cross-site.

    The Host check keeps a page that rebinds its own name to this machine out; the Origin check keeps other sites'
    forms out.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app = app
        self.hosts = {host.lower().strip("[]") for host in settings.hosts}
        self.metrics = metrics
        self.log_json = settings.log_json

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; other things (the life span) pass through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0
        sent = 0

        async def send_on(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store" if scope["path"].startswith("/api/") else "no-cache"
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            try:
                self._check(Headers(scope=scope), scope["method"])
                await self.app(scope, receive, send_on)
            except Problem as error:
                await error.response()(scope, receive, send_on)
        except ClientDisconnect:
            status = status or GONE
        except Exception:
            log.error("%s", traceback.format_exc())
            if status:
                raise
            unexpected = problem("internal", "request", "an unexpected error, kept in the server's log", "Try again")
            await unexpected.response()(scope, receive, send_on)
        finally:
            self._record(scope, status, time.perf_counter() - start, sent)

    def _check(self, headers: Headers, method: str) -> None:
        host = headers.get("host", "")
        if _name(host) not in self.hosts:
            raise problem(
                "forbidden-host",
                ascii(host[:100])[1:-1] or "request",
                "the server does not go by this name",
                "Use localhost, or start it with --allow-host NAME",
            )
        if method in ("GET", "HEAD", "OPTIONS"):
            return
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site", "same-origin")
        own = (f"http://{host}".lower(), f"https://{host}".lower())
        if (origin is not None and origin.lower() not in own) or site not in ("same-origin", "none"):
            raise problem(
                "forbidden-origin",
                ascii((origin or site)[:100])[1:-1],
                "the request comes from another site",
                "Use the server's own page, or a client that sends no Origin",
            )

    def _record(self, scope: Scope, status: int, seconds: float, sent: int) -> None:
        route = getattr(scope.get("route"), "path", None) or "other"
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.metrics.request(method, route, status, seconds)
        path = scope["path"][:200]
        client = (scope.get("client") or ("",))[0]
        if self.log_json:
            line = {
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "client": client,
                "method": method,
                "path": path,
                "status": status,
                "ms": round(1e3 * seconds, 1),
                "bytes": sent,
            }
            log.info("%s", json.dumps(line))
        else:
            log.info("%s %s %s %.0f ms", method, ascii(path)[1:-1], status, 1e3 * seconds)


def _name(host: str) -> str:
    """The host without its port; the empty text where it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
