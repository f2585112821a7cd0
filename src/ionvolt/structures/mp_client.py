"""The Materials Project's own client on a session that waits its turn.

The client repeats a request by itself only on 429, 502 and 504, at most three times within a second, and never when an
answer breaks off half way. Here one session does all of the waiting, so nothing is repeated twice over.
"""

from __future__ import annotations

import json
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from mp_api.client import MPRester
from mp_api.client.core.exceptions import MPRestError
from mp_api.client.core.utils import validate_endpoint

from ionvolt.errors import UnavailableError
from ionvolt.typing import LogCallback

SERVICE = "Materials Project"
_REPEATED = {408, 429, 500, 502, 503, 504}
_BROKEN = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


@dataclass(frozen=True)
class Patience:
    """How long to go on asking.

    Attributes:
        tries: Requests in all before it is given up.
        first: Seconds before the second one; each further pause is twice as long, with some chance in it.
        longest: Seconds of the longest pause, whether computed or asked for with ``Retry-After``.
        timeout: Seconds to wait for an answer to begin or go on.
    """

    tries: int = 7
    first: float = 1.0
    longest: float = 120.0
    timeout: float = 60.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the attempt of that number (from 1)."""
        return min(self.first * 2.0 ** (attempt - 1) * random.uniform(1.0, 1.5), self.longest)


ONE_CRYSTAL = Patience(tries=3, first=0.5, longest=5.0, timeout=20.0)


@dataclass(frozen=True)
class Service:
    """The client, the version of the database that answers it, and what errors are about."""

    rester: Any
    session: requests.Session
    address: str
    database: str
    source: str

    def ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """What a function of the client, and of further arguments, returns.

        Raises:
            UnavailableError: Whatever the client raised.
        """
        with _in_plain_words(self.source):
            return call(self.rester, *arguments)

    def database_now(self) -> str:
        """The version at this moment: it changes when a release falls into a long fetch."""
        return database_version(self.session, self.address, self.source)


class PatientSession(requests.Session):
    """Repeats what may be repeated: lost connections, answers that break off, 408, 429 and 5xx.

    Whatever else goes wrong is told at once: a refused key (401, 403) never gets better by asking again.
    """

    def __init__(self, key: str, source: str, patience: Patience, log: LogCallback | None = None) -> None:
        from mp_api.client.core import client

        from ionvolt._version import __version__

        super().__init__()
        self.headers.update({"x-api-key": key, "user-agent": f"ionvolt/{__version__} mp-api/{client.__version__}"})
        self.source, self.patience, self.log = source, patience, log

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]
        """One answer that came whole.

        Raises:
            UnavailableError: The key is refused, or the patience has come to its end.
        """
        options["timeout"] = self.patience.timeout
        for attempt in range(1, self.patience.tries + 1):
            pause = self.patience.pause(attempt)
            try:
                answer = super().request(method, url, **options)
            except _BROKEN as error:
                trouble = f"the connection failed: {type(error).__name__}"
            else:
                if answer.status_code in (401, 403):
                    raise UnavailableError(self.source, *_refused(url, answer.status_code))
                if answer.status_code in _REPEATED:
                    trouble = f"it answers {answer.status_code}"
                    pause = self._asked_for(answer, pause)
                elif answer.status_code == 200 and not _is_whole(answer):
                    trouble = "its answer broke off or is no JSON"
                else:
                    return answer
            if attempt < self.patience.tries:
                if self.log:
                    self.log(f"{trouble}; asking again in {pause:.0f} s")
                time.sleep(pause)
        raise UnavailableError(
            self.source,
            f"the Materials Project cannot be asked ({trouble}, {self.patience.tries} times)",
            "Check the network and status.materialsproject.org, and try again later",
        )

    def _asked_for(self, answer: requests.Response, pause: float) -> float:
        """The pause that the service asks for, if it does."""
        stated = _seconds(answer.headers.get("Retry-After", ""))
        if stated is None:
            return pause
        if stated > self.patience.longest:
            raise UnavailableError(
                self.source,
                f"the Materials Project asks to wait {stated:.0f} s ({answer.status_code})",
                "Try again after that",
            )
        return max(stated, 0.0)


@contextmanager
def connected(
    key: str,
    endpoint: str | None = None,
    *,
    source: str = SERVICE,
    patience: Patience | None = None,
    log: LogCallback | None = None,
) -> Iterator[Service]:
    """The client, ready to be asked.

    Args:
        key: API key.
        endpoint: Address of the API, if not the Materials Project's own.
        source: What errors are about.
        patience: How long to go on asking.
        log: Told why there is a pause.

    Raises:
        UnavailableError: The key is refused, or the service does not answer.
    """
    address = validate_endpoint(endpoint)
    patience = patience or Patience()
    with warnings.catch_warnings(), PatientSession(key, source, patience, log) as session:
        warnings.simplefilter("ignore")
        with _in_plain_words(source):
            # The client asks for this as well, but without a time limit.
            version = database_version(session, address, source)
            rester = _client(key, address, session, patience)
        yield Service(rester, session, address, version, source)


def _client(key: str, address: str, session: PatientSession, patience: Patience) -> MPRester:
    """The client, which asks for heartbeats of its own that do not go through the session."""
    attempt = 0
    while True:
        attempt += 1
        try:
            # Plain documents: the client's models drop every field that the first document of an answer lacks.
            return MPRester(key, endpoint=address, session=session, use_document_model=False, mute_progress_bars=True)
        except (requests.RequestException, ValueError, KeyError):
            if attempt >= patience.tries:
                raise
            time.sleep(patience.pause(attempt))


@contextmanager
def _in_plain_words(source: str) -> Iterator[None]:
    try:
        yield
    except UnavailableError:
        raise
    except (MPRestError, requests.RequestException, OSError, ValueError, LookupError, TypeError) as error:
        raise UnavailableError(source, *_reason(error)) from error


def database_version(session: requests.Session, address: str, source: str = SERVICE) -> str:
    """Version of the database behind an address, such as ``2025.09.25``.

    Raises:
        UnavailableError: The service states none.
    """
    answer = session.get(f"{address}heartbeat")
    found = answer.json() if answer.status_code == 200 else {}
    version = found.get("db_version") if isinstance(found, dict) else None
    if not isinstance(version, str) or not version:
        raise UnavailableError(
            source,
            f"{address} names no database version (it answers {answer.status_code})",
            "Check the address, and status.materialsproject.org",
        )
    return version


def _is_whole(answer: requests.Response) -> bool:
    """Whether an answer is complete JSON: one without a stated length may end anywhere."""
    try:
        json.loads(answer.content)
    except ValueError:
        return False
    return True


def _seconds(retry_after: str) -> float | None:
    """What a ``Retry-After`` header means: seconds, or a date."""
    text = retry_after.strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (moment - datetime.now(UTC)).total_seconds() if moment.tzinfo else None


def _refused(url: str, status: int) -> tuple[str, str]:
    if url.endswith("/heartbeat"):
        return (
            f"the Materials Project lets nobody in from here ({status})",
            "Check status.materialsproject.org and the network",
        )
    return (
        f"the Materials Project does not take the key ({status})",
        "Check MP_API_KEY against materialsproject.org/api",
    )


def _reason(error: Exception) -> tuple[str, str]:
    text = str(error)
    if "api key" in text.lower() or "api_key" in text.lower():
        return "the Materials Project does not take the key", "Check MP_API_KEY against materialsproject.org/api"
    words = "".join(c if c.isprintable() else " " for c in text)[:120].strip()
    return (
        f"the Materials Project cannot be asked ({type(error).__name__}: {words})",
        "See that mp-api is up to date: pip install -U mp-api",
    )
