"""``ionvolt explain-model``: what a model has learned, and whether its explanations hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ionvolt.cli.outputs import require_data
from ionvolt.cli.terminal import folded, json_text, printable


def explain_model(
    model: Annotated[str, typer.Argument(help="A shipped model's name or a model's folder.", metavar="MODEL")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for figures, tables and summary.json.")],
    data: Annotated[
        Path | None,
        typer.Argument(help="A data set of IonVolt; without one only the element embedding.", metavar="[DATA]"),
    ] = None,
    ion: Annotated[
        str | None, typer.Option("--ion", "-i", help="Working ion; by default the first that the model knows.")
    ] = None,
    clean: Annotated[
        list[str] | None, typer.Option("--clean", "--trim", help="Cleaning rule for the data; repeatable.")
    ] = None,
    crystals: Annotated[
        int, typer.Option(min=2, help="Electrodes whose atoms are deleted and replaced (not for networks: 120).")
    ] = 120,
    seed: Annotated[int, typer.Option(help="Of samples, maps and forests.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON on standard output.")] = False,
) -> None:
    """Draw and measure what a model has learned, and check its explanations.

    Crystal graph networks: element embedding, oxygen environments, median local voltage of every element, atoms deleted
    and replaced, agreement of the networks, and what a random forest rests on. Other models: atoms deleted and
    replaced.
    """
    if data is not None:
        require_data(data)
    from ionvolt.ions import working_ion

    asked = working_ion(ion).symbol if ion else None
    from ionvolt.analysis.study import STEPS, study_answers, study_model
    from ionvolt.cli.progress import Bar
    from ionvolt.datasets import clean as apply_rules
    from ionvolt.datasets import read_dataset
    from ionvolt.errors import InputError
    from ionvolt.models.registry import PAPER_KIND, load_model, load_networks

    loaded = load_model(model)
    symbol = asked or loaded.ions[0]
    loaded.require([symbol])
    rows = apply_rules(read_dataset(data), clean or [])[0] if data else None
    network = loaded.card.kind == PAPER_KIND
    if rows is None and not network:
        raise InputError(model, "no crystal graph network: only its explanations can be studied", "Give a data set")
    with Bar("reading", total=STEPS if rows and network else 1) as bar:
        begun = False

        def log(words: str) -> None:
            nonlocal begun
            bar.advance(words, by=int(begun))
            begun = True

        if network:
            written = study_model(load_networks(loaded), rows, symbol, output, seed=seed, log=log)
        else:
            assert rows is not None
            written = study_answers(loaded, rows, symbol, output, n_crystals=crystals, seed=seed, log=log)
    if as_json:
        print(json_text(written.summary, indent=None))
        return
    for words in _lines(written.summary):
        print(folded(words))
    print(printable(f"written: {len(written.files)} files in {output}"))


def _lines(summary: dict[str, Any]) -> list[str]:
    """The main numbers, a line each."""
    found = []
    if e := summary.get("embedding"):
        radii = ", ".join(f"{r:+.2f}" for r in e["pearson"])
        found = [
            f"embedding: component 2 with the covalent radius r = {radii}; p < 0.01 in {e['significant']} of "
            f"{e['networks']} networks, beyond random embeddings in {e['beyond_random_embeddings']}"
        ]
    if v := summary.get("environments"):
        groups = ", ".join(f"{g['group']} {g['median']:.2f}" for g in v["groups"])
        found.append(
            f"oxygen environments: {v['n']} ({v['n_distinct']} distinct); medians {groups} V; three clusters agree "
            f"with the groups to {v['agreement_of_3_clusters']:.2f} (1 the same, 0 chance)"
        )
    if v := summary.get("elements_linear_oxygen"):
        parts = ", ".join(f"{words}: {'yes' if held else 'no'}" for words, held in v["parts"].items())
        found.append(f"median local voltages of {v['n_elements']} elements: {parts or 'too few to say'}")
    found += [
        f"{o['change']}: the departing atom moves the voltage by {o['departing']:.3f} V, a random one by "
        f"{o['random']:.3f} (n = {o['n']}, p = {o['p_wilcoxon']:.1e}); right way in {o['right_way']:.0%}"
        for o in summary.get("checks", {}).get("outcomes", [])
        if o["kind"] == "additive" and o["change"] == "delete"
    ]
    found += [
        f"{o['change']}: the departing atom moves the voltage by {o['departing']:.3f} V, a random one by "
        f"{o['random']:.3f} (n = {o['n']}, p = {o['p_wilcoxon']:.1e})"
        for o in summary.get("checks", {}).get("outcomes", [])
        if o["kind"] == "additive" and o["change"] == "substitute"
    ]
    v = summary.get("checks", {}).get("stability", {}).get("additive")
    if v and v["median"] is not None:
        found.append(f"networks agree on the order of atoms: rank correlation {v['median']:.2f} (n = {v['n']})")
    if v := summary.get("design"):
        found.append(
            f"elements replaced: foreseen and answered change, rank correlation {v['rank_correlation']:.2f} "
            f"(n = {v['n']}, p = {v['p_permutation']:.4f})"
        )
    if v := summary.get("importances"):
        found.append(
            f"random forest: first {v['first_property']} ({v['first_property_impurity']:.0%}); covalent radius rank "
            f"{v['covalent_radius_rank']}"
        )
    if note := summary.get("note"):
        found.append(f"note: {note}")
    return found
