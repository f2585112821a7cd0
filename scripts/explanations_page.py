"""Write what ``ionvolt explain-model`` measured into docs/explanations.md, and copy its main figures.

    ionvolt explain-model cgcnn-mp2020 mp2020.parquet --ion Li --clean paper -o studies/Li   # and so for each ion
    ionvolt explain-model delta-mp2025 mp2025.parquet --ion Li --crystals 30 -o checks/delta-Li   # likewise
    python scripts/explanations_page.py studies/* [--published studies/published] [--answers checks/*]

The tables stand between markers; no number in them is typed by hand. ``--published`` is a study of a converted
checkpoint of the paper's authors (embedding only), ``--answers`` are checks of models that are no networks. Without
studies only the table of these is written.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from ionvolt.explain import explain
from ionvolt.explain.drawing import draw_explanation
from ionvolt.explain.figures import save
from ionvolt.ions import WORKING_IONS
from ionvolt.models.registry import PAPER_MODEL
from model_page import write_between

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/explanations.md"
IMAGES = ROOT / "docs/images"
FIGURES = ("embedding", "environments", "elements-linear-oxygen", "checks", "importances")


def small(p: float | None) -> str:
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def yes(value: bool | None) -> str:
    return "–" if value is None else "yes" if value else "no"


def embedding_table(found: list[tuple[str, dict[str, Any]]]) -> str:
    lines = [
        "| network | elements | r of component 2 | p | beyond random embeddings | component that goes best | its r |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, e in found:
        for m, (r, p) in enumerate(zip(e["pearson"], e["p_value"], strict=True), start=1):
            beyond = e["random"][m - 1] < 0.05
            best, its = e["strongest_component"][str(m)], e["strongest_pearson"][str(m)]
            lines.append(
                f"| {name} {m if len(e['pearson']) > 1 else ''} | {e['n_elements']} | {r:+.2f} | {small(p)} | "
                f"{yes(beyond)} (p = {e['random'][m - 1]:.2f}) | {best} | {its:+.2f} |"
            )
    return "\n".join(lines)


def environments_table(studies: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| ion | environments (distinct) | alkali | main group | transition metals | all | IA low | main high | "
        "TM both | three clusters agree | silhouette, vectors / map | purity (by chance) | R² of components 1, 2 |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for ion, s in studies.items():
        e = s.get("environments")
        if not e:
            continue
        by = {g["group"]: f"{g['median']:.2f} ({g['q10']:.1f} to {g['q90']:.1f})" for g in e["groups"]}
        parts = e["parts"]
        lines.append(
            f"| {ion} | {e['n']} ({e['n_distinct']}) | {by.get('IA', '–')} | {by.get('main', '–')} | "
            f"{by.get('TM', '–')} | {e['median']:.2f} | {yes(parts['IA is low'])} | {yes(parts['main is high'])} | "
            f"{yes(parts['TM is both'])} | {e['agreement_of_3_clusters']:.2f} | {e['silhouette']['vectors']:.2f} / "
            f"{e['silhouette']['map']:.2f} | {e['purity']:.2f} ({e['purity_by_chance']:.2f}) | "
            f"{e['r_squared_of_two_components']:.2f} |"
        )
    return "\n".join(lines)


def elements_table(studies: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| ion | elements | alkali | main group | transition metals | alkali low (p) | main high (p) | "
        "rank correlation with group among transition metals (p, n) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for ion, s in studies.items():
        e = s.get("elements_linear_oxygen")
        if not e:
            continue
        m = e["median_by_group"]
        shown = [f"{m[k]:.2f}" if k in m else "–" for k in ("IA", "main", "TM")]
        rank = "–"
        if "rank_of_group_in_TM" in e:
            rank = f"{e['rank_of_group_in_TM']:+.2f} ({small(e['p_TM'])}, {e['n_TM']})"
        lines.append(
            f"| {ion} | {e['n_elements']} | {' | '.join(shown)} | "
            f"{yes(e['parts'].get('IA is low'))} ({small(e.get('p_IA'))}) | "
            f"{yes(e['parts'].get('main is high'))} ({small(e.get('p_main'))}) | {rank} |"
        )
    return "\n".join(lines)


def checks_table(studies: dict[str, dict[str, Any]], change: str) -> str:
    lines = [
        "| ion | local voltage | n | departing atom | random atom | larger in | p (Wilcoxon) | p (permutation) | "
        "highest | lowest | highest, signed | lowest, signed | right way | rank correlation (p) | "
        "within an element (n) |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for ion, s in studies.items():
        for o in s["checks"]["outcomes"]:
            if o["change"] == change:
                within = f"{o['rank_within_element']:+.2f}" if o["rank_within_element"] is not None else "–"
                lines.append(
                    f"| {ion} | {o['kind']} | {o['n']} | {o['departing']:.3f} | {o['random']:.3f} | {o['wins']:.0%} | "
                    f"{small(o['p_wilcoxon'])} | {small(o['p_permutation'])} | {o['highest']:.3f} | "
                    f"{o['lowest']:.3f} | {o['moved_by_highest']:+.3f} | {o['moved_by_lowest']:+.3f} | "
                    f"{o['right_way']:.0%} | {o['rank']:+.2f} ({small(o['p_rank'])}) | "
                    f"{within} ({o['n_within_element']}) |"
                )
    return "\n".join(lines)


def answers_table(found: list[dict[str, Any]]) -> str:
    lines = [
        "| model | ion | atoms are | n | departing atom | random atom | larger in | p (Wilcoxon) | highest, signed | "
        "lowest, signed | right way | rank correlation (p) |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    words = {"delete": "deleted", "substitute": "replaced"}
    shown = [
        (s["model"], s["ion"], o)
        for change in words
        for s in found
        for o in s["checks"]["outcomes"]
        if o["change"] == change and o["kind"] == "additive"
    ]
    lines += [
        f"| {model} | {ion} | {words[o['change']]} | {o['n']} | {o['departing']:.3f} | {o['random']:.3f} | "
        f"{o['wins']:.0%} | {small(o['p_wilcoxon'])} | {o['moved_by_highest']:+.3f} | {o['moved_by_lowest']:+.3f} | "
        f"{o['right_way']:.0%} | {o['rank']:+.2f} ({small(o['p_rank'])}) |"
        for model, ion, o in shown
    ]
    return "\n".join(lines)


def stability_table(studies: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| ion | crystals | atoms, additive | atoms, linear | elements' medians, additive | linear |",
        "|---|---|---|---|---|---|",
    ]
    for ion, s in studies.items():
        a, b = (s["checks"]["stability"].get(kind) for kind in ("additive", "linear"))
        if a and b and a["median"] is not None:
            across = [f"{x['across_elements']:.2f}" if x["across_elements"] is not None else "–" for x in (a, b)]
            lines.append(
                f"| {ion} | {a['n']} | {a['median']:.2f} ({a['q25']:.2f} to {a['q75']:.2f}) | "
                f"{b['median']:.2f} ({b['q25']:.2f} to {b['q75']:.2f}) | {across[0]} | {across[1]} |"
            )
    return "\n".join(lines)


def design_table(studies: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| ion | replacements | crystals | rank correlation (p) | right direction | share that fall |",
        "|---|---|---|---|---|---|",
    ]
    for ion, s in studies.items():
        if d := s.get("design"):
            lines.append(
                f"| {ion} | {d['n']} | {d['n_crystals']} | {d['rank_correlation']:+.2f} "
                f"({small(d['p_permutation'])}) | {d['right_direction']:.0%} | {d['falling']:.0%} |"
            )
    return "\n".join(lines)


def importances_table(studies: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| ion | first property | its share | covalent radius: share, rank | rank when shuffled | "
        "first when shuffled | forest's error, V (mean predictor) | n unseen |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for ion, s in studies.items():
        if i := s.get("importances"):
            lines.append(
                f"| {ion} | {i['first_property']} | {i['first_property_impurity']:.0%} | "
                f"{i['covalent_radius_impurity']:.0%}, {i['covalent_radius_rank']} | "
                f"{i['covalent_radius_rank_by_permutation']} | {i['first_property_by_permutation']} | "
                f"{i['mae_V']:.2f} ({i['mae_of_mean_V']:.2f}) | {i['n_test']} |"
            )
    return "\n".join(lines)


def draw_examples() -> None:
    for model, name in ((None, "explain-crystal"), (PAPER_MODEL, "explain-crystal-network")):
        example = explain(ROOT / "src/ionvolt/examples/LiFePO4.cif", "Li", model=model)
        save(draw_explanation(explanation=example), IMAGES / f"{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", type=Path, nargs="*")
    parser.add_argument("--published", type=Path)
    parser.add_argument("--answers", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.answers:
        checks = [json.loads((folder / "summary.json").read_text()) for folder in arguments.answers]
        write_between(PAGE, "answers", answers_table(checks))
    draw_examples()
    if not arguments.studies:
        return
    folders = {}
    for folder in arguments.studies:
        if (folder / "summary.json").is_file():
            content = json.loads((folder / "summary.json").read_text())
            folders[content["ion"]] = (folder, content)
    ions = [ion for ion in WORKING_IONS if ion in folders]
    studies = {ion: folders[ion][1] for ion in ions}
    first = studies[ions[0]]
    embeddings = [("shipped", first["embedding"])]
    if arguments.published:
        published = json.loads((arguments.published / "summary.json").read_text())
        embeddings.append(("the authors' Li checkpoint", published["embedding"]))
    for name, text in {
        "embedding": embedding_table(embeddings),
        "environments": environments_table(studies),
        "elements": elements_table(studies),
        "deleted": checks_table(studies, "delete"),
        "replaced": checks_table(studies, "substitute"),
        "stability": stability_table(studies),
        "design": design_table(studies),
        "importances": importances_table(studies),
    }.items():
        write_between(PAGE, name, text)
    IMAGES.mkdir(exist_ok=True)
    for name in FIGURES:
        shutil.copy(folders[ions[0]][0] / f"{name}.png", IMAGES / f"explain-{name}.png")


if __name__ == "__main__":
    main()
