"""Support vectors, kernel ridge and forests: settings searched inside the training part, then one fit on all of it.

The search is a cross-validation of the training rows alone, by whole groups where the test part is made of other
groups (frameworks); the grids are small on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ionvolt.models.classical.forests import Forest
from ionvolt.models.classical.model import KernelMachine, Predictor
from ionvolt.models.differences import standardised
from ionvolt.training.scikit_learn import require_scikit_learn
from ionvolt.typing import Array, Indices

Name = Literal["svr", "kernel-ridge", "random-forest", "extra-trees"]
NAMES: tuple[Name, ...] = get_args(Name)

INNER_FOLDS = 3
CLIP = 5.0

GRIDS: dict[Name, dict[str, tuple[float, ...]]] = {
    "svr": {"gamma": (0.1, 0.3, 1.0), "C": (1.0, 3.0, 10.0, 30.0)},
    "kernel-ridge": {"gamma": (0.1, 0.3, 1.0), "alpha": (0.01, 0.03, 0.1, 0.3)},
    "random-forest": {"max_features": (0.1, 0.2)},
    "extra-trees": {"max_features": (0.1, 0.2)},
}
"""What is tried. gamma is divided by the number of features; the target is standardised for kernel machines."""

_EPSILON = 0.1
_TREES = {"random-forest": 100, "extra-trees": 150}
_TREES_OF_SEARCH = 40
_ROWS_OF_SEARCH = 1500


@dataclass(frozen=True)
class Fit:
    """A fitted predictor.

    Attributes:
        predictor: Answers feature rows with voltages in V.
        settings: Those that the search chose.
        inner_mae: Their mean absolute error over the inner folds, V; nan where there was nothing to search with.
        n_train: Rows that it learned from.
    """

    predictor: Predictor
    settings: dict[str, float]
    inner_mae: float
    n_train: int


def fit_classical(
    name: Name,
    rows: Array,
    voltages: Array,
    *,
    groups: Sequence[str] | NDArray[np.str_] | None = None,
    seed: int = 0,
    progress: Callable[[], None] | None = None,
) -> Fit:
    """Search settings and fit.

    Args:
        name: Which learner.
        rows: Features of the training part, shape (n, p).
        voltages: In V, shape (n,).
        groups: What the inner folds keep together, such as frameworks, shape (n,); default: every row by itself.
        seed: Seed of the inner folds and of the trees.
        progress: Called after every inner fold.

    Raises:
        ModelError: scikit-learn is not installed.
    """
    require_scikit_learn()
    fit = _fit_kernel if name in ("svr", "kernel-ridge") else _fit_forest
    folds = list(inner_folds(len(rows), groups, seed))
    return fit(name, rows, voltages, folds, seed, progress or (lambda: None))


def inner_folds(
    n_rows: int, groups: Sequence[str] | NDArray[np.str_] | None, seed: int
) -> Iterator[tuple[Indices, Indices]]:
    """Training and validation rows of the search; none where there are too few rows or groups.

    Of many rows, ``_ROWS_OF_SEARCH`` drawn by chance serve for the search.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(n_rows)[:_ROWS_OF_SEARCH])
    labels = rows if groups is None else np.asarray(groups)[rows]
    names, group = np.unique(labels, return_inverse=True)
    if len(names) < 2 * INNER_FOLDS:
        return
    fold = (rng.permutation(len(names)) % INNER_FOLDS)[group]
    for k in range(INNER_FOLDS):
        yield rows[fold != k], rows[fold == k]


def recipe(name: Name) -> str:
    """Everything that decides what a learner of that name makes of the same rows, in words."""
    return f"{name} {GRIDS[name]} {_TREES.get(name)} {_TREES_OF_SEARCH} {_ROWS_OF_SEARCH} {_EPSILON} {CLIP}"


def mean_and_scale(rows: Array) -> tuple[Array, Array]:
    """Mean and deviation of each feature, both of shape (p,); features that do not vary have the deviation 1."""
    mean, scale = rows.mean(0), rows.std(0)
    return mean, np.where(scale > 1e-9 * np.maximum(np.abs(mean), 1e-9), scale, 1.0)


def _settings(name: Name) -> list[dict[str, float]]:
    grid = GRIDS[name]
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def _fit_kernel(
    name: Name,
    rows: Array,
    voltages: Array,
    folds: list[tuple[Indices, Indices]],
    seed: int,
    progress: Callable[[], None],
) -> Fit:
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.svm import SVR

    mean, scale = mean_and_scale(rows)
    x = standardised(rows, mean, scale, CLIP)
    centre, width = float(voltages.mean()), float(voltages.std()) or 1.0
    y = (voltages - centre) / width
    squares = (x**2).sum(1)
    apart = np.maximum(squares[:, None] + squares - 2 * x @ x.T, 0) / x.shape[1]

    def new(settings: dict[str, float]) -> Any:
        if name == "svr":
            return SVR(kernel="precomputed", C=settings["C"], epsilon=_EPSILON, cache_size=500)
        return KernelRidge(kernel="precomputed", alpha=settings["alpha"])

    errors: dict[int, list[Array]] = {i: [] for i in range(len(_settings(name)))}
    for train, validation in folds:
        gamma, kernel = np.nan, apart
        for i, settings in enumerate(_settings(name)):
            if settings["gamma"] != gamma:
                gamma = settings["gamma"]
                kernel = np.exp(-gamma * apart)
            machine = new(settings).fit(kernel[np.ix_(train, train)], y[train])
            errors[i].append(np.abs(machine.predict(kernel[np.ix_(validation, train)]) - y[validation]))
        progress()
    best, mae = _best(errors)
    settings = _settings(name)[best]
    machine = new(settings).fit(np.exp(-settings["gamma"] * apart), y)
    if name == "svr":
        support, dual, intercept = machine.support_, machine.dual_coef_[0], float(machine.intercept_[0])
    else:
        support, dual, intercept = np.arange(len(x)), machine.dual_coef_, 0.0
    predictor = KernelMachine(
        mean=mean,
        scale=scale,
        support=x[support],
        coefficients=np.asarray(dual, dtype=np.float64) * width,
        intercept=intercept * width + centre,
        gamma=settings["gamma"] / x.shape[1],
        clip=CLIP,
    )
    return Fit(predictor, settings, mae * width, len(x))


def _fit_forest(
    name: Name,
    rows: Array,
    voltages: Array,
    folds: list[tuple[Indices, Indices]],
    seed: int,
    progress: Callable[[], None],
) -> Fit:
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

    kind = RandomForestRegressor if name == "random-forest" else ExtraTreesRegressor
    rows32 = rows.astype(np.float32)
    errors: dict[int, list[Array]] = {i: [] for i in range(len(_settings(name)))}
    for train, validation in folds:
        for i, settings in enumerate(_settings(name)):
            forest = kind(_TREES_OF_SEARCH, max_features=settings["max_features"], random_state=seed)
            forest.fit(rows32[train], voltages[train])
            errors[i].append(np.abs(forest.predict(rows32[validation]) - voltages[validation]))
        progress()
    best, mae = _best(errors)
    settings = _settings(name)[best]
    forest = kind(_TREES[name], max_features=settings["max_features"], random_state=seed).fit(rows32, voltages)
    return Fit(flattened(forest.estimators_, rows.shape[1]), settings, mae, len(rows))


def _best(errors: dict[int, list[Array]]) -> tuple[int, float]:
    means = {i: float(np.concatenate(parts).mean()) for i, parts in errors.items() if parts}
    if not means:
        return 0, float("nan")
    best = min(means, key=means.__getitem__)
    return best, means[best]


def flattened(trees: Sequence[Any], n_features: int) -> Forest:
    """scikit-learn's trees as flat arrays with the same answers."""
    left, right, feature, threshold, value = [], [], [], [], []
    roots, start = [], 0
    for tree in (t.tree_ for t in trees):
        nodes = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        left.append(start + np.where(leaf, nodes, tree.children_left))
        right.append(start + np.where(leaf, nodes, tree.children_right))
        feature.append(np.where(leaf, 0, tree.feature))
        threshold.append(np.where(leaf, np.inf, tree.threshold))
        value.append(tree.value[:, 0, 0])
        roots.append(start)
        start += tree.node_count
    exact = np.concatenate(threshold)
    # The largest single-precision number not above the threshold sends the same single-precision rows left.
    single = exact.astype(np.float32)
    single = np.where(single.astype(np.float64) > exact, np.nextafter(single, np.float32(-np.inf)), single)
    return Forest(
        roots=np.array(roots, dtype=np.int64),
        left=np.concatenate(left).astype(np.int32),
        right=np.concatenate(right).astype(np.int32),
        feature=np.concatenate(feature).astype(np.int16),
        threshold=single.astype(np.float32),
        value=np.concatenate(value).astype(np.float32),
        n_features=n_features,
    )
