"""What a random forest makes of features of a host: importance by feature and by elemental property (Fig. S1).

The paper reads the impurity importance of one forest. That measure favours features of many values and is shared out at
random among features that say the same, so it stands here beside the permutation importance on rows that the forest has
not seen, for whole properties at once: all features of a property shuffled together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.analysis.projection import scikit_learn
from ionvolt.explain.figures import ACCENT, SOFT, canvas, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATISTICS = ("minimum", "maximum", "range", "mean", "avg_dev", "mode")
REPEATS = 3


@dataclass(frozen=True)
class Importance:
    """How much a forest rests on a feature or property.

    Attributes:
        name: Name of the feature or property.
        impurity: Share of the fall in squared error that its splits bring; all features together make 1.
        permutation: Rise in the mean absolute error on unseen rows when it is shuffled, V.
        n_features: Features that it stands for.
    """

    name: str
    impurity: float
    permutation: float
    n_features: int


@dataclass(frozen=True)
class ImportanceStudy:
    """Importances of one forest, the largest impurity first.

    Attributes:
        features: One a feature (permutation only of the twenty first; NaN for the others).
        properties: One a property.
        n: Rows.
        n_test: Rows that the forest has not seen.
        mae: Its mean absolute error on them, V.
        mae_of_mean: Mean absolute error of the mean of the other rows, V.
    """

    features: list[Importance]
    properties: list[Importance]
    n: int
    n_test: int
    mae: float
    mae_of_mean: float

    def verdict(self, name: str = "CovalentRadius") -> dict[str, Any]:
        """Whether the covalent radius comes first with about a fifth, as the paper says, in numbers."""
        by_impurity = [p.name for p in self.properties]
        by_permutation = [p.name for p in sorted(self.properties, key=lambda p: -p.permutation)]
        found = {p.name: p for p in self.properties}.get(name)
        first_feature = self.features[0]
        return {
            "claim": "the covalent radius is the most important property of a random forest, with up to 20 %",
            "holds": "yes" if name in (by_impurity[0], property_of(first_feature.name)) else "no",
            "first_feature": first_feature.name,
            "first_feature_impurity": round(first_feature.impurity, 3),
            "first_property": by_impurity[0],
            "first_property_impurity": round(self.properties[0].impurity, 3),
            "first_property_by_permutation": by_permutation[0],
            "covalent_radius_impurity": round(found.impurity, 3) if found else None,
            "covalent_radius_rank": by_impurity.index(name) + 1 if found else None,
            "covalent_radius_rank_by_permutation": by_permutation.index(name) + 1 if found else None,
            "n": self.n,
            "n_test": self.n_test,
            "mae_V": round(self.mae, 3),
            "mae_of_mean_V": round(self.mae_of_mean, 3),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Properties and features as rows of one table."""
        return [{"level": "property"} | asdict(p) for p in self.properties] + [
            {"level": "feature"} | asdict(f) for f in self.features
        ]


def property_of(feature: str) -> str:
    """The elemental property behind a feature: ``CovalentRadius`` for ``MagpieData mean CovalentRadius``."""
    _, local, after = feature.partition(" local difference of ")
    if local:
        return after
    words = feature.removeprefix("MagpieData ").split(" ")
    return " ".join(words[1:]) if words[0] in STATISTICS and len(words) > 1 else feature


def forest_importances(
    features: NDArray[np.float64],
    names: Sequence[str],
    voltages: NDArray[np.float64],
    *,
    groups: Sequence[str] | NDArray[np.str_] | None = None,
    n_trees: int = 80,
    seed: int = 0,
    of: Callable[[str], str] = property_of,
) -> ImportanceStudy:
    """Fit a random forest on four fifths of the rows and say what it rests on.

    Args:
        features: Shape (n, n_features).
        names: Names of the n_features features.
        voltages: Shape (n,), V.
        groups: Rows of one group (a framework) stay on one side; by default each row is its own.
        n_trees: In the forest.
        seed: Seed of the split and the forest.
        of: Which property a feature belongs to.

    Raises:
        IonVoltError: scikit-learn is not installed.
    """
    rng = np.random.default_rng(seed)
    labels = np.unique(np.arange(len(voltages)) if groups is None else np.asarray(groups), return_inverse=True)[1]
    unseen = np.isin(labels, rng.permutation(labels.max() + 1)[: max(1, (labels.max() + 1) // 5)])
    forest = scikit_learn("ensemble").RandomForestRegressor(
        n_trees, max_features=0.2, min_samples_leaf=2, random_state=seed, n_jobs=1
    )
    forest.fit(features[~unseen], voltages[~unseen])
    x, y = features[unseen], voltages[unseen]
    mae = float(np.abs(forest.predict(x) - y).mean())

    def shuffled(columns: list[int]) -> float:
        rises = []
        for _ in range(REPEATS):
            mixed = x.copy()
            mixed[:, columns] = x[rng.permutation(len(x))][:, columns]
            rises.append(float(np.abs(forest.predict(mixed) - y).mean()) - mae)
        return float(np.mean(rises))

    impurity = forest.feature_importances_
    order = np.argsort(-impurity)
    single = [
        Importance(names[j], float(impurity[j]), shuffled([int(j)]) if rank < 20 else float("nan"), 1)
        for rank, j in enumerate(order)
    ]
    members: dict[str, list[int]] = {}
    for j, name in enumerate(names):
        members.setdefault(of(name), []).append(j)
    whole = [
        Importance(name, float(impurity[columns].sum()), shuffled(columns), len(columns))
        for name, columns in members.items()
    ]
    whole.sort(key=lambda p: -p.impurity)
    mean = float(np.abs(voltages[~unseen].mean() - y).mean())
    return ImportanceStudy(single, whole, len(voltages), int(unseen.sum()), mae, mean)


@styled
def draw_importances(*, study: ImportanceStudy, n_shown: int = 15) -> Figure:
    """Importances of the first properties and features."""
    figure, axes = canvas(1, 3, width=12.0, height=4.6)
    by_permutation = sorted(study.properties, key=lambda p: -p.permutation)
    views = [
        (study.properties[:n_shown], "impurity", "Properties, impurity", "share of all"),
        (by_permutation[:n_shown], "permutation", "Properties, shuffled", "rise of the error (V)"),
        (study.features[:n_shown], "impurity", "Features, impurity", "share of all"),
    ]
    for axis, (shown, value, title, words) in zip(axes, views, strict=True):
        names = [p.name.removeprefix("MagpieData ") for p in shown]
        colours = [ACCENT if "CovalentRadius" in name else "#c3ccd1" for name in names]
        axis.barh(range(len(shown)), [getattr(p, value) for p in shown], color=colours, height=0.75)
        axis.set_yticks(range(len(shown)), names, fontsize=7.5)
        axis.invert_yaxis()
        axis.set(title=title, xlabel=words)
        axis.tick_params(axis="y", length=0)
    axes[0].text(0.97, 0.03, "blue: covalent radius", transform=axes[0].transAxes, ha="right", fontsize=8, color=SOFT)
    return figure
