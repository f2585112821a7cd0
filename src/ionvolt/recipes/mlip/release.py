"""Fit the shipped models on top of the universal potential; called by ``foundation_models.py train``."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import foundation_models as fm
from ionvolt.datasets.splits import framework_folds
from ionvolt.evaluation.metrics import metrics
from ionvolt.ions import WORKING_IONS, EndMembers
from ionvolt.models.card import ModelCard
from ionvolt.models.mlip.delta_model import VARIANTS, Corrector, DeltaModel, Variant, save_delta
from ionvolt.models.mlip.delta_network import IONS, DeltaNetwork, EndMemberPair
from ionvolt.models.mlip.foundation_model import FoundationModel, save_foundation
from ionvolt.models.mlip.full_extraction import FULL_EXTRACTION_THRESHOLD
from ionvolt.models.mlip.host_krr import KRRSettings, standardise
from ionvolt.models.mlip.latent_features import CrystalFeatures
from ionvolt.models.registry import DELTA_MODEL, FOUNDATION_MODEL, SHIPPED
from ionvolt.models.uncertainty.conformal import calibrate
from ionvolt.models.uncertainty.domain import (
    DOMAIN_PERCENTILE,
    WIDTH_PERCENTILE,
    ApplicabilityDomain,
    difficulty_features,
    ensemble_mean,
    ensemble_std,
)
from ionvolt.training.mlip.fit import (
    RECIPES,
    train_atomic_gp,
    train_delta_network,
    train_host_krr,
)

ATTRIBUTION = (
    "Trained on data of the Materials Project (materialsproject.org), CC BY 4.0. Jain et al., APL Mater. 1, 011002 "
    "(2013). Features and energies: SevenNet-l3i5, Park et al., J. Chem. Theory Comput. 20, 4857 (2024), MIT licence"
)
LIMITS = [
    "SevenNet was trained on relaxations of most of these structures, with energies of the same kind as the labels are "
    "made of. No split by framework changes that: errors on materials outside the Materials Project may be larger.",
    "The labels are GGA and GGA+U voltages of ordered crystals at 0 K, not measurements.",
    "Rb and Cs have some thirty electrodes each: their errors and intervals are rough.",
]

Vector = NDArray[np.float64]


class HeldOut:
    """Held-out answers of one kind of model over all folds of a split.

    Attributes:
        rows: Row numbers, each once.
        voltage: V.
        spread: V.
        distance: To the nearest training host.
        unusual: What the conformal signs call disagreement, V.
        fold: Fold of each row.
    """

    def __init__(self, t: fm.Table, output: Path, part: str, split: str, seed: int, prefix: str = "") -> None:
        found = []
        for fold in range(fm.N_FOLDS):
            with np.load(output / f"{part}-{split}-{seed}-{fold}.npz") as content:
                found.append(dict(content))
        self.fold = np.concatenate([np.full(len(f["rows"]), i) for i, f in enumerate(found)])
        self.rows = np.concatenate([f["rows"] for f in found])
        learners = [fm.answers(f, part, prefix) for f in found]
        self.physics = np.concatenate([f["physics"] for f in found]) if part != "host" else None
        self.voltage = np.concatenate([ensemble_mean(*some) for some in learners])
        self.spread = np.concatenate([ensemble_std(*some) for some in learners])
        self.distance = np.concatenate([f["distance"] for f in found])
        self.unusual = self.voltage - (t.data.voltages.mean() if self.physics is None else self.physics)
        self.ions = t.hosts.ion_numbers[self.rows]
        self.target = t.data.voltages[self.rows]
        self.frameworks = t.data.frameworks[self.rows]

    @property
    def difficulty_features(self) -> Vector:
        """Signs of trouble, as ``trust.signs`` makes them."""
        return difficulty_features(self.spread, self.distance, self.unusual)


def coverage(held: HeldOut) -> tuple[Vector, Vector]:
    """Half-widths of each row by a calibration on the other folds, and whether they cover the target."""
    widths = np.empty(len(held.rows))
    for fold in range(fm.N_FOLDS):
        other, own = held.fold != fold, held.fold == fold
        errors = held.voltage[other] - held.target[other]
        conformal = calibrate(held.difficulty_features[other], held.ions[other], errors)
        widths[own] = conformal.half_widths(held.difficulty_features[own], held.ions[own])
    return widths, np.abs(held.voltage - held.target) <= widths


def outside(held: HeldOut, widths: Vector) -> NDArray[np.bool_]:
    """Rows out of the domain, limits taken from the other folds (elements never seen left aside: they are few)."""
    found = np.zeros(len(held.rows), dtype=bool)
    for fold in range(fm.N_FOLDS):
        other, own = held.fold != fold, held.fold == fold
        for sign, percentile in (
            (held.distance, DOMAIN_PERCENTILE),
            (held.spread, DOMAIN_PERCENTILE),
            (widths, WIDTH_PERCENTILE),
        ):
            found[own] |= sign[own] > np.percentile(sign[other], percentile)
    return found


def report(held: HeldOut) -> dict[str, Any]:
    """What a card says of held-out answers, for all ions and each."""
    widths, covered = coverage(held)
    far = outside(held, widths)
    error = np.abs(held.voltage - held.target)
    answer: dict[str, Any] = {}
    for number, name in [(-1, "all"), *enumerate(IONS)]:
        own = np.ones(len(error), dtype=bool) if number < 0 else held.ions == number
        m = metrics(held.target[own], held.voltage[own], held.frameworks[own])
        answer[name] = {
            "n": int(own.sum()),
            **{key: round(float(value), 4) for key, value in asdict(m).items() if key != "n"},
            "coverage_90": round(float(covered[own].mean()), 4),
            "mean_width": round(float(2 * widths[own].mean()), 4),
        }
        if held.physics is not None:
            answer[name]["mae_physics"] = round(float(np.abs(held.physics - held.target)[own].mean()), 4)
        if far[own].any() and not far[own].all():
            answer[name]["out_of_domain"] = int((far & own).sum())
            answer[name]["mae_in_domain"] = round(float(error[own & ~far].mean()), 4)
            answer[name]["mae_out_of_domain"] = round(float(error[own & far].mean()), 4)
    largest = np.cumsum(np.sort(error)[::-1])
    answer["all"]["median"] = round(float(np.median(error)), 4)
    answer["all"]["share_of_rows_with_half_of_the_error"] = round(
        float(np.searchsorted(largest, largest[-1] / 2) / len(error)), 4
    )
    order = np.argsort(held.distance)
    answer["error_by_distance"] = [
        {"distance": round(float(held.distance[part].mean()), 3), "mae": round(float(error[part].mean()), 3)}
        for part in np.array_split(order, 10)
    ]
    answer["by_anion"] = by_anion(held, error)
    return answer


def by_anion(held: HeldOut, error: Vector) -> dict[str, Any]:
    """Errors by the anions of the framework, so that a reader sees for which chemistries the model fails."""
    from pymatgen.core.composition import Composition

    anions = {"F", "Cl", "Br", "I", "O", "S", "Se", "Te", "N", "P", "C"}
    labels = []
    for formula in held.frameworks:
        elements = {str(e) for e in Composition(str(formula))}
        strong = elements & {"O", "F", "Cl", "Br", "I", "S", "Se", "Te", "N"}
        if "O" in elements and elements & {"P", "Si", "B", "S", "C", "As"}:
            labels.append("polyanion oxide")
        else:
            labels.append("+".join(sorted(strong & anions)) or "no anion")
    found = {}
    for label in sorted(set(labels)):
        own = np.array([x == label for x in labels])
        if own.sum() >= 20:
            found[label] = {"n": int(own.sum()), "mae": round(float(error[own].mean()), 3)}
    return found


def full_extraction_report(t: fm.Ends) -> dict[str, Any]:
    """What the Δ-model's card says of who is emptied: how often a model without the electrode's framework is right."""
    from sklearn.metrics import log_loss, roc_auc_score

    chance = np.empty(len(t.data))
    for test in framework_folds(t.data, fm.N_FOLDS, 1):
        chance[test] = fm.chances(t, np.setdiff1d(np.arange(len(t.data)), test), test)
    emptied = fm.emptied(t.data)
    return {
        "test": "framework 5-fold",
        "n": len(emptied),
        "share_emptied": round(float(emptied.mean()), 3),
        "right": round(float(((chance >= FULL_EXTRACTION_THRESHOLD) == emptied).mean()), 3),
        "area_under_roc": round(float(roc_auc_score(emptied, chance)), 3),
        "log_loss": round(float(log_loss(emptied, chance)), 3),
    }


def domain_of(held: HeldOut, hosts: Sequence[CrystalFeatures], crystals: Sequence[Any]) -> ApplicabilityDomain:
    features = np.stack([host.fingerprint for host in hosts])
    mean, scale = features.mean(0), features.std(0) + 1e-6
    references = standardise(features, mean, scale).astype(np.float16).astype(np.float32)
    elements = frozenset(int(z) for crystal in crystals for z in np.unique(crystal.numbers))
    limits = [np.percentile(held.distance, DOMAIN_PERCENTILE), np.percentile(held.spread, DOMAIN_PERCENTILE)]
    limits.append(np.percentile(coverage(held)[0], WIDTH_PERCENTILE))
    conformal = calibrate(held.difficulty_features, held.ions, held.voltage - held.target)
    return ApplicabilityDomain(conformal, mean, scale, references, elements, *(float(limit) for limit in limits))


def card_of(name: str, kind: str, description: str, t: fm.Table, tests: dict[str, Any], settings: Any) -> ModelCard:
    frameworks = t.data.frameworks
    return ModelCard(
        name=name,
        kind=kind,
        ions={
            ion: {
                "n_rows": int((t.data.ions == ion).sum()),
                "errors": {key: found[ion] for key, found in tests.items() if ion in found},
            }
            for ion in WORKING_IONS
        },
        elements={
            ion: sorted({int(z) for e in t.data.for_ion(ion) for z in np.unique(e.host.numbers)})
            for ion in WORKING_IONS
        },
        description=description,
        training={
            "data": "mp2025",
            "cleaning": ["abs7"],
            "n_rows": len(t.data),
            "settings": settings,
            "tests": {key: {k: v for k, v in found.items() if k not in WORKING_IONS} for key, found in tests.items()},
            "seeds": "settings chosen on framework folds of seed 0, all figures from folds of seed 1",
            "frameworks": sorted(set(frameworks.tolist())),
            "date": datetime.date.today().isoformat(),
        },
        limits=LIMITS,
        attribution=ATTRIBUTION,
    )


def trained_networks(
    pairs: Sequence[EndMemberPair], target: Vector, output: Path, name: EndMembers
) -> list[DeltaNetwork]:
    """Members trained on all rows."""
    networks = []
    for seed in range(7000, 7000 + fm.FINAL_MEMBERS):
        folder, rows = output / f"final-{name}-{seed}", np.arange(len(pairs))
        networks.append(train_delta_network(pairs, target, rows, RECIPES[name], seed, folder=folder))
        print(f"{name} network {seed}", flush=True)
    return networks


def train(t: fm.Table, output: Path) -> None:
    rows = np.arange(len(t.data))
    host = HeldOut(t, output, "host", "framework", 1, "host.")
    tests = {
        "framework 5-fold": report(host),
        "framework 5-fold, discharged composition known": report(
            HeldOut(t, output, "host", "framework", 1, "composition.")
        ),
        "random 5-fold": report(HeldOut(t, output, "host", "random", 1, "host.")),
    }
    networks = trained_networks(t.hosts.pairs, t.hosts.target, output, "charged")
    card = card_of(
        FOUNDATION_MODEL,
        "foundation",
        "Voltage from the charged host alone: the ion is tried in its voids; networks and a kernel on SevenNet's atom "
        "vectors, all ions together.",
        t,
        tests,
        {
            "networks": asdict(RECIPES["charged"].networks),
            "unit": RECIPES["charged"].unit,
            "kernel": asdict(KRRSettings()),
        },
    )
    trust = domain_of(host, [one.host for one in t.hosts.inserted], t.data.hosts)
    kernel = train_host_krr(t.hosts, rows, KRRSettings())
    save_foundation(FoundationModel(networks, kernel, trust, card), SHIPPED / FOUNDATION_MODEL)
    print(f"{FOUNDATION_MODEL}: written", flush=True)
    correctors: dict[Variant, Corrector] = {}
    tests = {}
    usable = [i for i, pair in enumerate(t.stripped) if pair is not None]
    for variant in VARIANTS:
        held = HeldOut(t, output, variant, "framework", 1)
        tests[f"{variant}, framework 5-fold"] = report(held)
        pairs: list[EndMemberPair] = t.both if variant == "both" else [pair for pair in t.stripped if pair is not None]
        target = t.data.voltages if variant == "both" else t.data.voltages[usable]
        trained = trained_networks(pairs, target, output, variant)
        kernel = train_atomic_gp(pairs, target, np.arange(len(pairs)), RECIPES[variant])
        correctors[variant] = Corrector(
            trained, kernel, domain_of(held, [pair.charged for pair in pairs], t.data.hosts)
        )
    card = card_of(
        DELTA_MODEL,
        "delta",
        "Voltage from both end members: SevenNet's energies and a learned correction; variant `discharged` makes the "
        "charged host by removing the ion.",
        t,
        tests,
        {variant: asdict(RECIPES[variant]) for variant in VARIANTS},
    )
    card.training["emptying"] = full_extraction_report(t)
    save_delta(DeltaModel(correctors, fm.emptying(t, rows), card), SHIPPED / DELTA_MODEL)
    print(f"{DELTA_MODEL}: written", flush=True)
