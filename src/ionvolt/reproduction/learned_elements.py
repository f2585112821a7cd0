"""What the Li networks make of elements, and a random forest of features: Fig. 3a and S1."""

from __future__ import annotations

from pathlib import Path

from ionvolt.analysis import embedding, importances
from ionvolt.reproduction import learned_figures, paper
from ionvolt.reproduction.exhibits import Claim, Exhibit, Holds, write_figure, write_table
from ionvolt.reproduction.held_out import kept
from ionvolt.reproduction.stages import Job

NO_LI = "there are too few Li electrodes in the data: no Li model to look into"
TITLES = {
    "fig-3a": "Fig. 3a: element embedding",
    "fig-s1": "Fig. S1: what a random forest rests on",
}


def make_embedding(job: Job, folder: Path) -> list[Exhibit]:
    """Fig. 3a."""
    name = "fig-3a"
    if not job.has_li:
        return [Exhibit(name, TITLES[name], missing=NO_LI)]
    model, _ = kept(job).networks(job.cleaned, job.unit)
    study = embedding.study_embedding(model, model.card.elements["Li"])
    write_figure(embedding.draw_embedding(study=study, network=0), folder, name)
    write_figure(embedding.draw_correlations(study=study), folder, f"{name}-correlations")
    write_table(study.rows(), folder, f"{name}-correlations")
    write_table(learned_figures.embedding_rows(study), folder, name)
    facts = study.verdict()
    shown = ", ".join(f"r = {r:+.2f} (p = {p:.0e})" for r, p in zip(facts["pearson"], facts["p_value"], strict=True))
    sentence = (
        f"Component 2 and the covalent radius (Cordero): {shown}; beyond 95 % of embeddings with random weights in "
        f"{facts['beyond_random_embeddings']} of {facts['networks']} networks. Strongest with the radius is component "
        f"{facts['strongest_component']['1']} of the first network (r = {facts['strongest_pearson']['1']:+.2f})."
    )
    radius = Claim("component 2 goes linearly with the covalent radius", "linear", shown, facts["holds"], sentence)
    apart, chance = learned_figures.families_apart(study)
    holds: Holds = "yes" if chance < 0.01 and apart > 0.25 else "in part" if chance < 0.01 else "no"
    verdict = (
        f"Silhouette of alkali and alkaline earth, early transition and all other elements in the plane: {apart:+.2f} "
        f"(1 apart, 0 touching, below 0 mixed; p = {chance:.3f} by shuffling): "
        + {"yes": "three groups stand apart.", "in part": "more alike than by chance, but not apart.",
           "no": "no more alike than by chance."}[holds]
    )  # fmt: skip
    groups = Claim(
        "the elements cluster into three groups by their place in the table", "", f"{apart:+.2f}", holds, verdict
    )
    caption = (
        f"Principal components of the {len(study.numbers)} elements' vectors, first network of the first split; second "
        "figure: all networks together, every component and property."
    )
    return [
        Exhibit(name, TITLES[name], caption, [name, f"{name}-correlations"], [name, f"{name}-correlations"],
                [radius, groups])
    ]  # fmt: skip


def make_importances(job: Job, folder: Path) -> list[Exhibit]:
    """Fig. S1."""
    from ionvolt.evaluation.learners import features_of

    name = "fig-s1"
    ion = "Li" if job.has_li else (job.ions or ("",))[0]
    if not ion:
        return [Exhibit(name, TITLES[name], missing="the data hold too few electrodes of every ion")]
    from ionvolt.descriptors import FEATURES

    data = job.cleaned.for_ion(ion)
    rows = features_of(data, job.log)
    job.log("random forest")
    study = importances.forest_importances(
        rows, FEATURES, data.voltages, groups=data.frameworks, n_trees=job.settings.n_trees, seed=job.settings.seeds[0]
    )
    write_figure(importances.draw_importances(study=study), folder, name)
    write_table(study.rows(), folder, name)
    facts = study.verdict()
    share = facts["covalent_radius_impurity"]
    here = f"{share:.0%}, rank {facts['covalent_radius_rank']}" if share is not None else "not among the features"
    holds: Holds = facts["holds"]
    sentence = (
        f"First property by impurity: {facts['first_property']} ({facts['first_property_impurity']:.0%}); by the "
        f"rise of the error when it is shuffled on unseen frameworks: {facts['first_property_by_permutation']}, "
        f"covalent radius rank {facts['covalent_radius_rank_by_permutation']}. The forest's error there is "
        f"{facts['mae_V']:.2f} V, that of the mean {facts['mae_of_mean_V']:.2f} V (n = {facts['n_test']})."
    )
    claim = Claim("the covalent radius is the most important property", f"{paper.RADIUS_IMPORTANCE:.0%}, first", here,
                  holds, sentence)  # fmt: skip
    return [
        Exhibit(
            name, TITLES[name],
            f"Random forest of {job.settings.n_trees} trees on {len(FEATURES)} composition and structure features of "
            f"{len(data)} {ion} hosts (the paper: {paper.FOREST_FEATURES} features).",
            [name], [name], [claim],
            inferred="The preprint names neither the features nor how importances of one property's features are put "
            "together; here they are added up.",
        )
    ]  # fmt: skip
