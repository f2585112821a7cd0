"""Weights of SevenNet's package, read from its modules into the form in which they answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import silu

from ionvolt.graphs._lanes_numba import LANES
from ionvolt.physics.potentials.sevennet_bonds import Embedding
from ionvolt.physics.potentials.sevennet_inference import (
    DEGREES,
    CompiledNetwork,
    Convolution,
    Layer,
    Mixing,
    share_couplings,
)
from ionvolt.typing import Array32


def compile_network(network: Any) -> CompiledNetwork:
    """Read the weights of a network of the package's.

    Raises:
        NotImplementedError: It is built in another way than is written out here.
    """
    modules = dict(network.named_children())
    n_layers = sum(name.endswith("_convolution") for name in modules)
    (elements,) = _mixing(modules["onehot_to_feature_x"]).maps
    layers = [_layer(modules, number) for number in range(n_layers)]
    share_couplings(layers)
    hidden, last = (_mixing(modules[f"reduce_{name}"]).maps[0] for name in ("input_to_hidden", "hidden_to_energy"))
    rescale = modules["rescale_atomic_energy"]
    _require(type(rescale).__name__ == "SpeciesWiseRescale" and "one_hot_modality" not in modules)
    return CompiledNetwork(
        dict(network.type_map),
        _embedding(modules["edge_embedding"]),
        elements,
        layers,
        hidden @ last,
        _array(rescale.scale),
        _array(rescale.shift),
    )


def _embedding(module: Any) -> Embedding:
    waves, end, harmonics = module.basis_function, module.cutoff_function, module.spherical
    _require(type(waves).__name__ == "BesselBasis" and type(end).__name__ == "PolynomialCutoff")
    _require(harmonics.lmax == DEGREES - 1 and harmonics.normalization == "component" and harmonics.sph.normalize)
    return Embedding(_array(waves.coeffs), float(waves.prefactor), float(end.cutoff_length), int(end.p))


def _array(tensor: Tensor) -> Array32:
    found: Array32 = np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)
    return found


def _require(so: bool) -> None:
    if not so:
        raise NotImplementedError


def _degrees(irreps: Any) -> list[int]:
    """How many vectors of each degree there are; degrees in order, none that changes its sign by inversion alone."""
    _require(all(irrep.l == degree and irrep.p == 1 for degree, (_, irrep) in enumerate(irreps)))
    _require(len(irreps) <= DEGREES)
    return [int(count) for count, _ in irreps]


def _mixing(module: Any) -> Mixing:
    linear = module.linear
    _degrees(linear.irreps_in.simplify())
    _degrees(linear.irreps_out.simplify())
    _require(not linear.bias.numel())
    maps: list[Array32] = []
    for number, (way, weight) in enumerate(zip(linear.instructions, linear.weight_views(), strict=True)):
        _require(way.i_in == way.i_out == number)
        maps.append(_array(weight * way.path_weight))
    return Mixing(maps)


def _layer(modules: dict[str, Any], number: int) -> Layer:
    own, before, convolution, after, gate = (
        modules[f"{number}_{name}"]
        for name in (
            "self_connection_intro", "self_interaction_1", "convolution", "self_interaction_2", "equivariant_gate",
        )
    )  # fmt: skip
    whole = getattr(convolution, "whole", convolution)
    gate = gate.gate
    activations = [*gate.act_scalars.acts, *gate.act_gates.acts]
    scales = {float(one.cst) for one in activations if one.f is silu}
    _require(len(scales) == 1 and all(one.f is silu for one in activations))
    _require(type(modules[f"{number}_self_connection_intro"]).__name__ == "SelfConnectionLinearIntro")
    mixed = _mixing(after)
    return Layer(
        _mixing(own),
        _mixing(before),
        _convolution(whole),
        Mixing([one / _array(whole.denominator) for one in mixed.maps]),
        int(gate.irreps_scalars.num_irreps),
        scales.pop(),
    )


def _convolution(whole: Any) -> Convolution:
    from e3nn.o3 import wigner_3j

    product = whole.convolution
    counts, harmonics = _degrees(product.irreps_in1), product.irreps_in2
    _require(not any(count % LANES for count in counts))
    places = np.concatenate([[0], np.cumsum([(2 * degree + 1) * count for degree, count in enumerate(counts)])])
    arcs = harmonics.slices()
    widths = [0] * DEGREES
    taken: list[tuple[int, int, int]] = []
    couplings, n_turns, n_weights = [], 0, 0
    for way in product.instructions:
        degree, target = product.irreps_in1[way.i_in1].ir.l, product.irreps_out[way.i_out].ir
        _require(target.p == 1 and target.l < DEGREES and way.connection_mode == "uvu" and way.i_out == len(taken))
        coefficients = wigner_3j(degree, harmonics[way.i_in2].ir.l, target.l, dtype=torch.float64)
        coupling = torch.zeros(harmonics.dim, 2 * target.l + 1, 2 * degree + 1)
        coupling[arcs[way.i_in2]] = (way.path_weight * coefficients).permute(1, 2, 0).float()
        couplings.append(coupling.flatten(1))
        taken.append((degree, target.l, widths[target.l]))
        widths[target.l] += counts[degree]
    widths = widths[: max(target for _, target, _ in taken) + 1]
    begins = np.concatenate([[0], np.cumsum([(2 * degree + 1) * width for degree, width in enumerate(widths)])])
    ways = []
    for degree, target, offset in taken:
        n_in, n_out, count = 2 * degree + 1, 2 * target + 1, counts[degree]
        ways.append([n_in, n_out, count, places[degree], n_weights, n_turns, widths[target], begins[target] + offset])
        n_weights, n_turns = n_weights + count, n_turns + n_in * n_out
    turning = _array(torch.cat(couplings, 1))
    return Convolution(_radial(whole.weight_nn), turning, np.array(ways, dtype=np.int64), widths)


def _radial(network: Any) -> list[Array32]:
    """Weights of the layers; the scale of each activation is part of the layer after it."""
    found, scale = [], 1.0
    for layer in network.children():
        weight = layer.weight.detach() / (layer.h_in * layer.var_in) ** 0.5
        found.append(_array(weight * scale))
        if layer.act is None:
            found[-1] = found[-1] * layer.var_out**0.5
        else:
            _require(layer.act.f is silu)
            scale = float(layer.act.cst) * layer.var_out**0.5
    return found
