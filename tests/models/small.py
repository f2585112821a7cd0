"""Small models on the universal potential, fitted to a handful of crystals."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.auto import AutoModel, Part
from ionvolt.models.card import ModelCard
from ionvolt.models.laplacian import LaplacianMachine
from ionvolt.models.mlip.atomic_gp import AtomicGP, AtomicGPSettings, fit_atomic_gp
from ionvolt.models.mlip.crystal_machine import known_of
from ionvolt.models.mlip.delta_model import Corrector, DeltaModel, Variant, pair_of
from ionvolt.models.mlip.delta_network import IONS, EndMemberPair
from ionvolt.models.mlip.foundation_model import FoundationModel, HostLearners
from ionvolt.models.mlip.full_extraction import N_FEATURES, FullExtractionClassifier
from ionvolt.models.mlip.latent_features import ATOM_SIZE, WIDE_SIZE, CrystalFeatures, compute_wide_features
from ionvolt.models.mlip.settled_host import settled_ends
from ionvolt.models.mlip.trial_features import TrialFeatures, featurise_trials
from ionvolt.models.uncertainty.conformal import calibrate
from ionvolt.models.uncertainty.domain import ApplicabilityDomain, difficulty_features
from ionvolt.physics.reaction import balance
from ionvolt.testing import layered
from ionvolt.training.laplacian import LaplacianSettings, element_data
from ionvolt.training.mlip.fit import MachineSettings, train_host_machine, train_pair_machine
from ionvolt.training.mlip.network import TrainedNetwork

LI = WORKING_IONS["Li"]


DISCHARGED = [
    layered("Li", metal, a, c).discharged
    for metal, a, c in (("Co", 2.82, 14.05), ("Cr", 2.9, 14.4), ("Ni", 2.88, 14.2), ("V", 2.84, 14.7))
]
VOLTAGES = np.array([4.0, 3.3, 3.9, 2.9])
EXACT = MachineSettings(tables=LaplacianSettings(penalty=1e4, tube=1e-4))
"""Support vectors that go through their labels."""


@cache
def ends(*, settled: bool = False) -> list[CrystalFeatures]:
    hosts = [remove_ion(d, LI) for d in DISCHARGED]
    if settled:
        hosts = [settled_ends(host, d)[1] for host, d in zip(hosts, DISCHARGED, strict=True)]
    return compute_wide_features([c for both in zip(DISCHARGED, hosts, strict=True) for c in both])


def pairs(*, settled: bool = False) -> list[EndMemberPair]:
    found = []
    vectors = [one.narrow for one in ends(settled=True)] if settled else ends()
    for i, discharged in enumerate(DISCHARGED):
        matched = balance(discharged, remove_ion(discharged, LI), LI)
        found.append(pair_of(vectors[2 * i], vectors[2 * i + 1], matched, "Li"))
    return found


def domain(hosts: list[CrystalFeatures], seed: int = 0) -> ApplicabilityDomain:
    rng = np.random.default_rng(seed)
    features = np.stack([host.fingerprint for host in hosts])
    mean, scale = features.mean(0), features.std(0) + 1e-6
    table = difficulty_features(rng.random(200), rng.random(200), rng.random(200))
    conformal = calibrate(table, rng.integers(0, 10, 200), rng.normal(size=200))
    references = ((features - mean) / scale).astype(np.float32)
    return ApplicabilityDomain(conformal, frozenset({3, 8, 23, 24, 27, 28}), 0.9, 0.5, 2.0, mean, scale, references)


def card(name: str) -> ModelCard:
    return ModelCard(name, ions=list(IONS))


@cache
def trials() -> list[TrialFeatures]:
    return featurise_trials([remove_ion(d, LI) for d in DISCHARGED], ["Li"] * 4)


@cache
def informed_trials() -> list[TrialFeatures]:
    return featurise_trials([remove_ion(d, LI) for d in DISCHARGED], ["Li"] * 4, [2.0] * 4)


def foundation(seed: int = 0) -> FoundationModel:
    torch.manual_seed(seed)

    data = element_data()
    known = known_of([remove_ion(d, LI) for d in DISCHARGED], ["Li"] * 4, data)

    def learners(tried: list[TrialFeatures]) -> HostLearners:
        networks = [TrainedNetwork(ATOM_SIZE).answering() for _ in range(2)]
        machine = train_host_machine(tried, known, VOLTAGES, np.arange(len(tried)), EXACT)
        return HostLearners(networks, machine, domain([trial.host for trial in tried]))

    return FoundationModel(learners(trials()), learners(informed_trials()), data, float(VOLTAGES.mean()), card("small"))


def delta(seed: int = 0) -> DeltaModel:
    torch.manual_seed(seed)
    kernel = fit_atomic_gp(pairs(), VOLTAGES, replace(AtomicGPSettings(), n_features=200))
    data = element_data()
    known = known_of([remove_ion(d, LI) for d in DISCHARGED], ["Li"] * 4, data)
    machine = train_pair_machine(pairs(settled=True), known, VOLTAGES, np.arange(4), EXACT)

    def corrector(kernel: AtomicGP | None, machine: LaplacianMachine | None) -> Corrector:
        atom_size = ATOM_SIZE if kernel is None else WIDE_SIZE
        networks = [TrainedNetwork(atom_size).answering() for _ in range(2)]
        return Corrector(networks, domain(ends(settled=machine is not None)[1::2]), kernel, machine)

    correctors: dict[Variant, Corrector] = {"both": corrector(kernel, None), "discharged": corrector(None, machine)}
    return DeltaModel(correctors, FullExtractionClassifier(np.full(N_FEATURES, 0.01), 0.5), data, card("small-delta"))


def auto(ions: list[str]) -> AutoModel:
    host, ends = foundation(), delta()
    return AutoModel(
        Part(host.card, lambda: host), Part(ends.card, lambda: ends), ModelCard("auto", kind="auto", ions=ions)
    )
