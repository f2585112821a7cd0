"""Evaluate and train the models that come with IonVolt.

    python scripts/shipped_models.py evaluate runs/mp2020.parquet -o runs/shipped
    python scripts/shipped_models.py train    runs/mp2020.parquet -o runs/shipped

``evaluate`` measures the recipe on held-out parts: for each cleaning, kind of split and seed, an ensemble is trained
on Li *without any framework of any ion's test part*, transferred to every other ion and tested once, beside the mean
predictor, the Li model applied as it is, and networks trained from scratch on the ion alone. Each unit is a file; what
is there is not repeated, so a killed run goes on. ``train`` then trains the final networks on all rows and writes the
package's weights and their card with the errors that ``evaluate`` measured.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ionvolt.datasets import ElectrodeSet, clean, read_dataset
from ionvolt.evaluation.metrics import metrics
from ionvolt.evaluation.testing import as_ensemble, calibrate_std, elements_of
from ionvolt.graphs import CrystalGraph, build_graph
from ionvolt.ions import WORKING_IONS
from ionvolt.models.card import ModelCard
from ionvolt.models.cgcnn.ensemble import Ensemble, save_ensemble
from ionvolt.models.registry import PAPER_MODEL, SHIPPED
from ionvolt.training.cgcnn.local_head import fit_local_heads
from ionvolt.training.cgcnn.networks import pooled_vectors, train_ensemble, transfer_heads
from ionvolt.training.cgcnn.runs import Parts, frameworks_of_tests, prepare
from ionvolt.training.settings import FINE_TUNE, HEAD, Settings

ATTRIBUTION = (
    "Trained on data of the Materials Project (materialsproject.org), CC BY 4.0. "
    "Jain et al., APL Mater. 1, 011002 (2013)"
)
LI = Settings()
SCRATCH = Settings(batch_size=32, epochs=60)
OTHERS = [ion for ion in WORKING_IONS if ion != "Li"]
# (cleaning, split, seeds, ensemble members)
UNITS = [
    ("paper", "random", range(5), 3),
    ("paper", "framework", range(5), 2),
    ("none", "random", range(5), 2),
    ("none", "framework", range(3), 2),
]
FINAL_MEMBERS = 5
COMPARED_SEEDS = 2
"""Seeds of the trimmed sets for which networks are also trained from scratch and fine-tuned."""


def load(path: Path, cleaning: str) -> tuple[ElectrodeSet, dict[str, int]]:
    return clean(read_dataset(path), [] if cleaning == "none" else [cleaning])


def graphs_of(data: ElectrodeSet, cache: dict[str, CrystalGraph]) -> list[CrystalGraph]:
    for key, electrode in zip(data.keys, data, strict=True):
        if key not in cache:
            cache[key] = build_graph(electrode.host)
    return [cache[key] for key in data.keys]


def evaluate_unit(
    data: ElectrodeSet, kind: Any, seed: int, n_members: int, cache: dict[str, CrystalGraph], jobs: int, compare: bool
) -> dict[str, Any]:
    """One seed of one split: every ion's test predictions by every model, in V."""
    forbidden = frameworks_of_tests(data, OTHERS, kind, seed)
    li = prepare(data, "Li", kind=kind, seed=seed, n_members=n_members, forbidden=forbidden)
    li_graphs = graphs_of(li.rows, cache)
    networks, _ = train_ensemble(li_graphs, li.rows.voltages, li.members, replace(LI, seed=100 * seed), jobs=jobs)
    record: dict[str, Any] = {
        "Li": tested(
            li, as_ensemble(networks, "Li", "li").voltages([li_graphs[i] for i in li.split.test], ["Li"])[0], "network"
        )
    }
    record["Li"]["excluded_frameworks"] = len(forbidden)
    for ion in OTHERS:
        parts = prepare(data, ion, kind=kind, seed=seed, n_members=n_members)
        graphs = graphs_of(parts.rows, cache)
        test = parts.split.test
        if not len(test):
            continue
        pooled = [pooled_vectors(network.trunk, graphs) for network in networks]
        heads, _ = transfer_heads(
            networks,
            graphs,
            parts.rows.voltages,
            parts.members,
            replace(HEAD, seed=100 * seed),
            pooled=pooled,
            jobs=jobs,
        )
        with torch.no_grad():
            transfer = np.array([head(p[test]).numpy() for head, p in zip(heads, pooled, strict=True)])
            as_it_is = np.array([n.head(p[test]).numpy() for n, p in zip(networks, pooled, strict=True)])
        record[ion] = tested(parts, transfer, "transfer") | {"li_model": as_it_is.mean(0).tolist()}
        if compare:
            small = parts.members[:1]
            record[ion]["scratch"] = from_scratch(parts, graphs, seed)
            tuned, _ = train_ensemble(
                graphs,
                parts.rows.voltages,
                small,
                replace(FINE_TUNE, seed=100 * seed, epochs=25),
                initial=networks[:1],
                jobs=jobs,
            )
            record[ion]["fine_tuned"] = mean_of(tuned, graphs, test)
    return record


def from_scratch(parts: Parts, graphs: list[CrystalGraph], seed: int) -> list[float]:
    """Test predictions of one network that has seen the ion alone."""
    alone, _ = train_ensemble(graphs, parts.rows.voltages, parts.members[:1], replace(SCRATCH, seed=100 * seed))
    return mean_of(alone, graphs, parts.split.test)


def fill_scratch(path: Path, output: Path, shard: tuple[int, int]) -> None:
    """Train from scratch on the trimmed splits that have no such networks yet."""
    data, cache = load(path, "paper")[0], {}
    files = [output / f"paper-{kind}-{seed}.json" for kind in ("random", "framework") for seed in range(5)]
    for number, file in enumerate(files):
        record = json.loads(file.read_text()) if file.exists() else {}
        if number % shard[1] != shard[0] or all("scratch" in r for ion, r in record.items() if ion != "Li"):
            continue
        _, kind, seed = file.stem.split("-")
        for ion in [ion for ion in record if ion != "Li"]:
            parts = prepare(data, ion, kind=kind, seed=int(seed), n_members=1)
            record[ion]["scratch"] = from_scratch(parts, graphs_of(parts.rows, cache), int(seed))
        file.write_text(json.dumps(record))
        print(f"{file.name}: from scratch", flush=True)


def mean_of(networks: list[Any], graphs: list[CrystalGraph], test: np.ndarray) -> list[float]:
    return as_ensemble(networks, "Li", "").voltages([graphs[i] for i in test], ["Li"])[0].mean(0).tolist()


def tested(parts: Any, members: np.ndarray, name: str) -> dict[str, Any]:
    rows, test = parts.rows, parts.split.test
    train = np.unique(np.concatenate([np.concatenate(pair) for pair in parts.members]))
    return {
        "ids": [rows.keys[i] for i in test],
        "frameworks": rows.frameworks[test].tolist(),
        "target": rows.voltages[test].tolist(),
        "n_train": len(parts.members[0][0]),
        "mean": [float(rows.voltages[train].mean())] * len(test),
        name: members.mean(0).tolist(),
        f"{name}_first_member": members[0].tolist(),
        "spread": members.std(0, ddof=1).tolist(),
    }


def evaluate(path: Path, output: Path, jobs: int, shard: tuple[int, int]) -> None:
    cache: dict[str, CrystalGraph] = {}
    sets = {cleaning: load(path, cleaning)[0] for cleaning, *_ in UNITS}
    units = [(c, k, s, n) for c, k, seeds, n in UNITS for s in seeds]
    for number, (cleaning, kind, seed, n_members) in enumerate(units):
        file = output / f"{cleaning}-{kind}-{seed}.json"
        if number % shard[1] != shard[0] or file.exists():
            continue
        start = time.time()
        record = evaluate_unit(
            sets[cleaning], kind, seed, n_members, cache, jobs, cleaning == "paper" and seed < COMPARED_SEEDS
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(record))
        part.replace(file)
        errors = {
            ion: round(float(np.abs(np.array(r.get("transfer", r.get("network"))) - r["target"]).mean()), 3)
            for ion, r in record.items()
        }
        print(f"{file.name} {time.time() - start:.0f} s {errors}", flush=True)


def summary(output: Path) -> dict[str, dict[str, Any]]:
    """Errors of every model, over all seeds of a cleaning and split, for every ion."""
    result: dict[str, dict[str, Any]] = {}
    for cleaning, kind, seeds, n_members in UNITS:
        there = [s for s in seeds if (output / f"{cleaning}-{kind}-{s}.json").exists()]
        records = [json.loads((output / f"{cleaning}-{kind}-{s}.json").read_text()) for s in there]
        for ion in WORKING_IONS:
            found = [r[ion] for r in records if ion in r]
            if not found:
                continue
            entry: dict[str, Any] = {
                "splits": len(found),
                "split_seeds": [s for s, r in zip(there, records, strict=True) if ion in r],
                "members": n_members,
                "n_train": found[0]["n_train"],
                "n_test": round(float(np.mean([len(r["target"]) for r in found])), 1),
            }
            for model in ("mean", "li_model", "scratch", "fine_tuned", "transfer", "network", "network_first_member"):
                having = [r for r in found if model in r]
                if having:
                    target = np.concatenate([r["target"] for r in having])
                    predicted = np.concatenate([r[model] for r in having])
                    ids = np.concatenate([r["ids" if kind == "random" else "frameworks"] for r in having])
                    entry[model] = {k: round(v, 4) for k, v in asdict(metrics(target, predicted, ids)).items()}
                    entry[model]["mae_by_split"] = [
                        round(float(np.abs(np.array(r[model]) - r["target"]).mean()), 4) for r in having
                    ]
                    entry[model]["splits"] = len(having)
            errors = np.concatenate([np.array(r.get("transfer", r.get("network"))) - r["target"] for r in found])
            entry |= calibrate_std(errors, np.concatenate([r["spread"] for r in found]))
            result.setdefault(f"{cleaning}/{kind}", {})[ion] = entry
    return result


def train(path: Path, output: Path, jobs: int) -> None:
    data, removed = load(path, "paper")
    cache: dict[str, CrystalGraph] = {}
    facts = summary(output)
    li = prepare(data, "Li", n_members=FINAL_MEMBERS, keep_test=False)
    networks, _ = train_ensemble(
        graphs_of(li.rows, cache), li.rows.voltages, li.members, LI, folder=output / "final" / "Li", jobs=jobs
    )
    ensemble = Ensemble([n.trunk for n in networks], {"Li": [n.head for n in networks]}, ModelCard(PAPER_MODEL))
    card = ensemble.card
    first = pooled_vectors(networks[0].trunk, graphs_of(li.rows, cache))
    ensemble.reference_scale = first.std(0) + 1e-6
    for ion in WORKING_IONS:
        parts = li if ion == "Li" else prepare(data, ion, n_members=FINAL_MEMBERS, keep_test=False)
        if ion != "Li":
            ensemble.heads[ion], _ = transfer_heads(
                networks,
                graphs_of(parts.rows, cache),
                parts.rows.voltages,
                parts.members,
                HEAD,
                folder=output / "final" / ion,
                jobs=jobs,
            )
        pooled = [pooled_vectors(network.trunk, graphs_of(parts.rows, cache)) for network in networks]
        ensemble.local_heads[ion], fits = fit_local_heads(
            pooled, ensemble.heads[ion], parts.rows.voltages, parts.members
        )
        ensemble.references[ion] = (pooled[0] / ensemble.reference_scale).half()
        card.elements[ion] = elements_of(parts, np.arange(len(parts.rows)))
        card.ions[ion] = {
            "mode": "scratch" if ion == "Li" else "head",
            "n_rows": len(parts.rows),
            "distance_limit": distance_limit(ensemble.references[ion], parts.rows.frameworks),
            "frameworks": sorted(set(parts.rows.frameworks)),
            "local_voltages": {
                "mae_to_label_V": round(float(np.mean([fit.mae_to_label for fit in fits])), 4),
                "mae_to_head_V": round(float(np.mean([fit.mae_to_head for fit in fits])), 4),
                "note": "mean of local voltages against label and head, on validation rows of each member",
            },
            "voltage_range_V": [round(float(f(parts.rows.voltages)), 3) for f in (np.min, np.max)],
            **{key: facts["paper/framework"][ion][key] for key in ("std_scale", "std_floor")},
            "errors": {key: by_ion[ion] for key, by_ion in facts.items() if ion in by_ion},
        }
    card.description = (
        "The paper's method, trained here: crystal graph networks pre-trained on Li electrodes; for every other ion "
        "the two last layers were trained again, embedding, convolutions and batch statistics frozen."
    )
    card.training = {
        "data": path.name,
        "snapshots": sorted({e.snapshot for e in data}),
        "cleaning": removed,
        "members": FINAL_MEMBERS,
        "split": "final networks: all rows, another ninth of them as validation part for each member; "
        "errors: other networks of the same recipe on held-out test parts (errors, by cleaning/split)",
        "settings": {"Li": asdict(LI), "heads": asdict(HEAD)},
        "frameworks": sorted(set(li.rows.frameworks)),
    }
    card.limits = LIMITS
    card.attribution = ATTRIBUTION
    save_ensemble(ensemble, SHIPPED / PAPER_MODEL)
    print(f"{SHIPPED / PAPER_MODEL}: written")


def distance_limit(reference: torch.Tensor, frameworks: np.ndarray) -> float:
    """The distance within which 19 of 20 training hosts have a training host of another framework."""
    vectors = reference.float()
    apart = torch.cdist(vectors, vectors) / vectors.shape[1] ** 0.5
    same = torch.from_numpy(frameworks[:, None] == frameworks[None, :])
    return round(float(apart.masked_fill(same, float("inf")).min(1).values.quantile(0.95)), 4)


LIMITS = [
    "The voltage is the average over the whole charge that the Materials Project calculated (PBE+U, 0 K), from the "
    "charged host alone: how much ion goes in is not an input, and one host can have several voltages.",
    "Hosts far from the training frameworks have the errors of the framework split, not of the random one.",
    "Rb, Cs, K, Al and Y rest on few electrodes (n_rows of each ion); their intervals are wide.",
    "voltage_std is the ensemble's spread, scaled so that 68 % of errors on framework-held-out electrodes lie within "
    "it; it is no guarantee for a single crystal.",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["evaluate", "scratch", "summary", "train"])
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/shipped"))
    parser.add_argument("-j", "--jobs", type=int, default=1)
    parser.add_argument("--shard", default="0/1", help="this process's share of the units, such as 0/2")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.task == "evaluate":
        index, count = (int(part) for part in arguments.shard.split("/"))
        evaluate(arguments.data, arguments.output, arguments.jobs, (index, count))
    elif arguments.task == "scratch":
        index, count = (int(part) for part in arguments.shard.split("/"))
        fill_scratch(arguments.data, arguments.output, (index, count))
    elif arguments.task == "summary":
        print(json.dumps(summary(arguments.output), indent=1))
    else:
        train(arguments.data, arguments.output, arguments.jobs)


if __name__ == "__main__":
    main()
