"""What is written is read back as what it was."""

import numpy as np
import pytest

from ionvolt.structures import Crystal, read_file
from ionvolt.structures.writing import ENDINGS, structure_text, write_structure

CRYSTAL = Crystal(
    np.array([[2.87, 0.01, 0], [-1.4, 2.5, 0.2], [0, 0.3, 14.2]]),
    np.array([3, 28, 8, 25, 8, 8]),
    np.array([[0, 0, 0.5], [0, 0, 0], [1 / 3, 2 / 3, 0.1], [0.5, 0.5, 0.25], [0.2, 0.7, 0.75], [0.9, 0.4, 0.9]]),
)


@pytest.mark.parametrize("fmt", ENDINGS)
def test_written_and_read(tmp_path, fmt):
    path = tmp_path / "deep" / f"x{ENDINGS[fmt]}"
    write_structure(CRYSTAL, path, fmt)
    read = read_file(path)
    assert read.composition == CRYSTAL.composition
    assert read.lattice @ read.lattice.T == pytest.approx(CRYSTAL.lattice @ CRYSTAL.lattice.T, abs=1e-6)
    places = {(z, *np.round(f, 6)) for z, f in zip(CRYSTAL.numbers.tolist(), CRYSTAL.frac_coords.tolist(), strict=True)}
    assert {
        (z, *np.round(f, 6)) for z, f in zip(read.numbers.tolist(), read.frac_coords.tolist(), strict=True)
    } == places
    assert list(tmp_path.glob("**/*.part")) == []


def test_text_is_in_p1():
    assert "'x, y, z'" in structure_text(CRYSTAL, "cif")
