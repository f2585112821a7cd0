"""Send files bent at random to the server: each is answered or refused within two seconds, and no worker is lost.

    python benchmarks/web_fuzz.py --examples 2000 [--keep tests/web/corpus]

With ``--keep``, the first file of each kind of answer, and any file that breaks the rule, stays in the folder.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from ionvolt.web.settings import Settings
from web.mutations import mutated
from web.serving import resident_bytes, serving, stand_in

SECONDS = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--keep", type=Path, help="folder for one file of each kind of answer")
    given_args = parser.parse_args()
    keep: Path | None = given_args.keep
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
    kinds: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    seconds: list[float] = []
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        model = stand_in(Path(folder) / "stand-in")
        with serving(Settings(models={"stand-in": model})) as server:
            workers = sorted(server.workers)

            @given(mutated())
            @settings(
                max_examples=given_args.examples,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                database=None,
            )
            def ask(text: str) -> None:
                start = time.monotonic()
                answer = server.predict(text, ions=["Mg", "Li"])
                seconds.append(time.monotonic() - start)
                statuses[answer.status_code] += 1
                rule = "answered" if answer.status_code == 200 else answer.json()["rule"]
                kind = re.sub(r"'[^']*'|[-+.\dA-Z]\S*", "*", rule)[:60]
                wrong = answer.status_code not in (200, 422) or seconds[-1] > SECONDS
                if wrong:
                    broken.append(f"{answer.status_code} after {seconds[-1]:.2f} s: {rule}")
                if keep and (wrong or kind not in kinds):
                    name = hashlib.sha256(text.encode()).hexdigest()[:12]
                    (keep / f"{name}.txt").write_bytes(text.encode())
                kinds[kind] += 1

            ask()
            alive = server.client.get("/healthz").json()
            lost = len(set(workers) - set(server.workers))
            memory = [resident_bytes(pid) / 1e6 for pid in server.workers]
    seconds.sort()
    print(f"{len(seconds)} files: {dict(statuses)}, {len(kinds)} kinds of answer, workers lost: {lost}, then {alive}")
    print(f"seconds: median {seconds[len(seconds) // 2]:.3f}, p99 {seconds[int(0.99 * len(seconds))]:.3f}, ", end="")
    print(f"longest {seconds[-1]:.3f}; workers hold {', '.join(f'{size:.0f} MB' for size in memory)}")
    for line in broken:
        print(f"broken: {line}")
    return 1 if broken or lost else 0


if __name__ == "__main__":
    sys.exit(main())
