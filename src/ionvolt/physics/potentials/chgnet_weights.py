"""What CHGNet has learned, as arrays: read from the package's network or from what was kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potentials.chgnet_basis import Fourier, Radial
from ionvolt.physics.potentials.chgnet_linear import Array, Linear
from ionvolt.physics.potentials.chgnet_messages import WIDTH, Gate

_SETTINGS = "settings"


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of messages.

    Attributes:
        parts: Matrices of what a message is made of, in the package's order, shapes (64, 128). Atoms: atom, bond,
            neighbour. Bonds and angles: first bond, second bond, angle, atom; the first layers take angles' functions,
            shape (n_angular, 128).
        bias: Shape (128,).
        gate: The gated network behind them.
    """

    parts: tuple[Linear, ...]
    bias: Array
    gate: Gate


@dataclass(frozen=True, eq=False)
class Convolution(Layer):
    """A layer whose messages are summed.

    Attributes:
        out: By what the sums are multiplied, shape (64, 64).
        out_bias: Shape (64,).
    """

    out: Linear
    out_bias: Array


@dataclass(frozen=True, eq=False)
class Weights:
    """A network.

    Attributes:
        cutoff: Length of the longest bonds, Å.
        angle_cutoff: Å below which two bonds at an atom make an angle.
        long: Functions of all bonds' lengths.
        short: Those of bonds that make angles.
        angle: Functions of angles.
        elements: Vectors of the elements, shape (94, 64).
        references: Energies of the elements, eV, shape (94,).
        bonds: From functions to bonds, shape (n_radial, 64).
        angles: From functions to angles, shape (n_angular, 64).
        atom_weights: From functions to the weights of messages to atoms, shape (n_radial, 64).
        bond_weights: From functions to the weights of messages to bonds, shape (n_radial, 64).
        bond_tables: From functions to what each layer of atoms takes of bonds that never changed; the last row is what
            a bond in a crystal with angles gets besides. Shapes (n_radial + 1, 128).
        atom_layers: Convolutions of atoms.
        bond_layers: Those of bonds, one fewer.
        angle_layers: Those of angles that something reads, two fewer.
        norm: Scale and shift before the last network, shape (2, 64), or None.
        readout: Matrices and biases of the last network.
        moments: Matrix and bias from an atom's vector to its moment.
    """

    cutoff: float
    angle_cutoff: float
    long: Radial
    short: Radial
    angle: Fourier
    elements: Array
    references: NDArray[np.float64]
    bonds: Linear
    angles: Linear
    atom_weights: Linear
    bond_weights: Linear
    bond_tables: list[Linear]
    atom_layers: list[Convolution]
    bond_layers: list[Convolution]
    angle_layers: list[Layer]
    norm: Array | None
    readout: list[tuple[Linear, Array]]
    moments: tuple[Linear, Array]


def to_arrays(network: Any) -> dict[str, NDArray[Any]]:
    """All numbers of a network of the package's, by its names.

    Raises:
        NotImplementedError: It is built in another way than is written out in ``chgnet_inference``.
    """
    settings = network.model_args
    expected = {
        "atom_fea_dim": WIDTH,
        "bond_fea_dim": WIDTH,
        "angle_fea_dim": WIDTH,
        "atom_conv_hidden_dim": WIDTH,
        "bond_conv_hidden_dim": WIDTH,
        "angle_layer_hidden_dim": 0,
        "update_bond": True,
        "update_angle": True,
        "mlp_first": True,
        "non_linearity": "silu",
    }
    if any(settings.get(name) != value for name, value in expected.items()) or network.composition_model is None:
        raise NotImplementedError
    if settings.get("conv_norm") is not None or settings.get("final_mlp", "MLP") != "MLP":
        raise NotImplementedError
    names = ("atom_graph_cutoff", "bond_graph_cutoff", "cutoff_coeff")
    arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}
    return {_SETTINGS: np.array([float(settings[name]) for name in names]), **arrays}


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Weights:
    """The network of which ``to_arrays`` tells.

    Raises:
        KeyError: Something is missing.
        ValueError: Shapes do not fit.
    """
    cutoff, angle_cutoff, power = arrays[_SETTINGS].tolist()
    expansion = "bond_basis_expansion.rbf_expansion_"
    n_layers = _count(arrays, "atom_conv_layers")
    atom_layers = [_convolution(arrays, f"atom_conv_layers.{n}", "twoBody_atom", 3) for n in range(n_layers)]
    bond_layers = [_convolution(arrays, f"bond_conv_layers.{n}", "twoBody_bond", 4) for n in range(n_layers - 1)]
    angle_layers = [_layer(arrays, f"angle_layers.{n}", "twoBody_bond", 4) for n in range(n_layers - 2)]
    bonds = _turned(arrays, "bond_embedding").astype(np.float64)
    besides = np.cumsum(np.stack([np.zeros(WIDTH), *(layer.out_bias for layer in bond_layers)]), axis=0)
    tables = [
        Linear.of(np.vstack([bonds, one]) @ layer.parts[1].matrix)
        for one, layer in zip(besides, atom_layers, strict=True)
    ]
    angles = _turned(arrays, "angle_embedding").astype(np.float64) / np.pi**0.5
    angles[0] /= 2**0.5
    bond_layers[0] = replace(bond_layers[0], parts=_of_functions(angles, bond_layers[0]))
    angle_layers[0] = replace(angle_layers[0], parts=_of_functions(angles, angle_layers[0]))
    readout = sorted({int(name.split(".")[2]) for name in arrays if name.startswith("mlp.layers.")})
    norm = [arrays[f"readout_norm.{kind}"] for kind in ("weight", "bias") if f"readout_norm.{kind}" in arrays]
    return Weights(
        cutoff,
        angle_cutoff,
        Radial(arrays[f"{expansion}ag.frequencies"], cutoff, int(power)),
        Radial(arrays[f"{expansion}bg.frequencies"], angle_cutoff, int(power)),
        Fourier(arrays["angle_basis_expansion.fourier_expansion.frequencies"]),
        arrays["atom_embedding.embedding.weight"],
        arrays["composition_model.fc.weight"].astype(np.float64).reshape(-1),
        Linear.of(bonds),
        Linear.of(angles),
        Linear.of(_turned(arrays, "bond_weights_ag")),
        Linear.of(_turned(arrays, "bond_weights_bg")),
        tables,
        atom_layers,
        bond_layers,
        angle_layers,
        np.stack(norm) if norm else None,
        [_linear(arrays, f"mlp.layers.{n}") for n in readout],
        _linear(arrays, "site_wise"),
    )


def _layer(arrays: Mapping[str, NDArray[Any]], name: str, network: str, n_parts: int) -> Layer:
    """A layer by its name and that of its gated network."""
    linears: list[list[tuple[Linear, Array]]] = []
    for half in ("core", "gate"):
        begin = f"{name}.{network}.mlp_{half}.layers."
        places = sorted({int(key[len(begin) :].split(".")[0]) for key in arrays if key.startswith(begin)})
        linears.append([_linear(arrays, f"{begin}{place}") for place in places])
    core, gate = linears
    matrix = np.concatenate([core[0][0].matrix, gate[0][0].matrix], axis=1)
    inner = (core[1][0], gate[1][0]) if len(core) > 1 else ()
    norms = [
        arrays[key]
        for norm in ("bn1", "bn2")
        for kind in ("weight", "bias")
        if (key := f"{name}.{network}.{norm}.{kind}") in arrays
    ]
    first, last = (np.concatenate([part[place][1] for part in linears]) for place in (0, -1))
    return Layer(
        tuple(Linear.of(part) for part in matrix.reshape(n_parts, WIDTH, 2 * WIDTH)),
        first if inner else np.zeros_like(first),
        Gate(inner, last, np.stack(norms) if norms else np.empty((0, WIDTH), dtype=np.float32)),
    )


def _convolution(arrays: Mapping[str, NDArray[Any]], name: str, network: str, n_parts: int) -> Convolution:
    layer, out = _layer(arrays, name, network, n_parts), f"{name}.mlp_out.layers.1"
    bias = arrays.get(f"{out}.bias", np.zeros(WIDTH, dtype=np.float32))
    return Convolution(layer.parts, layer.bias, layer.gate, Linear.of(_turned(arrays, out)), bias)


def _of_functions(angles: NDArray[np.float64], layer: Layer) -> tuple[Linear, ...]:
    """A layer's parts where angles are still what their functions make them."""
    first, second, own, center = layer.parts
    return first, second, Linear.of(angles @ own.matrix), center


def _count(arrays: Mapping[str, NDArray[Any]], name: str) -> int:
    return 1 + max(int(key.split(".")[1]) for key in arrays if key.startswith(f"{name}."))


def _linear(arrays: Mapping[str, NDArray[Any]], name: str) -> tuple[Linear, Array]:
    return Linear.of(_turned(arrays, name)), arrays[f"{name}.bias"]


def _turned(arrays: Mapping[str, NDArray[Any]], name: str) -> Array:
    """A matrix by which rows are multiplied from the right."""
    turned: Array = arrays[f"{name}.weight"].T
    return turned
