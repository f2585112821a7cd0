"""What all cards say of how their weights came about: code, packages, data, day."""

from __future__ import annotations

import datetime
import math
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ionvolt._version import __version__
from ionvolt.datasets import ElectrodeSet
from ionvolt.evaluation.leakage import data_fingerprint

PACKAGES = ("numpy", "torch", "sevenn", "chgnet", "pymatgen", "spglib", "scikit-learn")
"""On whose versions the numbers can hang."""


def provenance(data: ElectrodeSet) -> dict[str, Any]:
    """Facts for ``training`` of a card.

    Args:
        data: What the model was fitted on, cleaned.
    """
    cleaned = data.provenance.get("cleaning", [])
    return {
        "ionvolt_version": __version__,
        "ionvolt_commit": commit(),
        "packages": {name: found for name in PACKAGES if (found := installed(name))},
        "data_sha256": data_fingerprint(data),
        "removed_by_cleaning": {str(step["rule"]): int(step["removed"]) for step in cleaned},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def installed(package: str) -> str:
    """The version of a package; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def commit() -> str:
    """The commit of the code that runs, with ``-dirty`` where files differ from it; empty outside a repository."""
    folder = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--match=-"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()


def attribution(data: ElectrodeSet) -> str:
    """Whose data the weights rest on, as a card says it; empty where the data do not say."""
    words = str(data.provenance.get("attribution", ""))
    if "Materials Project" in words:
        return (
            "Trained on data of the Materials Project (materialsproject.org), CC BY 4.0. "
            "Jain et al., APL Mater. 1, 011002 (2013)"
        )
    return f"Trained on data of: {words}" if words else ""


def label_of(data: ElectrodeSet) -> str:
    """The snapshots of the data in a word; ``own`` where they have none."""
    return "-".join(sorted({e.snapshot for e in data} - {""})) or "own"


def rounded(value: float) -> float | None:
    """To a tenth of a millivolt; None where there is no number, for a card is JSON."""
    return round(float(value), 4) if math.isfinite(value) else None


def elements_of(data: ElectrodeSet) -> list[int]:
    """Atomic numbers in the hosts."""
    return sorted({int(z) for e in data for z in np.unique(e.host.numbers)})
