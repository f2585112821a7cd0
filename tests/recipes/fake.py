"""A potential that costs nothing: features that depend on composition and volume alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ionvolt.datasets import Electrode
from ionvolt.ions import WORKING_IONS
from ionvolt.models.mlip.latent_features import ATOM_SIZE, WIDE_SIZE, CrystalFeatures
from ionvolt.recipes.mlip import features
from ionvolt.structures.crystal import Crystal


def crystal_features(crystal: Crystal) -> CrystalFeatures:
    """Numbers that are the same for the same crystal."""
    table = np.random.default_rng(0).normal(size=(100, ATOM_SIZE))
    atoms = table[crystal.numbers] + 0.01 * crystal.volume / len(crystal)
    pooled = np.stack([atoms.mean(0), atoms.std(0), atoms.min(0), atoms.max(0)], axis=1)
    layers = pooled.reshape(2, ATOM_SIZE // 2, 4).transpose(0, 2, 1)
    return CrystalFeatures(
        -3.0 * len(crystal),
        atoms.astype(np.float32),
        layers.ravel().astype(np.float32),
        crystal.volume,
        numbers=crystal.numbers,
    )


def wide_features(crystal: Crystal) -> CrystalFeatures:
    """The same with another potential's numbers of the atoms behind."""
    found = crystal_features(crystal)
    table = np.random.default_rng(1).normal(size=(100, WIDE_SIZE - ATOM_SIZE)).astype(np.float32)
    return replace(found, atoms=np.concatenate([found.atoms, table[crystal.numbers]], axis=1))


def trial_arrays(electrode: Electrode, informed: bool) -> dict[str, Any]:
    """The ion in a corner of the host, which is its primitive cell; in another one where the composition is known."""
    host = electrode.host
    number = WORKING_IONS[electrode.working_ion].number
    filled = Crystal(host.lattice, np.append(host.numbers, number), np.vstack([host.frac_coords, [0.1, 0.2, 0.3]]))
    if informed:
        filled = replace(filled, lattice=1.01 * filled.lattice)
    f = crystal_features(filled)
    found: dict[str, Any] = {"n_ions": np.array(1)}
    for name in ("single", "filled"):
        found |= {
            f"{name}.energy": np.array(f.energy),
            f"{name}.pooled": f.pooled,
            f"{name}.volume": np.array(f.volume),
        }
        found[f"{name}.atoms"] = f.atoms.astype(np.float16)
    return found


def use(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put it in the place of the potential; the list grows by the source of every crystal that is asked for."""
    asked: list[str] = []

    def asking(look: Callable[[Crystal], CrystalFeatures]) -> Callable[[Sequence[Crystal]], list[CrystalFeatures]]:
        def compute(crystals: Sequence[Crystal]) -> list[CrystalFeatures]:
            asked.extend(crystal.source for crystal in crystals)
            return [look(crystal) for crystal in crystals]

        return compute

    monkeypatch.setattr(features, "compute_features", asking(crystal_features))
    monkeypatch.setattr(features, "compute_wide_features", asking(wide_features))
    monkeypatch.setattr(features, "settled_ends", lambda host, discharged: (discharged, host))
    monkeypatch.setattr(features, "trial_arrays", trial_arrays)
    return asked
