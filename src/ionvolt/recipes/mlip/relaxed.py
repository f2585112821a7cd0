"""The Δ-model on discharged structures alone, both end members relaxed with the potential, as ``compute`` does it.

    python scripts/discharged_relaxed.py relax runs/mp2025.parquet -o runs/foundation --rows 600 --minutes 25
    python scripts/discharged_relaxed.py test  runs/mp2025.parquet -o runs/foundation

``relax`` goes through rows in a random order and keeps each; it ends when time is up and goes on when called again.
``test`` trains the Δ-model on the folds of ``foundation_models.py`` and answers for the relaxed rows of the fold held
out. It prints and keeps errors and writes them into docs/models.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import foundation_models as fm
import numpy as np

from ionvolt.datasets import clean, read_dataset
from ionvolt.datasets.splits import framework_folds
from ionvolt.errors import InputError
from ionvolt.evaluation.metrics import metrics
from ionvolt.ions import WORKING_IONS
from ionvolt.models.mlip.delta_model import pair_of_computed
from ionvolt.models.mlip.delta_network import EndMemberPair, corrections
from ionvolt.models.mlip.full_extraction import FULL_EXTRACTION_THRESHOLD
from ionvolt.models.uncertainty.domain import ensemble_mean
from ionvolt.physics.average import compute
from ionvolt.physics.cache import Cache, default_folder
from ionvolt.physics.potentials.pair import load_potentials
from ionvolt.training.mlip.fit import RECIPES, train_atomic_gp, train_delta_network
from model_page import ROOT, write_between

SEED = 1


def relax(path: Path, output: Path, rows: int, minutes: float) -> None:
    data, _ = clean(read_dataset(path), ["abs7"])
    folder = output / "relaxed"
    folder.mkdir(parents=True, exist_ok=True)
    chosen = np.random.default_rng(SEED).permutation(len(data))[:rows]
    potentials, cache = load_potentials(), Cache(default_folder())
    end = time.time() + 60 * minutes
    for row in chosen.tolist():
        file = folder / f"{row:05d}.npz"
        if file.exists():
            continue
        if time.time() > end:
            break
        e = data[row]
        began = time.process_time()
        try:
            found = compute(e.discharged, None, WORKING_IONS[e.working_ion], potentials, cache)
        except InputError as error:
            print(f"{e.battery_id}: {error}", flush=True)
            continue
        pair = pair_of_computed(found)
        full, empty = pair.discharged, pair.charged
        np.savez(
            file, full=full.atoms, empty=empty.atoms, pooled=empty.pooled, volumes=[full.volume, empty.volume],
            energies=[full.energy, empty.energy], physics=pair.physics, seconds=time.process_time() - began,
            cells=[pair.discharged_cells, pair.charged_cells, pair.n_ions], converged=bool(found.converged),
        )  # fmt: skip
        print(f"{file.name}: {pair.physics:.2f} V, label {e.average_voltage:.2f}, {found.seconds:.1f} s", flush=True)


def read_pair(file: Path, ion: str) -> tuple[EndMemberPair, float]:
    with np.load(file) as c:
        volumes, energies, cells = c["volumes"], c["energies"], c["cells"].tolist()
        empty = fm.CrystalFeatures(float(energies[1]), c["empty"], c["pooled"], float(volumes[1]))
        full = fm.CrystalFeatures(float(energies[0]), c["full"], c["pooled"], float(volumes[0]))
        return EndMemberPair(full, empty, *cells, ion, float(c["physics"])), float(c["seconds"])


def test(path: Path, output: Path) -> None:
    t = fm.read_ends(path, output)
    done = {int(file.stem): file for file in (output / "relaxed").glob("[0-9]*.npz")}
    rows = np.array(sorted(done))
    answers, physics, seconds, chances = {}, {}, {}, {}
    for fold, part in enumerate(framework_folds(t.data, fm.N_FOLDS, SEED)):
        own = np.intersect1d(part, rows)
        if not len(own):
            continue
        train = np.setdiff1d(np.arange(len(t.data)), part)
        recipe = RECIPES["both"]
        network = train_delta_network(
            t.both, t.data.voltages, train, recipe, 100 * SEED, folder=output / f"relaxed-network-{fold}"
        )
        kernel = train_atomic_gp(t.both, t.data.voltages, train, recipe)
        read = [read_pair(done[int(i)], t.data[int(i)].working_ion) for i in own]
        pairs = [pair for pair, _ in read]
        learned = 0.5 * (corrections([network], pairs)[0] + kernel.corrections(pairs))
        for i, (pair, cost), correction in zip(own.tolist(), read, learned, strict=True):
            answers[i], physics[i], seconds[i] = pair.physics + correction, pair.physics, cost
        chances |= dict(zip(own.tolist(), fm.chances(t, train, own), strict=True))
        print(f"fold {fold}: {len(own)} rows", flush=True)
    rows = np.array(sorted(answers))
    target = t.data.voltages[rows]
    empty = fm.emptied(t.data)[rows]
    relaxed = np.array([answers[int(i)] for i in rows])
    unrelaxed = unrelaxed_answers(output, len(t.data))[rows]
    partly = np.array([chances[int(i)] < FULL_EXTRACTION_THRESHOLD for i in rows])
    columns = {
        "`ionvolt compute`": np.where(partly & np.isfinite(unrelaxed), unrelaxed, relaxed),
        "Δ-model, relaxed": relaxed,
        "Δ-model, unrelaxed (`predict`)": unrelaxed,
        "mean of these": 0.5 * (relaxed + unrelaxed),
        "SevenNet, relaxed by CHGNet, nothing trained": np.array([physics[int(i)] for i in rows]),
        "SevenNet, both ends given": np.array([t.both[i].physics for i in rows]),
    }
    lines = ["| rows | n | " + " | ".join(columns) + " |", "|---|---|" + "---|" * len(columns)]
    for words, chosen in (("all", np.ones(len(rows), bool)), ("labelled down to a host free of the ion", empty)):
        cells = []
        for voltages in columns.values():
            have = chosen & np.isfinite(voltages)  # an unrelaxed host may hold isolated atoms
            m = metrics(target[have], voltages[have], t.data.frameworks[rows][have])
            fewer = f", n = {have.sum()}" if have.sum() < chosen.sum() else ""
            cells.append(f"{m.mae:.3f} ({m.mae_low:.3f}–{m.mae_high:.3f}{fewer})")
        lines.append(f"| {words} | {chosen.sum()} | " + " | ".join(cells) + " |")
    cost = np.array(list(seconds.values()))
    lines.append("")
    lines.append(f"CPU seconds a structure: median {np.median(cost):.1f}, mean {cost.mean():.1f}, on one core.")
    np.savez(output / "relaxed.npz", rows=rows, seconds=np.median(cost), **columns)
    write_between(ROOT / "docs/models.md", "relaxed", "\n".join(lines))
    print("\n".join(lines))


def unrelaxed_answers(output: Path, n: int) -> np.ndarray:
    """What the variant for unrelaxed hosts says of every row, held out, V; NaN where it has none."""
    found = np.full(n, np.nan)
    for fold in range(fm.N_FOLDS):
        with np.load(output / f"discharged-framework-{SEED}-{fold}.npz") as content:
            found[content["rows"]] = ensemble_mean(*fm.answers(dict(content), "discharged"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["relax", "test"])
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/foundation"))
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--minutes", type=float, default=60)
    arguments = parser.parse_args()
    if arguments.command == "relax":
        relax(arguments.data, arguments.output, arguments.rows, arguments.minutes)
    else:
        test(arguments.data, arguments.output)


if __name__ == "__main__":
    main()
