"""Small networks and batches for the tests of models."""

import copy
from collections.abc import Sequence

import numpy as np
import torch

from crystals import IDEAL, random_crystal
from ionvolt.graphs import CrystalGraph, GraphBatch, build_graph, collate
from ionvolt.models.cgcnn.architecture import N_FEATURES
from ionvolt.models.cgcnn.network import CGCNN
from ionvolt.models.storage import Arrays
from ionvolt.training.cgcnn.networks import new_network


def some_graphs(seed: int = 0, sizes: tuple[int, ...] = (1, 2, 3, 5, 8, 4, 2, 6)) -> list[CrystalGraph]:
    """Random crystals, an ideal one and one so sparse that places are padded."""
    rng = np.random.default_rng(seed)
    sparse = random_crystal(rng, 2)
    sparse = type(sparse)(sparse.lattice * 2.2, sparse.numbers, sparse.frac_coords)
    crystals = [random_crystal(rng, n) for n in sizes] + [IDEAL["perovskite"], sparse]
    return [build_graph(crystal) for crystal in crystals]


def fitted(seed: int = 0) -> CGCNN:
    """Random weights with batch norms that have seen crystals and differ from channel to channel."""
    network = new_network(seed).train()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.weight.copy_(0.5 + torch.rand(module.weight.shape, generator=generator))
                module.bias.copy_(torch.rand(module.bias.shape, generator=generator) - 0.5)
        for _ in range(20):
            network(batch(seed))
    network.head.target_mean.fill_(2.5)
    network.head.target_std.fill_(1.2)
    return network.eval()


def batch(seed: int = 0) -> GraphBatch:
    return collate(some_graphs(seed))


def copies(network: CGCNN, n: int) -> list[CGCNN]:
    return [copy.deepcopy(network) for _ in range(n)]


def random_local_heads(ions: Sequence[str], n_members: int) -> Arrays:
    """Local-voltage heads without baselines, under their names in an ensemble."""
    rng = np.random.default_rng(0)
    arrays: Arrays = {}
    for name in (f"local.{ion}.{m}" for ion in ions for m in range(n_members)):
        arrays[f"{name}.linear.weight"] = rng.uniform(-0.125, 0.125, (1, N_FEATURES)).astype(np.float32)
        arrays[f"{name}.linear.bias"] = rng.uniform(-0.125, 0.125, 1).astype(np.float32)
        arrays[f"{name}.baseline"] = np.full(N_FEATURES, np.nan, dtype=np.float32)
    return arrays
