"""Classical models beside the transferred networks, on the same splits, and the table of it in docs/evaluation.md.

    python scripts/baselines.py measure runs/mp2020.parquet -o runs/baselines
    python scripts/baselines.py page -o runs/baselines

``measure`` runs SVR, kernel ridge, random forest and extra trees in three settings under the splits on which
``shipped_models.py evaluate`` measured the networks (their errors stand in the shipped model's card). What is done is
not repeated. ``page`` writes the tables between the markers; no number in them is typed by hand.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from ionvolt.datasets import read_dataset
from ionvolt.electrode import WORKING_IONS
from ionvolt.evaluation.learners import Classical
from ionvolt.evaluation.protocol import Protocol
from ionvolt.evaluation.results import Results, read_results
from ionvolt.evaluation.tables import summarise
from ionvolt.models.registry import DEFAULT_MODEL, shipped_models
from ionvolt.training.classical import NAMES
from model_page import ROOT, mae, write_between

SPLITS = ("random", "framework")
OTHERS = tuple(ion for ion in WORKING_IONS if ion != "Li")
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
                    progress=lambda done, total, words, s=split: print(
                        f"{time.ctime()} {s} {done}/{total} {words}", flush=True
                    ),
                )
                print(f"{file} {split} seed {seed}: {time.time() - start:.0f} s", flush=True)


def records(output: Path, split: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Summaries by model and ion, and the rows behind them checked to be those of the networks."""
    found = {}
    for file in FILES:
        results: Results = read_results(output / f"{file}-{split}.parquet")
        found |= {(r["model"], r["ion"]): r for r in summarise(results)}
    return found


def table(output: Path, split: str) -> str:
    card = shipped_models()[DEFAULT_MODEL].ions
    found = records(output, split)
    columns = [(f"{WORDS[name]}", name) for name in NAMES]
    lines = [
        "| ion | rows | mean | transfer (Li: network) | from scratch | trained on | "
        + " | ".join(words for words, _ in columns)
        + " |",
        "|" + "---|" * (6 + len(columns)),
    ]
    for ion in WORKING_IONS:
        networks = card[ion]["errors"][f"paper/{split}"]
        shown = "network" if ion == "Li" else "transfer"
        for setting, words in (("", "the ion"), ("-li", "Li"), ("-all", "all ions")):
            if ion == "Li" and not setting:
                continue
            cells = [found.get((name + setting, ion)) for _, name in columns]
            first = setting == ("-li" if ion == "Li" else "")
            row = next(r for r in cells if r)
            head = [
                ion, str(row["n_test"]), f"{row['mae_of_mean_predictor']:.2f}",
                mae(networks, shown, interval=True), mae(networks, "scratch"),
            ] if first else [""] * 5  # fmt: skip
            best = min(r["mae"] for r in cells if r)
            texts = [
                "–"
                if r is None
                else _bold(f"{r['mae']:.2f} ({r['mae_low']:.2f}–{r['mae_high']:.2f})", r["mae"] == best)
                for r in cells
            ]
            lines.append("| " + " | ".join([*head, words, *texts]) + " |")
    return "\n".join(lines)


def _bold(text: str, yes: bool) -> str:
    return f"**{text}**" if yes else text


def verdict(output: Path) -> str:
    """In words: where the transfer does better than the best classical setting, and where not."""
    card = shipped_models()[DEFAULT_MODEL].ions
    lines = []
    for split in SPLITS:
        found = records(output, split)
        better, worse, alike = [], [], []
        for ion in OTHERS:
            transfer = card[ion]["errors"][f"paper/{split}"]["transfer"]
            # One learner chosen for all ions beforehand: no pick of the luckiest.
            for classical in ("extra-trees", "extra-trees-all"):
                r = found[classical, ion]
                text = f"{ion} ({transfer['mae']:.2f} against {r['mae']:.2f})"
                target = (
                    better
                    if transfer["mae"] < r["mae"] - 0.02
                    else worse
                    if transfer["mae"] > r["mae"] + 0.02
                    else alike
                )
                target.append((classical, text))
        for classical, words in (("extra-trees", "the ion's own rows"), ("extra-trees-all", "all ions' rows")):
            parts = [
                f"{name} for {', '.join(t for c, t in group if c == classical) or 'none'}"
                for name, group in (("better", better), ("within 0.02 V", alike), ("worse", worse))
            ]
            lines.append(f"- {split} split, transfer against extra trees on {words}: {'; '.join(parts)}.")
    return "\n".join(lines)


def page(output: Path) -> None:
    path = ROOT / "docs/evaluation.md"
    for split in SPLITS:
        write_between(path, f"baselines {split}", table(output, split))
    write_between(path, "verdict", verdict(output))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["measure", "page"])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/baselines"))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.task == "measure":
        if arguments.data is None:
            parser.error("measure needs a data set")
        measure(arguments.data, arguments.output, arguments.seeds)
    else:
        page(arguments.output)


if __name__ == "__main__":
    main()
