"""Counters for Prometheus, in its text format."""

from __future__ import annotations

import bisect
import resource
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OUTCOMES = ("answered", "refused", "timeout", "lost")


class Metrics:
    """What happened since the server was started. Labels take few values, whatever clients send."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._outcomes: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests[method, route, status] += 1
        counts = self._buckets.setdefault(route, [0] * (len(BUCKETS) + 1))
        counts[bisect.bisect_left(BUCKETS, seconds)] += 1
        self._seconds[route] += seconds

    def count(self, outcome: str) -> None:
        """Count what became of a piece of work."""
        self._outcomes[outcome] += 1

    def text(self, gauges: Mapping[str, float]) -> str:
        """All of it in the text format of Prometheus, with gauges of the moment."""
        lines = ["# TYPE ionvolt_requests_total counter"]
        for (method, route, status), n in sorted(self._requests.items()):
            lines.append(f'ionvolt_requests_total{{method="{method}",route="{route}",status="{status}"}} {n}')
        lines.append("# TYPE ionvolt_request_seconds histogram")
        for route, counts in sorted(self._buckets.items()):
            total = 0
            for bound, n in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                total += n
                lines.append(f'ionvolt_request_seconds_bucket{{route="{route}",le="{bound}"}} {total}')
            lines.append(f'ionvolt_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}')
            lines.append(f'ionvolt_request_seconds_count{{route="{route}"}} {total}')
        lines.append("# TYPE ionvolt_tasks_total counter")
        lines += [f'ionvolt_tasks_total{{outcome="{name}"}} {n}' for name, n in self._outcomes.items()]
        for name, value in {**gauges, "process_resident_memory_bytes": resident_bytes()}.items():
            lines += [f"# TYPE {name} gauge", f"{name} {value:g}"]
        return "\n".join(lines) + "\n"


def resident_bytes() -> int:
    """Memory that this process holds."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
