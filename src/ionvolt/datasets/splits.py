"""Splits that are the same on every machine: rows are ranked by a hash of their own names and the seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets.records import ElectrodeSet
from ionvolt.errors import DataError
from ionvolt.typing import Indices

Kind = Literal["random", "framework", "chemical-system"]
FRACTIONS = (0.8, 0.1, 0.1)


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of the three parts, sorted; they never overlap.

    Attributes:
        train: Rows to learn from.
        validation: Rows to choose by (epoch, settings).
        test: Rows for the one final error.
        kind: ``random``, or ``framework``: a framework stands in one part only, whatever the ion. Folds may be of the
            kind ``chemical-system``, too: so do all frameworks of the same elements.
        seed: Seed of the split.
        fractions: Shares of training, validation and test rows that were asked for.
    """

    train: Indices
    validation: Indices
    test: Indices
    kind: Kind
    seed: int
    fractions: tuple[float, float, float] = FRACTIONS


def random_split(data: ElectrodeSet, seed: int, fractions: tuple[float, float, float] = FRACTIONS) -> Split:
    """Every row by itself."""
    return _split(data.keys, "random", seed, fractions)


def framework_split(data: ElectrodeSet, seed: int, fractions: tuple[float, float, float] = FRACTIONS) -> Split:
    """Whole frameworks, across all ions of the set."""
    return _split(data.frameworks, "framework", seed, fractions)


def framework_folds(data: ElectrodeSet, n_folds: int, seed: int) -> list[Indices]:
    """Cross-validation: test rows of each fold, whole frameworks, all rows once."""
    return _folds(data, np.arange(len(data)), n_folds, "framework", f"fold:{seed}")


def chemical_system_folds(data: ElectrodeSet, n_folds: int, seed: int) -> list[Indices]:
    """Cross-validation: test rows of each fold, all frameworks of the same elements together, all rows once."""
    return _folds(data, np.arange(len(data)), n_folds, "chemical-system", f"fold:{seed}")


def random_folds(data: ElectrodeSet, n_folds: int, seed: int) -> list[Indices]:
    """Cross-validation: test rows of each fold, row by row, all rows once."""
    return _folds(data, np.arange(len(data)), n_folds, "random", f"fold:{seed}")


def validation_folds(
    data: ElectrodeSet, pool: Indices, n_members: int, *, kind: Kind, seed: int, parts: int = 9
) -> list[tuple[Indices, Indices]]:
    """Training and validation rows of ensemble members, each with another ninth of the pool to validate on.

    With the test part a tenth of all rows, each member is trained on 0.8 and validated on 0.1 of them.
    """
    folds = _folds(data, pool, parts, kind, f"member:{seed}")
    return [(np.setdiff1d(pool, folds[m % parts]), folds[m % parts]) for m in range(n_members)]


def excluding_frameworks(data: ElectrodeSet, rows: Indices, forbidden: set[str]) -> Indices:
    """The rows whose framework is not forbidden: what a pre-training may see when others will be tested."""
    frameworks = data.frameworks[rows]
    return rows[~np.isin(frameworks, sorted(forbidden))]


def _ranked(names: Sequence[str], salt: str) -> Indices:
    """Numbers of the names in an order that depends on each name and the salt alone."""
    digests = [hashlib.sha256(f"{salt}:{name}".encode()).digest() for name in names]
    return np.array(sorted(range(len(names)), key=digests.__getitem__), dtype=np.int64)


def _split(
    labels: Sequence[str] | NDArray[np.str_], kind: Kind, seed: int, fractions: tuple[float, float, float]
) -> Split:
    """Deal ranked groups of rows out to test, validation and training until each has its share of rows."""
    if not all(f >= 0 for f in fractions) or not abs(sum(fractions) - 1) <= 1e-9:
        raise ValueError(f"fractions must not be negative and add up to 1, not {fractions}")
    names, group, sizes = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True, return_counts=True)
    order = _ranked(names.tolist(), f"{kind}:{seed}")
    # A group goes where its middle lies, so that a large one does not push a part far over its share.
    middle = np.empty(len(names))
    middle[order] = (np.cumsum(sizes[order]) - 0.5 * sizes[order]) / max(float(sizes.sum()), 1.0)
    place = middle[group]
    test, validation = place < fractions[2], place < fractions[2] + fractions[1]
    return Split(
        train=np.flatnonzero(~validation),
        validation=np.flatnonzero(validation & ~test),
        test=np.flatnonzero(test),
        kind=kind,
        seed=seed,
        fractions=fractions,
    )


def _folds(data: ElectrodeSet, rows: Indices, n_folds: int, kind: Kind, salt: str) -> list[Indices]:
    groups = {"random": data.keys, "framework": data.frameworks, "chemical-system": data.chemical_systems}
    labels = np.asarray(groups[kind])[rows]
    names, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if not 2 <= n_folds <= len(names):
        what = {"random": "electrodes", "framework": "frameworks", "chemical-system": "chemical systems"}[kind]
        raise DataError(f"{n_folds} folds cannot be made of {len(names)} {what}. Give more data or ask for fewer folds")
    order = _ranked(names.tolist(), f"{kind}:{salt}")
    middle = (np.cumsum(sizes[order]) - 0.5 * sizes[order]) / sizes.sum()
    ranked = np.minimum((middle * n_folds).astype(np.int64), n_folds - 1)
    # One huge framework can span several folds: its neighbours in the ranking fill those that would stay empty.
    place = np.arange(len(names))
    ranked = place + np.minimum.accumulate(np.minimum(ranked - place, 0))
    ranked = np.maximum(ranked, n_folds - len(names) + place)
    fold_of = np.empty(len(names), dtype=np.int64)
    fold_of[order] = ranked
    return [np.sort(rows[fold_of[group] == fold]) for fold in range(n_folds)]
