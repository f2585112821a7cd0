import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ionvolt.graphs import elements
from ionvolt.graphs.elements import DEPARTURES, FEATURE_BLOCKS, KNOWN_ELEMENTS, element_vectors
from ionvolt.structures.crystal import ATOMIC_NUMBERS


def classes(symbol: str) -> dict[str, int | None]:
    """Property -> class (from 0), None where its numbers are all zero."""
    vector = element_vectors()[ATOMIC_NUMBERS[symbol]]
    found: dict[str, int | None] = {}
    for name, block in FEATURE_BLOCKS.items():
        ones = np.flatnonzero(vector[block])
        assert ones.size <= 1, f"{symbol}: {name} is not one-hot"
        found[name] = int(ones[0]) if ones.size else None
    return found


def test_equals_the_published_vectors_of_all_100_elements(shared_data: Path) -> None:
    published = json.loads((shared_data / "na_cgcnn" / "atom_init.json").read_text())
    assert set(map(int, published)) == KNOWN_ELEMENTS
    for z in sorted(KNOWN_ELEMENTS):
        np.testing.assert_array_equal(element_vectors()[z], published[str(z)], err_msg=f"Z = {z}")


def test_form() -> None:
    vectors = element_vectors()
    assert vectors.shape == (101, 92)
    assert vectors.dtype == np.float32
    assert not vectors[0].any()
    assert set(np.unique(vectors)) == {0.0, 1.0}
    assert element_vectors() is vectors
    with pytest.raises(ValueError, match="read-only"):
        vectors[1, 0] = 1.0


def test_blocks_follow_one_another_and_fill_the_vector() -> None:
    blocks = list(FEATURE_BLOCKS.values())
    assert blocks[0].start == 0
    assert blocks[-1].stop == 92
    assert all(a.stop == b.start for a, b in pairwise(blocks))


# Facts of the periodic table, independent of the module; group 0 stands for the f block, which has none.
@pytest.mark.parametrize(
    ("symbol", "group", "period", "valence", "block"),
    [
        ("H", 1, 1, 1, "s"),
        ("He", 18, 1, 2, "s"),
        ("Li", 1, 2, 1, "s"),
        ("O", 16, 2, 6, "p"),
        ("Ne", 18, 2, 8, "p"),
        ("Mg", 2, 3, 2, "s"),
        ("Al", 13, 3, 3, "p"),
        ("Ca", 2, 4, 2, "s"),
        ("Sc", 3, 4, 3, "d"),
        ("Fe", 8, 4, 8, "d"),
        ("Cu", 11, 4, 11, "d"),
        ("Zn", 12, 4, 12, "d"),
        ("Ga", 13, 4, 3, "p"),
        ("Br", 17, 4, 7, "p"),
        ("Y", 3, 5, 3, "d"),
        ("Xe", 18, 5, 8, "p"),
        ("La", 0, 6, 2, "f"),
        ("Yb", 0, 6, 2, "f"),
        ("Lu", 3, 6, 3, "d"),
        ("Au", 11, 6, 11, "d"),
        ("Pb", 14, 6, 4, "p"),
        ("Ra", 2, 7, 2, "s"),
        ("U", 0, 7, 2, "f"),
        ("Fm", 0, 7, 2, "f"),
    ],
)
def test_place_in_the_periodic_table(symbol: str, group: int, period: int, valence: int, block: str) -> None:
    found = classes(symbol)
    assert found["group"] == group
    assert found["period"] == period - 1
    assert found["valence electrons"] == valence - 1
    assert found["block"] == "spdf".index(block)


def test_extremes_of_the_continuous_properties() -> None:
    by_symbol = {s: classes(s) for s, z in ATOMIC_NUMBERS.items() if z in KNOWN_ELEMENTS}

    def holders(name: str, index: int) -> set[str]:
        return {s for s, found in by_symbol.items() if found[name] == index}

    assert holders("electronegativity", 9) == {"F"}  # 3.98; edges 3.65 and 4.0
    assert holders("covalent radius", 0) == {"H", "He"}  # below 47.5 pm
    assert holders("covalent radius", 9) == {"Cs"}  # 232 pm; above 227.5
    assert holders("electron affinity", 9) == {"F", "Cl", "Br", "I"}  # above 3.03 eV; iodine 3.06
    assert holders("first ionisation energy", 9) == {"He"}  # above e^3.1 = 22.2 eV
    assert holders("atomic volume", 9) == {"Rb", "Cs"}  # above e^4.02 = 55.7 cm³/mol


def test_every_property_is_known_or_its_gap_is_a_missing_value() -> None:
    for symbol, z in ATOMIC_NUMBERS.items():
        if z not in KNOWN_ELEMENTS:
            continue
        values = dict(zip(elements._MEASURED, elements._PROPERTIES[z - 1], strict=True))
        for name, index in classes(symbol).items():
            assert (index is None) == (values.get(name, 0.0) is None), (symbol, name)


@pytest.mark.parametrize("symbol", ["He", "Ne", "Ar"])
def test_light_noble_gases_have_neither_electronegativity_nor_electron_affinity(symbol: str) -> None:
    found = classes(symbol)
    assert found["electronegativity"] is None
    assert found["electron affinity"] is None


def test_ionisation_energies_and_places_agree_with_pymatgen() -> None:
    from pymatgen.core.periodic_table import Element

    for z in sorted(KNOWN_ELEMENTS):
        element = Element.from_Z(z)
        energy = elements._PROPERTIES[z - 1][2]
        assert energy == pytest.approx(element.ionization_energy, rel=0.01), element
        group, period, block = elements.place(z)
        assert period == element.row, element
        if block != "f":
            assert group == element.group, element
        if element.symbol != "He":  # pymatgen files it under p
            assert block == element.block, element


def test_departures_are_few_and_each_is_needed() -> None:
    assert set(DEPARTURES) == {(46, "valence electrons")}
    for (z, name), (index, reason) in DEPARTURES.items():
        assert elements._classes(z)[name] != index
        assert reason


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("electronegativity", 0.5, 0),
        ("electronegativity", 0.49, None),
        ("electronegativity", 4.0, None),
        ("electronegativity", None, None),
        ("electron affinity", -3.1, None),
        ("covalent radius", 249.9, 9),
        ("first ionisation energy", 13.6, 6),  # ln 13.6 = 2.61
        ("atomic volume", 14.1, 4),  # ln 14.1 = 2.65
    ],
)
def test_classes_of_equal_width(name: str, value: float | None, expected: int | None) -> None:
    assert elements._bin(name, value) == expected
