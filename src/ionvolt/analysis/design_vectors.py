"""The paper's rule for better electrodes, put to the test: replace an element by one of higher local voltage.

Where the rule holds, replacing atom i by an element whose median local voltage over the data set is M should move the
voltage of a crystal of n atoms by (M - V_i) / n. Here that is done at random, many times, and the model is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.analysis.atom_table import atoms_of
from ionvolt.analysis.periodic import FEW, ElementVoltage
from ionvolt.explain.families import paper_group
from ionvolt.explain.figures import ACCENT, SOFT, canvas, styled
from ionvolt.graphs import build_graph
from ionvolt.structures.chemistry import ANIONS
from ionvolt.structures.crystal import Crystal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ionvolt.models.cgcnn.ensemble import Ensemble

TRIES = 4
SIZES = (4, 40)


@dataclass(frozen=True, eq=False)
class DesignTest:
    """Substitutions: what medians of local voltages said and what the model answered, V.

    Attributes:
        ion: Working ion.
        foreseen: By the rule, shape (n,).
        answered: By the model, shape (n,).
        crystal: Which host, shape (n,).
    """

    ion: str
    foreseen: NDArray[np.float64]
    answered: NDArray[np.float64]
    crystal: NDArray[np.int64]

    def summary(self) -> dict[str, Any]:
        """Rank correlation, its p by shuffling, and how often the direction is right."""
        from scipy.stats import rankdata

        a, b = rankdata(self.foreseen), rankdata(self.answered)
        rank = float(np.corrcoef(a, b)[0, 1])
        rng = np.random.default_rng(0)
        chance = [float(np.corrcoef(rng.permutation(a), b)[0, 1]) for _ in range(2000)]
        return {
            "claim": "replacing an element by one of higher median local voltage raises the voltage",
            "n": len(a),
            "n_crystals": len(np.unique(self.crystal)),
            "rank_correlation": round(rank, 3),
            "p_permutation": round((1 + sum(abs(c) >= abs(rank) for c in chance)) / 2001, 5),
            "right_direction": round(float((np.sign(self.foreseen) == np.sign(self.answered)).mean()), 3),
            "falling": round(float((self.answered < 0).mean()), 3),
        }


def study_design(
    model: Ensemble,
    hosts: Sequence[Crystal],
    ion: str,
    elements: Sequence[ElementVoltage],
    *,
    n_hosts: int = 120,
    seed: int = 0,
) -> DesignTest:
    """Replace random cations by random elements of the same of the paper's groups, all atoms of the element at once.

    Args:
        model: The ensemble.
        hosts: Hosts to draw from.
        ion: Working ion.
        elements: Medians over a data set (of the additive local voltages, in all surroundings).
        n_hosts: Hosts drawn.
        seed: Seed of the draw.
    """
    rng = np.random.default_rng(seed)
    medians = {e.number: e.median for e in elements if e.n_crystals >= FEW}
    fitting = [host for host in hosts if SIZES[0] <= len(host) <= SIZES[1] and len(host.composition) > 1]
    sample = [fitting[i] for i in rng.permutation(len(fitting))[:n_hosts]]
    graphs = [build_graph(host, ties=model.ties) for host in sample]
    atoms = atoms_of(model, graphs, ion)
    local = atoms.local("additive")
    replaced, foreseen, crystal = [], [], []
    for i, host in enumerate(sample):
        own = local[atoms.crystal == i]
        for _ in range(TRIES):
            # Anions stay: a crystal whose oxygen is replaced by bismuth is no electrode.
            cations = sorted(set(host.numbers.tolist()) - ANIONS)
            if not cations:
                continue
            old = int(rng.choice(cations))
            others = [z for z in medians if z not in (ANIONS | {old}) and paper_group(z) == paper_group(old)]
            if not others:
                continue
            new = int(rng.choice(others))
            of_old = host.numbers == old
            numbers = np.where(of_old, new, host.numbers)
            changed = Crystal(host.lattice, numbers, host.frac_coords, host.source)
            replaced.append(build_graph(changed, ties=model.ties))
            foreseen.append(float((medians[new] - own[of_old]).sum() / len(host)))
            crystal.append(i)
    before = model.voltages(graphs, [ion])[0].mean(0)
    after = model.voltages(replaced, [ion])[0].mean(0)
    place = np.array(crystal, dtype=np.int64)
    return DesignTest(ion, np.array(foreseen), after - before[place], place)


@styled
def draw_design(*, test: DesignTest) -> Figure:
    """What the rule foresaw and what the model answered."""
    facts = test.summary()
    figure, axes = canvas(width=4.8, height=4.4)
    end = float(np.quantile(np.abs(np.concatenate([test.foreseen, test.answered])), 0.99))
    axes.plot([-end, end], [-end, end], color=SOFT, lw=0.8, ls=":")
    axes.scatter(test.foreseen, test.answered, s=9, color=ACCENT, lw=0, alpha=0.5)
    axes.set(xlim=(-end, end), ylim=(-end, end), xlabel="ΔV foreseen by median local voltages (V)",
             ylabel="ΔV of the model (V)",
             title=f"Elements replaced ({test.ion}): rank correlation {facts['rank_correlation']:.2f}")  # fmt: skip
    return figure
