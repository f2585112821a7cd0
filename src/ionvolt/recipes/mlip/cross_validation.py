"""Evaluate and train the models on top of the universal potential: hosts alone, and both end members.

    python scripts/foundation_models.py vectors  runs/mp2025.parquet -o runs/foundation
    python scripts/foundation_models.py evaluate runs/mp2025.parquet -o runs/foundation
    python scripts/foundation_models.py train    runs/mp2025.parquet -o runs/foundation

``vectors`` runs the potential over all structures, and over all hosts with the ion tried in their voids; a second run
beside the first takes half of the work.
``evaluate`` predicts every electrode by models that have not seen its framework (or, in a random split, itself).
``train`` fits the shipped models on all rows, their intervals on the held-out errors, and writes weights and cards.
Each unit is a file; what is there is not repeated.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet, clean, read_dataset
from ionvolt.datasets.splits import framework_folds, random_folds
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, EndMembers, remove_ion
from ionvolt.models.mlip.delta_model import pair_of
from ionvolt.models.mlip.delta_network import EndMemberPair, corrections
from ionvolt.models.mlip.foundation_model import kernel_voltages, network_voltages
from ionvolt.models.mlip.full_extraction import FullExtractionClassifier, full_extraction_features
from ionvolt.models.mlip.host_krr import KRRSettings, standardise
from ionvolt.models.mlip.latent_features import CrystalFeatures, compute_features, pool_features
from ionvolt.models.mlip.trial_features import TrialFeatures, from_crystal_features
from ionvolt.models.uncertainty.domain import ensemble_mean, nearest
from ionvolt.physics.interstitials import primitive_cell
from ionvolt.physics.potentials.sevennet import load_sevennet
from ionvolt.physics.reaction import balance
from ionvolt.physics.trial_insertion import trial_insertions
from ionvolt.structures.crystal import Crystal
from ionvolt.training.mlip.fit import RECIPES, HostRows, train_atomic_gp, train_delta_network, train_host_krr
from ionvolt.training.mlip.full_extraction import fit_full_extraction

N_FOLDS = 5
# (split, seed, members): seed 0 served to choose settings, so that no figure rests on it.
SPLITS = [("framework", 1, 3), ("random", 1, 2)]
FINAL_MEMBERS = 3
CHUNK = 100
"""Structures whose vectors stand in one file."""

Vector = NDArray[np.float64]


@dataclass
class Ends:
    """End members of electrodes, row by row."""

    data: ElectrodeSet
    both: list[EndMemberPair]
    stripped: list[EndMemberPair | None]
    """None where nothing but isolated atoms is left."""


@dataclass
class Table(Ends):
    """All that training and evaluation need, row by row."""

    hosts: HostRows


def structures(data: ElectrodeSet) -> dict[str, Crystal]:
    """Every structure that the potential must see, by name; the last ones are discharged ones without their ions."""
    found: dict[str, Crystal] = {}
    for e in data:
        assert e.discharged is not None
        assert e.id_discharge is not None
        found[e.id_charge] = e.host
        found[e.id_discharge] = e.discharged
    for e in data:
        assert e.discharged is not None
        try:
            found[f"{e.id_discharge}|{e.working_ion}"] = remove_ion(e.discharged, WORKING_IONS[e.working_ion])
        except InputError:
            continue
    return found


def compute_vectors(crystals: Mapping[str, Crystal], folder: Path) -> None:
    """Run a potential over structures, a hundred a file."""
    folder.mkdir(parents=True, exist_ok=True)
    found = list(crystals.items())
    for number, start in enumerate(range(0, len(found), CHUNK)):
        file = folder / f"{number:03d}.npz"
        if file.exists() or not claimed(file):
            continue
        began, kept = time.time(), []
        for name, crystal in found[start : start + CHUNK]:
            try:
                kept.append((name, compute_features([crystal])[0]))
            except InputError as error:
                print(f"{name}: {error}", flush=True)
        part = file.with_suffix(".part.npz")
        np.savez(
            part,
            names=np.array([name for name, _ in kept]),
            energy=np.array([v.energy for _, v in kept]),
            volume=np.array([v.volume for _, v in kept]),
            size=np.array([len(v) for _, v in kept]),
            pooled=np.array([v.pooled for _, v in kept]),
            atoms=np.concatenate([v.atoms for _, v in kept]).astype(np.float16),
        )
        part.replace(file)
        claim_of(file).unlink()
        print(f"{file.name}: {len(kept)} structures, {time.time() - began:.0f} s", flush=True)


def claim_of(file: Path) -> Path:
    return file.with_suffix(".claim")


def claimed(file: Path) -> bool:
    """Whether the file is now this run's to write; what another run is at, is left to it."""
    try:
        claim_of(file).open("x").close()
    except FileExistsError:
        print(f"{claim_of(file)}: another run is at it. If there is none, delete the file", flush=True)
        return False
    return True


def compute_trials(data: ElectrodeSet, output: Path) -> None:
    """Try the ion in every host, a file for each row."""
    folder = output / "inserted"
    folder.mkdir(parents=True, exist_ok=True)
    potential = load_sevennet()
    for row, e in enumerate(data):
        file = folder / f"{row:05d}.npz"
        if file.exists() or not claimed(file):
            continue
        cell = primitive_cell(e.host)
        single, filled = trial_insertions(cell, WORKING_IONS[e.working_ion], potential)
        vectors = {name: pool_features(t.output, t.crystal) for name, t in (("single", single), ("filled", filled))}
        if cell is not e.host:  # else its vectors stand among the structures'
            vectors["host"] = compute_features([cell])[0]
        found: dict[str, Any] = {}
        for name, v in vectors.items():
            found |= {f"{name}.energy": v.energy, f"{name}.pooled": v.pooled, f"{name}.volume": v.volume}
            found[f"{name}.atoms"] = v.atoms.astype(np.float16)
        part = file.with_suffix(".part.npz")
        np.savez(part, n_ions=filled.n_ions, **found)
        part.replace(file)
        claim_of(file).unlink()
        if row % 100 == 0:
            print(f"ions tried in {row} hosts", flush=True)


def read_trials(data: ElectrodeSet, hosts: dict[str, CrystalFeatures], output: Path) -> list[TrialFeatures]:
    found = []
    for row, e in enumerate(data):
        with np.load(output / "inserted" / f"{row:05d}.npz") as z:
            own = {
                name: CrystalFeatures(
                    float(z[f"{name}.energy"]),
                    z[f"{name}.atoms"].astype(np.float32),
                    z[f"{name}.pooled"],
                    float(z[f"{name}.volume"]),
                )
                for name in ("single", "filled", "host")
                if f"{name}.energy" in z
            }
            host = own.get("host") or hosts[e.id_charge]
            found.append(from_crystal_features(host, own["single"], own["filled"], int(z["n_ions"]), e.working_ion))
    return found


def read_vectors(folder: Path) -> dict[str, CrystalFeatures]:
    found: dict[str, CrystalFeatures] = {}
    for file in sorted(folder.glob("[0-9]*[0-9].npz")):
        with np.load(file) as content:
            names, energy, volume = content["names"].tolist(), content["energy"], content["volume"]
            pooled = content["pooled"]
            atoms = np.split(content["atoms"].astype(np.float32), np.cumsum(content["size"])[:-1])
        for i, name in enumerate(names):
            found[name] = CrystalFeatures(float(energy[i]), atoms[i], pooled[i], float(volume[i]))
    return found


def read_ends(path: Path, output: Path) -> Ends:
    data, _ = clean(read_dataset(path), ["abs7"])
    vectors = read_vectors(output / "vectors")
    both: list[EndMemberPair] = []
    stripped: list[EndMemberPair | None] = []
    for e in data:
        assert e.discharged is not None
        ion = WORKING_IONS[e.working_ion]
        ends = balance(e.discharged, e.host, ion)
        both.append(pair_of(vectors[e.id_discharge or ""], vectors[e.id_charge], ends, ion.symbol))
        name = f"{e.id_discharge}|{ion.symbol}"
        if name in vectors:
            ends = balance(e.discharged, remove_ion(e.discharged, ion), ion)
            stripped.append(pair_of(vectors[e.id_discharge or ""], vectors[name], ends, ion.symbol))
        else:
            stripped.append(None)
    return Ends(data, both, stripped)


def table(path: Path, output: Path) -> Table:
    ends = read_ends(path, output)
    data, hosts = ends.data, {e.id_charge: pair.charged for e, pair in zip(ends.data, ends.both, strict=True)}
    content = [pair.n_ions / (pair.charged_cells * len(e.host)) for e, pair in zip(data, ends.both, strict=True)]
    rows = HostRows(read_trials(data, hosts, output), np.array(content), data.voltages)
    return Table(data, ends.both, ends.stripped, rows)


def units() -> Iterator[tuple[str, int, int, int]]:
    for split, seed, n_members in SPLITS:
        for fold in range(N_FOLDS):
            yield split, seed, n_members, fold


def evaluate_host(t: Table, train: Any, test: Any, seed: int, n_members: int) -> dict[str, Vector]:
    """Held-out answers of host models, with and without the discharged composition."""
    rows = t.hosts
    some, ions = [rows.inserted[i] for i in test], rows.ion_numbers[test]
    recipe, pairs = RECIPES["charged"], rows.pairs
    networks = [train_delta_network(pairs, rows.target, train, recipe, 100 * seed + m) for m in range(n_members)]
    kernel = train_host_krr(rows, train, KRRSettings())
    trial = np.array([host.pair.physics for host in some])
    found = {
        "members": network_voltages(networks, some),
        "atoms": trial + train_atomic_gp(pairs, rows.target, train, recipe).corrections([pairs[i] for i in test]),
        "trial": trial,
        "distance": distances([host.host for host in rows.inserted], train, test),
    }
    for name, content in (("host", np.full(len(test), np.nan)), ("composition", rows.content[test])):
        found[f"{name}.kernel"], _ = kernel_voltages(kernel, some, ions, content)
    return found


def evaluate_pairs(
    pairs: Sequence[EndMemberPair], target: Vector, train: Any, test: Any, seed: int, variant: EndMembers
) -> dict[str, Vector]:
    """Held-out corrections of one variant of the Δ-model."""
    some, recipe = [pairs[i] for i in test], RECIPES[variant]
    networks = [train_delta_network(pairs, target, train, recipe, 100 * seed + m) for m in range(2)]
    kernel = train_atomic_gp(pairs, target, train, recipe)
    return {
        "members": corrections(networks, some),
        "kernel": kernel.corrections(some),
        "physics": np.array([pair.physics for pair in some]),
        "distance": distances([pair.charged for pair in pairs], train, test),
    }


def emptying(t: Ends, train: Any) -> FullExtractionClassifier:
    """What tells whether an electrode is emptied, learned from some rows."""
    facts = [full_extraction_features(t.both[i].discharged, e.discharged, WORKING_IONS[e.working_ion])
             for i, e in zip(train, t.data[train], strict=True) if e.discharged is not None]  # fmt: skip
    return fit_full_extraction(np.array(facts), emptied(t.data)[train])


def chances(t: Ends, train: Any, rows: Any) -> Vector:
    """How likely the electrodes of some rows are emptied, told by what was learned from others."""
    told = emptying(t, train)
    return np.array([told.chance(t.both[i].discharged, e.discharged, WORKING_IONS[e.working_ion])
                     for i, e in zip(rows, t.data[rows], strict=True) if e.discharged is not None])  # fmt: skip


def emptied(data: ElectrodeSet) -> NDArray[np.bool_]:
    """Whether the label is that of giving up all ions."""
    return np.array([WORKING_IONS[e.working_ion].number not in e.host.numbers for e in data])


def distances(hosts: Sequence[CrystalFeatures], train: Any, test: Any) -> Vector:
    known = np.stack([hosts[i].fingerprint for i in train])
    mean, scale = known.mean(0), known.std(0) + 1e-6
    features = np.stack([hosts[i].fingerprint for i in test])
    return nearest(features, mean, scale, standardise(known, mean, scale))


def evaluate(t: Table, output: Path, parts: Sequence[str]) -> None:
    usable = np.array([i for i, pair in enumerate(t.stripped) if pair is not None])
    stripped = [pair for pair in t.stripped if pair is not None]
    for split, seed, n_members, fold in units():
        test = (framework_folds if split == "framework" else random_folds)(t.data, N_FOLDS, seed)[fold]
        train = np.setdiff1d(np.arange(len(t.data)), test)
        for part in parts:
            file = output / f"{part}-{split}-{seed}-{fold}.npz"
            if file.exists() or (part != "host" and split == "random"):
                continue
            began = time.time()
            if part == "host":
                found, rows = evaluate_host(t, train, test, seed, n_members), test
            elif part == "both":
                found, rows = evaluate_pairs(t.both, t.data.voltages, train, test, seed, "both"), test
            else:
                rows = np.intersect1d(usable, test)
                place = np.searchsorted(usable, rows)
                learn = np.searchsorted(usable, np.intersect1d(usable, train))
                found = evaluate_pairs(stripped, t.data.voltages[usable], learn, place, seed, "discharged")
            temporary = file.with_suffix(".part.npz")
            np.savez(temporary, rows=rows, **found)
            temporary.replace(file)
            print(f"{file.name}: {summary(t, rows, found, part)}, {time.time() - began:.0f} s", flush=True)


def summary(t: Table, rows: Any, found: dict[str, Vector], part: str) -> str:
    target = t.data.voltages[rows]
    texts = []
    for prefix in ("host.", "composition.") if part == "host" else ("",):
        learners = answers(found, part, prefix)
        errors = {"networks": learners[0].mean(0), "together": ensemble_mean(*learners)}
        errors |= {f"kernel {i + 1}": learner for i, learner in enumerate(learners[1:])}
        told = ", ".join(f"{name} {np.abs(voltage - target).mean():.3f}" for name, voltage in errors.items())
        texts.append(f"{prefix or part} {told}")
    return "; ".join(texts)


def answers(found: dict[str, Vector], part: str, prefix: str = "") -> list[Vector]:
    """What the shipped learners say, V: the members of the networks, shape (n_members, n), then the others."""
    learners = candidates(found, part, prefix)
    return learners[:2]


def candidates(found: dict[str, Vector], part: str, prefix: str = "") -> list[Vector]:
    """The same and, for hosts, the kernel on atoms, which is not shipped: ``learner_selection.py`` never takes it."""
    if part == "host":
        kernel = found[f"{prefix}kernel"]
        shift = kernel - found["host.kernel"]
        return [found["members"] + shift, kernel, found["atoms"] + shift]
    return [found["physics"] + found["members"], found["physics"] + found["kernel"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["vectors", "evaluate", "train"])
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/foundation"))
    parser.add_argument("--parts", nargs="+", default=["both", "host", "discharged"])
    arguments = parser.parse_args()
    if arguments.command == "vectors":
        data = clean(read_dataset(arguments.data), ["abs7"])[0]
        compute_vectors(structures(data), arguments.output / "vectors")
        compute_trials(data, arguments.output)
    elif arguments.command == "evaluate":
        evaluate(table(arguments.data, arguments.output), arguments.output, arguments.parts)
    else:
        from foundation_weights import train

        train(table(arguments.data, arguments.output), arguments.output)


if __name__ == "__main__":
    main()
