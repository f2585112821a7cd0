"""The paper's method under the protocol, its networks kept on disk for the figures and for a run that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet
from ionvolt.evaluation.leakage import data_fingerprint
from ionvolt.evaluation.learners import voltages_of
from ionvolt.evaluation.networks import CgcnnTransfer, Fitted, LiModel
from ionvolt.evaluation.protocol import Unit
from ionvolt.store import atomic_folder, fingerprint, write_arrays
from ionvolt.typing import Indices, LogCallback, no_log

if TYPE_CHECKING:
    from ionvolt.models.cgcnn.ensemble import Ensemble

MemberRows = list[tuple[Indices, Indices]]
PARTS_FILE = "parts.npz"


class CachedTransfer:
    """``CgcnnTransfer`` whose networks of every split are written to a folder and read from there.

    Args:
        folder: For ``networks-<seed>``.
        members: Networks in an ensemble.
        epochs: See ``CgcnnTransfer``.
    """

    name = CgcnnTransfer.name

    def __init__(self, folder: Path, members: int, epochs: int | None) -> None:
        self._learner = CgcnnTransfer(members, epochs)
        self._folder = folder
        self.settings = self._learner.settings

    def fit_predict(
        self, data: ElectrodeSet, train: Indices, validation: Indices, test: Indices, *, seed: int, log: LogCallback
    ) -> NDArray[np.float64]:
        """See ``protocol.Learner``."""
        model, _ = self.networks(data, Unit(0, seed, train, validation, test), log)
        result = np.empty(len(test))
        for ion in np.unique(data.ions[test]):
            of_ion = data.ions[test] == ion
            result[of_ion] = voltages_of(model, data[test[of_ion]], str(ion))
        return result

    def networks(
        self, data: ElectrodeSet, unit: Unit, log: LogCallback = no_log
    ) -> tuple[Ensemble, dict[str, MemberRows]]:
        """The ensemble of a split, and the rows that its networks learned from and chose their epochs by."""
        from ionvolt.models.cgcnn.ensemble import load_ensemble

        folder = self._folder / f"networks-{unit.seed}"
        mark = _mark(data, unit, self.settings)
        if folder.is_dir():
            model = load_ensemble(folder)
            if model.card.training.get("mark") == mark:
                return model, _read_parts(folder / PARTS_FILE)
        fitted = self._learner.fit(
            data, unit.train, unit.validation, unit.test, seed=unit.seed, log=log
        )  # fmt: skip
        _write(fitted, data, unit, mark, self.settings, folder)
        return load_ensemble(folder), _read_parts(folder / PARTS_FILE)


class KeptLiModel:
    """The Li networks of ``CachedTransfer``, applied to every ion as they are."""

    name = LiModel.name

    def __init__(self, kept: CachedTransfer) -> None:
        self._kept = kept
        self.settings = kept.settings

    def fit_predict(
        self, data: ElectrodeSet, train: Indices, validation: Indices, test: Indices, *, seed: int, log: LogCallback
    ) -> NDArray[np.float64]:
        """See ``protocol.Learner``."""
        model, _ = self._kept.networks(data, Unit(0, seed, train, validation, test), log)
        return voltages_of(model, data[test], "Li")


def _mark(data: ElectrodeSet, unit: Unit, settings: str) -> str:
    return fingerprint([data_fingerprint(data), unit.seed, settings], unit.train, unit.validation, unit.test)


def _write(
    fitted: dict[str, Fitted], data: ElectrodeSet, unit: Unit, mark: str, settings: str, folder: Path
) -> None:  # fmt: skip
    """Write an ensemble; its folder appears only when it is complete."""
    from ionvolt.models.card import ModelCard
    from ionvolt.models.cgcnn.conversion import ensemble_of
    from ionvolt.models.cgcnn.ensemble import save_ensemble

    trunks = [network.trunk for network in fitted["Li"].networks]
    used = {ion: np.unique(np.concatenate([np.concatenate(pair) for pair in f.parts])) for ion, f in fitted.items()}
    card = ModelCard("trained for this report", attribution=str(data.provenance.get("attribution", "")))
    every = np.unique(np.concatenate(list(used.values())))
    card.training = {
        "mark": mark,
        "split": "paper",
        "split_seed": unit.seed,
        "settings": settings,
        "frameworks": sorted(set(data.frameworks[every].tolist())),
    }
    for ion, rows in used.items():
        elements = sorted({int(z) for row in rows for z in np.unique(data[int(row)].host.numbers)})
        card.add_ion(ion, elements, {"mode": "scratch" if ion == "Li" else "head", "n_rows": len(rows)})
    ensemble = ensemble_of(trunks, {ion: [n.head for n in f.networks] for ion, f in fitted.items()}, card)
    arrays = {
        f"{ion} {m} {name}": rows
        for ion, f in fitted.items()
        for m, pair in enumerate(f.parts)
        for name, rows in zip(("train", "validation"), pair, strict=True)
    }
    with atomic_folder(folder) as part:
        save_ensemble(ensemble, part)
        write_arrays(part / PARTS_FILE, arrays)


def _read_parts(path: Path) -> dict[str, MemberRows]:
    with np.load(path, allow_pickle=False) as arrays:
        names = [name.split(" ") for name in arrays.files if name.endswith(" train")]
        found: dict[str, MemberRows] = {}
        for ion, member, _ in sorted(names, key=lambda name: (name[0], int(name[1]))):
            pair = (arrays[f"{ion} {member} train"], arrays[f"{ion} {member} validation"])
            found.setdefault(ion, []).append(pair)
    return found
