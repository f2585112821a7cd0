"""One network for all ions: what it sees and what it must not."""

import numpy as np
import torch

from ionvolt.graphs import build_graph
from ionvolt.models.joint import JointNetwork, collate_for_ions
from ionvolt.training.joint import JOINT, joint_voltages, train_joint
from models.small import DISCHARGED, rock_salt

CRYSTALS = [*DISCHARGED, rock_salt(12, 4.2), rock_salt(25, 4.4)]


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
    told = joint_voltages(trained, graphs, ions)
    assert abs(told[:half].mean() - told[half:].mean() - 1.0) < 0.3


def test_batches_name_their_contents() -> None:
    graphs = [build_graph(crystal) for crystal in CRYSTALS[:2]]
    a, b = collate_for_ions(graphs, ["Li", "Li"]), collate_for_ions(graphs, ["Li", "Mg"])
    assert any(not np.array_equal(x, y) for x, y in zip(a.arrays(), b.arrays(), strict=True))
