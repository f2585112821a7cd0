"""Fig. 4: the models of a report against measured cathodes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from ionvolt.datasets import Electrode, ElectrodeSet
from ionvolt.evaluation.learners import Classical
from ionvolt.evaluation.metrics import metrics
from ionvolt.experiment.cathodes import Cathode, host_structures, usable_cathodes
from ionvolt.experiment.estimates import Estimate
from ionvolt.experiment.figure import draw
from ionvolt.experiment.validate import Score, Validation, validate
from ionvolt.ions import remove_ion, working_ion
from ionvolt.reproduction.exhibits import Claim, Exhibit, Holds, write_figure, write_table
from ionvolt.reproduction.stages import Job

NAME, TITLE = "fig-4", "Fig. 4: measured cathodes"
MODEL = "networks"
"""What the transfer model is called after its folder, up to the seed."""

LABELS = {"svr-li": "SVR trained on Li (paper's ML)", "svr": "SVR trained on the ion"}


def make_measured(job: Job, folder: Path) -> list[Exhibit]:
    """Measured voltages beside the transfer model's and those of classical models with the same training rows."""
    cathodes = [c for c in usable_cathodes() if c.ion in job.ions and c.voltage is not None and c.structure]
    if not job.has_li or not cathodes:
        why = (
            "there are too few Li electrodes in the data" if not job.has_li else "no measured cathode is of these ions"
        )
        return [Exhibit(NAME, TITLE, missing=why)]
    networks = job.folder / f"{MODEL}-{job.settings.seeds[0]}"
    means = {ion: float(job.cleaned.for_ion(ion).voltages.mean()) for ion in job.ions}
    extra = [e for setting in LABELS for e in _classical(job, cathodes, setting)]
    found = _renamed(validate(cathodes, [networks], extra=extra, means=means), networks.name)
    write_figure(draw(found), folder, NAME)
    write_table(_rows(found), folder, NAME)
    write_table([asdict(score) for score in found.scores], folder, f"{NAME}-errors")
    missing = [ion for ion in ("Mg", "Ca", "Zn", "Al") if not any(c.ion == ion for c in cathodes)]
    caption = (
        f"{len(cathodes)} measured cathodes that count, networks of the first split. Open markers: the framework was "
        "trained on, for whatever ion."
    )
    if missing:
        caption += (
            f" None for {', '.join(missing)}: no measured insertion of the bare ion counts, or too few electrodes."
        )
    return [
        Exhibit(NAME, TITLE, caption, [NAME], [NAME, f"{NAME}-errors"], [*_claims(found), _aluminium(found)],
                inferred="The values of the paper's figure are not in the preprint's text; its cathodes are Mg, Ca, "
                "Zn and Al ones.")
    ]  # fmt: skip


def _classical(job: Job, cathodes: list[Cathode], name: str) -> list[Estimate]:
    """What an SVR with the training rows of the first split says; the cathodes stand in as rows that are tested."""
    learner = Classical("svr", "li" if name.endswith("-li") else "ion")
    asked = [c for c in cathodes if not (name == "svr" and c.ion == "Li")]  # of Li both are the same
    hosts = ElectrodeSet([_electrode(c) for c in asked])
    data = ElectrodeSet([*job.cleaned, *hosts], job.cleaned.provenance)
    test = np.arange(len(job.cleaned), len(data))
    unit = job.unit
    job.log(f"{LABELS[name]}: measured cathodes")
    voltages = learner.fit_predict(data, unit.train, unit.validation, test, seed=unit.seed, log=job.log)
    pool = np.concatenate([unit.train, unit.validation])
    known = {
        ion: set(job.cleaned.frameworks[pool[job.cleaned.ions[pool] == ion]].tolist()) for ion in {*job.ions, "Li"}
    }
    return [
        Estimate(LABELS[name], c.name, float(v), seen=e.framework in known["Li" if name.endswith("-li") else c.ion],
                 structure=c.structure, state=c.state)
        for c, e, v in zip(asked, hosts, voltages, strict=True)
    ]  # fmt: skip


def _electrode(cathode: Cathode) -> Electrode:
    """A measured cathode as a row: its charged host; the measured voltage is looked at by nobody who learns."""
    from ionvolt.datasets import framework_of

    crystal = host_structures()[cathode.structure].crystal(primitive=True)
    host = crystal if cathode.state == "charged" else remove_ion(crystal, working_ion(cathode.ion))
    return Electrode(
        battery_id=cathode.name, working_ion=cathode.ion, average_voltage=cathode.voltage or 0.0,
        formula_charge=host.formula,
        host=host, framework=framework_of(crystal.formula, cathode.ion), snapshot="measured",
    )  # fmt: skip


def _renamed(found: Validation, folder: str) -> Validation:
    from dataclasses import replace

    def name(model: str) -> str:
        return "transfer model" if model == folder else model

    estimates = tuple(replace(e, model=name(e.model)) for e in found.estimates)
    return Validation(found.cathodes, estimates, tuple(replace(s, model=name(s.model)) for s in found.scores))


def _rows(found: Validation) -> list[dict[str, object]]:
    by_name = {c.name: c for c in found.cathodes}
    return [
        {"cathode": e.cathode, "ion": by_name[e.cathode].ion, "measured": by_name[e.cathode].voltage,
         "uncertainty": by_name[e.cathode].uncertainty, "doi": by_name[e.cathode].doi, "model": e.model,
         "voltage": e.voltage, "framework_in_training": e.seen}
        for e in found.estimates
    ]  # fmt: skip


def _claims(found: Validation) -> list[Claim]:
    """Whether the transfer model is nearer to measurement than ML on the same multivalent cathodes."""
    of_ion = {c.name for c in found.cathodes if c.multivalent}
    scores = {(s.model, s.group): s for s in found.scores}
    own = scores.get(("transfer model", "multivalent"))
    claims = []
    for label, words, added in (
        (LABELS["svr-li"], "transfer predicts measured multivalent voltages better than ML (trained on Li)", False),
        (LABELS["svr"], "transfer predicts them better than ML trained on the ion itself", True),
    ):
        other = scores.get((label, "multivalent"))
        if own is None or other is None:
            claims.append(
                Claim(words, "", "", "not tested", "No measured multivalent cathode is of an ion in the data.", added)
            )
            continue
        apart, low, high, n = _difference(found, label, of_ion)
        holds: Holds = "yes" if low > 0 else "in part" if apart > 0 else "no"
        how = {"yes": "better", "in part": "better, but the interval of the difference includes 0", "no": "not better"}[
            holds
        ]
        claims.append(
            Claim(words, "", f"{own.mae:.2f} V against {other.mae:.2f} V", holds,
                  f"On {own.n} cathodes ({n} hosts) transfer is {how}: {_score(own)} against {_score(other)}; "
                  f"the other's error is larger by {apart:+.2f} V ({low:+.2f} to {high:+.2f}).", added)
        )  # fmt: skip
    return claims


def _difference(found: Validation, other: str, names: set[str]) -> tuple[float, float, float, int]:
    """How much larger the error of another model is on cathodes, with a bootstrap interval over hosts, and hosts."""
    measured = {c.name: float(c.voltage or 0.0) for c in found.cathodes}
    hosts = {c.name: c.structure for c in found.cathodes}
    one, two = found.of("transfer model"), found.of(other)
    both = [n for n in names if n in one and n in two and one[n].voltage is not None and two[n].voltage is not None]
    both.sort()
    gaps = [abs(float(two[n].voltage or 0) - measured[n]) - abs(float(one[n].voltage or 0) - measured[n]) for n in both]
    labels = np.unique([hosts[n] for n in both], return_inverse=True)[1]
    sums, sizes = np.bincount(labels, gaps), np.bincount(labels)
    draw_ = np.random.default_rng(0).integers(0, sizes.size, size=(2000, sizes.size))
    low, high = np.quantile(sums[draw_].sum(1) / sizes[draw_].sum(1), [0.025, 0.975])
    return float(np.mean(gaps)), float(low), float(high), int(sizes.size)


def _score(score: Score) -> str:
    if score.mae_low is None or score.mae_high is None:
        return f"{score.mae:.2f} V"
    return f"{score.mae:.2f} V ({score.mae_low:.2f}–{score.mae_high:.2f})"


def _aluminium(found: Validation) -> Claim:
    n = sum(c.ion == "Al" for c in found.cathodes)
    words = "the transfer model agrees with measured Al-ion voltages"
    if not n:
        return Claim(
            words, "", "", "not tested", "No measured voltage of bare Al3+ insertion is known that would count."
        )
    own = found.of("transfer model")
    rows = [c for c in found.cathodes if c.ion == "Al" and own[c.name].voltage is not None]
    error = metrics([c.voltage or 0.0 for c in rows], [own[c.name].voltage or 0.0 for c in rows]).mae
    holds: Holds = "yes" if error <= 0.3 else "no"
    return Claim(
        words, "", f"{error:.2f} V", holds, f"Mean absolute error {error:.2f} V on {n} cathodes; 0.3 V is the bound."
    )
