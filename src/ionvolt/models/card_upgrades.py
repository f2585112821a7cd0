"""Cards of older formats, brought up to date: plain JSON in, plain JSON out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

CALIBRATION = ("std_scale", "std_floor", "distance_limit")
"""Facts of an ion that a network ensemble answers with."""


def upgraded(content: object) -> object:
    """The content of a card in the format of today; what is no card is left as it is.

    Raises:
        ValueError: An old card has another shape than its format had.
    """
    if isinstance(content, dict) and content.get("format_version") == 1:
        try:
            return upgrade_v1_v2(content)
        except (TypeError, AttributeError, KeyError) as error:
            raise ValueError(f"not what format 1 was: {error}") from None
    return content


def upgrade_v1_v2(card: Json) -> Json:
    """What answering needs stands apart from history and evaluation; evaluations are records.

    In format 1 ``ions`` held all facts of an ion, ``training`` settings of the kernel, features and tests.
    """
    known = ("name", "kind", "n_members", "ions", "elements", "ties", "weights_sha256", "description", "training",
             "limits", "licence", "attribution", "format_version")  # fmt: skip
    for name in card:
        if name not in known:
            raise ValueError(f"unknown: {name}")
    kind = card.get("kind", "cgcnn")
    training = dict(card.get("training", {}))
    facts: dict[str, Json] = {ion: dict(own) for ion, own in card.get("ions", {}).items()}
    hyperparameters = _hyperparameters(kind, card, training, facts)
    records = [record for ion, own in facts.items() for record in _records_of_ion(ion, own)]
    records += _records_of_tests(training)
    history = {ion: own for ion, own in facts.items() if own}
    if history:
        training["ions"] = history
    kept = ("name", "elements", "weights_sha256", "description", "limits", "licence", "attribution")
    return {name: card[name] for name in kept if name in card} | {
        "kind": kind,
        "ions": list(facts),
        "hyperparameters": hyperparameters,
        "training": training,
        "evaluation": records,
        "format_version": 2,
    }


def _hyperparameters(kind: str, card: Json, training: Json, facts: dict[str, Json]) -> Json:
    if kind == "classical":
        return {"features": list(training.pop("features", []))}
    if kind == "measured":
        return dict(training.pop("measured", {}))
    found: Json = {"n_members": card.get("n_members", 1)}
    if kind == "foundation":
        found["kernel"] = dict(training.pop("kernel", {}))
    elif kind == "cgcnn":
        found["ties"] = card.get("ties", "invariant")
        found["calibration"] = {
            ion: own
            for ion, all_ in facts.items()
            if (own := {name: all_.pop(name) for name in CALIBRATION if name in all_})
        }
    return found


def _records_of_ion(ion: str, facts: Json) -> Iterator[Json]:
    own = "transfer" if facts.get("mode") == "head" else "network"
    for test, numbers in dict(facts.pop("errors", {})).items():
        learners = {name: value for name, value in numbers.items() if isinstance(value, dict)}
        itself = {name: value for name, value in numbers.items() if name not in learners}
        yield _record(test, ion, values=itself | learners.pop(own, {}))
        for learner, values in learners.items():
            yield _record(test, ion, learner=learner, values=values)
    if "test" in facts:
        yield _record("test", ion, values=facts.pop("test"))
    if "local_voltages" in facts:
        numbers = dict(facts.pop("local_voltages"))
        note = str(numbers.pop("note", ""))
        yield _record("local voltages", ion, values=numbers, note=note)
    stated = facts.pop("validation_mae_note", None)
    if stated is not None:  # a converted checkpoint
        yield _record("validation", ion, values={"mae": facts.pop("validation_mae_V", None)}, note=str(stated))


def _records_of_tests(training: Json) -> Iterator[Json]:
    for test, numbers in dict(training.pop("tests", {})).items():
        yield _record(test, values=numbers["all"])
        tenths = numbers.get("error_by_distance", [])
        for i, values in enumerate(tenths, start=1):
            yield _record(test, subset=f"distance {i}/{len(tenths)}", values=values)
        for label, values in numbers.get("by_anion", {}).items():
            yield _record(test, subset=f"anion {label}", values=values)
    if "emptying" in training:
        numbers = dict(training.pop("emptying"))
        note = str(numbers.pop("test", ""))
        yield _record("full extraction", values=numbers, note=note)
    for name in [name for name in training if name.startswith("leave_one_framework_out")]:
        for group, values in training.pop(name).items():
            subset = "" if group == "all" else group
            yield _record(name.replace("_", " "), subset=subset, values=values)


def _record(test: str, ion: str = "all", learner: str = "", subset: str = "", *, values: Json, note: str = "") -> Json:
    return {"test": test, "ion": ion, "learner": learner, "subset": subset, "values": values, "note": note}
