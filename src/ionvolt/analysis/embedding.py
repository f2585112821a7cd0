"""What the element embedding has learned: principal components of the elements' vectors and what they go with.

The embedding is a linear map of vectors that already tell period, group, covalent radius and so on, in classes. Some
component of *any* such map, a random one too, will go with the radius. So every correlation stands beside that of
embeddings with random weights, and only what exceeds those has been learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.analysis.projection import Projection, principal_components
from ionvolt.explain.families import family, properties, symbols
from ionvolt.explain.figures import FAMILY_COLOURS, INK, SOFT, canvas, spread_labels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ionvolt.models.cgcnn.ensemble import Ensemble

N_COMPONENTS = 5
N_RANDOM = 200
RADIUS = "covalent radius (Cordero)"
SIGNIFICANT = 0.01


@dataclass(frozen=True)
class Correlation:
    """A principal component beside a property of the elements.

    Attributes:
        network: Number of the network, or ``all`` for the vectors of all networks side by side.
        component: From 1.
        property: Name.
        n: Elements for which it is known.
        pearson: Pearson's r.
        p_value: Two-sided, of r.
        spearman: Rank correlation.
        random: Share of embeddings with random weights whose component of that number has an ``|r|`` as large.
    """

    network: str
    component: int
    property: str
    n: int
    pearson: float
    p_value: float
    spearman: float
    random: float


@dataclass(frozen=True, eq=False)
class EmbeddingStudy:
    """Principal components of an element embedding.

    Attributes:
        numbers: Atomic numbers, shape (n,).
        networks: Projection of each network's vectors.
        joint: Projection of the vectors of all networks side by side.
        correlations: Correlation of every component with every property.
    """

    numbers: NDArray[np.int64]
    networks: list[Projection]
    joint: Projection
    correlations: list[Correlation]

    def of(self, component: int, name: str) -> list[Correlation]:
        """What each network, then all of them together, say of a component and a property."""
        return [c for c in self.correlations if c.component == component and c.property == name]

    def verdict(self) -> dict[str, Any]:
        """Whether the second component goes with the covalent radius, as the paper says, in numbers."""
        single = [c for c in self.of(2, RADIUS) if c.network != "all"]
        (joint,) = [c for c in self.of(2, RADIUS) if c.network == "all"]
        significant = sum(c.p_value < SIGNIFICANT for c in single)
        beyond = sum(c.random < 0.05 for c in single)
        strongest = {
            c.network: max(
                (d for d in self.correlations if d.network == c.network and d.property == RADIUS),
                key=lambda d: abs(d.pearson),
            )
            for c in [*single, joint]
        }
        found = significant == len(single) and joint.p_value < SIGNIFICANT
        return {
            "claim": "component 2 of the element embedding goes linearly with the covalent radius",
            "holds": "yes" if found and beyond == len(single) else "in part" if significant else "no",
            "networks": len(single),
            "significant": significant,
            "beyond_random_embeddings": beyond,
            "pearson": [round(c.pearson, 3) for c in single],
            "p_value": [c.p_value for c in single],
            "random": [c.random for c in single],
            "joint_pearson": round(joint.pearson, 3),
            "joint_p_value": joint.p_value,
            "strongest_component": {network: c.component for network, c in strongest.items()},
            "strongest_pearson": {network: round(c.pearson, 3) for network, c in strongest.items()},
            "variance_explained": [[round(float(v), 3) for v in p.explained[:3]] for p in self.networks],
        }

    def rows(self) -> list[dict[str, Any]]:
        """The correlations as rows of a table."""
        return [asdict(c) for c in self.correlations]


def study_embedding(model: Ensemble, numbers: Sequence[int] | None = None) -> EmbeddingStudy:
    """Principal components of a model's element embeddings and their correlations.

    Args:
        model: The ensemble.
        numbers: Atomic numbers; by default those of the hosts that it was pre-trained on (all that it knows, up to
            lead, where the card does not say).
    """
    if numbers is None:
        known = model.card.elements
        numbers = known.get("Li") or sorted({z for of_ion in known.values() for z in of_ion}) or range(1, 83)
    chosen = np.array(sorted(numbers), dtype=np.int64)
    tables = [elements.astype(np.float64)[chosen] for elements in model.trunks.elements]
    networks = [principal_components(table, N_COMPONENTS) for table in tables]
    # Networks of different scale would not count alike.
    side_by_side = np.concatenate([t / np.sqrt((t - t.mean(0)).var(0).sum()) for t in tables], axis=1)
    joint = principal_components(side_by_side, N_COMPONENTS)
    named = [(str(i + 1), p) for i, p in enumerate(networks)] + [("all", joint)]
    chance = _random_correlations(tuple(int(z) for z in chosen))
    return EmbeddingStudy(
        chosen, networks, joint, [c for name, p in named for c in _correlate(name, p, chosen, chance)]
    )


def _correlate(
    network: str, projection: Projection, numbers: NDArray[np.int64], chance: dict[str, NDArray[np.float64]]
) -> list[Correlation]:
    from scipy.stats import pearsonr, spearmanr

    found = []
    for name, table in properties().items():
        values = table[numbers]
        known = np.isfinite(values)
        for k, scores in enumerate(projection.scores.T):
            r, p = pearsonr(scores[known], values[known])
            rank = spearmanr(scores[known], values[known]).statistic
            random = float((np.abs(chance[name][:, k]) >= abs(r)).mean())
            found.append(Correlation(network, k + 1, name, int(known.sum()), float(r), float(p), float(rank), random))
    return found


@cache
def _random_correlations(numbers: tuple[int, ...]) -> dict[str, NDArray[np.float64]]:
    """Pearson's r of components of random embeddings with each property, shape (N_RANDOM, N_COMPONENTS)."""
    from ionvolt.graphs.elements import element_vectors

    inputs = element_vectors()[list(numbers)].astype(np.float64)
    rng = np.random.default_rng(0)
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in properties()}
    for _ in range(N_RANDOM):
        # As torch initialises a linear layer: uniform, the same for all weights.
        projection = principal_components(inputs @ rng.uniform(-1, 1, (inputs.shape[1], 64)), N_COMPONENTS)
        for name, table in properties().items():
            values = table[list(numbers)]
            known = np.isfinite(values)
            scores = projection.scores[known] - projection.scores[known].mean(0)
            apart = values[known] - values[known].mean()
            found[name].append(apart @ scores / (np.linalg.norm(apart) * np.linalg.norm(scores, axis=0)))
    return {name: np.array(rows) for name, rows in found.items()}


@styled
def draw_embedding(*, study: EmbeddingStudy, network: int | None = 0) -> Figure:
    """Elements on the first two components, coloured by family, and the second beside the covalent radius (Fig. 3a).

    Args:
        study: What to draw.
        network: Number of a network, or None for all of them together.
    """
    projection = study.joint if network is None else study.networks[network]
    name = "all" if network is None else str(network + 1)
    figure, (plane, beside) = canvas(1, 2, width=10.5, height=4.8, width_ratios=[1.45, 1])
    labels = symbols(study.numbers)
    families = [family(int(z)) for z in study.numbers]
    x, y = projection.scores[:, 0], projection.scores[:, 1]
    radius = properties()[RADIUS][study.numbers]
    for one, colour in FAMILY_COLOURS.items():
        of_family = np.array([f == one for f in families])
        if of_family.any():
            plane.scatter(x[of_family], y[of_family], s=26, color=colour, lw=0, label=one)
            beside.scatter(radius[of_family], y[of_family], s=26, color=colour, lw=0)
    spread_labels(plane, list(zip(x, y, labels, strict=True)))
    plane.set(
        xlabel=f"component 1 ({projection.explained[0]:.0%} of the variance)",
        ylabel=f"component 2 ({projection.explained[1]:.0%})",
        title="Element embedding" + ("" if network is None else f", network {name}"),
    )
    plane.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, handletextpad=0.1, columnspacing=1.0)
    known = np.isfinite(radius)
    slope, offset = np.polyfit(radius[known], y[known], 1)
    ends = np.array([radius[known].min(), radius[known].max()])
    beside.plot(ends, slope * ends + offset, color=SOFT, lw=1, ls="--")
    spread_labels(beside, [p for p, k in zip(zip(radius, y, labels, strict=True), known, strict=True) if k])
    (fact,) = [c for c in study.of(2, RADIUS) if c.network == name]
    beside.set(
        xlabel="covalent radius, Cordero (pm)",
        ylabel="component 2",
        title=f"r = {fact.pearson:+.2f}, p = {fact.p_value:.0e}, n = {fact.n}",
    )
    return figure


@styled
def draw_correlations(*, study: EmbeddingStudy) -> Figure:
    """Pearson's r of every component with every property, of all networks together."""
    from ionvolt.explain.figures import label_bar, voltage_scale

    names = list(properties())
    facts = {(c.component, c.property): c for c in study.correlations if c.network == "all"}
    table = np.array([[facts[k + 1, name].pearson for name in names] for k in range(N_COMPONENTS)])
    figure, axes = canvas(width=7.6, height=3.4)
    colours, norm = voltage_scale(-1, 1)
    axes.imshow(table, cmap=colours, norm=norm, aspect="auto")
    for k in range(N_COMPONENTS):
        for j, name in enumerate(names):
            fact = facts[k + 1, name]
            mark = "*" if fact.p_value < SIGNIFICANT and fact.random < 0.05 else ""
            pale = abs(fact.pearson) < 0.65
            axes.text(j, k, f"{fact.pearson:+.2f}{mark}", ha="center", va="center", fontsize=7,
                      color=INK if pale else "white")  # fmt: skip
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
    axes.set_yticks(range(N_COMPONENTS), [f"component {k + 1}" for k in range(N_COMPONENTS)])
    axes.set_title("Element embedding: what its components go with")
    axes.set_xlabel("* p < 0.01, and larger than for 95 % of embeddings with random weights", fontsize=8)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    label_bar(figure, axes, colours, norm, "Pearson's r", shrink=0.9)
    return figure
