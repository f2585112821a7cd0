"""One network for all ions: what it sees and what it must not."""

import numpy as np
import pytest
import torch

from crystals import rock_salt
from ionvolt.graphs import build_graph
from ionvolt.models.cgcnn.joint import JointNetwork, collate_for_ions
from ionvolt.training.cgcnn.distillation import DISTILLATION, distil
from ionvolt.training.cgcnn.joint import JOINT, joint_voltages, train_joint
from models.small import DISCHARGED

pytestmark = pytest.mark.slow

CRYSTALS = [*DISCHARGED, rock_salt("Mg", 4.2), rock_salt("Mn", 4.4)]


def network() -> JointNetwork:
    torch.manual_seed(3)
    return JointNetwork().eval()


def test_the_answer_hangs_on_the_ion_in_the_convolutions_and_after_them() -> None:
    graph = build_graph(CRYSTALS[0])
    whole = joint_voltages(network(), [graph] * 3, ["Li", "Mg", "K"])
    assert len(set(np.round(whole, 5))) == 3
    for layer in ("shift", "hidden"):
        one = network()
        with torch.no_grad():
            weight = getattr(one, layer).weight
            weight[:, -len(one.ion_table[0]) :] = 0.0
        assert len(set(np.round(joint_voltages(one, [graph] * 3, ["Li", "Mg", "K"]), 5))) == 3


def test_company_in_the_batch_does_not_matter() -> None:
    graphs = [build_graph(crystal) for crystal in CRYSTALS]
    ions = ["Li", "Mg", "Al"] * len(graphs)
    together = joint_voltages(network(), graphs, ions[: len(graphs)])
    alone = [joint_voltages(network(), [g], [ion])[0] for g, ion in zip(graphs, ions, strict=False)]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert joint_voltages(network(), [], []).shape == (0,)


def test_it_learns_that_ions_differ() -> None:
    """The same hosts, one volt apart by the ion alone."""
    graphs = [build_graph(crystal) for crystal in CRYSTALS] * 2
    half = len(graphs) // 2
    ions = ["Li"] * half + ["Mg"] * half
    targets = np.array([3.0] * half + [2.0] * half)
    settings = type(JOINT)(epochs=60, batch_size=2 * half, learning_rate=1e-2, weight_decay=0.0)
    records: list[dict[str, float]] = []
    trained = train_joint(graphs, ions, targets, np.arange(2 * half), settings, progress=records.append)
    assert len(records) == 60
    answers = joint_voltages(trained, graphs, ions)
    assert abs(answers[:half].mean() - answers[half:].mean() - 1.0) < 0.3


def test_batches_name_their_contents() -> None:
    graphs = [build_graph(crystal) for crystal in CRYSTALS[:2]]
    a, b = collate_for_ions(graphs, ["Li", "Li"]), collate_for_ions(graphs, ["Li", "Mg"])
    assert any(not np.array_equal(x, y) for x, y in zip(a.arrays(), b.arrays(), strict=True))


def test_shares_of_atoms_are_a_mean() -> None:
    """Atoms with the same vector share alike, whatever the weights: a crystal and its supercell agree."""
    one = network()
    with torch.no_grad():
        one.attention.weight.normal_(std=3.0)
    crystal = CRYSTALS[0]
    larger = type(crystal).from_pymatgen(crystal.to_pymatgen().make_supercell((2, 1, 1)))
    answers = joint_voltages(one, [build_graph(crystal), build_graph(larger)], ["Li", "Li"])
    assert abs(answers[0] - answers[1]) < 1e-4


def test_a_trunk_learns_the_vectors_of_atoms() -> None:
    """Vectors that hang on the element alone are told almost wholly; the trunk then is where training begins."""
    graphs = [build_graph(crystal) for crystal in CRYSTALS]
    table = np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)
    records: list[dict[str, float]] = []
    settings = type(DISTILLATION)(epochs=80, batch_size=6, learning_rate=1e-2, weight_decay=0.0, loss="l1")
    trunk = distil(graphs, [table[c.numbers] for c in CRYSTALS], settings, progress=records.append)
    assert records[0]["loss"] > 0.5
    assert records[-1]["loss"] < 0.1
    before = {name: tensor.clone() for name, tensor in trunk.state_dict().items()}
    still = type(JOINT)(epochs=1, batch_size=6, learning_rate=1e-9, weight_decay=0.0)
    ions, targets = ["Li"] * len(graphs), np.arange(len(graphs), dtype=np.float64)
    trained = train_joint(graphs, ions, targets, np.arange(len(graphs)), still, trunk=trunk)
    for name, parameter in trained.trunk.named_parameters():
        torch.testing.assert_close(parameter, before[name], atol=1e-6, rtol=0)
    for name, tensor in trunk.state_dict().items():
        torch.testing.assert_close(tensor, before[name], atol=0, rtol=0)
