"""Hosts with ions tried in them."""

import numpy as np
import pytest

from crystals import disulfide
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.mlip import latent_features, trial_features
from ionvolt.physics import settling
from ionvolt.physics.potentials.interface import Potential
from ionvolt.structures.crystal import Crystal


def host_of_titanium() -> Crystal:
    return remove_ion(disulfide(), WORKING_IONS["Li"])


def test_a_host_is_evaluated_once_for_all_ions(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated: list[Crystal] = []

    def counted(crystal: Crystal, potential: Potential) -> object:
        evaluated.append(crystal)
        return settling.at_ease(crystal, potential)

    monkeypatch.setattr(latent_features, "at_ease", counted)
    monkeypatch.setattr(trial_features, "_LATEST", type(trial_features._LATEST)())
    host = host_of_titanium()
    apart = [trial_features.featurise_trials([host_of_titanium()], [ion])[0] for ion in ("Mg", "Ca")]
    together = trial_features.featurise_trials([host, host], ["Mg", "Ca"])
    assert len(evaluated) == 1
    for one, other in zip(apart, together, strict=True):
        assert np.array_equal(one.features, other.features)
    # Another host, and the latest alone are kept.
    for n in range(trial_features.LATEST + 1):
        wider = Crystal(host.lattice * (1 + 0.01 * (n + 1)), host.numbers, host.frac_coords)
        trial_features.featurise_trials([wider], ["Mg"])
    assert len(evaluated) == trial_features.LATEST + 2
    assert len(trial_features._LATEST) == trial_features.LATEST
