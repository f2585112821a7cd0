"""Write what the shipped models' cards say about their errors into docs, and draw the figure of the paper's network.

    python scripts/model_page.py [--results runs/cgcnn]

The tables stand between markers in docs/accuracy.md and docs/models.md; no number in them is typed by hand. The figure
needs the held-out predictions that ``ionvolt recipe evaluate cgcnn`` leaves in its folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ionvolt.ions import WORKING_IONS
from ionvolt.models.card import ModelCard
from ionvolt.models.registry import DELTA_MODEL, FOUNDATION_MODEL, PAPER_MODEL, shipped_models
from ionvolt.recipes.cgcnn.cross_validation import HELD_OUT, read_unit

ROOT = Path(__file__).parent.parent
PAPER = {"Li": 0.32, "Mg": 0.45, "Ca": 0.40, "Zn": 0.47, "Al": 0.68, "Na": 0.50, "K": 0.65}
KINDS = {"paper/random": "random", "paper/framework": "framework", "none/random": "random, untrimmed",
         "none/framework": "framework, untrimmed"}  # fmt: skip


def mae(entry: dict[str, Any] | None, model: str, *, interval: bool = False) -> str:
    if not entry or model not in entry:
        return "–"
    m = entry[model]
    text = f"{m['mae']:.2f}"
    return f"{text} ({m['mae_low']:.2f}–{m['mae_high']:.2f})" if interval else text


OWN = ""
"""The model itself, among the learners of a test."""


def errors_of(card: ModelCard, ion: str) -> dict[str, dict[str, Any]]:
    """By test and learner; the model itself has no name."""
    found: dict[str, dict[str, Any]] = {}
    for record in card.evaluation:
        if record.ion == ion and not record.subset:
            found.setdefault(record.test, {})[record.learner] = dict(record.values)
    return found


def short_table(card: ModelCard) -> str:
    lines = [
        "| ion | electrodes | random split | framework split | framework split, untrimmed | mean predictor | "
        "Li model as it is | paper (validation) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for ion in WORKING_IONS:
        e = errors_of(card, ion)
        random, framework = e.get("paper/random"), e.get("paper/framework")
        lines.append(
            f"| {ion} | {card.ion_training(ion)['n_rows']} | **{mae(random, OWN, interval=True)}** | "
            f"{mae(framework, OWN, interval=True)} | {mae(e.get('none/framework'), OWN, interval=True)} | "
            f"{mae(random, 'mean')} | {mae(random, 'li_model')} | {PAPER.get(ion, '–')} |"
        )
    return "\n".join(lines)


def long_table(card: ModelCard) -> str:
    lines = [
        "| ion | split | n train | n test × splits | transfer (Li: network) | from scratch | fine-tuned | Li model | "
        "mean | RMSE | bias | by split |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for ion in WORKING_IONS:
        for key, words in KINDS.items():
            e = errors_of(card, ion).get(key)
            if e:
                m = e[OWN]
                lines.append(
                    f"| {ion} | {words} | {m['n_train']} | {m['n_test']:.0f} × {m['splits']} | "
                    f"{mae(e, OWN, interval=True)} | {mae(e, 'scratch')} | {mae(e, 'fine_tuned')} | "
                    f"{mae(e, 'li_model')} | {mae(e, 'mean')} | {m['rmse']:.2f} | {m['bias']:+.2f} | "
                    f"{' '.join(f'{v:.2f}' for v in m['mae_by_split'])} |"
                )
    return "\n".join(lines)


def local_table(card: ModelCard) -> str:
    lines = [
        "| ion | additive: from the voltage, at most | linear, ensemble: from the voltage, mean | "
        "linear, one member: from its head | from the label |",
        "|---|---|---|---|---|",
    ]
    for ion in WORKING_IONS:
        facts = card.values("local voltages", ion)
        lines.append(
            f"| {ion} | {facts['additive_max_error_V']:.0e} | {facts['ensemble_mae_to_voltage_V']:.2f} | "
            f"{facts['mae_to_head_V']:.2f} | {facts['mae_to_label_V']:.2f} |"
        )
    return "\n".join(lines)


def potential_table(cards: dict[str, ModelCard]) -> str:
    """Errors of the models on the universal potential, for all ions and each."""
    head = "| model, split | all | median | within 0.1 V | within 0.3 V | "
    lines = [head + " | ".join(WORKING_IONS) + " |", "|---|---|---|---|---|" + "---|" * len(WORKING_IONS)]
    for card, test, everything in potential_tests(cards):
        cells = [f"{everything['mae']:.3f} ({everything['mae_low']:.3f}–{everything['mae_high']:.3f})"]
        cells.append(f"{everything['median']:.2f}")
        cells += [f"{100 * everything[name]:.0f} %" for name in ("within_01", "within_03")]
        cells += [f"{card.values(test, ion)['mae']:.2f}" for ion in WORKING_IONS]
        lines.append(f"| {card.kind}: {test} | " + " | ".join(cells) + " |")
        if "mae_physics" in everything:
            physics = [f"{card.values(test, ion)['mae_physics']:.2f}" for ion in WORKING_IONS]
            words = "the same, potential alone"
            lines.append(f"| {words} | {everything['mae_physics']:.3f} | | | | " + " | ".join(physics) + " |")
    card = next(iter(potential_tests(cards)))[0]
    counts = [str(card.ion_training(ion)["n_rows"]) for ion in WORKING_IONS]
    lines.append("| *electrodes* | | | | | " + " | ".join(counts) + " |")
    return "\n".join(lines)


def trust_table(cards: dict[str, ModelCard]) -> str:
    """Coverage and width of the 90 % intervals, and errors within and beyond the domain."""
    lines = [
        "| model, split | coverage | mean width, V | least coverage of an ion with ≥ 80 rows | MAE in domain | "
        "MAE beyond | rows beyond | worst 8 %: precision for half of them |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for card, test, e in potential_tests(cards):
        large = {i: card.values(test, i) for i in WORKING_IONS if card.values(test, i)["n"] >= 80}
        least = min(large, key=lambda ion: large[ion]["coverage_90"])
        lines.append(
            f"| {card.kind}: {test} | {100 * e['coverage_90']:.1f} % | {e['mean_width']:.2f} | "
            f"{100 * large[least]['coverage_90']:.0f} % ({least}) | {e['mae_in_domain']:.3f} | "
            f"{e['mae_out_of_domain']:.3f} | {e['out_of_domain']} of {e['n']} | "
            f"{100 * e['precision_for_half_of_the_worst']:.0f} % |"
        )
    return "\n".join(lines)


def chemistry_table(cards: dict[str, ModelCard]) -> str:
    """Errors by distance and by the framework's anions, for the two main tests."""
    tests = [(card, test) for card, test, _ in potential_tests(cards) if test in MAIN_TESTS]
    head = " | ".join(f"{card.kind}: {test}" for card, test in tests)
    lines = [f"| tenth of the rows by distance | {head} |", "|---|" + "---|" * len(tests)]
    for tenth in range(1, 11):
        found = [card.values(test, subset=f"distance {tenth}/10") for card, test in tests]
        lines.append(f"| {tenth} | " + " | ".join(f"{f['mae']:.2f} (at {f['distance']:.2f})" for f in found) + " |")
    lines += ["", f"| anions of the framework | {head} |", "|---|" + "---|" * len(tests)]
    subsets = {r.subset for card, test in tests for r in card.evaluation if r.test == test}
    for label in sorted(subset for subset in subsets if subset.startswith("anion ")):
        found = [card.values(test, subset=label) for card, test in tests]
        cells = [f"{f['mae']:.2f} (n = {f['n']})" if f else "–" for f in found]
        lines.append(f"| {label.removeprefix('anion ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spread_text(cards: dict[str, ModelCard]) -> str:
    """How the errors of the main tests are spread over the rows."""
    host, both = (e for _, test, e in potential_tests(cards) if test in MAIN_TESTS)
    share = 100 * both["share_of_rows_with_half_of_the_error"]
    return (
        f"Errors are uneven. The median error is {host['median']:.2f} V from the host alone and {both['median']:.2f} V "
        f"from both ends. From both ends, {share:.0f} % of the rows hold half of the summed error: their labels may "
        "stand for another magnetic or charge state than their neighbours'."
    )


def aims_table(cards: dict[str, ModelCard]) -> str:
    """The figures that these models were to reach, and whether they do."""
    tests = {test: (card, e) for card, test, e in potential_tests(cards)}
    host, random, both = "framework 5-fold", "random 5-fold", "both, framework 5-fold"
    rows = [("host alone, frameworks not seen", tests[host][1]["mae"], 0.38)]
    rows.append(("host alone, random 5-fold", tests[random][1]["mae"], 0.32))
    for ion in tests[host][0].ions:
        error = tests[host][0].values(host, ion)
        if error["n"] >= 80:
            rows.append((f"host alone, frameworks not seen, {ion} ({error['n']} rows)", error["mae"], 0.45))
    rows.append(("both ends, frameworks not seen", tests[both][1]["mae"], 0.15))
    delta = tests[both][0]
    rows += [(f"the same, {ion}", delta.values(both, ion)["mae"], 0.14) for ion in ("Mg", "Ca", "Zn", "Al")]
    rows += [(w, v, aim) for (w, v), aim in zip(_sharper(tests), SHARPER, strict=True)]
    lines = ["| mean absolute error | V | aim | |", "|---|---|---|---|"]
    lines += [f"| {w} | {v:.3f} | {aim:g} | {'kept' if v <= aim else '**missed**'} |" for w, v, aim in rows]
    e = tests[both][1]
    for words, share, aim in (
        ("share within 0.1 V, both ends", e["within_01"], 0.8),
        ("worst 8 %, both ends: precision at half recall", e["precision_for_half_of_the_worst"], 0.5),
    ):
        lines.append(
            f"| {words} | {100 * share:.0f} % | {100 * aim:g} % | {'kept' if share >= aim else '**missed**'} |"
        )
    return "\n".join(lines)


SHARPER = (0.29, 0.25, 0.25, 0.105, 0.33, 0.33, 0.5)
"""V: later aims, in the order of ``_sharper``."""


def _sharper(tests: dict[str, tuple[ModelCard, dict[str, Any]]]) -> list[tuple[str, float]]:
    host = "framework 5-fold"
    words = {
        host: "host alone, a sharper aim",
        f"{host}, discharged composition known": "host and discharged formula",
        f"discharged, {host}": "discharged structure alone",
        f"both, {host}": "both ends, a sharper aim",
    }
    card = tests[host][0]
    ions = [(f"host alone, {ion}, a sharper aim", card.values(host, ion)["mae"]) for ion in ("Al", "Y", "Cs")]
    return [(said, tests[test][1]["mae"]) for test, said in words.items()] + ions


MAIN_TESTS = ("framework 5-fold", "both, framework 5-fold")


def potential_tests(cards: dict[str, ModelCard]) -> Iterator[tuple[ModelCard, str, dict[str, Any]]]:
    for name in (FOUNDATION_MODEL, DELTA_MODEL):
        for test, found in cards[name].errors().items():
            yield cards[name], test, found


def write_between(path: Path, name: str, text: str) -> None:
    start, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    content = path.read_text(encoding="utf-8")
    before, _, rest = content.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{path}: the markers {start} and {end} are missing. Put them where the table belongs")
    path.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


def figure(results: Path, path: Path) -> None:
    """Held-out predictions against calculated voltages, ion by ion, over the random splits."""
    import matplotlib as mpl
    import numpy as np

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    random, framework = (
        [unit for file in sorted((results / HELD_OUT).glob(f"paper-{split}-*.json")) if (unit := read_unit(file))]
        for split in ("random", "framework")
    )
    fig, axes = plt.subplots(2, 5, figsize=(12.5, 5.4), sharex=True, sharey=True, layout="constrained")
    for axis, ion in zip(axes.flat, WORKING_IONS, strict=True):
        for found, colour, label in ((framework, "#c9c9c9", "framework"), (random, "#1f6f8b", "random")):
            rows = [r[ion] for r in found if ion in r]
            if rows:
                target = np.concatenate([r.target for r in rows])
                predicted = np.concatenate([r.answer for r in rows])
                error = np.abs(predicted - target).mean()
                axis.scatter(
                    target, predicted, s=7, color=colour, alpha=0.6, lw=0, label=f"{label}: {error:.2f} V",
                )  # fmt: skip
        axis.plot([-1, 7], [-1, 7], color="black", lw=0.8, ls=":")
        axis.set_title(ion, loc="left", fontweight="bold")
        axis.legend(fontsize=8, loc="upper left", handletextpad=0.1, frameon=False)
        axis.set_xlim(-0.5, 6.5)
        axis.set_ylim(-0.5, 6.5)
        axis.set_aspect("equal")
    fig.supxlabel("voltage calculated by the Materials Project (V)")
    fig.supylabel("predicted for hosts held out (V)")
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("runs/cgcnn"))
    results: Path = parser.parse_args().results
    cards = shipped_models()
    paper = cards[PAPER_MODEL]
    write_between(ROOT / "docs/accuracy.md", "accuracy", short_table(paper))
    write_between(ROOT / "docs/models.md", "errors", long_table(paper))
    write_between(ROOT / "docs/models.md", "local voltages", local_table(paper))
    if {FOUNDATION_MODEL, DELTA_MODEL} <= cards.keys():
        write_between(ROOT / "docs/accuracy.md", "potential", potential_table(cards))
        write_between(ROOT / "docs/models.md", "potential", potential_table(cards))
        write_between(ROOT / "docs/accuracy.md", "spread", spread_text(cards))
        write_between(ROOT / "docs/models.md", "spread", spread_text(cards))
        write_between(ROOT / "docs/models.md", "aims", aims_table(cards))
        write_between(ROOT / "docs/models.md", "trust", trust_table(cards))
        write_between(ROOT / "docs/models.md", "chemistry", chemistry_table(cards))
    if results.is_dir():
        figure(results, ROOT / "docs/images/held-out.png")


if __name__ == "__main__":
    main()
