"""What CHGNet has learned, as arrays: read from the package's network or from what was kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potentials.chgnet_basis import Fourier, Radial
from ionvolt.physics.potentials.chgnet_messages import WIDTH, Array, Gate

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
        out: What sums of messages are multiplied by, shape (64, 64); none (0, 64) for angles.
        out_bias: Shape (64,).
    """

    parts: tuple[Array, ...]
    bias: Array
    gate: Gate
    out: Array
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
            a bond in a crystal with angles gets besides. Shape (n_layers, n_radial + 1, 128).
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
    bonds: Array
    angles: Array
    atom_weights: Array
    bond_weights: Array
    bond_tables: Array
    atom_layers: list[Layer]
    bond_layers: list[Layer]
    angle_layers: list[Layer]
    norm: Array | None
    readout: list[tuple[Array, Array]]
    moments: tuple[Array, Array]


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
    atom_layers = [_layer(arrays, f"atom_conv_layers.{n}", "twoBody_atom", 3) for n in range(n_layers)]
    bond_layers = [_layer(arrays, f"bond_conv_layers.{n}", "twoBody_bond", 4) for n in range(n_layers - 1)]
    angle_layers = [_layer(arrays, f"angle_layers.{n}", "twoBody_bond", 4) for n in range(n_layers - 2)]
    bonds = _turned(arrays, "bond_embedding")
    besides = np.cumsum(np.stack([np.zeros(WIDTH), *(layer.out_bias for layer in bond_layers)]), axis=0)
    tables = [
        np.vstack([bonds, one]) @ layer.parts[1].astype(np.float64)
        for one, layer in zip(besides, atom_layers, strict=True)
    ]
    angles = _turned(arrays, "angle_embedding").astype(np.float64) / np.pi**0.5
    angles[0] /= 2**0.5
    for layers in (bond_layers, angle_layers):
        first, second, own, center = layers[0].parts
        layers[0] = replace(layers[0], parts=(first, second, _single(angles @ own), center))
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
        bonds,
        _single(angles),
        _turned(arrays, "bond_weights_ag"),
        _turned(arrays, "bond_weights_bg"),
        _single(np.stack(tables)),
        atom_layers,
        bond_layers,
        angle_layers,
        np.stack(norm) if norm else None,
        [_linear(arrays, f"mlp.layers.{n}") for n in readout],
        _linear(arrays, "site_wise"),
    )


def _layer(arrays: Mapping[str, NDArray[Any]], name: str, network: str, n_parts: int) -> Layer:
    """A layer by its name and that of its gated network."""
    linears: list[list[tuple[Array, Array]]] = []
    for half in ("core", "gate"):
        begin = f"{name}.{network}.mlp_{half}.layers."
        places = sorted({int(key[len(begin) :].split(".")[0]) for key in arrays if key.startswith(begin)})
        linears.append([_linear(arrays, f"{begin}{place}") for place in places])
    core, gate = linears
    matrix = np.concatenate([core[0][0], gate[0][0]], axis=1)
    inner = np.stack([core[1][0], gate[1][0]]) if len(core) > 1 else np.empty((0, WIDTH, WIDTH), dtype=np.float32)
    norms = [
        arrays[key]
        for norm in ("bn1", "bn2")
        for kind in ("weight", "bias")
        if (key := f"{name}.{network}.{norm}.{kind}") in arrays
    ]
    first, last = (np.concatenate([part[place][1] for part in linears]) for place in (0, -1))
    out = f"{name}.mlp_out.layers.1"
    return Layer(
        tuple(np.ascontiguousarray(part) for part in matrix.reshape(n_parts, WIDTH, 2 * WIDTH)),
        first if len(inner) else np.zeros_like(first),
        Gate(inner, last, np.stack(norms) if norms else np.empty((0, WIDTH), dtype=np.float32)),
        _turned(arrays, out) if f"{out}.weight" in arrays else np.empty((0, WIDTH), dtype=np.float32),
        arrays.get(f"{out}.bias", np.zeros(WIDTH, dtype=np.float32)),
    )


def _count(arrays: Mapping[str, NDArray[Any]], name: str) -> int:
    return 1 + max(int(key.split(".")[1]) for key in arrays if key.startswith(f"{name}."))


def _linear(arrays: Mapping[str, NDArray[Any]], name: str) -> tuple[Array, Array]:
    return _turned(arrays, name), arrays[f"{name}.bias"]


def _turned(arrays: Mapping[str, NDArray[Any]], name: str) -> Array:
    """A matrix by which rows are multiplied from the right."""
    return np.ascontiguousarray(arrays[f"{name}.weight"].T)


def _single(values: NDArray[Any]) -> Array:
    return np.ascontiguousarray(values, dtype=np.float32)
