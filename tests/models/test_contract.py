"""Every model keeps the contract of predictors: those that ship, and small ones of every kind."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ionvolt.descriptors import element_table, features, ion_features
from ionvolt.errors import ModelError
from ionvolt.ions import EndMembers, working_ion
from ionvolt.models.card import ModelCard
from ionvolt.models.cgcnn.conversion import ensemble_of
from ionvolt.models.cgcnn.ensemble import Ensemble
from ionvolt.models.classical.model import ClassicalModel
from ionvolt.models.interface import AtomContributions, Estimate, Query
from ionvolt.models.registry import AUTO, load_model, shipped_models
from ionvolt.structures import read_file
from ionvolt.testing import Electrode, check_predictor, electrodes, layered, queries_of
from ionvolt.training.cgcnn.networks import new_network
from models.networks import random_local_heads
from models.small import auto, delta, foundation

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "src/ionvolt/examples"


def networks(*, local: bool = True) -> Ensemble:
    members = [new_network(seed) for seed in (1, 2)]
    bare = ensemble_of([n.trunk for n in members], {"Mg": [n.head for n in members]}, ModelCard("small", ions=["Mg"]))
    return bare.with_arrays(random_local_heads(["Mg"], 2)) if local else bare


def classical(learner: str, ions: Sequence[str]) -> ClassicalModel:
    from ionvolt.training.classical.fit import fit_classical

    hosts = [e.host for e in electrodes(["Li"])] + [layered("Li", m, 2.9, 14.4).host for m in ("Ni", "Cr", "V", "Ti")]
    rows = features(hosts)
    if len(ions) > 1:
        rows = np.hstack([rows, ion_features(["Li"] * len(rows), element_table())])
    fit = fit_classical(learner, rows, np.linspace(1, 4, len(rows)))  # type: ignore[arg-type]
    return ClassicalModel(fit.predictor, element_table(), ModelCard(learner, ions=list(ions)), len(ions) > 1)


@pytest.mark.parametrize(
    "make",
    [
        networks,
        lambda: networks(local=False),
        lambda: classical("kernel-ridge", ["Li", "Mg"]),
        lambda: classical("random-forest", ["Li"]),
        delta,
        foundation,
        lambda: auto(["Li"]),
    ],
    ids=["networks", "networks without local heads", "kernel ridge", "forest", "delta", "foundation", "auto"],
)
def test_small_models_keep_the_contract(make) -> None:
    check_predictor(make())


@pytest.mark.parametrize("name", [AUTO, *shipped_models()])
def test_shipped_models_keep_the_contract(name: str) -> None:
    model = load_model(name)
    check_predictor(model, electrodes(["Li", "Al"]), save=name != AUTO)


@pytest.mark.parametrize("name", [AUTO, "cgcnn-mp2020"])
@pytest.mark.parametrize("example", ["LiFePO4-Li", "MgMn2O4-Mg", "NaCoO2-Na"])
def test_shipped_models_keep_the_contract_for_well_known_electrodes(name: str, example: str) -> None:
    formula, ion = example.split("-")
    check_predictor(load_model(name), [Electrode(ion, read_file(EXAMPLES / f"{formula}.cif"))], save=False)


class Wrong:
    """A model that breaks the contract where it is told to."""

    card = ModelCard("wrong", kind="own", ions=["Li"])
    accepts: frozenset[EndMembers] = frozenset({"charged"})
    ions = ("Li",)

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.explains = fault in ("sum", "")

    def require(self, ions: Sequence[str]) -> None:
        if self.fault != "unknown ion" and set(ions) - set(self.ions):
            raise ModelError("wrong: an unknown ion")

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        self.require([query.ion for query in queries])
        found = []
        for i, query in enumerate(queries):
            voltage = 3.0
            if self.fault == "supercell":
                voltage += 0.1 * len(query.host)
            if self.fault == "order":
                voltage += 0.01 * float(query.host.numbers[0])
            if self.fault == "rotation":
                voltage += 0.1 * float(query.host.lattice[0, 0])
            if self.fault == "batch":
                voltage += 0.1 * i
            ends = (4.0, 5.0) if self.fault == "interval" else (2.0, 4.0)
            found.append(Estimate(voltage, lower=ends[0], upper=ends[1], model="wrong"))
        return found

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        if not self.explains:
            raise ModelError("wrong: not explained")
        shares = [np.full(len(query.host), 1 / len(query.host)) for query in queries]
        rest = 1.9 if self.fault == "sum" else 2.0
        return [
            AtomContributions(answer, query.host, share, 0 * share, rest, "all else", "sum")
            for query, answer, share in zip(queries, self.estimate(queries), shares, strict=True)
        ]


def test_a_model_that_keeps_it_passes() -> None:
    check_predictor(Wrong())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("supercell", "another voltage for a supercell"),
        ("order", "another voltage for atoms in another order"),
        ("rotation", "another voltage for a turned cell"),
        ("batch", "another voltage alone than together"),
        ("interval", "lies outside its interval"),
        ("unknown ion", "require takes an ion that it does not know"),
        ("sum", "contributions and remainder do not make the voltage"),
    ],
)
def test_every_fault_is_found(fault: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_predictor(Wrong(fault))


def test_what_is_asked_follows_what_is_accepted() -> None:
    case = layered("Li", "Co", 2.82, 14.05)
    assert [q.end_members for q in queries_of(networks(), "Mg", replace(case.discharged))] == ["charged"]
    assert [q.end_members for q in queries_of(delta(), "Li", case.discharged)] == ["discharged", "both"]
    assert working_ion("Li").number not in case.host.numbers
