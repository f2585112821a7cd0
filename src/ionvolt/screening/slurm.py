"""Workers as a SLURM array: the script is written into the run's folder and submitted."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ionvolt.errors import DataError, InputError
from ionvolt.screening.executors import worker_command
from ionvolt.store import write_text
from ionvolt.store.claims import LEASE_S

SCRIPT = "slurm.sh"
_OPTION = re.compile(r"[A-Za-z][A-Za-z-]*(=[^\n\r]*)?")


def script(folder: Path, n: int, options: Sequence[str] = (), lease: float = LEASE_S) -> str:
    """The text of the array's script.

    Args:
        folder: The run's folder, which all nodes see under this name.
        n: Workers. They share the shards: fewer than asked for do as well, and more may be added later.
        options: Further options of ``sbatch``: ``partition=short``, ``time=04:00:00``.
        lease: Seconds of silence after which a worker counts as dead.

    Raises:
        InputError: An option is none.
    """
    for option in options:
        if not _OPTION.fullmatch(option):
            raise InputError(f"--slurm-option {option!r}", "no option of sbatch", "Give it as partition=short")
    given = {option.split("=")[0] for option in options}
    defaults = ["job-name=ionvolt-screen", f"array=1-{n}", "ntasks=1", "cpus-per-task=1", "signal=TERM@60"]
    logs = folder / "slurm-%A_%a.log"
    lines = [f"#SBATCH --{option}" for option in [*(d for d in defaults if d.split("=")[0] not in given), *options]]
    return "\n".join(
        [
            "#!/bin/bash",
            *lines,
            f"#SBATCH --output={logs}",
            "export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 IONVOLT_THREADS=1",
            # exec: the signal before the end of the time reaches the worker, which then ends in order.
            f"exec {shlex.join(worker_command(folder, lease))}",
            "",
        ]
    )


def submit(folder: Path, n: int, options: Sequence[str] = (), lease: float = LEASE_S) -> str:
    """Write the script and give it to ``sbatch``.

    Returns:
        What to tell: the answer of ``sbatch`` and how to look at the run.

    Raises:
        InputError: There is no ``sbatch`` here.
        DataError: It refused the script.
    """
    folder = folder.resolve()
    path = folder / SCRIPT
    write_text(path, script(folder, n, options, lease))
    if shutil.which("sbatch") is None:
        raise InputError("--slurm", "there is no sbatch here", f"Submit {path} where there is one")
    answer = subprocess.run(["sbatch", str(path)], capture_output=True, text=True, check=False)
    if answer.returncode:
        words = (answer.stderr or answer.stdout).strip().splitlines()
        raise DataError(f"sbatch refused {path}: {words[-1] if words else 'no reason given'}")
    return f"{answer.stdout.strip()}\n{path}: {n} workers. ionvolt screen status {folder} shows how far they are"
