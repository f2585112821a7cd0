"""How near two atoms may be is a matter of their elements."""

import gzip
import itertools
import json

import numpy as np
import pytest

from ionvolt.errors import InputError
from ionvolt.structures import Crystal, Limits, check, read_text
from structures.textbook import ALL, OLIVINE


def pair(first, second, distance):
    """Two atoms so far apart, and far from their images."""
    lattice = np.diag([5.5, 5.5, 5.5])
    return Crystal(lattice, np.array([first, second]), np.array([[0, 0, 0], [distance / 5.5, 0, 0]]))


LOOSE = Limits(max_neighbour_distance=20)


@pytest.mark.parametrize(
    ("elements", "distance"),
    [
        ((3, 8), 0.9),
        ((3, 26), 1.13),
        ((55, 17), 1.5),
        ((26, 26), 1.2),
        ((8, 8), 0.75),
        ((15, 8), 0.91),
        ((11, 11), 1.9),
    ],
)
def test_too_near(elements, distance):
    with pytest.raises(InputError) as caught:
        check(pair(elements[0], elements[1], distance), LOOSE)
    assert f"are {distance:.2f} Å apart, where a bond of the two is about" in caught.value.rule


@pytest.mark.parametrize(
    ("elements", "distance"),
    [
        ((1, 1), 0.74), ((8, 1), 0.82), ((6, 1), 0.93), ((7, 7), 1.10), ((6, 8), 1.13), ((6, 7), 1.15), ((8, 8), 1.21),
        ((9, 1), 0.92), ((3, 8), 1.7), ((23, 8), 1.55), ((42, 42), 2.1), ((24, 24), 1.85), ((15, 8), 1.45),
        ((92, 8), 1.75),
    ],
)  # fmt: skip
def test_shortest_bonds_that_are_known(elements, distance):
    assert check(pair(elements[0], elements[1], distance), LOOSE)


def test_message_names_both():
    with pytest.raises(InputError) as caught:
        check(pair(3, 8, 0.9), LOOSE)
    said = "Li (atom 1) and O (atom 2) are 0.90 Å apart, where a bond of the two is about 1.94 Å long"
    assert caught.value.rule == f"{said} and never below 1.16 Å"


@pytest.mark.parametrize("scale", [0.58, 0.6])
def test_scaled_cells(scale):
    crystal = read_text(OLIVINE.cif(), "olivine")
    with pytest.raises(InputError, match="apart"):
        check(Crystal(crystal.lattice * scale, crystal.numbers, crystal.frac_coords))


def test_textbook_crystals_are_far_from_the_limit():
    for name, cell in ALL.items():
        assert len(read_text(cell.cif(), name, limits=Limits(min_bond=0.75))) > 0


def test_database_crystals(shared_data):
    refused = n = 0
    with gzip.open(shared_data / "structures.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in itertools.islice(file, 0, None, 41):
            record = json.loads(line)
            n += 1
            try:
                read_text(record["cif"], record["id"])
            except InputError as error:
                refused += "bond" in error.rule
    assert refused <= 0.005 * n
