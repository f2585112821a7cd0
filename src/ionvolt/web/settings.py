"""What a server may be told, and the bounds that keep one request from harming another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ionvolt.structures import Limits

LOOPBACK = ("localhost", "127.0.0.1", "::1")

WEB_LIMITS = Limits(
    max_bytes=2_000_000, max_atoms=500, max_unfolded=10_000, max_operations=192, min_cell_height=1.0, max_files=200
)
"""Bounds on a structure from the network, tighter than those of the command line."""


@dataclass(frozen=True)
class Settings:
    """How a server behaves.

    Attributes:
        models: Model folders by the name that requests give them, the default first; empty for those that come with
            IonVolt.
        workers: Processes that read structures and predict.
        hosts: Names by which the server may be called (the ``Host`` header, without port).
        limits: Bounds on one structure.
        max_body: Bytes of one request.
        max_buffered: Bytes of all requests together that are being read or answered.
        max_structures: Structures in one request.
        max_requests: Requests that are answered or wait for a worker at one time; one more is told to come back.
        client_requests: Of one client.
        max_pieces: Structures times ions of all requests and jobs together that are answered or wait.
        client_pieces: Of one client.
        body_seconds: Time that a client has to send a request.
        task_seconds: Processor time that one piece of work may take, a structure with one ion or with all; where more
            is expected of a large cell, several times what is expected. Then its worker is killed.
        longest_seconds: Processor time that one piece of work may take in any case.
        request_seconds: Time that one request may take; what takes longer is asked for as a job.
        long_seconds: Processor time that computing or ordering one structure may take.
        long_atoms: Atoms of a structure that is computed.
        max_jobs: Jobs at one time.
        client_jobs: Of one client.
        max_held: Bytes of all jobs, results that are kept included.
        job_seconds: Time that one job may take.
        keep_seconds: Time that the results of a job are kept after its end.
        max_remembered: Bytes of answers that are kept for those who ask the same again.
        attended_seconds: Time without a reader after which a job that is to be watched is given up.
        landscape: Table of known electrodes for the page, if there is one.
        behind_proxy: Whether clients are told apart by ``X-Forwarded-For``.
        fetch_seconds: Time that the Materials Project has to answer.
        endpoint: Address of the Materials Project's API, if another.
        worker_memory: Bytes of address space that a worker may take on top of what it holds when it is ready.
        log_json: One JSON object a line in the log, instead of words.
    """

    models: Mapping[str, Path] = field(default_factory=dict)
    workers: int = 2
    hosts: tuple[str, ...] = LOOPBACK
    limits: Limits = WEB_LIMITS
    max_body: int = 10_000_000
    max_buffered: int = 200_000_000
    max_structures: int = 200
    max_requests: int = 256
    client_requests: int = 128
    max_pieces: int = 20_000
    client_pieces: int = 6_000
    body_seconds: float = 20.0
    task_seconds: float = 10.0
    longest_seconds: float = 120.0
    request_seconds: float = 60.0
    long_seconds: float = 1800.0
    long_atoms: int = 150
    max_jobs: int = 500
    client_jobs: int = 16
    max_held: int = 300_000_000
    job_seconds: float = 3600.0
    keep_seconds: float = 3600.0
    max_remembered: int = 10_000_000
    attended_seconds: float = 30.0
    landscape: Path | None = None
    behind_proxy: bool = False
    fetch_seconds: float = 30.0
    endpoint: str | None = None
    worker_memory: int = 1_500_000_000
    log_json: bool = False
