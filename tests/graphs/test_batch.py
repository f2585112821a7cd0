from itertools import pairwise

import numpy as np
import pytest

from crystals import random_crystal
from ionvolt.graphs import CrystalGraph, build_graph, collate, iterate_batches

SIZES = (3, 1, 7, 2, 12, 1, 4)


@pytest.fixture(scope="module")
def graphs() -> list[CrystalGraph]:
    rng = np.random.default_rng(0)
    return [build_graph(random_crystal(rng, n)) for n in SIZES]


def test_collate_keeps_every_crystal_whole_and_in_order(graphs: list[CrystalGraph]) -> None:
    batch = collate(graphs)
    assert len(batch) == len(graphs)
    assert batch.n_atoms.tolist() == list(SIZES)
    assert batch.neighbours.dtype == np.int64
    assert batch.distances.dtype == np.float32
    np.testing.assert_array_equal(batch.crystal_index, np.repeat(np.arange(len(SIZES)), SIZES))
    start = 0
    for graph in graphs:
        part = slice(start, start + len(graph))
        np.testing.assert_array_equal(batch.numbers[part], graph.numbers)
        np.testing.assert_array_equal(batch.neighbours[part] - start, graph.neighbours)
        np.testing.assert_array_equal(batch.distances[part], graph.distances)
        start += len(graph)


def test_neighbours_never_leave_their_crystal(graphs: list[CrystalGraph]) -> None:
    batch = collate(graphs)
    index = batch.crystal_index
    assert (index[batch.neighbours] == index[:, None]).all()


def test_padding_points_at_the_first_atom_of_its_own_crystal() -> None:
    alone = CrystalGraph(np.array([11]), np.zeros((1, 12), np.int32), np.full((1, 12), 9, np.float32))
    assert (collate([alone, alone, alone]).neighbours == [[0], [1], [2]]).all()


def test_collate_leaves_the_graphs_alone(graphs: list[CrystalGraph]) -> None:
    before = [g.neighbours.copy() for g in graphs]
    collate(graphs)
    for graph, neighbours in zip(graphs, before, strict=True):
        np.testing.assert_array_equal(graph.neighbours, neighbours)


@pytest.mark.parametrize("max_atoms", [1, 3, 4, 5, 8, 12, 13, 29, 30, 31, 4096])
def test_batches_cover_all_crystals_in_order_within_the_limit(graphs: list[CrystalGraph], max_atoms: int) -> None:
    rows: list[int] = []
    parts = list(iterate_batches(graphs, max_atoms=max_atoms))
    for part, batch in parts:
        rows += range(part.start, part.stop)
        assert batch.n_atoms.tolist() == list(SIZES[part])
        assert len(batch) == 1 or batch.n_atoms.sum() <= max_atoms
        np.testing.assert_array_equal(batch.numbers, np.concatenate([g.numbers for g in graphs[part]]))
    assert rows == list(range(len(graphs)))
    # No batch could have taken the next crystal as well.
    for (part, batch), (after, _) in pairwise(parts):
        assert part.stop == after.start
        assert batch.n_atoms.sum() + SIZES[after.start] > max_atoms


def test_a_crystal_above_the_limit_goes_alone(graphs: list[CrystalGraph]) -> None:
    parts = [part for part, _ in iterate_batches(graphs, max_atoms=6)]
    assert slice(2, 3) in parts
    assert slice(4, 5) in parts
    only = list(iterate_batches([graphs[4]], max_atoms=2))
    assert len(only) == 1
    assert only[0][1].n_atoms.tolist() == [12]


def test_nothing_gives_no_batch() -> None:
    assert list(iterate_batches([])) == []
