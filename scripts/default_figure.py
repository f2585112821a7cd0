"""Draw docs/images/default-held-out.png: the default answer against calculated voltages, on frameworks held out.

    python scripts/default_figure.py DATA.parquet FOLDER

FOLDER is that of ``ionvolt recipe evaluate mlip DATA.parquet -o FOLDER``, whose held-out answers are read; nothing is
trained. One panel an ion: grey from the charged host alone, blue from both end members, each with its mean error; what
has not been answered there is left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from ionvolt.errors import DataError
from ionvolt.models.mlip.delta_network import IONS
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip.calibration import HeldOut, held_out
from ionvolt.recipes.mlip.cross_validation import read_answers
from ionvolt.recipes.mlip.recipe import MlipRecipe
from ionvolt.recipes.mlip.settings import Case, Part

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "images" / "default-held-out.png"
SHOWN: tuple[tuple[Part, Case, str, str], ...] = (
    ("charged", "charged", "#b9b9b9", "host alone"),
    ("both", "both", "#1f6f8b", "both ends"),
)
FROM_V, TO_V = -0.5, 6.5


def answers(data: Path, folder: Path) -> dict[str, HeldOut]:
    recipe = MlipRecipe()
    job = Job(data, folder)
    rows = recipe.data(job)
    settings = recipe.settings
    found = {}
    for part, case, _, words in SHOWN:
        try:
            found[words] = held_out(read_answers(settings, settings.calibrating(part), job), rows, case, settings)
        except DataError as error:
            print(f"{words} is left out: {error}", file=sys.stderr)
    return found


def draw(found: dict[str, HeldOut], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(2, 5, figsize=(12.5, 5.4), sharex=True, sharey=True, layout="constrained")
    for axis, ion in zip(axes.flat, IONS, strict=True):
        for _, _, colour, words in SHOWN:
            if words not in found:
                continue
            held = found[words]
            own = held.ions == IONS.index(ion)
            error = float(np.abs(held.errors[own]).mean())
            axis.scatter(
                held.target[own], held.voltage[own], s=6, color=colour, alpha=0.6, lw=0, label=f"{words}: {error:.2f} V"
            )
        axis.plot([FROM_V, TO_V], [FROM_V, TO_V], color="black", lw=0.8, ls=":")
        axis.set_title(f"{ion} ({own.sum()})", loc="left", fontweight="bold")
        axis.legend(fontsize=8, loc="upper left", handletextpad=0.1, frameon=False)
        axis.set(xlim=(FROM_V, TO_V), ylim=(FROM_V, TO_V), aspect="equal")
    fig.supxlabel("voltage calculated by the Materials Project (V)")
    fig.supylabel("default answer, framework held out (V)")
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the data set, as for ionvolt recipe")
    parser.add_argument("folder", type=Path, help="what ionvolt recipe evaluate mlip keeps")
    parser.add_argument("--to", type=Path, default=TARGET)
    given = parser.parse_args()
    draw(answers(given.data, given.folder), given.to)


if __name__ == "__main__":
    main()
