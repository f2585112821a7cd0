"""Design from a spinel by a model that has seen none: are those that exist found, and ranked as the labels rank them?

Every electrode of the ion (``--all-ions``: of any ion) whose host is a spinel is left out; of the learners of
``delta-mp2025`` the kernel on atoms is fitted anew to the rest, on the features that ``ionvolt recipe run mlip`` left
in a folder. Candidates are made from one member; those that the data set holds are looked up among them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher
from scipy.stats import spearmanr

from ionvolt.datasets import Electrode, clean, read_dataset
from ionvolt.designing import DesignSettings, design_job
from ionvolt.designing.assessment import Relaxed
from ionvolt.designing.prototypes import prototypes
from ionvolt.designing.records import Candidate, Design
from ionvolt.ions import WORKING_IONS, EndMembers, WorkingIon, capacity_grav, volumetric
from ionvolt.models.card import ModelCard
from ionvolt.models.interface import AtomContributions, Estimate, Query
from ionvolt.models.mlip.atomic_gp import AtomicGP
from ionvolt.models.mlip.delta_model import pair_of, pair_of_computed
from ionvolt.models.mlip.latent_features import pool_features
from ionvolt.physics.average import RelaxOptions
from ionvolt.physics.average import compute as compute_average
from ionvolt.physics.cache import Cache, cached_outputs
from ionvolt.physics.potentials.pair import load_potentials
from ionvolt.physics.potentials.sevennet import load_sevennet
from ionvolt.physics.reaction import balance
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.recipes.mlip.rows import read_table
from ionvolt.recipes.mlip.settings import MlipSettings
from ionvolt.store import read_arrays, write_arrays
from ionvolt.structures.chemistry import ANIONS
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.spacegroup import primitive_cell
from ionvolt.training.mlip.fit import train_atomic_gp
from ionvolt.typing import LogCallback

PARTS: tuple[EndMembers, ...] = ("discharged", "both")


class Refitted:
    """The potential's energies with a kernel that was fitted without the family; a ``Predictor``."""

    accepts: frozenset[EndMembers] = frozenset({"discharged"})
    explains = False

    def __init__(self, kernel: AtomicGP, name: str, cache: Cache) -> None:
        self.kernel, self.cache = kernel, cache
        self.card = ModelCard(name=name, kind="delta", ions=list(WORKING_IONS))
        self.ions = list(WORKING_IONS)

    def require(self, ions: Sequence[str]) -> None:
        """It knows all ions."""

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        """See ``interface.Predictor``."""
        found = []
        for query in queries:
            assert query.discharged is not None
            ends = [query.discharged, query.host]
            outputs = cached_outputs(ends, load_sevennet(), self.cache)
            full, empty = (pool_features(output, end) for output, end in zip(outputs, ends, strict=True))
            matched = balance(query.discharged, query.host, WORKING_IONS[query.ion])
            pair = pair_of(full, empty, matched, query.ion)
            voltage = pair.physics + float(self.kernel.corrections([pair])[0])
            found.append(Estimate(voltage, physics=pair.physics, model=self.card.name))
        return found

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """It does not explain."""
        raise NotImplementedError


class Judge:
    """Relaxes both ends, and corrects with a kernel that was fitted without the family."""

    def __init__(self, kernel: AtomicGP, cache: Cache, timeout: float) -> None:
        self.kernel, self.cache, self.potentials = kernel, cache, load_potentials("7net-l3i5")
        self.options = RelaxOptions(True, None, RelaxSettings(timeout=timeout))

    def __call__(self, candidate: Candidate, ion: WorkingIon, log: LogCallback) -> Relaxed:
        """See ``designing.assessment.Judge``; full extraction only."""
        found = compute_average(candidate.crystal, None, ion, self.potentials, self.cache, self.options)
        voltage = found.voltage + float(self.kernel.corrections([pair_of_computed(found)])[0])
        capacity = capacity_grav(found.discharged, ion)
        print(f"  relaxed {candidate.crystal.formula}: {voltage:.2f} V in {found.seconds:.0f} s", flush=True)
        return Relaxed(
            voltage, None, None, None, "refitted", capacity, volumetric(capacity, found.discharged), voltage * capacity,
            volumetric(voltage * capacity, found.discharged), found.volume_change, None, None, found.warnings,
            found.discharged, found.charged,
        )  # fmt: skip


def masked(host: Crystal) -> Crystal:
    """A host with its metals alike and its anions alike, so that only the framework is left."""
    alike = [ATOMIC_NUMBERS["O"] if z in ANIONS else ATOMIC_NUMBERS["Mn"] for z in host.numbers.tolist()]
    return primitive_cell(replace(host, numbers=np.array(alike)))


def family(rows: Sequence[Electrode], like: Crystal, ions: set[str]) -> list[int]:
    """Rows of some ions whose hosts have the framework of a crystal, whatever their elements."""
    matcher = StructureMatcher(ltol=0.25, stol=0.35, angle_tol=8)
    wanted = masked(like).to_pymatgen()
    found = []
    for index, row in enumerate(rows):
        host = row.host
        n_anions = sum(n for s, n in host.composition.items() if ATOMIC_NUMBERS[s] in ANIONS)
        if row.working_ion in ions and 3 * n_anions == 2 * len(host) and len(host) <= 60:
            other = masked(host).to_pymatgen()
            if len(other) == len(wanted) and matcher.fit(wanted, other):
                found.append(index)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a data set of electrodes (Parquet)")
    parser.add_argument("features", type=Path, help="folder of features of `ionvolt recipe run mlip`")
    parser.add_argument("--ion", default="Mg")
    parser.add_argument("--start", default="MgMn2O4", help="a prototype, from which candidates are made")
    parser.add_argument("--all-ions", action="store_true", help="leave the family out for every ion")
    parser.add_argument("--budget", type=int, default=8)
    parser.add_argument("--timeout", type=float, default=90.0)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the cache and the numbers")
    arguments = parser.parse_args()
    started = time.process_time()
    cache = Cache(arguments.output / "cache")
    settings = MlipSettings()
    data, _ = clean(read_dataset(arguments.data), settings.clean)
    rows = list(data)
    (start,) = prototypes(arguments.start)
    host = start if arguments.ion not in start.composition else _without(start, arguments.ion)
    left_out = family(rows, host, set(WORKING_IONS) if arguments.all_ions else {arguments.ion})
    own = [rows[index] for index in left_out if rows[index].working_ion == arguments.ion]
    learned = np.setdiff1d(np.arange(len(rows)), left_out)
    print(
        f"{len(left_out)} electrodes left out, {len(own)} of {arguments.ion}; {len(learned)} to learn from", flush=True
    )

    kernels = {}
    for part in PARTS:
        path = arguments.output / f"kernel-{part}-{len(left_out)}.npz"
        known = read_arrays(path)
        if known is not None:
            kernels[part] = AtomicGP.from_arrays(known)
            continue
        rows_of = read_table(data, learned, arguments.features, (part,), settings.structures_a_file).parts[part]
        places = np.arange(len(rows_of))
        kernels[part] = train_atomic_gp(rows_of.pairs, rows_of.target, places, settings.corrections[part])
        write_arrays(path, kernels[part].arrays())
        print(f"{part}: fitted to {len(rows_of)}, {time.process_time() - started:.0f} s", flush=True)

    asked = DesignSettings(guide="probability", candidates=80, budget=arguments.budget, changes=2, halves=True)
    found = design_job(
        [start], arguments.ion, asked, model=Refitted(kernels["discharged"], "refitted", cache), cache=cache,
        judge=Judge(kernels["both"], cache, arguments.timeout), folder=arguments.output / f"run-{arguments.budget}",
        progress=lambda done, total, words: None,
    )  # fmt: skip
    print(f"{found.proposed} substitutions, {len(found.designs)} candidates, {time.process_time() - started:.0f} s")
    for line in found.refused:
        print(f"  refused: {line}")
    tell(own, found.designs, arguments.output)
    print(f"{time.process_time() - started:.0f} s of one core")


def tell(own: Sequence[Electrode], designs: Sequence[Design], folder: Path) -> None:
    """Which of the family are among the candidates, and how both rank them."""
    matcher = StructureMatcher(ltol=0.25, stol=0.35, angle_tol=8)
    pairs: list[tuple[Electrode, Design]] = []
    missing = []
    for row in own:
        assert row.discharged is not None
        whole = row.discharged.to_pymatgen()
        same = [
            one
            for one in designs
            if one.formula == row.discharged.formula and matcher.fit(whole, one.discharged.to_pymatgen())
        ]
        if same:
            pairs.append((row, same[0]))
        else:
            missing.append(row)
    print(f"{len(pairs)} of {len(own)} are among the candidates; not: "
          + ", ".join(f"{row.formula_discharge} ({row.average_voltage:.2f} V)" for row in missing))  # fmt: skip
    print(f"{'electrode':<16}{'label (V)':>10}{'predicted (V)':>14}{'relaxed (V)':>12}{'rank':>6}")
    for row, one in sorted(pairs, key=lambda both: both[1].rank):
        relaxed = f"{one.voltage:.2f}" if one.stage == "relaxed" else ""
        print(
            f"{row.formula_discharge:<16}{row.average_voltage:>10.2f}{one.voltage_predicted:>14.2f}{relaxed:>12}{one.rank:>6}"
        )
    content: dict[str, Any] = {"left_out": len(own), "found": len(pairs), "candidates": len(designs)}
    for name, chosen in (
        ("predicted", pairs),
        ("relaxed", [both for both in pairs if both[1].stage == "relaxed"]),
    ):
        if len(chosen) < 3:
            continue
        labels = np.array([row.average_voltage for row, _ in chosen])
        said = np.array(
            [one.voltage_predicted if name == "predicted" else one.voltage for _, one in chosen], dtype=float
        )
        content[name] = {"n": len(chosen), "mae": float(np.abs(said - labels).mean()),
                         "spearman": float(spearmanr(labels, said).statistic)}  # fmt: skip
        figures = content[name]
        print(f"{name}: n = {len(chosen)}, MAE {figures['mae']:.2f} V, Spearman {figures['spearman']:.2f}")
    (folder / "held_out.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _without(crystal: Crystal, symbol: str) -> Crystal:
    keep = crystal.numbers != ATOMIC_NUMBERS[symbol]
    return replace(crystal, numbers=crystal.numbers[keep], frac_coords=crystal.frac_coords[keep])


if __name__ == "__main__":
    main()
