"""What tells whether all ions of an electrode go out."""

import numpy as np
import pytest

from ionvolt.ions import WORKING_IONS, working_ion
from ionvolt.models.mlip.full_extraction import (
    N_ELEMENTS,
    N_FEATURES,
    FullExtractionClassifier,
    full_extraction_features,
)
from ionvolt.models.mlip.latent_features import POOLED_SIZE, compute_features
from ionvolt.recipes.mlip.full_extraction import fit_full_extraction
from ionvolt.structures.crystal import Crystal
from models.small import DISCHARGED, ends

pytestmark = pytest.mark.slow

LI, MG = working_ion("Li"), working_ion("Mg")


def test_facts_are_those_of_the_crystal() -> None:
    """Li for Co one to one: an electron each, a quarter of the atoms; a supercell says the same, magnesium twice."""
    crystal, vectors = DISCHARGED[0], ends()[0]
    features = full_extraction_features(vectors, crystal, LI)
    assert features.shape == (N_FEATURES,)
    assert features[-4:] == pytest.approx([0.0, 0.25, 0.25, 1.0])
    elements, ions = features[POOLED_SIZE:][:N_ELEMENTS], features[-14:-4]
    assert {z + 1: elements[z] for z in np.flatnonzero(elements)} == {3: 0.25, 8: 0.5, 27: 0.25}
    assert np.flatnonzero(ions).tolist() == [0]
    assert np.flatnonzero(full_extraction_features(vectors, crystal, MG)[-14:-4]).tolist() == [
        list(WORKING_IONS).index("Mg")
    ]
    larger = Crystal.from_pymatgen(crystal.to_pymatgen().make_supercell((2, 1, 1)))
    assert full_extraction_features(compute_features([larger])[0], larger, LI) == pytest.approx(features, abs=1e-3)
    assert full_extraction_features(vectors, crystal, MG)[-1] == 2.0


def test_it_learns_and_is_kept() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2200, N_FEATURES)) * np.linspace(0.1, 5, N_FEATURES) + 3.0
    fully_extracted = features[:, -4] + 0.3 * features[:, 10] > 3.0 + 0.9
    model = fit_full_extraction(features[:2000], fully_extracted[:2000])
    answers = features[2000:] @ model.coefficients + model.constant > 0
    assert (answers == fully_extracted[2000:]).mean() > 0.8
    again = FullExtractionClassifier.from_arrays(model.arrays())
    vectors = ends()[0]
    assert vectors.pooled.shape == (POOLED_SIZE,)
    assert again.probability(vectors, DISCHARGED[0], LI) == model.probability(vectors, DISCHARGED[0], LI)
    assert 0 <= model.probability(vectors, DISCHARGED[0], LI) <= 1
