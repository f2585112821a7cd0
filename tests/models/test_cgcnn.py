import numpy as np
import pytest
import torch
from torch import nn

from ionvolt.graphs import CrystalGraph, collate
from ionvolt.graphs.elements import element_vectors
from ionvolt.models.cgcnn.network import CGCNN, Head, Trunk, pool
from models.networks import fitted, some_graphs


@pytest.fixture(scope="module")
def network() -> CGCNN:
    return fitted()


@pytest.fixture(scope="module")
def graphs() -> list[CrystalGraph]:
    return some_graphs()


def test_it_holds_the_numbers_of_the_authors_checkpoints() -> None:
    """81,991: weights, running statistics and the six counters of batches; the scale of the target is apart."""
    state = CGCNN().state_dict()
    scale = [state.pop(name) for name in ("head.target_mean", "head.target_std")]
    assert all(tensor.numel() == 1 for tensor in scale)
    assert sum(tensor.numel() for tensor in state.values()) == 81_991
    assert sum(tensor.numel() for name, tensor in state.items() if name.endswith("batches_tracked")) == 6
    assert sum(p.numel() for p in CGCNN().parameters()) == 80_833


def test_layers_have_the_shapes_of_the_paper() -> None:
    network = CGCNN()
    assert tuple(network.trunk.embedding.weight.shape) == (64, 92)
    assert [tuple(c.linear.weight.shape) for c in network.trunk.convolutions] == [(128, 169)] * 3
    assert tuple(network.head.hidden.weight.shape) == (128, 64)
    assert tuple(network.head.output.weight.shape) == (1, 128)


@pytest.mark.parametrize("kernels", ["", "none"], ids=["compiled", "plain"])
@torch.inference_mode()
def test_batch_of_one_is_batch_of_many_in_order(
    kernels: str, network: CGCNN, graphs: list[CrystalGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IONVOLT_KERNELS", kernels)
    together = network(collate(graphs)).numpy()
    assert together.shape == (len(graphs),)
    assert np.ptp(together) > 0.1
    one_by_one = [float(network(collate([graph]))[0]) for graph in graphs]
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(graphs))
    np.testing.assert_allclose(network(collate([graphs[i] for i in order])), together[order], atol=1e-5)


def test_eval_mode_leaves_every_number_alone(network: CGCNN, graphs: list[CrystalGraph]) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network(collate(graphs)).sum().backward()
    with torch.no_grad():
        network(collate(graphs))
    network.zero_grad()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_train_mode_updates_the_running_statistics(graphs: list[CrystalGraph]) -> None:
    network = fitted().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.no_grad():
        network(collate(graphs[:3]))
    changed = {n for n, tensor in network.state_dict().items() if not torch.equal(tensor, before[n])}
    assert changed == {n for n in before if "running" in n or n.endswith("num_batches_tracked")}


def test_a_trunk_embeds_each_element_once(network: CGCNN) -> None:
    embedded = network.trunk.embed_elements()
    assert embedded.shape == (101, 64)
    by_hand = torch.tensor(element_vectors()) @ network.trunk.embedding.weight.t() + network.trunk.embedding.bias
    torch.testing.assert_close(embedded, by_hand)


def test_pooling_is_the_mean_over_each_crystals_atoms(network: CGCNN, graphs: list[CrystalGraph]) -> None:
    batch = collate(graphs)
    with torch.no_grad():
        atoms = network.trunk.atom_vectors(batch)
        pooled = network.trunk(batch)
    torch.testing.assert_close(pooled, pool(atoms, batch))
    stop = np.cumsum(batch.n_atoms)
    for b, (end, n) in enumerate(zip(stop, batch.n_atoms, strict=True)):
        torch.testing.assert_close(pooled[b], atoms[end - n : end].mean(0))


def test_head_by_hand() -> None:
    head = Head(1.5, 0.7)
    pooled = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    softplus = nn.Softplus()
    expected = head.output(softplus(head.hidden(softplus(pooled))))[:, 0] * 0.7 + 1.5
    torch.testing.assert_close(head(pooled), expected)
    assert head(pooled[:1]).shape == (1,)


def test_the_element_table_is_no_part_of_the_weights() -> None:
    assert not [name for name in Trunk().state_dict() if "table" in name]
