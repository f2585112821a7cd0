"""How good the models are: Fig. 2 and Table S2, with what the paper says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ionvolt.evaluation.metrics import Metrics
from ionvolt.reproduction import paper
from ionvolt.reproduction.exhibits import Claim, Exhibit, Holds, write_figure, write_table
from ionvolt.reproduction.held_out import HeldOutPredictions, measure, voltages_rows
from ionvolt.reproduction.parity import PARTS, Parity, draw_parities, draw_parity, label_of, parity
from ionvolt.reproduction.stages import Job
from ionvolt.reproduction.svr_vs_krr import fig_s4

TRANSFER, LI_MODEL, ML = "cgcnn-transfer", "li-model", "svr-li"
FAIR = ("svr", "kernel-ridge", "extra-trees", "cgcnn-scratch")
NO_LI = "there are too few Li electrodes in the data: no Li model to start from"


def make_accuracy(job: Job, folder: Path) -> list[Exhibit]:
    """Fig. 2a to e, Table S2 and Fig. S4."""
    tested = measure(job, lambda done, total, words: job.log(f"fits {done} of {total}: {words}"))
    write_table(voltages_rows(tested), folder, "test-voltages")
    found = [_panel(job, panel, ion, tested, folder) for panel, ion in paper.FIGURE_2.items()]
    return [*found, _table_s2(job, tested, folder), fig_s4(job, tested, folder)]


def against(here: Metrics, number: paper.Number, splits: int) -> tuple[Holds, str]:
    """Whether an error is as low as the paper's, and the sentence that says so."""
    value = f"{here.mae:.2f} V (95 % interval {here.mae_low:.2f}–{here.mae_high:.2f}, {_n(here.n, splits)})"
    if here.mae <= number.value:
        return "yes", f"{value} on unseen test rows is not above the paper's {number.value:.2f} V on validation rows."
    if here.mae_low <= number.value:
        return "in part", f"{value} is above the paper's {number.value:.2f} V, but the interval reaches down to it."
    return "no", f"{value} is above the paper's {number.value:.2f} V, and so is the whole interval."


def better(
    tested: HeldOutPredictions, ion: str, other: str, words: str, number: str = "", *, added: bool = False
) -> Claim | None:
    """The claim that the transfer model has a smaller error than another on the same electrodes."""
    apart = tested.difference(TRANSFER, other, ion)
    one, two = tested.errors(TRANSFER, ion), tested.errors(other, ion)
    if apart is None or one is None or two is None:
        return None
    holds: Holds = "yes" if apart.low > 0 else "in part" if apart.value > 0 else "no"
    why = {
        "yes": "the interval lies above 0",
        "in part": "above 0, but the interval includes 0",
        "no": "not above 0",
    }[holds]
    own = label_of(TRANSFER, ion)
    sentence = f"Error of {label_of(other, ion)} less that of the {own} on the same electrodes: {apart}; {why}."
    return Claim(words, number, f"{one.mae:.2f} V against {two.mae:.2f} V", holds, sentence, added)


def _panel(job: Job, panel: str, ion: str, tested: HeldOutPredictions, folder: Path) -> Exhibit:
    name = f"fig-2{panel}"
    title = f"Fig. 2{panel}: predicted and calculated voltages of {ion} electrodes"
    if not job.has_li:
        return Exhibit(name, title, missing=NO_LI)
    if ion not in job.ions:
        return Exhibit(name, title, missing=f"the data hold too few electrodes of {ion} to train and test on")
    model = "network" if ion == "Li" else "transfer model"
    one = parity(job, ion)
    stated = {
        TRANSFER: paper.TRANSFER.get(ion),
        ML: paper.CLASSICAL.get(ion),
        LI_MODEL: paper.LI_MODEL.get(ion),
    }
    write_figure(draw_parity(parity=one, tested=tested, paper=stated, model=model), folder, name)
    write_table(one.rows(), folder, name)
    write_table(errors_rows(tested, ion), folder, f"{name}-errors")
    caption = (
        f"Left: the {model} on all {len(one.target)} electrodes of {ion} in one random 0.8/0.1/0.1 split (seed "
        f"{one.seed}), "
        "after the paper's trimming; validation rows are predicted by the network that did not learn from them"
        + (
            ", and grey ones are of frameworks with which other ions are tested, so the pre-training left them out"
            if ion == "Li"
            else "; the Li pre-training saw no framework of any test part"
        )
        + f". Right: test errors over {_splits(tested.splits(TRANSFER, ion))}."
    )
    claims = [_error_claim(tested, ion), *_beaten(tested, ion), _distributions(one)]
    return Exhibit(name, title, caption, [name], [name, f"{name}-errors"], [c for c in claims if c])


def _error_claim(tested: HeldOutPredictions, ion: str) -> Claim:
    here, number = tested.errors(TRANSFER, ion), paper.TRANSFER[ion]
    assert here is not None
    holds, sentence = against(here, number, tested.splits(TRANSFER, ion))
    what = "the network" if ion == "Li" else "the transfer model"
    return Claim(f"mean absolute error of {what}", str(number), f"{here.mae:.2f} V", holds, sentence)


def _beaten(tested: HeldOutPredictions, ion: str) -> list[Claim]:
    found: list[Claim | None] = []
    if ion == "Li":
        number = paper.CLASSICAL["Li"]
        found.append(better(tested, ion, ML, "the network is better than classical models", f"ML {number}"))
        found.append(better(tested, ion, "extra-trees-li", "the network is better than extra trees", added=True))
        return [c for c in found if c]
    li_number = paper.LI_MODEL.get(ion)
    found.append(
        better(
            tested,
            ion,
            LI_MODEL,
            "transfer is better than the Li model as it is",
            f"Li model {li_number}" if li_number else "",
        )
    )
    found.append(better(tested, ion, ML, "transfer is better than ML (trained on Li, as the paper did)"))
    fair = [m for m in FAIR if tested.errors(m, ion)]
    if fair:
        found += [
            better(tested, ion, m, f"transfer is better than {_short(m)} trained on the ion itself", added=True)
            for m in fair
        ]
    return [c for c in found if c]


def _short(model: str) -> str:
    return {"svr": "SVR", "kernel-ridge": "kernel ridge", "extra-trees": "extra trees", "cgcnn-scratch": "a network"}[
        model
    ]


def _distributions(one: Parity) -> Claim:
    """Whether the three parts are distributed alike: Kolmogorov-Smirnov tests against the training part."""
    from scipy.stats import ks_2samp

    train = one.target[one.part == "training"]
    parts = [name for name in PARTS[1:] if (one.part == name).any()]
    # Two tests: each p is doubled (Bonferroni).
    p = {name: min(1.0, len(parts) * float(ks_2samp(train, one.target[one.part == name]).pvalue)) for name in parts}
    holds: Holds = "yes" if min(p.values()) > 0.05 else "no"
    listed = ", ".join(f"{name} p = {value:.2f}" for name, value in p.items())
    sentence = f"Kolmogorov-Smirnov tests against the training part, corrected for their number: {listed}; " + (
        "no difference can be seen." if holds == "yes" else "one of them differs."
    )
    return Claim("the three parts have similar distributions of voltages", "", listed, holds, sentence)


def errors_rows(tested: HeldOutPredictions, ion: str) -> list[dict[str, Any]]:
    """Errors of every model on an ion, the paper's beside them."""
    stated = {TRANSFER: paper.TRANSFER, ML: paper.CLASSICAL, LI_MODEL: paper.LI_MODEL}
    rows = []
    for model in tested.models(ion):
        if ion == "Li" and model == LI_MODEL:
            continue
        e = tested.errors(model, ion)
        assert e is not None
        number = stated.get(model, {}).get(ion)
        rows.append(
            {
                "ion": ion, "model": label_of(model, ion), "mae": e.mae, "mae_low": e.mae_low, "mae_high": e.mae_high,
                "rmse": e.rmse, "bias": e.bias, "r2": e.r2, "electrodes": e.n, "splits": tested.splits(model, ion),
                "paper": number.value if number else None, "paper_source": number.source if number else "",
            }
        )  # fmt: skip
    return rows


def _table_s2(job: Job, tested: HeldOutPredictions, folder: Path) -> Exhibit:
    name, title = "table-s2", "Table S2: errors of all models for all ions"
    if not job.ions:
        return Exhibit(name, title, missing="the data hold too few electrodes of every ion to train and test on")
    write_table([row for ion in job.ions for row in errors_rows(tested, ion)], folder, name)
    figures = []
    shown = [ion for ion in job.others if ion not in paper.FIGURE_2.values()]
    if job.has_li and shown:
        write_figure(draw_parities(parities=[parity(job, ion) for ion in shown]), folder, f"{name}-others")
        figures.append(f"{name}-others")
    claims: list[Claim | None] = []
    for ion in ("Na", "K"):
        if job.has_li and ion in job.ions:
            claims += [_monovalent(tested, ion), _error_claim(tested, ion)]
            claims.append(better(tested, ion, LI_MODEL, f"transfer further improves on the Li model for {ion}"))
    return Exhibit(
        name, title,
        f"Test errors, {job.settings.in_words()}, random split of the trimmed data; all models on the same rows. "
        "Figure: the ions that Fig. 2 does not show, one split.",
        figures, [name], [c for c in claims if c],
        inferred="The preprint only says that Table S2 holds what the Li model and the transfer model give for Na "
        "and K; the columns of Fig. 2 are taken for all ions.",
    )  # fmt: skip


def _monovalent(tested: HeldOutPredictions, ion: str) -> Claim | None:
    """Whether the Li model is relatively good: clearly better than the mean of the ion's own training rows."""
    apart, here = tested.difference(LI_MODEL, "mean", ion), tested.errors(LI_MODEL, ion)
    if apart is None or here is None:
        return None
    holds: Holds = "yes" if apart.low > 0 else "in part" if apart.value > 0 else "no"
    sentence = f"The mean of the ion's own training part is worse than the Li model by {apart}."
    return Claim(f"the Li model is relatively good for {ion}", "", f"{here.mae:.2f} V", holds, sentence)


def _n(n: int, splits: int) -> str:
    return f"{n} electrodes, {_splits(splits)}"


def _splits(n: int) -> str:
    return "1 split" if n == 1 else f"{n} splits"
