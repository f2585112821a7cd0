"""Several runs share work; what a dead one was at, another takes over."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ionvolt.store import claim, unclaimed, write_text
from ionvolt.store.claims import Owner, owner_of

HOLD = """
import sys, time
from pathlib import Path
from ionvolt.store import claim
with claim(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""

WORK = """
import os, sys, time
from pathlib import Path
from ionvolt.store import unclaimed, write_text
folder = Path(sys.argv[1])
for target in unclaimed([folder / f"{i}.txt" for i in range(40)]):
    with (folder / "log").open("a") as log:
        log.write(f"{target.name} {os.getpid()}\\n")
    time.sleep(0.01)
    write_text(target, "done")
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds a claim on ``x``."""
    run = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "x"], stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline().strip() == b"True"
    yield run
    run.kill()
    run.wait()
    run.stdout.close()


def test_a_claim_is_had_once_and_given_back(tmp_path: Path) -> None:
    target = tmp_path / "new" / "x.npz"
    with claim(target) as mine, claim(target) as second, claim(tmp_path / "y") as elsewhere:
        assert (mine, second, elsewhere) == (True, False, True)
        assert owner_of(target) == Owner.this()
    assert owner_of(target) is None
    assert list(target.parent.iterdir()) == []
    with pytest.raises(ZeroDivisionError), claim(target):
        raise ZeroDivisionError
    assert list(target.parent.iterdir()) == []


def test_a_living_run_keeps_its_claim(tmp_path: Path, other: "subprocess.Popen[bytes]") -> None:
    owner = owner_of(tmp_path / "x")
    assert owner == Owner(Owner.this().machine, other.pid)
    with claim(tmp_path / "x") as mine:
        assert not mine
    assert owner_of(tmp_path / "x") == owner


def test_a_killed_run_loses_it_at_once(tmp_path: Path, other: "subprocess.Popen[bytes]") -> None:
    other.kill()
    other.wait()
    with claim(tmp_path / "x") as mine, claim(tmp_path / "x") as second:
        assert (mine, second) == (True, False)
        assert owner_of(tmp_path / "x") == Owner.this()
    assert list(tmp_path.iterdir()) == []


def test_silence_for_a_lease_is_death(tmp_path: Path) -> None:
    stale = tmp_path / "x.0.claim"
    stale.write_text('{"machine": "another", "process": 1}')
    with claim(tmp_path / "x") as mine:
        assert not mine
    long_ago = time.time() - 100
    os.utime(stale, (long_ago, long_ago))
    with claim(tmp_path / "x") as mine:
        assert not mine
    with claim(tmp_path / "x", lease=99) as mine:
        assert mine
    assert list(tmp_path.iterdir()) == []


def test_a_claim_that_is_being_written_is_alive(tmp_path: Path) -> None:
    (tmp_path / "x.0.claim").touch()
    with claim(tmp_path / "x") as mine:
        assert not mine
    assert owner_of(tmp_path / "x") is None


def test_a_holder_gives_signs_of_life(tmp_path: Path) -> None:
    file = tmp_path / "x.0.claim"
    with claim(tmp_path / "x", lease=0.04):
        os.utime(file, (1, 1))
        while file.stat().st_mtime == 1:
            time.sleep(0.001)


def test_who_was_overtaken_leaves_the_claim_of_the_successor(tmp_path: Path) -> None:
    target = tmp_path / "x"
    with claim(target) as first:
        os.utime(tmp_path / "x.0.claim", (1, 1))  # as if it had been stopped for long
        second = claim(target)
        assert (first, second.__enter__()) == (True, True)
    with claim(target) as third:
        assert not third
    second.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_or_elsewhere_is_left_out(tmp_path: Path) -> None:
    targets = [tmp_path / name for name in "abc"]
    write_text(targets[0], "done")
    with claim(targets[1]):
        assert list(unclaimed(targets)) == [targets[2]]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_runs_share_the_work(tmp_path: Path) -> None:
    runs = [subprocess.Popen([sys.executable, "-c", WORK, tmp_path]) for _ in range(3)]
    assert [run.wait() for run in runs] == [0, 0, 0]
    made = [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(made) == sorted(f"{i}.txt" for i in range(40))
    assert not list(tmp_path.glob("*.claim"))
