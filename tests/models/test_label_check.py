"""Labels held against answers: a moved one is found, its neighbours are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datasets.builders import electrode, with_both_ends
from ionvolt.datasets import Electrode, ElectrodeSet
from ionvolt.datasets.importers import import_source
from ionvolt.errors import InputError, ModelError
from ionvolt.models.interface import Estimate
from ionvolt.models.registry import load_model
from ionvolt.prediction import LabelCheck, check_labels
from ionvolt.prediction.label_check import checked_labels, shared_ends

pytestmark = pytest.mark.slow


def check(name: str, difference: float, charged: str, discharged: str | None = None) -> LabelCheck:
    return LabelCheck(
        battery_id=name, working_ion="Li", formula_charge="X", formula_discharge=None, id_charge=charged,
        id_discharge=discharged, label=3.0 + difference, voltage=3.0, voltage_potential=None, lower=2.9, upper=3.1,
        difference=difference, in_domain=True, suspect=True,
    )  # fmt: skip


def test_a_moved_label_is_found_and_its_neighbours_are_not() -> None:
    assert [c.suspect for c in check_labels(with_both_ends()).answered] == [False] * 5
    found = check_labels(with_both_ends(sulfide=0.5, spinel=-0.9))
    assert [c.battery_id for c in found.answered if c.suspect] == ["sulfide", "spinel"]
    (sulfide,) = [c for c in found.answered if c.battery_id == "sulfide"]
    assert sulfide.difference == pytest.approx(sulfide.label - sulfide.voltage) == pytest.approx(0.5, abs=0.05)
    assert (sulfide.id_charge, sulfide.id_discharge) == ("c-sulfide", "d-sulfide")
    assert (sulfide.formula_charge, sulfide.formula_discharge) == ("TiS2", "LiTiS2")
    assert sulfide.voltage_potential is not None
    assert sulfide.to_dict()["suspect"] is True


def test_what_is_out_of_the_domain_is_no_suspect() -> None:
    *_, cobalt = check_labels(with_both_ends(cobalt=3.0)).answered
    assert cobalt.in_domain is False
    assert cobalt.difference > 2.9
    assert not cobalt.suspect


class Fixed:
    """Answers 3 V, with such an interval."""

    def __init__(self, half_width: float | None) -> None:
        self.half_width = half_width

    def require(self, ions: object) -> None:
        pass

    def estimate(self, queries: list[object]) -> list[Estimate]:
        if self.half_width is None:
            return [Estimate(3.0, model="fixed")] * len(queries)
        return [Estimate(3.0, lower=3 - self.half_width, upper=3 + self.half_width, in_domain=True)] * len(queries)


@pytest.mark.parametrize(
    ("moved", "beyond", "half_width", "suspect"),
    [
        (0.29, 0.3, 0.1, False),
        (-0.31, 0.3, 0.1, True),
        (0.31, 0.3, 0.4, False),
        (0.41, 0.3, 0.4, True),
        (0.41, 0.5, 0.1, False),
        (0.31, 0.3, None, True),
    ],
)
def test_which_differences_are_suspect(moved: float, beyond: float, half_width: float | None, suspect: bool) -> None:
    row = replace(with_both_ends()[0], average_voltage=3.0 + moved)
    (found,) = check_labels(ElectrodeSet([row]), model=Fixed(half_width), beyond=beyond).answered  # type: ignore[arg-type]
    assert found.suspect is suspect


def test_a_row_that_cannot_be_checked_has_its_error_in_its_place() -> None:
    data = with_both_ends()
    bare = replace(data[1], discharged=None)
    wrong = replace(data[2], discharged=data[0].discharged)
    before, *refused, after = check_labels(ElectrodeSet([data[0], bare, wrong, data[3]]))
    assert isinstance(before, LabelCheck)
    assert isinstance(after, LabelCheck)
    for error, name, words in zip(
        refused, ("manganese", "sulfide"), ("no discharged structure", "differ"), strict=True
    ):
        assert isinstance(error, InputError)
        assert error.source == name
        assert words in error.rule
        assert error.remedy


def test_several_processes_keep_the_order() -> None:
    data = with_both_ends(sulfide=0.5)
    rows = ElectrodeSet([*data, replace(data[1], battery_id="bare", discharged=None), *data])
    one, two = check_labels(rows), check_labels(rows, n_jobs=2)
    names = [check.source if isinstance(check, InputError) else check.battery_id for check in two]
    assert names == [row.battery_id for row in rows]
    assert [c.voltage for c in two.answered] == pytest.approx([c.voltage for c in one.answered], abs=1e-6)


def test_they_come_one_by_one() -> None:
    asked: list[str] = []

    class Noting(list[Electrode]):
        def __iter__(self):  # type: ignore[no-untyped-def]
            for row in list.__iter__(self):
                asked.append(row.battery_id)
                yield row

    checks = checked_labels(Noting(list(with_both_ends()) * 20), model=Fixed(0.1))  # type: ignore[arg-type]
    asked.clear()  # the ions were looked at
    next(checks)
    assert len(asked) < 20


def test_what_cannot_be_asked() -> None:
    for beyond in (-0.1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="difference"):
            check_labels(with_both_ends(), beyond=beyond)
    with pytest.raises(ModelError, match="none"):
        check_labels(with_both_ends(), model="none")
    with pytest.raises(ModelError, match="n_jobs=1"):
        check_labels(with_both_ends(), model=load_model(), n_jobs=2)
    assert check_labels(ElectrodeSet([])) == []


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    data = ElectrodeSet([electrode(name) for name in "abc"])
    found = check_labels(data, progress=lambda done, total, words: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [error.source for error in found.refused] == ["a_Mg", "b_Mg", "c_Mg"]


def test_an_end_that_suspects_share() -> None:
    # A charged end that is too high in energy moves voltages up.
    both = [check("a", 0.5, "host", "x"), check("b", 1.0, "host", "y"), check("c", 0.5, "other", "z")]
    assert shared_ends(both) == ["host", "host", None]
    # The same end cannot be too high and too low.
    assert shared_ends([check("a", 0.5, "host"), check("b", -0.5, "host")]) == [None, None]
    # As the charged end of one and the discharged one of another it moves them apart.
    assert shared_ends([check("a", 0.5, "middle", "x"), check("b", -0.5, "y", "middle")]) == ["middle", "middle"]
    assert shared_ends([check("a", 0.5, "middle", "x"), check("b", 0.5, "y", "middle")]) == [None, None]
    # Of two shared ends the one that more of them share.
    assert shared_ends([check(n, 0.5, "host", e) for n, e in (("a", "x"), ("b", "x"), ("c", "z"))]) == ["host"] * 3
    # Ends without an id are no end in common.
    assert shared_ends([check("a", 0.5, ""), check("b", 0.5, "")]) == [None, None]


def test_labels_of_the_materials_project(shared_data, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A few dozen electrodes as they are, and the same with every fourth label moved by a volt."""
    table = shared_data / "electrodes_mp2025.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "some.csv").write_text("".join([lines[0], *lines[1::130]]), encoding="utf-8")
    data = import_source(tmp_path / "some.csv", structures=shared_data / "structures.jsonl.gz", snapshot="mp2025").data
    assert len(data) > 20
    plain = check_labels(data)
    moved = [replace(e, average_voltage=e.average_voltage + (i % 4 == 0)) for i, e in enumerate(data)]
    after = check_labels(ElectrodeSet(moved))
    sound = np.array([isinstance(c, LabelCheck) and c.in_domain is True and not c.suspect for c in plain])
    assert sound.mean() > 0.7
    suspect = np.array([isinstance(c, LabelCheck) and c.suspect for c in after])
    fourth = np.arange(len(data)) % 4 == 0
    assert suspect[sound & fourth].mean() > 0.9
    assert not suspect[sound & ~fourth].any()
