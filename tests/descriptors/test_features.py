"""Features: Magpie's as matminer has them, structure features by hand, none dependent on how a crystal is told."""

import numpy as np
import pytest

from crystals import crystal, fluorite, perovskite, rock_salt
from datasets.builders import small_set
from ionvolt.descriptors import FEATURES, ION_FEATURES, element_table, features, ion_features
from ionvolt.descriptors.composition import COMPOSITION_FEATURES, STATISTICS, amounts, composition_features
from ionvolt.descriptors.elements import MAGPIE_PROPERTIES, ElementTable
from ionvolt.descriptors.structure import STRUCTURE_FEATURES, structure_features
from ionvolt.structures.crystal import ATOMIC_NUMBERS, SYMBOLS, Crystal

pytest.importorskip("matminer")

N_MAGPIE = len(MAGPIE_PROPERTIES) * len(STATISTICS)


def named(row: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURES, row, strict=True))


def test_at_least_the_273_of_the_paper_with_names_of_their_own() -> None:
    assert len(FEATURES) >= 273
    assert len(set(FEATURES + ION_FEATURES)) == len(FEATURES) + len(ION_FEATURES)
    assert FEATURES == COMPOSITION_FEATURES + STRUCTURE_FEATURES


def random_counts(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    counts = np.zeros((n, 119))
    for row in counts:
        elements = rng.choice(np.arange(1, 95), rng.integers(1, 7), replace=False)
        row[elements] = rng.integers(1, 5, len(elements)) * rng.integers(1, 4)
    return counts


def test_magpie_statistics_are_those_of_matminer() -> None:
    from matminer.featurizers.composition import ElementProperty
    from pymatgen.core import Composition

    featurizer = ElementProperty.from_preset("magpie", impute_nan=True)
    featurizer.set_n_jobs(1)
    assert tuple(featurizer.feature_labels()) == FEATURES[:N_MAGPIE]
    counts = random_counts(25)
    ours = composition_features(counts, element_table())[:, :N_MAGPIE]
    for row, mine in zip(counts, ours, strict=True):
        theirs = featurizer.featurize(Composition({SYMBOLS[z]: row[z] for z in np.flatnonzero(row)}))
        assert np.abs(mine - np.array(theirs, dtype=float)).max() < 1e-6


def test_valence_orbitals_and_norms_are_those_of_matminer() -> None:
    from matminer.featurizers.composition import Stoichiometry, ValenceOrbital
    from pymatgen.core import Composition

    counts = random_counts(10, 1)
    ours = composition_features(counts, element_table())
    norms = [FEATURES.index(f"{p}-norm of fractions") for p in (2, 3, 5, 7, 10)]
    orbitals = [FEATURES.index(f"{kind} {o} valence electrons") for kind in ("avg", "frac") for o in "spdf"]
    for row, mine in zip(counts, ours, strict=True):
        composition = Composition({SYMBOLS[z]: row[z] for z in np.flatnonzero(row)})
        assert mine[norms] == pytest.approx(Stoichiometry((2, 3, 5, 7, 10)).featurize(composition), abs=1e-9)
        assert mine[orbitals] == pytest.approx(ValenceOrbital(impute_nan=True).featurize(composition), abs=1e-6)


def test_ionic_character_by_hand() -> None:
    row = dict(zip(FEATURES, features([rock_salt("Mg")])[0], strict=True))
    pauling = 1 - np.exp(-0.25 * (3.44 - 1.31) ** 2)
    assert row["max ionic character"] == pytest.approx(pauling)
    assert row["avg ionic character"] == pytest.approx(pauling / 2)  # of the four ordered pairs two are alike


def formal_charge(formula: str) -> tuple[float, float]:
    from pymatgen.core import Composition

    counts = np.zeros((1, 119))
    for element, n in Composition(formula).items():
        counts[0, ATOMIC_NUMBERS[element.symbol]] = n
    row = dict(zip(COMPOSITION_FEATURES, composition_features(counts, element_table())[0], strict=True))
    return row["formal charge of redox-active atoms"], row["fraction of redox-active atoms"]


@pytest.mark.parametrize(
    ("formula", "charge", "share"),
    [
        ("FePO4", 3, 1 / 6),
        ("MnO2", 4, 1 / 3),
        ("V2O5", 5, 2 / 7),
        ("TiS2", 4, 1 / 3),
        ("Fe2(SO4)3", 3, 2 / 17),
        ("NaCoO2", 3, 1 / 4),
        ("SiO2", 0, 0),
    ],
)
def test_charge_left_to_redox_active_atoms(formula: str, charge: float, share: float) -> None:
    assert formal_charge(formula) == pytest.approx((charge, share))


def test_rock_salt_by_hand() -> None:
    row = named(features([rock_salt("Ni", 4.2)])[0])
    assert row["volume per atom"] == pytest.approx(4.2**3 / 8)
    assert row["density"] == pytest.approx((58.6934 + 15.9994) * 4 * 1.66053907 / 4.2**3, rel=1e-4)
    assert row["volume per anion"] == pytest.approx(4.2**3 / 4)
    assert row["d metals per volume"] == pytest.approx(4 / 4.2**3)
    assert row["atoms in the primitive cell"] == 2
    assert row["cell a / c"] == pytest.approx(1)
    assert row["cell alpha"] == pytest.approx(60)
    assert row["mean nearest distance, all atoms"] == pytest.approx(2.1)
    # Twelve second neighbours at sqrt(2) times the distance add a little to the six.
    assert row["mean coordination, d metal"] == pytest.approx(6, abs=0.3)
    assert row["std coordination, all atoms"] == pytest.approx(0, abs=1e-4)
    assert row["shortest d metal to anion"] == pytest.approx(2.1)
    assert row["shortest d metal to d metal"] == pytest.approx(4.2 / 2**0.5)
    assert row["shortest nonmetal to anion"] == 8.0  # none there
    assert row["mean share of anions around, d metal"] == pytest.approx(1, abs=0.05)
    assert row["mean coordination, nonmetal"] == 0


def test_perovskite_coordination() -> None:
    row = named(features([perovskite("Ti")])[0])
    assert row["mean coordination, d metal"] == pytest.approx(6, abs=0.3)
    assert row["mean coordination, other metal"] == pytest.approx(12, abs=2.5)  # eight Ti atoms count a little
    assert row["mean nearest distance, other metal"] == pytest.approx(3.9 / 2**0.5)


def supercell(of: Crystal, matrix: np.ndarray) -> Crystal:
    from pymatgen.transformations.standard_transformations import SupercellTransformation

    return Crystal.from_pymatgen(SupercellTransformation(matrix).apply_transformation(of.to_pymatgen()))


@pytest.mark.parametrize("of", [rock_salt("Fe"), fluorite("Zr"), perovskite("Mn")])
def test_nothing_depends_on_cell_order_or_origin(of: Crystal) -> None:
    rng = np.random.default_rng(1)
    order = rng.permutation(len(of))
    shift = rng.random(3) + rng.integers(-2, 3, (len(of), 3))
    electrodes = [
        of,
        Crystal(of.lattice, of.numbers[order], of.frac_coords[order] + shift),
        supercell(of, np.array([[2, 0, 0], [0, 1, 0], [0, 0, 1]])),
        supercell(of, np.array([[1, 1, 0], [0, 1, 1], [0, 0, 1]])),
        Crystal(of.lattice @ np.linalg.qr(rng.normal(size=(3, 3)))[0], of.numbers, of.frac_coords),
    ]
    rows = features(electrodes)
    for row in rows[1:]:
        assert row == pytest.approx(rows[0], abs=2e-4, rel=1e-5)


def test_a_row_depends_on_its_own_host_alone() -> None:
    hosts = small_set().hosts[:12]
    together = features(hosts)
    assert np.isfinite(together).all()
    for i in (0, 5, 11):
        assert features([hosts[i]])[0] == pytest.approx(together[i], abs=1e-9)
    assert features(hosts[::-1])[::-1] == pytest.approx(together, abs=1e-9)


def test_chunks_join(monkeypatch: pytest.MonkeyPatch) -> None:
    from ionvolt.descriptors import surroundings

    hosts = small_set().hosts[:9]
    whole = structure_features(hosts, element_table())
    monkeypatch.setattr(surroundings, "_ATOMS_AT_ONCE", 7)
    assert np.array_equal(structure_features(hosts, element_table()), whole)


def test_odd_hosts_have_finite_features() -> None:
    lonely = crystal(np.eye(3) * 30, "Ne", [[0, 0, 0]])
    heavy = crystal(np.eye(3) * 5, "Pu Fm O", [[0, 0, 0], [0.5] * 3, [0.5, 0, 0]])
    rows = features([lonely, heavy])
    assert np.isfinite(rows).all()
    assert named(rows[0])["mean nearest distance, all atoms"] == 8.0
    assert features([]).shape == (0, len(FEATURES))


def test_ion_features() -> None:
    rows = ion_features(["Mg", "Li", "Mg"], element_table())
    assert rows.shape == (3, len(ION_FEATURES))
    assert np.array_equal(rows[0], rows[2])
    assert rows[0, ION_FEATURES.index("ion is Mg")] == 1
    assert rows[:, : len(ION_FEATURES) - 9].sum(1).tolist() == [1, 1, 1]
    assert rows[:, ION_FEATURES.index("ion charge")].tolist() == [2, 1, 2]


def test_the_element_table_is_checked() -> None:
    values = element_table().values
    assert np.isfinite(values).all()
    with pytest.raises(ValueError, match="element table"):
        ElementTable(values[:10])
    assert amounts([rock_salt("Ni")])[0, [28, 8]].tolist() == [1, 1]


def test_the_documented_list_is_the_list() -> None:
    from pathlib import Path

    page = Path(__file__).parents[2] / "docs" / "evaluation.md"
    text = page.read_text(encoding="utf-8").partition("<!-- features -->")[2].partition("<!-- end features -->")[0]
    listed = [name for line in text.splitlines() if line.startswith("- ") for name in line[2:].split("; ")]
    assert tuple(listed) == FEATURES + ION_FEATURES, "run python scripts/baselines.py features"


def test_the_whole_2020_snapshot_is_featurised_fast(shared_data) -> None:
    """A sample that must keep the pace of 3,729 hosts in a minute on one core, with room for a busy machine."""
    import gzip
    import itertools
    import json
    import time

    from ionvolt.structures import as_crystal

    with gzip.open(shared_data / "structures.jsonl.gz", "rt") as file:
        hosts = [as_crystal(json.loads(line)["cif"]) for line in itertools.islice(file, 0, 2000, 50)]
    features(hosts[:2])
    start = time.process_time()
    assert np.isfinite(features(hosts)).all()
    assert time.process_time() - start < 60 * len(hosts) / 3729 * 1.5
