"""Oxygen environments: atoms whose two nearest neighbours are oxygen, in the space of the last convolution's vectors.

The paper sees three large groups in a t-SNE map of them: alkali metals with low local voltages, main-group elements
with high ones, transition metals with both. Here each part of that sentence is a number: whether unsupervised clusters
are those groups, and whether the groups' local voltages lie as it says: low means that three quarters of a group lie
below the median of all environments, high that three quarters lie above it, both that it is neither. Atoms that are
alike in a crystal count once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.analysis.atom_table import Atoms
from ionvolt.analysis.projection import Projection, principal_components, scikit_learn
from ionvolt.explain.families import PaperGroup, paper_group
from ionvolt.explain.figures import SOFT, canvas, label_bar, styled, voltage_scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUPS: tuple[PaperGroup, ...] = ("IA", "main", "TM")
GROUP_COLOURS = {"IA": "#d1495b", "main": "#7a9e7e", "TM": "#2e86ab", "": SOFT}
GROUP_NAMES = {"IA": "alkali metals", "main": "other main group", "TM": "transition metals", "": "f elements"}
N_CLUSTERS = range(1, 9)
N_COMPONENTS = 10
N_NEAREST = 15
FEW = 30
"""A group of fewer environments has no histogram."""


@dataclass(frozen=True)
class GroupVoltages:
    """Local voltages of one of the paper's groups, V.

    Attributes:
        group: Name of the group.
        n: Environments (atoms that differ).
        n_crystals: Hosts that hold them.
        median: Over the environments; the quantiles likewise.
        q10: 10 % lie below.
        q90: 90 % lie below.
        below: Share below the median of all environments.
    """

    group: str
    n: int
    n_crystals: int
    median: float
    q10: float
    q90: float
    below: float


@dataclass(frozen=True, eq=False)
class EnvironmentStudy:
    """Oxygen environments of a data set.

    Attributes:
        atoms: The environments, alike ones of a crystal once.
        n_all: Their number with alike ones counted.
        kind: Which local voltage: ``additive`` or ``linear``.
        projection: Principal components of their vectors.
        group: The paper's group of each, shape (n,), empty for f elements.
        sample: Numbers of those that the map shows.
        map: t-SNE coordinates of the sample, shape (n_sample, 2).
        groups: Local voltages group by group.
        facts: Measures of grouping; see ``study_environments``.
    """

    atoms: Atoms
    n_all: int
    kind: str
    projection: Projection
    group: NDArray[np.str_]
    sample: NDArray[np.int64]
    map: NDArray[np.float64]
    groups: list[GroupVoltages]
    facts: dict[str, Any]

    def verdict(self) -> dict[str, Any]:
        """The paper's three groups, found or not, in numbers."""
        by = {g.group: g for g in self.groups}
        every = self.facts["median"]
        parts = {
            "IA is low": "IA" in by and by["IA"].median < every and by["IA"].below > 0.75,
            "main is high": "main" in by and by["main"].median > every and by["main"].below < 0.25,
            "TM is both": "TM" in by and 0.25 <= by["TM"].below <= 0.75,
            "clusters are the groups": self.facts["agreement_of_3_clusters"] > 0.5,
        }
        held = sum(parts.values())
        return {
            "claim": "oxygen environments fall into three groups: IA with low, main group with high, transition metals "
            "with low and high local voltages",
            "holds": "yes" if held == len(parts) else "in part" if held else "no",
            "parts": parts,
            "groups": [asdict(g) for g in self.groups],
            **self.facts,
        }


def study_environments(
    atoms: Atoms, *, kind: str = "linear", n_map: int = 2500, seed: int = 0, max_fit: int = 4000
) -> EnvironmentStudy:
    """Project, map and group oxygen environments.

    ``facts`` of the result: ``clusters_by_bic``, the number of Gaussian clusters that the Bayesian information
    criterion prefers (of 1 to 8, on ten components); ``agreement_of_3_clusters``, the adjusted Rand index of three of
    them with the paper's groups (1 the same, 0 chance); ``silhouette`` of the groups in the vectors and in the map
    (1 apart, 0 touching, below 0 mixed); ``purity``, the share of an environment's 15 nearest in *other* crystals that
    are of its group, and ``purity_by_chance``; ``r_squared_of_two_components``, how much of the local voltage a plane
    through components 1 and 2 explains.

    Args:
        atoms: All atoms of a data set.
        kind: ``linear`` (the paper's local voltage) or ``additive``.
        n_map: Environments in the t-SNE map.
        seed: Seed of sample, clusters and map.
        max_fit: Environments at most that clusters are fitted to.

    Raises:
        IonVoltError: scikit-learn is not installed.
    """
    of_oxygen = atoms[atoms.oxygen]
    chosen = of_oxygen.distinct()
    voltages = chosen.local(kind)
    group = np.array([paper_group(int(z)) or "" for z in chosen.numbers])
    projection = principal_components(chosen.vectors, N_COMPONENTS)
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.permutation(len(chosen))[:n_map])
    coordinates = scikit_learn("manifold").TSNE(
        perplexity=30, init="pca", random_state=seed, max_iter=500, n_jobs=1
    ).fit_transform(projection.scores[sample])  # fmt: skip
    facts = _grouping(chosen, projection, group, rng.permutation(len(chosen))[:max_fit], seed)
    mapped = np.isin(group[sample], GROUPS)
    metrics = scikit_learn("metrics")
    facts["silhouette"]["map"] = round(float(metrics.silhouette_score(coordinates[mapped], group[sample][mapped])), 3)
    plane = np.column_stack([projection.scores[:, :2], np.ones(len(chosen))])
    left = voltages - plane @ np.linalg.lstsq(plane, voltages, rcond=None)[0]
    facts |= {
        "n": len(of_oxygen),
        "n_distinct": len(chosen),
        "median": round(float(np.median(voltages)), 3),
        "r_squared_of_two_components": round(float(1 - left.var() / voltages.var()), 3),
        "variance_explained": [round(float(v), 3) for v in projection.explained[:3]],
    }
    groups = [_voltages(chosen, voltages, group, name) for name in GROUPS if (group == name).any()]
    return EnvironmentStudy(
        chosen, len(of_oxygen), kind, projection, group, sample, np.asarray(coordinates, np.float64), groups, facts
    )


def _voltages(atoms: Atoms, voltages: NDArray[np.float64], group: NDArray[np.str_], name: PaperGroup) -> GroupVoltages:
    own = voltages[group == name]
    low, median, high = (round(float(q), 3) for q in np.quantile(own, [0.1, 0.5, 0.9]))
    below = round(float((own < np.median(voltages)).mean()), 3)
    n_crystals = len(np.unique(atoms.crystal[group == name]))
    return GroupVoltages(name, len(own), n_crystals, median, low, high, below)


def _grouping(
    atoms: Atoms, projection: Projection, group: NDArray[np.str_], rows: NDArray[np.int64], seed: int
) -> dict[str, Any]:
    mixture, metrics, neighbors = (scikit_learn(name) for name in ("mixture", "metrics", "neighbors"))
    rows = rows[np.isin(group[rows], GROUPS)]
    scores, labels = projection.scores[rows], group[rows]
    fits = {k: mixture.GaussianMixture(k, random_state=seed, reg_covar=1e-4).fit(scores) for k in N_CLUSTERS}
    criterion = {k: float(fit.bic(scores)) for k, fit in fits.items()}
    three = fits[3].predict(scores)
    # Neighbours in the same crystal say nothing of the kind of atom.
    near = neighbors.NearestNeighbors(n_neighbors=4 * N_NEAREST).fit(scores).kneighbors(scores, return_distance=False)
    elsewhere = atoms.crystal[rows][near] != atoms.crystal[rows][:, None]
    alike = labels[near] == labels[:, None]
    first = elsewhere & (elsewhere.cumsum(1) <= N_NEAREST)
    share = {name: float((labels == name).mean()) for name in GROUPS}
    return {
        "clusters_by_bic": min(criterion, key=criterion.__getitem__),
        "agreement_of_3_clusters": round(float(metrics.adjusted_rand_score(labels, three)), 3),
        "silhouette": {"vectors": round(float(metrics.silhouette_score(scores, labels)), 3)},
        "purity": round(float(alike[first].mean()), 3),
        "purity_by_chance": round(sum(s**2 for s in share.values()), 3),
    }


@styled
def draw_environments(*, study: EnvironmentStudy) -> Figure:
    """Oxygen environments on two components and in the map, coloured by local voltage and by group (Fig. 3b, S2)."""
    figure, axes = canvas(2, 2, width=9.4, height=8.2)
    voltages = study.atoms.local(study.kind)
    low, high = np.quantile(voltages, [0.02, 0.98])
    colours, norm = voltage_scale(low, high, float(np.median(voltages)))
    order = np.random.default_rng(0).permutation(len(voltages))
    shuffled = study.sample[np.random.default_rng(0).permutation(len(study.sample))]
    place = dict(zip(study.sample.tolist(), study.map, strict=True))
    mapped = np.array([place[i] for i in shuffled.tolist()])
    views = [
        (study.projection.scores[order, :2], order, "Principal components", "component"),
        (mapped, shuffled, "t-SNE map", "coordinate"),
    ]
    for row, (points, which, title, word) in enumerate(views):
        by_voltage, by_group = axes[row]
        by_voltage.scatter(*points.T, c=voltages[which], cmap=colours, norm=norm, s=4, lw=0, rasterized=True)
        by_voltage.set_title(f"{title}, by local voltage")
        # One scatter in random order: no group hides another.
        shades = [GROUP_COLOURS[name] for name in study.group[which]]
        by_group.scatter(*points.T, s=4, lw=0, c=shades, rasterized=True)
        by_group.set_title(f"{title}, by group")
        for axis in (by_voltage, by_group):
            share = [f" ({v:.0%})" if row == 0 else "" for v in study.projection.explained]
            axis.set(xlabel=f"{word} 1{share[0]}", ylabel=f"{word} 2{share[1]}")
    for name, label in GROUP_NAMES.items():
        axes[0, 1].scatter([], [], s=26, lw=0, color=GROUP_COLOURS[name], label=label)
    axes[0, 1].legend(handletextpad=0.1, loc="upper right")
    label_bar(figure, axes[:, 0], colours, norm, f"local voltage against {study.atoms.ion} (V)",
              location="left", shrink=0.6, extend="both")  # fmt: skip
    return figure


@styled
def draw_groups(*, study: EnvironmentStudy) -> Figure:
    """Local voltages of the paper's three groups."""
    figure, axes = canvas(width=6.2, height=3.2)
    voltages = study.atoms.local(study.kind)
    low, high = (float(q) for q in np.quantile(voltages, [0.005, 0.995]))
    bins = np.linspace(low, high, 45)
    for name in GROUPS:
        own = voltages[study.group == name]
        if len(own) >= FEW:
            axes.hist(own, bins=bins, density=True, histtype="stepfilled", color=GROUP_COLOURS[name], alpha=0.15)
            axes.hist(own, bins=bins, density=True, histtype="step", color=GROUP_COLOURS[name], lw=1.6,
                      label=f"{GROUP_NAMES[name]}: median {np.median(own):.2f} V, n = {len(own)}")  # fmt: skip
    axes.axvline(float(np.median(voltages)), color=SOFT, lw=1, ls="--", label="median of all")
    axes.set(xlabel=f"local voltage against {study.atoms.ion} (V)", ylabel="density", title="Oxygen environments")
    axes.legend()
    return figure
