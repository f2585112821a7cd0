"""What enters a stage, what is left out, and how much of it may have been left out wrongly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystals import disulfide, layered, perovskite, rock_salt, sodium_chloride
from ionvolt.errors import DataError, InputError
from ionvolt.ions import WORKING_IONS, capacity_grav, remove_ion
from ionvolt.screening.front import Filters, best, front
from ionvolt.screening.places import MERGED, shard_file
from ionvolt.screening.plan import Plan
from ionvolt.screening.records import COLUMNS, kind_of, read_records, schema, write_records
from ionvolt.screening.results import merge, rows_of
from ionvolt.screening.rules import IN_PART, assumed, judge
from ionvolt.screening.run import prepare
from ionvolt.screening.selection import _Best, deviation, normal, read_selection, score, select, stream
from ionvolt.screening.settings import Settings, parse_elements, parse_keep, parse_window
from ionvolt.screening.stages import interval, within
from ionvolt.screening.worker import _with_capacity, work
from ionvolt.structures import Crystal
from ionvolt.structures.charge_balance import count_electrons, metal_charges
from screening.conftest import crystal_of, line

TIS2 = remove_ion(disulfide("Li"), WORKING_IONS["Li"])
TOY = Settings(("Mg", "Al"), stages=("rules", "network", "model"), keep={"model": 5})


def fill(plan: Plan, stage: int, rows: list[dict[str, Any]]) -> None:
    """Tables of a stage as workers would write them."""
    for shard in plan.shards:
        mine = [row for row in rows if shard.first <= row["unit"] < shard.first + shard.units]
        about = {"units": str(shard.units), "done_before": "0", "began": "0", "ended": "1", "cpu_s": "1"}
        write_records(shard_file(plan.folder, stage, shard.number), mine, {**about, "memory_mb": "1"})


def row(unit: int, ion: str = "Mg", **more: Any) -> dict[str, Any]:
    return {
        "unit": unit,
        "part": 0,
        "ion": ion,
        "id": f"s{unit}",
        "status": "kept",
        "formula": f"Mn{unit + 1}O2",
        **more,
    }


@given(st.lists(st.floats(-5, 5) | st.sampled_from([1.0, 2.0]), max_size=60), st.integers(1, 20))
def test_a_budget_keeps_the_best_and_the_first_of_equals(scores: list[float], most: int) -> None:
    kept = _Best(most)
    cut = len(scores) // 2
    for start, stop in ((0, cut), (cut, len(scores))):
        kept.add(np.array(scores[start:stop], dtype=float), np.arange(start, stop), np.zeros(stop - start, dtype=int))
    threshold, last = kept.threshold(len(scores))
    chosen = [
        unit
        for unit, value in enumerate(scores)
        if threshold is None or value > threshold or (value == threshold and (unit, 0) <= (last or (-1, 0)))
    ]
    wanted = sorted(sorted(range(len(scores)), key=lambda unit: (-scores[unit], unit))[:most])
    assert chosen == wanted


def test_each_ion_has_its_budget(lines: Path, tmp_path: Path) -> None:
    plan = prepare([str(lines)], TOY, tmp_path / "run", shard_size=7)
    rng = np.random.default_rng(0)
    rows = [
        row(unit, ion, stage="network", model="m", voltage=float(v), voltage_std=0.5, capacity_grav=100.0)
        for unit in range(60)
        for ion, v in (("Mg", rng.uniform(0, 4)), ("Al", rng.uniform(0, 2)))
    ]
    fill(plan, 1, rows)
    found = select(plan, 1)
    for ion in ("Mg", "Al"):
        mine = [one for one in rows if one["ion"] == ion]
        chosen = [one["voltage"] for one in mine if found[ion].admits({**dict.fromkeys(COLUMNS), **one}, TOY)]
        assert sorted(chosen) == sorted(one["voltage"] for one in mine)[-5:]
        threshold = min(chosen)
        left_out = sum(1 - normal((threshold - one["voltage"]) / 0.5) for one in mine if one["voltage"] < threshold)
        assert found[ion].lost_by_budget == pytest.approx(left_out)
    assert read_selection(plan.folder / "stage-2" / "selection.json") == found


@pytest.mark.parametrize("rank", ["energy_grav", "energy_vol", "capacity_grav", "capacity_vol", "voltage"])
@pytest.mark.parametrize("window", [None, (1.0, 2.0)])
def test_a_row_alone_has_the_score_that_it_has_in_its_table(
    lines: Path, tmp_path: Path, rank: Any, window: tuple[float, float] | None
) -> None:
    settings = Settings(("Mg",), stages=("network",), rank=rank, window=window)
    plan = prepare([str(lines)], settings, tmp_path / "run", shard_size=60)
    rng = np.random.default_rng(3)

    def maybe(value: float) -> float | None:
        return value if rng.random() > 0.3 else None

    fill(plan, 0, [
        row(u, model=("m" if rng.random() > 0.5 else None), reason=("no answer" if rng.random() > 0.5 else None),
            voltage=maybe(rng.uniform(-1, 4)), capacity_grav=maybe(100.0 * u), capacity_vol=maybe(200.0 * u),
            voltage_std=maybe(0.3), voltage_lower=maybe(0.5), voltage_upper=maybe(2.5))
        for u in range(60)
    ])  # fmt: skip
    (table,) = stream(plan, 0)
    rows = read_records(shard_file(plan.folder, 0, 0))
    assert table.scores(settings).tolist() == [score(one, settings) for one in rows]
    deviations = [deviation(one) for one in rows]
    assert np.allclose(table.deviations(), [np.nan if d is None else d for d in deviations], equal_nan=True)


def test_a_share_is_of_those_that_passed(lines: Path, tmp_path: Path) -> None:
    settings = Settings(("Mg",), stages=("rules", "network"), keep={"network": 0.25})
    plan = prepare([str(lines)], settings, tmp_path / "run")
    fill(plan, 0, [row(u, status="kept" if u % 3 else "dropped", capacity_grav=float(u)) for u in range(60)])
    chosen = select(plan, 0)["Mg"]
    assert (chosen.passed, chosen.entering) == (40, 10)


def test_what_a_cut_may_lose_is_bounded_by_the_intervals(lines: Path, tmp_path: Path) -> None:
    settings = Settings(("Mg",), stages=("network",), window=(2.0, 3.0))
    plan = prepare([str(lines)], settings, tmp_path / "run")
    rng = np.random.default_rng(1)
    rows = []
    for unit in range(60):
        one = row(unit, stage="network", voltage=float(rng.uniform(-1, 5)), voltage_std=0.4)
        rows.append({**one, **within(one, settings.window)})
    fill(plan, 0, rows)
    found = select(plan, 0)["Mg"]
    # Drawn from the stated errors: how many of the dropped really lie in the window.
    truth = np.array([one["voltage"] for one in rows]) + 0.4 * rng.standard_normal((20_000, 60))
    inside = (truth > 2) & (truth < 3)
    dropped = np.array([one["status"] == "dropped" for one in rows])
    assert found.wanted == pytest.approx(inside.sum(1).mean(), rel=0.02)
    assert found.lost_by_cut == pytest.approx(inside[:, dropped].sum(1).mean(), rel=0.1)
    assert found.lost_by_cut < 0.05 * dropped.sum()


@pytest.mark.parametrize(
    ("voltage", "more", "status"),
    [
        (1.0, {"voltage_std": 0.5}, "dropped"),
        (1.0, {"voltage_std": 0.7}, "kept"),
        (1.0, {"voltage_lower": 0.2, "voltage_upper": 2.1, "voltage_std": 0.1}, "kept"),
        (4.0, {"voltage_std": 0.5}, "dropped"),
        (9.0, {}, "kept"),
    ],
)
def test_a_row_stays_whose_interval_reaches_into_the_window(voltage: float, more: dict, status: str) -> None:
    assert within({"voltage": voltage, **more}, (2.0, 3.0))["status"] == status
    low, high = interval({"voltage": voltage, **more})
    assert low <= voltage <= high


def test_the_stages_of_a_shard_become_one_row(lines: Path, tmp_path: Path) -> None:
    plan = prepare([str(lines)], TOY, tmp_path / "run", shard_size=20)
    first = [row(u, ion, stage="rules", capacity_grav=100.0 + u) for u in range(60) for ion in TOY.ions]
    first[4] |= {"status": "refused", "reason": "no atoms"}
    second = [
        {**one, "stage": "network", "voltage": 1.0 + one["unit"] / 60} for one in first if one["status"] == "kept"
    ]
    fill(plan, 0, first)
    fill(plan, 1, second)
    select(plan, 0)
    chosen = select(plan, 1)
    third = [{**one, "stage": "model", "voltage": 2.0, "capacity_grav": None} for one in second
             if chosen[one["ion"]].admits({**dict.fromkeys(COLUMNS), **one}, TOY)]  # fmt: skip
    fill(plan, 2, third)
    rows = list(rows_of(plan.folder))
    assert [(one["unit"], one["ion"]) for one in rows] == [(u, ion) for u in range(60) for ion in TOY.ions]
    by_status = {name: [one for one in rows if one["status"] == name] for name in ("kept", "dropped", "refused")}
    assert [len(found) for found in by_status.values()] == [10, 109, 1]
    assert all(one["reason"] == "not among those that enter the stage model (--keep)" for one in by_status["dropped"])
    assert all(one["voltage"] == 2.0 and one["capacity_grav"] > 100 for one in by_status["kept"])
    shard_file(plan.folder, 2, 1).rename(tmp_path / "away")
    with pytest.raises(DataError, match="1 of 3 shards of the stage model are not done"):
        merge(plan.folder)
    (tmp_path / "away").rename(shard_file(plan.folder, 2, 1))
    assert merge(plan.folder) == plan.folder / MERGED
    assert list(rows_of(plan.folder)) == rows
    assert [len(one) for one in rows] == [len(schema().names)] * 120


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=25))
def test_the_front_is_what_none_beats(points: list[tuple[int, int, int]]) -> None:
    import tempfile

    from ionvolt.screening import front as module

    rows = [row(u, voltage=float(a), energy_grav=float(b), volume_change=c / 10) for u, (a, b, c) in enumerate(points)]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(module, "rows_of", lambda folder: iter(rows))
        found, names = front(Path(folder), Filters())
    assert set(names) <= {"voltage", "energy_grav", "volume_change"}
    better = [
        p for p in set(points)
        if not any(q != p and q[0] >= p[0] and q[1] >= p[1] and q[2] <= p[2] for q in points)
    ]  # fmt: skip
    assert sorted((one["voltage"], one["energy_grav"], round(10 * one["volume_change"])) for one in found) == sorted(
        better
    )


def test_filters_and_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    from ionvolt.screening import front as module

    rows = [
        row(0, formula="MgMn2O4", host_formula="Mn2O4", voltage=2.0, energy_grav=500.0, n_atoms=14, in_domain=True),
        row(1, formula="Mn2O4", host_formula="Mn2O4", voltage=2.5, energy_grav=400.0, n_atoms=6, in_domain=False),
        row(2, "Al", formula="CoO2", voltage=1.5, energy_grav=900.0, n_atoms=3, in_domain=True),
        row(3, formula="V2O5", voltage=None, n_atoms=14),
        row(4, formula="VS2", voltage=1.0, energy_grav=100.0, n_atoms=3, status="dropped"),
    ]
    monkeypatch.setattr(module, "rows_of", lambda folder: iter(rows))

    def units(by: str = "energy_grav", n: int = 10, **more: Any) -> list[int]:
        return [one["unit"] for one in best(Path(), n, by, Filters(**more))]

    assert units() == [2, 0]
    assert units(n=1) == [2]
    assert units("voltage") == [1, 2]
    assert units(ion="Mg") == [0]
    assert units(last=False) == [2, 0, 4]
    assert units(elements=("Co", "V")) == [2]
    assert units(without=("Co",)) == [0]
    assert units(conditions=("voltage>1.9", "n_atoms<=14")) == [0]
    assert units(in_domain=True, ion="Mg") == [0]
    for wrong in ("voltage", "v>2", "voltage>x", "id=2"):
        with pytest.raises(InputError, match="no condition on a column"):
            Filters(conditions=(wrong,))
    with pytest.raises(InputError, match="no column of numbers"):
        units("formula")


def test_rules_know_hosts() -> None:
    assert judge(TIS2, WORKING_IONS["Mg"], Settings(("Mg",)))["status"] == "kept"
    assert judge(sodium_chloride(), WORKING_IONS["Mg"], Settings(("Mg",)))["status"] == "dropped"
    assert "excluded" in judge(TIS2, WORKING_IONS["Mg"], Settings(("Mg",), exclude=("Ti",)))["reason"]
    row = judge(TIS2, WORKING_IONS["Al"], Settings(("Al",)))
    assert row["capacity_is_estimate"]
    assert 0 < row["capacity_grav"] < judge(TIS2, WORKING_IONS["Mg"], Settings(("Mg",)))["capacity_grav"]
    assert judge(TIS2, WORKING_IONS["Mg"], Settings(("Mg",), min_capacity=900))["status"] == "dropped"


def test_ions_that_no_metal_pays_for_are_not_counted() -> None:
    magnesia = Crystal.from_pymatgen(rock_salt("Mg").to_pymatgen().make_supercell((2, 2, 1)))
    mixed = replace(magnesia, numbers=np.where(np.arange(8) == 0, 25, magnesia.numbers))
    assert mixed.formula == "Mg3MnO4"
    mg = WORKING_IONS["Mg"]
    row = judge(mixed, mg, Settings(("Mg",)))
    # Mn(II) becomes Mn(VII) at most: five electrons, for which two and a half of the three Mg can leave.
    assert row["end_members"] == "discharged"
    assert row["capacity_is_estimate"]
    highest = metal_charges(mixed)
    assert highest is not None
    share = (highest.highest - 2) / 6
    assert 0 < share < 1
    assert row["capacity_grav"] == pytest.approx(share * capacity_grav(mixed, mg))
    answer = {"voltage": 3.0, "capacity_grav": capacity_grav(mixed, mg), "energy_grav": 9e9, "warnings": ["w"]}
    told = _with_capacity(answer, row)
    assert told["energy_grav"] == pytest.approx(3.0 * row["capacity_grav"])
    assert told["warnings"] == ["w", IN_PART]
    whole = judge(disulfide("Li"), WORKING_IONS["Li"], Settings(("Li",)))
    assert not whole["capacity_is_estimate"]
    assert _with_capacity(answer, whole) == answer


def test_where_charges_do_not_add_up_the_elements_tell_what_is_inert() -> None:
    salt = rock_salt("Ca", 5.0, "N")  # CaN: charges of nitride and calcium do not add up
    assert count_electrons(salt) is None
    assert judge(salt, WORKING_IONS["Ca"], Settings(("Ca",)))["reason"] == "no metal in it changes its charge"
    assert judge(rock_salt("Mn", 4.4, "N"), WORKING_IONS["Ca"], Settings(("Ca",)))["status"] == "kept"


def test_a_host_that_holds_the_ion_and_can_only_take_more_is_a_charged_one() -> None:
    assert assumed(disulfide("Li"), WORKING_IONS["Li"]) == "auto"  # LiTiS2 gives its electron up
    assert assumed(disulfide("Li"), WORKING_IONS["Mg"]) == "auto"
    assert assumed(layered("V", "Na"), WORKING_IONS["Na"]) == "auto"
    oxidised = perovskite("Nb", 3.9, "Na")  # NaNbO3, Nb at its highest
    assert assumed(oxidised, WORKING_IONS["Na"]) == "charged"
    row = judge(oxidised, WORKING_IONS["Na"], Settings(("Na",)))
    assert (row["status"], row["end_members"]) == ("kept", "charged")


def test_a_structure_that_should_be_relaxed_is_not_dropped_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from ionvolt import reading
    from ionvolt.physics.equilibrium import RELAX_FIRST
    from ionvolt.screening import rules

    real = reading.read_question

    def doubtful(*args: Any, **more: Any) -> Any:
        return replace(real(*args, **more), doubts=(f"it is not at rest. {RELAX_FIRST}",))

    monkeypatch.setattr(rules, "read_question", doubtful)
    assert judge(TIS2, WORKING_IONS["Mg"], Settings(("Mg",)))["status"] == "kept"


def test_like_reasons_are_counted_together() -> None:
    kinds = {
        "no metal of Na2SO4 can take up an electron, so Mg cannot go in by insertion": 0,
        "no metal of CN2 can take up an electron, so Al cannot go in by insertion": 0,
        "H (atom 3) and O (atom 12) are 0.31 Å apart, less than 0.5 Å. Remove one": 1,
        "V (atom 1) and C (atom 2) are 0.4 Å apart, less than 0.5 Å. Remove one": 1,
        "it holds no anion": 2,
        "its interval ends below 1 V": 4,
        "no structure in it: neither a CIF nor a POSCAR nor another known format": 3,
    }
    found = {reason: kind_of(reason) for reason in kinds}
    assert len(set(found.values())) == 5
    assert found["its interval ends below 1 V"].endswith(" V")
    assert "CIF" in found["no structure in it: neither a CIF nor a POSCAR nor another known format"]


def test_words_of_the_command_line() -> None:
    assert parse_keep(["50"], ("rules", "network")) == {"network": 50}
    assert parse_keep(["network=0.5"], ("rules", "network", "model")) == {"network": 0.5, "model": 1000}
    assert parse_window("2.5:3.5") == (2.5, 3.5)
    assert parse_window("2.5:")[1] > 10
    assert parse_elements("co, toxic") == ("As", "Be", "Cd", "Co", "Hg", "Pb", "Tl")
    for call in (
        lambda: parse_keep(["many"], ("rules", "network")),
        lambda: parse_window("3"),
        lambda: parse_elements("Xx"),
        lambda: Settings(("Mg",), window=(3.0, 2.0)),
        lambda: Settings(("Mg",), stages=("model", "rules")),
        lambda: Settings(("Mg",), keep={"compute": 3}),
        lambda: Settings(("Mg",), keep={"model": 2.5}),
        lambda: Settings(("Mg",), keep={"rules": 10}),
    ):
        with pytest.raises(InputError):
            call()
    assert Settings.of_dict(json.loads(json.dumps(TOY.to_dict()))) == TOY


@pytest.mark.slow
def test_the_funnel_from_files_to_voltages(lines: Path, tmp_path: Path) -> None:
    settings = Settings(("Mg", "Al"), stages=("rules", "network"), keep={"network": 6}, window=(1.0, 4.0))
    plan = prepare([str(lines)], settings, tmp_path / "run", shard_size=25)
    assert work(plan.folder)
    rows = list(rows_of(plan.folder))
    assert len(rows) == 120
    answered = [one for one in rows if one["stage"] == "network"]
    assert len(answered) == 12
    assert {one["model"] for one in answered} == {"cgcnn-mp2020"}
    # The same answer as predict gives.
    from ionvolt.prediction import predict

    one = answered[0]
    crystal = crystal_of(line(int(one["id"][1:])))
    assert one["voltage"] == pytest.approx(predict(crystal, one["ion"], model="cgcnn-mp2020").voltage, abs=1e-5)
