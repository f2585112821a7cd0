from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crystals import IDEAL, other_cell, permuted, random_crystal, rotated, shifted
from ionvolt.graphs import MAX_NEIGHBOURS, RADIUS, build_graph, collate, has_tie, nearest_neighbours
from ionvolt.graphs import neighbours as module
from ionvolt.graphs.neighbours import Neighbours, pymatgen_neighbours, vesin_neighbours
from ionvolt.models.cgcnn.network import CGCNN
from ionvolt.structures.crystal import Crystal
from ionvolt.testing import supercell
from ionvolt.training.cgcnn.networks import new_network

BackEnd = Callable[..., Neighbours]


def numba_neighbours(crystal: Crystal, *, k: int = MAX_NEIGHBOURS, radius: float = RADIUS) -> Neighbours:
    numba = pytest.importorskip("ionvolt.graphs._neighbours_numba")
    found: Neighbours = numba.search(
        crystal, k, radius, module.start_radius(crystal, k, radius), module.TIE, module.ROUNDS
    )
    return found


BACK_ENDS = pytest.mark.parametrize("back_end", [numba_neighbours, vesin_neighbours], ids=["numba", "vesin"])


def brute_force(crystal: Crystal, radius: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each atom the indices and distances of all its neighbours, nearest first, by plain enumeration."""
    heights = 1 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
    frac = crystal.frac_coords - np.floor(crystal.frac_coords)
    reach = np.ceil(radius / heights).astype(int) + 1
    cells = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), -1).reshape(-1, 3)
    found = []
    for i in range(len(crystal)):
        vectors = (frac[None] - frac[i] + cells[:, None]) @ crystal.lattice
        distances = np.linalg.norm(vectors, axis=-1)
        distances[(cells == 0).all(1), i] = np.inf
        _, atom = np.nonzero(distances <= radius + 1e-6)
        near = distances[distances <= radius + 1e-6]
        order = np.argsort(near, kind="stable")
        found.append((atom[order], near[order]))
    return found


def cubic(a: float, *atoms: tuple[int, float, float, float]) -> Crystal:
    return Crystal(np.eye(3) * a, np.array([z for z, *_ in atoms]), np.array([f for _, *f in atoms]).reshape(-1, 3))


@st.composite
def crystals(draw: st.DrawFn) -> Crystal:
    """Skewed, flat, needle-like and tiny cells; atoms anywhere, outside the cell included."""
    diagonal = [draw(st.floats(0.8, 11.0).map(lambda x: round(x, 3))) for _ in range(3)]
    a, b, c = (draw(st.floats(-6.0, 6.0).map(lambda x: round(x, 3))) for _ in range(3))
    lattice = np.array([[diagonal[0], 0, 0], [a, diagonal[1], 0], [b, c, diagonal[2]]])
    lattice = lattice[draw(st.permutations(range(3)))]
    most = int(min(12, max(1, np.prod(diagonal) // 3)))
    n = draw(st.integers(1, most))
    frac = draw(st.lists(st.floats(-4, 4).map(lambda x: round(x, 4)), min_size=3 * n, max_size=3 * n))
    numbers = draw(st.lists(st.sampled_from([1, 8, 12, 26]), min_size=n, max_size=n))
    crystal = Crystal(lattice, np.array(numbers), np.reshape(frac, (n, 3)))
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    assume(heights.min() > 0.4 and crystal.volume > 2.5 * n)
    assume(not any(d.size and d[0] < 0.2 for _, d in brute_force(crystal, 0.3)))
    return crystal


def as_sets(crystal: Crystal, found: Neighbours) -> tuple[np.ndarray, np.ndarray]:
    """Each atom's neighbours' elements and distances, in an order of their own."""
    neighbours, distances = found
    elements = np.where(distances > RADIUS, 0, crystal.numbers[neighbours])
    order = np.lexsort((distances, elements), axis=1)
    return np.take_along_axis(elements, order, 1), np.take_along_axis(distances, order, 1)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(crystals())
def test_both_back_ends_are_one(crystal: Crystal) -> None:
    one, two = numba_neighbours(crystal), vesin_neighbours(crystal)
    np.testing.assert_allclose(one[1], two[1], atol=2e-5)
    for a, b in zip(as_sets(crystal, one), as_sets(crystal, two), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(crystals())
def test_distances_are_those_of_pymatgen(crystal: Crystal) -> None:
    expected = np.full((len(crystal), 12), RADIUS + 1)
    for atom, near in enumerate(crystal.to_pymatgen().get_all_neighbors(RADIUS)):
        nearest = sorted(neighbour.nn_distance for neighbour in near)[:12]
        expected[atom, : len(nearest)] = nearest
    for back_end in (numba_neighbours, vesin_neighbours):
        np.testing.assert_allclose(np.sort(back_end(crystal)[1], axis=1), expected, atol=2e-5)


@BACK_ENDS
@pytest.mark.parametrize(("k", "radius"), [(1, 8.0), (3, 4.0), (12, 8.0), (40, 6.0), (200, 8.0)])
def test_indices_and_distances_by_plain_enumeration(back_end: BackEnd, k: int, radius: float) -> None:
    rng = np.random.default_rng(k)
    tiny = Crystal(np.array([[1.5, 0, 0], [0.4, 1.4, 0], [0.2, 0.3, 1.6]]), np.array([26]), np.zeros((1, 3)))
    for crystal in [tiny, *(random_crystal(rng, n) for n in (1, 2, 5, 12, 30))]:
        neighbours, distances = back_end(crystal, k=k, radius=radius)
        assert neighbours.dtype == np.int32
        assert distances.dtype == np.float32
        for atom, (near, d) in enumerate(brute_force(crystal, radius)):
            kept = min(k, d.size)
            np.testing.assert_allclose(distances[atom, :kept], d[:kept], atol=2e-5)
            assert (distances[atom, kept:] == radius + 1).all()
            assert (neighbours[atom, kept:] == 0).all()
            clear = np.flatnonzero(np.diff(d[: kept + 1], prepend=-1, append=99) > 1e-4)
            alone = clear[:-1][np.diff(clear) == 1]
            alone = alone[alone < kept]
            np.testing.assert_array_equal(neighbours[atom, alone], near[alone])


@BACK_ENDS
def test_places_without_a_neighbour_point_at_atom_0_at_9_angstrom(back_end: BackEnd) -> None:
    neighbours, distances = back_end(cubic(9.0, (11, 0.3, 0.3, 0.3)))
    assert (neighbours == 0).all()
    assert (distances == 9.0).all()
    neighbours, distances = back_end(cubic(30.0, (8, 0, 0, 0), (11, 0.1, 0, 0), (17, 0.25, 0, 0)))
    np.testing.assert_allclose(distances[:, :3], [[3, 7.5, 9], [3, 4.5, 9], [4.5, 7.5, 9]], atol=1e-5)
    np.testing.assert_array_equal(neighbours[:, :3], [[1, 2, 0], [0, 2, 0], [1, 0, 0]])
    assert (neighbours[:, 2:] == 0).all()
    assert (distances[:, 2:] == 9.0).all()


@BACK_ENDS
def test_a_neighbour_at_the_cut_off_itself_is_inside_whatever_the_rounding(back_end: BackEnd) -> None:
    rng = np.random.default_rng(0)
    sparse = cubic(8.0, (11, 0, 0, 0))
    for crystal in [sparse, *(rotated(sparse, rng) for _ in range(20))]:
        np.testing.assert_allclose(back_end(crystal)[1], [[8.0] * 6 + [9.0] * 6], atol=1e-5)


@BACK_ENDS
def test_neighbours_come_nearest_first(back_end: BackEnd) -> None:
    for crystal in IDEAL.values():
        _, distances = back_end(crystal)
        assert (np.diff(distances, axis=1) > -2e-5).all()


@BACK_ENDS
def test_of_equally_near_neighbours_the_heavier_come_first(back_end: BackEnd) -> None:
    # Copper has four gold and eight copper atoms at one distance.
    crystal = IDEAL["ordered fcc"]
    neighbours, distances = back_end(crystal, k=6)
    of_copper = np.sort(crystal.numbers[neighbours[crystal.numbers == 29]], axis=1)
    assert (of_copper == [29, 29, 79, 79, 79, 79]).all()
    np.testing.assert_allclose(distances, 3.75 / 2**0.5, atol=1e-5)
    assert (crystal.numbers[back_end(crystal, k=3)[0][crystal.numbers == 29]] == 79).all()


@BACK_ENDS
def test_of_equally_near_atoms_of_one_element_the_more_closely_surrounded_comes_first(back_end: BackEnd) -> None:
    # Two hydrogen atoms 4 Å from sodium, one of them bound to a third.
    crystal = cubic(40.0, (1, 0.4, 0.5, 0.5), (11, 0.5, 0.5, 0.5), (1, 0.6, 0.5, 0.5), (1, 0.6, 0.52, 0.5))
    assert back_end(crystal, k=1)[0][1, 0] == 2
    mirrored = cubic(40.0, (1, 0.6, 0.5, 0.5), (1, 0.6, 0.52, 0.5), (11, 0.5, 0.5, 0.5), (1, 0.4, 0.5, 0.5))
    assert back_end(mirrored, k=1)[0][2, 0] == 0


def test_has_tie() -> None:
    assert has_tie(IDEAL["rock salt"])
    assert has_tie(IDEAL["bcc"])
    fcc = cubic(4.05, (13, 0, 0, 0), (13, 0, 0.5, 0.5), (13, 0.5, 0, 0.5), (13, 0.5, 0.5, 0))
    assert not has_tie(fcc)  # its first shell holds just twelve
    assert has_tie(fcc, k=11)
    assert not has_tie(cubic(9.0, (11, 0, 0, 0)))  # padding ties with nothing
    assert not has_tie(cubic(8.0, (11, 0, 0, 0)))
    assert not has_tie(random_crystal(np.random.default_rng(1), 30), tolerance=1e-5)


def test_has_tie_counts_what_is_nearer_than_its_tolerance() -> None:
    crystal = Crystal(np.diag([3.0, 3.005, 3.5]), np.array([26]), np.zeros((1, 3)))
    assert has_tie(crystal, k=2)
    assert not has_tie(crystal, k=2, tolerance=1e-3)


WRITINGS: dict[str, Callable[[Crystal, np.random.Generator], Crystal]] = {
    "permuted": permuted,
    "shifted": shifted,
    "rotated": rotated,
    "other cell": other_cell,
    "2x1x1": lambda crystal, rng: permuted(supercell(crystal, (2, 1, 1)), rng),
    "1x2x3": lambda crystal, rng: permuted(shifted(supercell(crystal, (1, 2, 3)), rng), rng),
    "all at once": lambda crystal, rng: rotated(
        permuted(other_cell(shifted(supercell(crystal, (1, 1, 2)), rng), rng), rng), rng
    ),
}


@pytest.fixture(scope="module")
def network() -> CGCNN:
    """Random weights, the batch norms fitted to some crystals so that a single neighbour counts."""
    network = new_network(3).train()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.momentum = 1.0
    with torch.no_grad():
        network(collate([build_graph(crystal) for crystal in IDEAL.values()]))
    return network.eval()


def voltage(network: CGCNN, crystal: Crystal, **options: str) -> float:
    with torch.inference_mode():
        return float(network(collate([build_graph(crystal, **options)]))[0])  # type: ignore[arg-type]


def environments(crystal: Crystal) -> np.ndarray:
    """One row an atom: its element, its neighbours' elements, its distances."""
    elements, distances = as_sets(crystal, nearest_neighbours(crystal))
    return np.concatenate([crystal.numbers[:, None], elements, distances], axis=1)


SOME = [*IDEAL, "random 1", "random 4", "random 9"]


def crystal_named(name: str) -> Crystal:
    if name in IDEAL:
        return IDEAL[name]
    n = int(name.split()[1])
    return random_crystal(np.random.default_rng(n), n)


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("name", SOME)
def test_one_crystal_is_one_graph_however_it_is_written(name: str, writing: str, network: CGCNN) -> None:
    crystal = crystal_named(name)
    rng = np.random.default_rng(7)
    expected, base = voltage(network, crystal), environments(crystal)
    same = np.abs(base[:, None] - base[None]).max(-1) < 1e-3
    for _ in range(2):
        other = WRITINGS[writing](crystal, rng)
        assert voltage(network, other) == pytest.approx(expected, abs=1e-5)
        matches = np.abs(environments(other)[:, None] - base[None]).max(-1) < 1e-3
        assert matches.any(1).all()
        np.testing.assert_array_equal(matches.sum(0), same.sum(0) * (len(other) // len(crystal)))


def test_the_published_choice_among_ties_depends_on_the_order_of_atoms(network: CGCNN) -> None:
    """Which shows that the test above could fail."""
    rng = np.random.default_rng(0)
    for name in ("perovskite", "double perovskite"):
        crystal = IDEAL[name]
        several = [voltage(network, permuted(shifted(crystal, rng), rng), ties="published") for _ in range(4)]
        assert np.ptp(several) > 1e-3


def test_ties_of_a_disordered_ideal_lattice(network: CGCNN) -> None:
    """Every site of an undistorted lattice is as closely surrounded as any other, whoever sits around it."""
    rng = np.random.default_rng(0)
    crystal = supercell(IDEAL["rock salt"], (2, 2, 1))
    numbers = crystal.numbers.copy()
    metals = np.flatnonzero(numbers == 12)
    numbers[rng.permutation(metals)[: metals.size // 2]] = 25
    mixed = Crystal(crystal.lattice, numbers, crystal.frac_coords)
    assert np.ptp([voltage(network, permuted(mixed, rng)) for _ in range(6)]) < 1e-5


def test_ties_aside_the_published_choice_is_the_same() -> None:
    for n in (25, 30):
        crystal = random_crystal(np.random.default_rng(n), n)
        assert not has_tie(crystal, tolerance=1e-5)
        for a, b in zip(nearest_neighbours(crystal), nearest_neighbours(crystal, ties="published"), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_published_ties_are_the_order_of_pymatgen() -> None:
    crystal = IDEAL["spinel"]
    neighbours, distances = nearest_neighbours(crystal, ties="published")
    for atom, near in enumerate(crystal.to_pymatgen().get_all_neighbors(8.0)):
        nearest = sorted(near, key=lambda neighbour: neighbour.nn_distance)[:12]
        assert neighbours[atom].tolist() == [neighbour.index for neighbour in nearest]
        np.testing.assert_allclose(distances[atom], [neighbour.nn_distance for neighbour in nearest], atol=1e-6)
    np.testing.assert_array_equal(pymatgen_neighbours(crystal)[0], neighbours)


def test_without_numba_vesin_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    crystal = IDEAL["perovskite"]
    with_numba = as_sets(crystal, nearest_neighbours(crystal))
    monkeypatch.setitem(__import__("sys").modules, "ionvolt.graphs._neighbours_numba", None)
    without = as_sets(crystal, nearest_neighbours(crystal))
    for a, b in zip(with_numba, without, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_graph_whose_arrays_do_not_fit_is_refused() -> None:
    from ionvolt.graphs import CrystalGraph

    with pytest.raises(ValueError, match="n=2"):
        CrystalGraph(np.array([1, 2]), np.zeros((2, 12), np.int32), np.zeros((2, 11), np.float32))
    with pytest.raises(ValueError, match="n=3"):
        CrystalGraph(np.array([1, 2, 3]), np.zeros((2, 12), np.int32), np.zeros((2, 12), np.float32))
