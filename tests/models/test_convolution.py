import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ionvolt.models.cgcnn.convolution import GraphConvolution
from ionvolt.models.cgcnn.kernels import kernels_available
from ionvolt.models.cgcnn.layers import expand_distances
from models.networks import batch


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONVOLT_KERNELS", "none")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.delenv("IONVOLT_KERNELS", raising=False)
    assert kernels_available()


def convolution(seed: int = 0, n_features: int = 64) -> GraphConvolution:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = GraphConvolution(n_features)
    with torch.no_grad():
        for norm in (module.edge_norm, module.atom_norm):
            norm.weight.copy_(0.5 + torch.rand(norm.weight.shape, generator=generator))
            norm.bias.copy_(torch.rand(norm.bias.shape, generator=generator) - 0.5)
            norm.running_mean.copy_(torch.rand(norm.bias.shape, generator=generator) - 0.5)
            norm.running_var.copy_(0.2 + torch.rand(norm.bias.shape, generator=generator))
    return module


def inputs(seed: int = 0, n_features: int = 64) -> tuple[Tensor, Tensor, Tensor]:
    graph = batch(seed)
    atoms = torch.randn(graph.numbers.size, n_features, generator=torch.Generator().manual_seed(seed))
    return atoms, torch.from_numpy(graph.neighbours), torch.from_numpy(graph.distances)


def by_equation_1(module: GraphConvolution, atoms: Tensor, neighbours: Tensor, distances: Tensor) -> Tensor:
    """As the paper writes it: v_i + v_j + u_ij side by side, one linear layer, batch norm, gate times core."""
    n, k = neighbours.shape
    training = module.training

    def norm(of: nn.BatchNorm1d, x: Tensor) -> Tensor:
        mean, var = (x.mean(0), x.var(0, unbiased=False)) if training else (of.running_mean, of.running_var)
        return (x - mean) / torch.sqrt(var + of.eps) * of.weight + of.bias

    centres = torch.arange(0, 8.01, 0.2, dtype=atoms.dtype)
    u = torch.exp(-((distances.to(atoms.dtype)[:, :, None] - centres) ** 2) / 0.2**2)
    z = torch.cat([atoms[:, None].expand(n, k, -1), atoms[neighbours], u], dim=-1)
    z = norm(module.edge_norm, functional.linear(z, module.linear.weight, module.linear.bias).reshape(n * k, -1))
    gate, core = z.reshape(n, k, -1).chunk(2, dim=-1)
    summed = (1 / (1 + torch.exp(-gate)) * torch.log1p(torch.exp(core))).sum(1)
    return torch.log1p(torch.exp(atoms + norm(module.atom_norm, summed)))


def everything(module: GraphConvolution, *, train: bool, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Output, all gradients and all buffers after one pass forward and back."""
    module = copy.deepcopy(module).to(dtype).train(train)
    atoms, neighbours, distances = inputs()
    atoms = atoms.to(dtype).requires_grad_(True)
    out = module(atoms, neighbours, distances.to(dtype))
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(5)).to(dtype)
    (out * weights).sum().backward()
    found = {"out": out.detach(), "gradient of atoms": atoms.grad}
    found |= {f"gradient of {name}": p.grad for name, p in module.named_parameters()}
    found |= {name: b.clone() for name, b in module.named_buffers()}
    return {name: tensor.double() for name, tensor in found.items() if tensor is not None}


def assert_close(one: dict[str, Tensor], two: dict[str, Tensor], relative: float = 1e-4) -> None:
    assert one.keys() == two.keys()
    for name in one:
        scale = max(float(two[name].abs().max()), 0.5)  # that of a bias before batch norm is zero
        difference = float((one[name] - two[name]).abs().max())
        assert difference <= relative * scale, f"{name}: {difference:.2g} of {scale:.2g}"


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
def test_compiled_passes_equal_plain_torch(train: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    module = convolution()
    monkeypatch.delenv("IONVOLT_KERNELS", raising=False)
    fast = everything(module, train=train)
    monkeypatch.setenv("IONVOLT_KERNELS", "none")
    slow = everything(module, train=train)
    exact = everything(module, train=train, dtype=torch.float64)
    assert_close(fast, slow)
    assert_close(fast, exact)
    assert_close(slow, exact)
    tracked = [name for name in fast if name.endswith("num_batches_tracked")]
    assert len(tracked) == 2
    assert all(fast[name] == int(train) for name in tracked)
    changed = [not torch.equal(fast[n], module.get_buffer(n).double()) for n in fast if "running" in n]
    assert len(changed) == 4
    assert all(changed) if train else not any(changed)


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("kernels", ["", "none"], ids=["compiled", "plain"])
def test_equals_equation_1_as_it_is_written(kernels: str, train: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONVOLT_KERNELS", kernels)
    for seed in range(3):
        module = convolution(seed).train(train)
        atoms, neighbours, distances = inputs(seed)
        with torch.no_grad():
            naive = by_equation_1(copy.deepcopy(module).double(), atoms.double(), neighbours, distances)
            out = module(atoms, neighbours, distances)
        with torch.enable_grad():
            with_gradient = copy.deepcopy(module)(atoms, neighbours, distances)
        torch.testing.assert_close(out.double(), naive, atol=2e-5, rtol=1e-5)
        torch.testing.assert_close(with_gradient.detach().double(), naive, atol=2e-5, rtol=1e-5)


@pytest.mark.usefixtures("compiled")
def test_gradients_equal_those_of_equation_1() -> None:
    module = convolution(1).train()
    atoms, neighbours, distances = inputs(1)
    double = copy.deepcopy(module).double()
    one, two = atoms.clone().requires_grad_(True), atoms.double().requires_grad_(True)
    weights = torch.randn(atoms.shape, generator=torch.Generator().manual_seed(2))
    (module(one, neighbours, distances) * weights).sum().backward()
    (by_equation_1(double, two, neighbours, distances) * weights.double()).sum().backward()
    fast = {"atoms": one.grad.double()} | {n: p.grad.double() for n, p in module.named_parameters()}
    assert_close(fast, {"atoms": two.grad} | {n: p.grad for n, p in double.named_parameters()})


@pytest.mark.usefixtures("compiled")
def test_inference_pass_equals_training_pass_in_eval_mode() -> None:
    module = convolution().eval()
    atoms, neighbours, distances = inputs()
    with_gradient = module(atoms, neighbours, distances).detach()
    with torch.no_grad():
        without = module(atoms, neighbours, distances)
    with torch.inference_mode():
        inference = module(atoms, neighbours, distances)
    assert not torch.equal(atoms, without)
    torch.testing.assert_close(without, with_gradient, atol=1e-5, rtol=1e-5)
    assert torch.equal(inference, without)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("frozen", ["atoms", "linear", "norm"])
def test_gradients_when_part_of_the_input_is_frozen(frozen: str) -> None:
    everything_free, partly = convolution().train(), convolution().train()
    atoms, neighbours, distances = inputs()
    gradients = []
    for module, freeze in ((everything_free, False), (partly, True)):
        given = atoms.clone().requires_grad_(not (freeze and frozen == "atoms"))
        if freeze and frozen == "linear":
            module.linear.requires_grad_(False)
        if freeze and frozen == "norm":
            module.edge_norm.requires_grad_(False)
        module(given, neighbours, distances).square().sum().backward()
        gradients.append({"atoms": given.grad} | {n: p.grad for n, p in module.named_parameters()})
    for name, gradient in gradients[1].items():
        if gradient is None:
            assert name.startswith(frozen if frozen != "norm" else "edge_norm")
        else:
            torch.testing.assert_close(gradient, gradients[0][name])


@pytest.mark.usefixtures("compiled")
def test_extreme_gates_neither_overflow_nor_vanish_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    module = convolution().eval()
    with torch.no_grad():
        module.edge_norm.weight.mul_(60)
    given = inputs()
    with torch.no_grad():
        fast = module(*given)
        monkeypatch.setenv("IONVOLT_KERNELS", "none")
        slow = module(*given)
    assert torch.isfinite(fast).all()
    torch.testing.assert_close(fast, slow, atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("compiled")
def test_statistics_of_a_channel_far_from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variance comes from sums of squares, which lose digits where the mean is large."""
    module = convolution()
    with torch.no_grad():
        module.linear.bias.add_(20.0)
    fast = everything(module, train=True)
    exact = everything(module, train=True, dtype=torch.float64)
    for name in ("out", "edge_norm.running_mean", "edge_norm.running_var"):
        torch.testing.assert_close(fast[name], exact[name], atol=1e-3, rtol=1e-3)


@pytest.mark.usefixtures("compiled")
def test_running_variance_is_that_of_torch_in_a_small_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """With six edges, n and n - 1 are far apart."""
    neighbours, distances = torch.tensor([[1, 1, 0], [0, 0, 1]]), torch.tensor([[1.9, 2.3, 3.1], [1.9, 2.3, 2.8]])
    atoms = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))
    found = []
    for kernels in ("", "none"):
        monkeypatch.setenv("IONVOLT_KERNELS", kernels)
        module = convolution().train()
        module(atoms, neighbours, distances)
        found.append(module.edge_norm.running_var)
    torch.testing.assert_close(*found, atol=1e-6, rtol=1e-5)


@pytest.mark.usefixtures("plain")
def test_environment_variable_switches_the_kernels_off() -> None:
    assert not kernels_available()


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
def test_gradcheck_of_the_plain_pass(train: bool) -> None:
    module = convolution(n_features=2).double().train(train)
    generator = torch.Generator().manual_seed(0)
    atoms = torch.randn(3, 2, generator=generator, dtype=torch.float64).requires_grad_(True)
    neighbours = torch.tensor([[1, 2], [0, 0], [1, 0]])
    distances = torch.tensor([[1.9, 2.3], [2.1, 9.0], [2.3, 3.1]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x, *_: module(x, neighbours, distances), (atoms, *module.parameters()))


def test_expanded_distances() -> None:
    distances = torch.tensor([0.0, 0.2, 2.1, 8.0], dtype=torch.float64)
    expanded = expand_distances(distances)
    assert expanded.shape == (4, 41)
    centres = np.arange(41) * 0.2
    expected = np.exp(-(((distances.numpy()[:, None] - centres) / 0.2) ** 2))
    np.testing.assert_allclose(expanded, expected, atol=1e-12)
    assert expanded[0, 0] == 1
    assert expanded[1, 1] == pytest.approx(1)
    assert expanded[3, 40] == pytest.approx(1)
    assert expanded[2, 10] == pytest.approx(np.exp(-0.25))
    assert expanded[0, 1] == pytest.approx(np.exp(-1))
    assert expand_distances(torch.zeros(3, 12)).shape == (3, 12, 41)


def test_padding_carries_nothing_of_the_distance() -> None:
    assert float(expand_distances(torch.tensor(9.0)).max()) < 2e-11


@pytest.mark.parametrize("kernels", ["", "none"], ids=["compiled", "plain"])
def test_edge_weights_do_not_reach_a_padded_place(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONVOLT_KERNELS", kernels)
    module = convolution().eval()
    changed = copy.deepcopy(module)
    with torch.no_grad():
        changed.linear.weight[:, 128:] += 5.0
        atoms, neighbours = torch.randn(4, 64), torch.zeros(4, 12, dtype=torch.int64)
        far = torch.full((4, 12), 9.0)
        torch.testing.assert_close(module(atoms, neighbours, far), changed(atoms, neighbours, far))
        near = torch.full((4, 12), 7.9)
        assert not torch.allclose(module(atoms, neighbours, near), changed(atoms, neighbours, near), atol=1e-2)


def test_compiled_expansion_at_the_ends_of_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    module = convolution().eval()
    distances = torch.linspace(0.0, 9.0, 24 * 12).reshape(24, 12)
    neighbours = torch.randint(0, 24, (24, 12), generator=torch.Generator().manual_seed(0))
    atoms = torch.randn(24, 64, generator=torch.Generator().manual_seed(1))
    results: list[np.ndarray] = []
    for kernels in ("", "none"):
        monkeypatch.setenv("IONVOLT_KERNELS", kernels)
        with torch.no_grad():
            results.append(module(atoms, neighbours, distances).numpy())
    np.testing.assert_allclose(*results, atol=1e-5)


def test_order_of_neighbours_does_not_matter() -> None:
    module = convolution().eval()
    atoms, neighbours, distances = inputs()
    flipped = module(atoms, neighbours.flip(1).contiguous(), distances.flip(1).contiguous())
    torch.testing.assert_close(module(atoms, neighbours, distances), flipped, atol=1e-5, rtol=1e-5)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("change", ["step", "statistics", "load"])
def test_what_was_folded_for_inference_is_folded_anew_when_the_weights_change(change: str) -> None:
    module = convolution().eval()
    given = inputs()
    with torch.no_grad():
        before = module(*given)
    if change == "step":
        optimiser = torch.optim.AdamW(module.parameters(), lr=0.1, foreach=True)
        module(*given).square().sum().backward()
        optimiser.step()
    elif change == "statistics":
        with torch.no_grad():
            module.train()(*given)
        module.eval()
    else:
        module.load_state_dict(convolution(5).state_dict())
    with torch.no_grad():
        after = module(*given)
    fresh = copy.deepcopy(module)
    fresh._folded = None
    with torch.no_grad():
        torch.testing.assert_close(after, fresh(*given))
    assert not torch.allclose(before, after, atol=1e-4)
