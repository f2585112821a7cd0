"""Classical models beside the transferred networks, on the same splits, and the table of it in docs/evaluation.md.

    python scripts/baselines.py measure runs/mp2020.parquet -o runs/baselines
    python scripts/baselines.py page -o runs/baselines
    python scripts/baselines.py features

``measure`` runs SVR, kernel ridge, random forest and extra trees in three settings under the splits on which
``ionvolt recipe evaluate cgcnn`` measured the networks (their errors stand in the shipped model's card). What is done
is not repeated. ``page`` writes the tables between the markers; no number in them is typed by hand. ``features`` writes
the list of features there.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

from ionvolt.datasets import read_dataset
from ionvolt.descriptors import FEATURES, ION_FEATURES
from ionvolt.descriptors.composition import COMPOSITION_FEATURES, STATISTICS
from ionvolt.descriptors.elements import PROPERTIES
from ionvolt.descriptors.structure import STRUCTURE_FEATURES
from ionvolt.evaluation.learners import Classical
from ionvolt.evaluation.protocol import Protocol
from ionvolt.evaluation.results import Results, read_results
from ionvolt.evaluation.tables import summarise
from ionvolt.ions import WORKING_IONS
from ionvolt.models.registry import PAPER_MODEL, shipped_models
from ionvolt.training.classical.fit import NAMES
from model_page import ROOT, write_between

SPLITS = ("random", "framework")
OTHERS = tuple(ion for ion in WORKING_IONS if ion != "Li")
FEW = ("Rb", "Cs")
WORDS = {"svr": "SVR", "kernel-ridge": "kernel ridge", "random-forest": "random forest", "extra-trees": "extra trees"}
# Li's own model is the li setting; files are named after what is learned from.
FILES: dict[str, tuple[tuple[str, ...], tuple[Any, ...]]] = {"own": (OTHERS, ("ion",)), "shared": ((), ("li", "all"))}


def protocol(split: Any, ions: tuple[str, ...], seeds: tuple[int, ...]) -> Protocol:
    return Protocol(split, ions=ions, seeds=seeds, clean=("paper",))


def measure(data_file: Path, output: Path, seeds: int) -> None:
    data = read_dataset(data_file)
    for seed in range(seeds):
        for split in SPLITS:
            for file, (ions, settings) in FILES.items():
                learners = [Classical(name, setting) for setting in settings for name in NAMES]
                start = time.time()
                protocol(split, ions, (seed,)).run(
                    learners,
                    data,
                    path=output / f"{file}-{split}.parquet",
                    progress=partial(print_progress, split),
                )
                print(f"{file} {split} seed {seed}: {time.time() - start:.0f} s", flush=True)


def print_progress(split: str, done: int, total: int, words: str) -> None:
    print(f"{time.ctime()} {split} {done}/{total} {words}", flush=True)


def records(output: Path, split: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Summaries by model and ion, over the seeds that all learners have run through."""
    files = {file: read_results(output / f"{file}-{split}.parquet") for file in FILES}
    seeds = set.intersection(*(done(files[file], settings) for file, (_, settings) in FILES.items()))
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for results in files.values():
        found |= {(r["model"], r["ion"]): r for r in summarise(results.of_seeds(seeds))}
    for ion in OTHERS:
        ours = found["mean", ion]["mae_by_seed"]
        theirs = errors_of(ion, split)["mean"]["mae_by_split"]
        if any(abs(ours[n] - theirs[s]) > 2e-4 for n, s in enumerate(sorted(seeds))):
            raise SystemExit(f"{ion}, {split}: these are not the splits of the networks. Measure on the same data")
    return found


def done(results: Results, settings: tuple[Any, ...]) -> set[int]:
    names = [Classical(name, setting).name for setting in settings for name in NAMES]
    model, seed = results.column("model"), results.column("seed")
    return set.intersection(*(set(seed[model == name].tolist()) for name in names))


def errors_of(ion: str, split: str) -> dict[str, Any]:
    """By learner; the model itself is the transfer, and the network for Li."""
    own = "network" if ion == "Li" else "transfer"
    return {
        record.learner or own: dict(record.values)
        for record in shipped_models()[PAPER_MODEL].evaluation
        if (record.test, record.ion, record.subset) == (f"paper/{split}", ion, "")
    }


def network_mae(ion: str, split: str, model: str, row: dict[str, Any]) -> float | None:
    """MAE of the networks over the same seeds as the row's, from the card's errors by split."""
    by_split = errors_of(ion, split).get(model, {}).get("mae_by_split", [])
    if len(by_split) < row["seeds"]:
        return None
    weights = row["n_by_seed"]
    return float(sum(m * w for m, w in zip(by_split, weights, strict=False)) / sum(weights))


def network_cell(ion: str, split: str, model: str, row: dict[str, Any]) -> str:
    value = network_mae(ion, split, model, row)
    if value is None:
        return "–"
    m = errors_of(ion, split)[model]
    same = m["splits"] == row["seeds"]
    return f"{value:.2f} ({m['mae_low']:.2f}–{m['mae_high']:.2f})" if same else f"{value:.2f}"


def table(output: Path, split: str) -> str:
    found = records(output, split)
    lines = [
        "| ion | rows (seeds) | mean | transfer (Li: network) | network from scratch | trained on | "
        + " | ".join(WORDS[name] for name in NAMES)
        + " |",
        "|" + "---|" * (6 + len(NAMES)),
    ]
    for ion in WORKING_IONS:
        shown = "network" if ion == "Li" else "transfer"
        for setting, words in (("", "the ion"), ("-li", "Li"), ("-all", "all ions")):
            if ion == "Li" and not setting:
                continue  # Li's own model is the li setting
            cells = [found[name + setting, ion] for name in NAMES]
            row = cells[0]
            head = [""] * 5
            if setting == ("-li" if ion == "Li" else ""):
                networks = [network_cell(ion, split, model, row) for model in (shown, "scratch")]
                head = [ion, f"{row['n_test']} ({row['seeds']})", f"{row['mae_of_mean_predictor']:.2f}", *networks]
            best = min(r["mae"] for r in cells)
            texts = [f"{r['mae']:.2f} ({r['mae_low']:.2f}–{r['mae_high']:.2f})" for r in cells]
            texts = [f"**{t}**" if r["mae"] == best else t for t, r in zip(texts, cells, strict=True)]
            lines.append("| " + " | ".join([*head, words, *texts]) + " |")
    return "\n".join(lines)


def verdict(output: Path) -> str:
    """In words: where the transfer does better than classical models, and where not."""
    lines = [
        "Each pair is the MAE of the transferred networks / of the classical model, over the same rows; \\* where the "
        "first lies outside the 95 % interval of the second. For Li: the network from scratch against one trained on "
        "Li, or on all ions. "
        "Rb and Cs, with a few tested rows, are left out here.",
        "",
    ]
    for split in SPLITS:
        found = records(output, split)
        lines += [f"**{split.capitalize()} split**, transfer learning against", ""]
        # Whole columns, chosen beforehand: no pick of the luckiest for each ion.
        for classical, words in (
            ("extra-trees", "extra trees on the ion's own rows"),
            ("extra-trees-all", "extra trees on all ions' rows"),
            ("svr", "SVR on the ion's own rows"),
            ("svr-all", "SVR on all ions' rows"),
            ("svr-li", "SVR trained on Li and applied to the ion, the paper's comparison"),
        ):
            groups: dict[str, list[str]] = {"better": [], "within 0.02 V": [], "worse": []}
            for ion in ("Li", *(ion for ion in OTHERS if ion not in FEW)):
                name = f"{classical}-li" if ion == "Li" and classical in NAMES else classical
                row = found[name, ion]
                networks = network_mae(ion, split, "network" if ion == "Li" else "transfer", row) or float("nan")
                apart = networks - row["mae"]
                group = "better" if apart < -0.02 else "worse" if apart > 0.02 else "within 0.02 V"
                sure = "" if row["mae_low"] <= networks <= row["mae_high"] else "\\*"
                groups[group].append(f"{ion} {networks:.2f}/{row['mae']:.2f}{sure}")
            parts = "; ".join(f"{name}: {', '.join(ions) or 'none'}" for name, ions in groups.items())
            lines.append(f"- {words} – {parts}.")
        lines.append("")
    return "\n".join(lines).rstrip()


def page(output: Path) -> None:
    path = ROOT / "docs/evaluation.md"
    for split in SPLITS:
        write_between(path, f"baselines {split}", table(output, split))
    write_between(path, "verdict", verdict(output))


def feature_list() -> str:
    """Every feature, grouped by what it is about."""
    groups: dict[str, list[str]] = {}
    for name in COMPOSITION_FEATURES[: len(PROPERTIES) * len(STATISTICS)]:
        groups.setdefault(f"Statistics of {name.rsplit(' ', 1)[1]} over the atoms", []).append(name)
    groups["Composition"] = list(COMPOSITION_FEATURES[len(PROPERTIES) * len(STATISTICS) :])
    spread = [name for name in STRUCTURE_FEATURES if "local difference" in name]
    pairs = [name for name in STRUCTURE_FEATURES if name.startswith("shortest ")]
    sites = [name for name in STRUCTURE_FEATURES if ", " in name]
    cell = [name for name in STRUCTURE_FEATURES if name not in {*spread, *pairs, *sites}]
    groups |= {"Cell and density": cell, "Coordination and distances, by class of the atom": sites}
    groups |= {"Shortest distances between classes": pairs, "Difference between an atom and its neighbours": spread}
    groups["Working ion (models for several ions only)"] = list(ION_FEATURES)
    lines = [f"{len(FEATURES)} features of the host and {len(ION_FEATURES)} of the ion:", ""]
    for words, names in groups.items():
        lines += [f"{words} ({len(names)}):", "", f"- {'; '.join(names)}", ""]
    return "\n".join(lines).rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["measure", "page", "features"])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/baselines"))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.task == "measure":
        if arguments.data is None:
            parser.error("measure needs a data set")
        measure(arguments.data, arguments.output, arguments.seeds)
    elif arguments.task == "page":
        page(arguments.output)
    else:
        write_between(ROOT / "docs/evaluation.md", "features", feature_list())


if __name__ == "__main__":
    main()
