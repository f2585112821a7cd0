"""What the Li networks make of oxygen environments: Fig. 3b, 3c, S2 and S3, with what the paper says of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ionvolt.analysis import environments, periodic
from ionvolt.analysis.atom_table import Atoms, atoms_of
from ionvolt.datasets import ElectrodeSet
from ionvolt.reproduction import learned_figures, paper
from ionvolt.reproduction.exhibits import Claim, Exhibit, Holds, write_figure, write_table
from ionvolt.reproduction.held_out import kept
from ionvolt.reproduction.learned_elements import NO_LI
from ionvolt.reproduction.stages import Job

if TYPE_CHECKING:
    from ionvolt.analysis.environments import EnvironmentStudy
    from ionvolt.models.cgcnn.ensemble import Ensemble

FEWEST_ENVIRONMENTS = 100
TITLES = {
    "fig-3b": "Fig. 3b: oxygen environments, principal components",
    "fig-3c": "Fig. 3c: median local voltage of every element",
    "fig-s2": "Fig. S2: oxygen environments, t-SNE map",
    "fig-s3": "Fig. S3: oxygen environments and covalent radius",
}
PARTS_IN_WORDS = {True: "yes", False: "no"}


def make_environments(job: Job, folder: Path) -> list[Exhibit]:
    """Fig. 3b, 3c, S2 and S3."""
    names = ("fig-3b", "fig-3c", "fig-s2", "fig-s3")
    if not job.has_li:
        return _missing(names, NO_LI)
    model, data, precision = _with_local_heads(job)
    job.log("local voltages of all atoms")
    atoms = atoms_of(
        model, _graphs(data), "Li", progress=lambda done, total, _: job.log(f"local voltages: {done}/{total}")
    )
    distinct = atoms[atoms.oxygen].distinct() if atoms.oxygen.any() else atoms[atoms.oxygen]
    if len(distinct) < FEWEST_ENVIRONMENTS:
        return _missing(
            names, f"the Li hosts hold {len(distinct)} distinct oxygen environments; {FEWEST_ENVIRONMENTS} are needed"
        )
    job.log("oxygen environments: clusters and map")
    study = environments.study_environments(atoms, n_map=job.settings.n_map, seed=job.settings.seeds[0])
    facts = study.verdict()
    where = f"{len(data)} Li hosts, networks of the first split; local voltages by eq. (2) of the paper, {precision}"
    return [
        _fig_3b(study, facts, where, folder),
        _fig_3c(atoms, where, folder),
        _fig_s2(study, facts, folder),
        _fig_s3(study, folder),
    ]


def _with_local_heads(job: Job) -> tuple[Ensemble, ElectrodeSet, str]:
    """The Li networks with local-voltage heads, the Li electrodes, and how well the sum rule holds, in words."""
    from ionvolt.training.cgcnn.local_head import fit_local_heads, named_local_heads

    model, parts = kept(job).networks(job.cleaned, job.unit)
    rows = job.rows_of("Li")
    data = job.cleaned[rows]
    pooled = model.pooled(_graphs(data))
    places = [(np.searchsorted(rows, train), np.searchsorted(rows, validation)) for train, validation in parts["Li"]]
    heads = [model.heads("Li").member(m) for m in range(model.n_members)]
    fitted, _ = fit_local_heads(list(pooled), heads, data.voltages, places)
    model = model.with_arrays(named_local_heads("Li", fitted))
    test = np.flatnonzero(np.isin(rows, job.unit.test))
    voltage = model.voltages_of(pooled, ["Li"])[0].mean(0)[test]
    linear = model.local_heads("Li")(pooled).astype(np.float64).mean(0)  # the law is linear
    gap = np.abs(linear[test] - voltage)
    words = (
        f"whose mean is {gap.mean():.3f} V from the voltage on average (at most {gap.max():.2f} V, "
        f"{len(test)} test hosts)"
    )
    return model, data, words


def _graphs(data: ElectrodeSet) -> list[Any]:
    from ionvolt.graphs import build_graph

    return [build_graph(host) for host in data.hosts]


def _fig_3b(study: EnvironmentStudy, facts: dict[str, Any], where: str, folder: Path) -> Exhibit:
    name = "fig-3b"
    write_figure(learned_figures.draw_view(study=study, points=study.projection.scores[:, :2]), folder, name)
    write_table(learned_figures.environment_rows(study), folder, name)
    n = facts["n"]
    share = n / paper.OXYGEN_ENVIRONMENTS
    holds: Holds = "yes" if 0.8 <= share <= 1.25 else "in part" if 0.5 <= share <= 2 else "no"
    count = Claim(
        "the Li hosts hold 23,022 oxygen environments", f"{paper.OXYGEN_ENVIRONMENTS:,}", f"{n:,}", holds,
        f"{n:,} atoms have oxygen as their two nearest neighbours ({facts['n_distinct']:,} of them distinct): "
        f"{share:.0%} of "
        "the paper's number.",
    )  # fmt: skip
    r = learned_figures.correlations(study)
    explained = facts["r_squared_of_two_components"]
    both = all(abs(value) > 0.3 for value in r)
    linear: Holds = "yes" if explained > 0.5 and both else "in part" if explained > 0.25 else "no"
    claim = Claim(
        "both components go linearly with the local voltage", "", f"r = {r[0]:+.2f} and {r[1]:+.2f}", linear,
        f"A plane through both components explains {explained:.0%} of the local voltage; alone they correlate with "
        f"it by {r[0]:+.2f} and {r[1]:+.2f}" + ("." if both else ", so not both of them carry it."),
    )  # fmt: skip
    caption = f"{where[0].upper()}{where[1:]}. Arrow: the way the local voltage rises."
    return Exhibit(name, TITLES[name], caption, [name], [name], [count, claim])


def _fig_3c(atoms: Atoms, where: str, folder: Path) -> Exhibit:
    name = "fig-3c"
    found = periodic.element_voltages(atoms, kind="linear", oxygen_only=True)
    write_figure(
        periodic.draw_periodic_table(elements=found, ion="Li", words="median local voltage in oxygen environments"),
        folder, name,
    )  # fmt: skip
    write_table(periodic.rows(found), folder, name)
    facts = periodic.verdict(found)
    parts = (
        "; ".join(f"{words}: {PARTS_IN_WORDS[held]}" for words, held in facts["parts"].items()) or "too few elements"
    )
    medians = ", ".join(f"{group} {value:.2f} V" for group, value in facts["median_by_group"].items())
    sentence = f"{parts}. Medians of the elements' medians: {medians}"
    if "rank_of_group_in_TM" in facts:
        sentence += (
            f"; among {facts['n_TM']} transition metals the rank correlation of group number and median is "
            f"{facts['rank_of_group_in_TM']:+.2f} (p = {facts['p_TM']:.3f})"
        )
    holds: Holds = facts["holds"] if facts["parts"] else "not tested"
    claim = Claim("alkali metals low, main group high, late transition metals above early ones", "", medians, holds,
                  sentence + ".")  # fmt: skip
    return Exhibit(name, TITLES[name], f"{where[0].upper()}{where[1:]}.", [name], [name], [claim])


def _fig_s2(study: EnvironmentStudy, facts: dict[str, Any], folder: Path) -> Exhibit:
    name = "fig-s2"
    figure = learned_figures.draw_view(study=study, points=study.map, which=study.sample)
    write_figure(figure, folder, name)
    write_figure(environments.draw_groups(study=study), folder, f"{name}-groups")
    write_table(facts["groups"], folder, name)
    parts = "; ".join(f"{words}: {PARTS_IN_WORDS[held]}" for words, held in facts["parts"].items())
    sentence = (
        f"{parts}. Three clusters found without labels agree with the groups to "
        f"{facts['agreement_of_3_clusters']:.2f} (adjusted "
        f"Rand index: 1 the same, 0 chance); of an environment's nearest in other crystals {facts['purity']:.0%} are "
        f"of its group (by chance {facts['purity_by_chance']:.0%}); silhouette of the groups in the map "
        f"{facts['silhouette']['map']:+.2f}."
    )
    medians = ", ".join(f"{g['group']} {g['median']:.2f} V" for g in facts["groups"])
    words = "three groups: alkali metals low, main group high, transition metals low and high"
    claim = Claim(words, "", medians, facts["holds"], sentence)
    return Exhibit(
        name, TITLES[name],
        f"{len(study.sample):,} of {facts['n_distinct']:,} distinct environments, coloured by local voltage and "
        "by group; second figure: the groups' local voltages.", [name, f"{name}-groups"], [name], [claim],
        inferred="The preprint gives the three groups, but neither the settings of the map nor a measure of grouping.",
    )  # fmt: skip


def _fig_s3(study: EnvironmentStudy, folder: Path) -> Exhibit:
    name = "fig-s3"
    rows = learned_figures.radius_rows(study)
    write_figure(learned_figures.draw_radius(rows=rows), folder, name)
    write_table(rows, folder, name)
    r = {k: learned_figures.radius_correlation(rows, k) for k in (1, 2)}
    best = max(r, key=lambda k: abs(r[k][0]))
    (value, p) = r[best]
    holds: Holds = "yes" if p < 0.01 and abs(value) > 0.5 else "in part" if p < 0.05 else "no"
    shown = ", ".join(f"component {k}: r = {v:+.2f} (p = {q:.3f})" for k, (v, q) in r.items())
    sentence = f"Median component of each of {len(rows)} elements against its covalent radius: {shown}."
    claim = Claim(
        "oxygen environments follow the covalent radius", "similar trend", f"r = {value:+.2f}", holds, sentence
    )
    return Exhibit(
        name, TITLES[name],
        "Each element's median over its distinct oxygen environments; elements of the f block are left out.",
        [name], [name], [claim],
        inferred="The preprint only says that environments and covalent radius show a similar trend with the "
        "element; the median of each principal component is taken here.",
    )  # fmt: skip


def _missing(names: Iterable[str], why: str) -> list[Exhibit]:
    return [Exhibit(name, TITLES[name], missing=why) for name in names]
