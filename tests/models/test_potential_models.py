"""Models on the universal potential: what they answer, how they are kept, which one answers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crystals import rock_salt
from ionvolt import prediction
from ionvolt.errors import InputError, ModelError
from ionvolt.ions import WORKING_IONS, WorkingIon, remove_ion
from ionvolt.models.auto import AutoModel, Part
from ionvolt.models.card import ModelCard
from ionvolt.models.interface import Predictor, Query
from ionvolt.models.mlip import delta_model
from ionvolt.models.mlip.delta_model import load_delta, save_delta
from ionvolt.models.mlip.foundation_model import load_foundation, save_foundation
from ionvolt.models.mlip.full_extraction import FullExtractionClassifier
from ionvolt.models.mlip.latent_features import (
    ATOM_SIZE,
    WIDE_SIZE,
    CrystalFeatures,
    compute_features,
    compute_wide_features,
)
from ionvolt.models.mlip.settled_host import settled_ends, settled_query
from ionvolt.models.registry import load_folder
from ionvolt.models.storage import CARD_FILE, WEIGHTS_FILE
from ionvolt.physics.average import compute
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.potentials.pair import load_potentials
from ionvolt.physics.potentials.sevennet import load_sevennet
from ionvolt.physics.settling import STEPS, settle
from ionvolt.structures.crystal import Crystal
from ionvolt.training.mlip.network import TrainedNetwork
from models.small import DISCHARGED, VOLTAGES, auto, delta, foundation, pairs

pytestmark = pytest.mark.slow

LI = WORKING_IONS["Li"]
HOSTS = [remove_ion(crystal, LI) for crystal in DISCHARGED]


def doubled(crystal: Crystal) -> Crystal:
    places = crystal.frac_coords / [1, 1, 2]
    return replace(
        crystal,
        lattice=crystal.lattice * [[1], [1], [2]],
        numbers=np.tile(crystal.numbers, 2),
        frac_coords=np.concatenate([places, places + np.array([0, 0, 0.5])]),
    )


def both(discharged: Crystal, host: Crystal) -> Query:
    return Query("Li", host, "both", discharged)


def test_a_host_answers_the_same_alone_among_others_and_doubled() -> None:
    model = foundation()
    queries = [Query("Li", host) for host in HOSTS] + [Query("Mg", HOSTS[0], n_ions=0.5), Query("K", HOSTS[0])]
    together = model.estimate(queries)
    for query, answer in zip(queries, together, strict=True):
        assert model.estimate([query])[0].voltage == pytest.approx(answer.voltage, abs=1e-5)
    order = [1, 2, 0]
    shuffled = replace(HOSTS[0], numbers=HOSTS[0].numbers[order], frac_coords=HOSTS[0].frac_coords[order])
    for ion, answer in zip(("Mg", "K"), together[-2:], strict=True):
        for host, cells in ((doubled(HOSTS[0]), 2), (shuffled, 1)):
            again = model.estimate([Query(ion, host, n_ions=0.5 * cells if ion == "Mg" else None)])[0]
            assert again.voltage == pytest.approx(answer.voltage, abs=1e-3)
    assert all(a.lower < a.voltage < a.upper for a in together)
    assert [a.model for a in together] == ["small"] * 6


def test_the_composition_moves_the_voltage_and_none_is_none() -> None:
    model = foundation()
    model.informed.machine.coefficients[:] *= 1.1
    host = rock_salt("Mn", 4.6)
    a, b, c = model.estimate([Query("Li", host, n_ions=n) for n in (1.0, 2.0, None)])
    assert len({round(x.voltage, 4) for x in (a, b, c)}) == 3
    (small,) = model.estimate([Query("Li", host, n_ions=0.3)])
    assert small.voltage == pytest.approx(a.voltage, abs=1e-6), "whole ions are tried in a primitive cell"
    assert not any("primitive cell" in reason for reason in small.reasons)
    (next_to_none,) = model.estimate([Query("Li", host, n_ions=0.02)])
    assert not next_to_none.in_domain
    assert next_to_none.reasons[-1].startswith("the discharged composition means 0.02 Li in a primitive cell, fewer")


def test_a_correction_that_has_learned_nothing_leaves_the_potential_alone() -> None:
    model = delta()
    for corrector in model.correctors.values():
        if corrector.kernel is not None:
            corrector.kernel.weights[:] = 0
            corrector.kernel.shifts[:] = 0
        if corrector.machine is not None:
            nothing = np.zeros_like(corrector.machine.coefficients)
            corrector.machine = replace(corrector.machine, coefficients=nothing, intercept=0.0)
    for query, pair in zip([both(d, h) for d, h in zip(DISCHARGED, HOSTS, strict=True)], pairs(), strict=True):
        answer = model.estimate([query])[0]
        assert answer.voltage == pytest.approx(answer.physics, abs=1e-6)
        assert answer.physics == pytest.approx(pair.physics, abs=1e-4)


def test_the_learned_correction_comes_nearer_to_the_labels() -> None:
    answers = delta().estimate([both(d, h) for d, h in zip(DISCHARGED, HOSTS, strict=True)])
    physics = np.array([a.physics for a in answers])
    learned = np.array([a.voltage for a in answers])
    assert np.abs(learned - VOLTAGES).mean() < np.abs(physics - VOLTAGES).mean()


def test_end_members_in_other_cells_and_orders_answer_the_same() -> None:
    model = delta()
    full, empty = DISCHARGED[0], HOSTS[0]
    order = [3, 0, 2, 1]
    shuffled = replace(full, numbers=full.numbers[order], frac_coords=full.frac_coords[order])
    reference = model.estimate([both(full, empty)])[0].voltage
    for query in (both(doubled(full), empty), both(full, doubled(empty)), both(shuffled, empty)):
        assert model.estimate([query])[0].voltage == pytest.approx(reference, abs=2e-3)


@pytest.mark.parametrize("version", ["7net-l3i5", "chgnet-0.3.0"])
def test_an_electrode_that_was_computed_gets_the_same_answer(version: str) -> None:
    """With the energies at hand, and where they are another potential's."""
    model, potentials = delta(), load_potentials(version)
    computed = compute(DISCHARGED[0], HOSTS[0], LI, potentials, Cache(None))
    expected = model.estimate([both(DISCHARGED[0], HOSTS[0])])[0]
    found = model.estimate_computed(computed)
    assert found.voltage == pytest.approx(expected.voltage, abs=1e-5)
    assert (found.lower, found.reasons) == (pytest.approx(expected.lower, abs=1e-4), expected.reasons)


def test_a_host_that_was_made_of_another_crystal_is_relaxed_for_some_steps() -> None:
    """Sodium in LiFePO4: the models know hosts that are relaxed."""
    model, left = foundation(), remove_ion(DISCHARGED[0], LI)
    settled = settle(left, load_sevennet(), STEPS)
    queries = [Query(ion, left, made_of=DISCHARGED[0]) for ion in ("Na", "Mg")]
    found = model.estimate(queries)
    expected = model.estimate([Query(ion, settled) for ion in ("Na", "Mg")])
    assert [a.voltage for a in found] == pytest.approx([a.voltage for a in expected])
    as_it_stands = model.estimate([Query(ion, left) for ion in ("Na", "Mg")])
    assert abs(found[0].voltage - as_it_stands[0].voltage) > 1e-3
    shared = model.attribute(queries[:1])[0]
    assert shared.crystal.lattice == pytest.approx(settled.lattice)
    assert shared.contributions.sum() + shared.remainder == pytest.approx(found[0].voltage, abs=1e-6)


def test_what_was_made_of_a_strained_crystal_ends_near_the_same_host() -> None:
    """The forces of that crystal belong to an ion that is gone."""
    hosts = []
    for factor in (0.98, 1.0):
        full = replace(DISCHARGED[0], lattice=factor * DISCHARGED[0].lattice)
        query = settled_query(Query("Na", remove_ion(full, LI), made_of=full), {})
        hosts.append(query.host)
    assert hosts[0].volume == pytest.approx(hosts[1].volume, rel=0.05)


def test_an_element_that_the_potential_does_not_know_is_refused() -> None:
    numbers = np.where(DISCHARGED[0].numbers == 27, 84, DISCHARGED[0].numbers)
    strange = replace(DISCHARGED[0], numbers=numbers)
    for model, query in (
        (foundation(), Query("Na", remove_ion(strange, LI), made_of=strange)),
        (delta(), Query("Li", remove_ion(strange, LI), "discharged", strange)),
    ):
        with pytest.raises(InputError, match="does not know Po"):
            model.estimate([query])


def test_the_vectors_of_the_second_potential_stand_behind_those_of_the_first() -> None:
    crystals = [DISCHARGED[0], HOSTS[1], DISCHARGED[0]]
    narrow, wide = compute_features(crystals), compute_wide_features(crystals)
    for crystal, before, after in zip(crystals, narrow, wide, strict=True):
        expected = load_chgnet().evaluate([crystal])[0].features[:, 2:].reshape(len(crystal), -1)
        assert after.atoms.shape == (len(crystal), WIDE_SIZE)
        assert np.array_equal(after.narrow.atoms, before.atoms)
        assert after.atoms[:, ATOM_SIZE:] == pytest.approx(expected, abs=1e-4)
        assert (after.energy, after.volume) == (before.energy, before.volume)
    assert compute_wide_features([]) == []


def test_both_ends_hear_the_second_potential_and_hosts_without_their_ions_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = delta()
    assert np.abs(model.correctors["both"].kernel.weights).max() > 0
    queries = [replace(both(DISCHARGED[0], HOSTS[0]), end_members=known) for known in ("both", "discharged")]
    before = [answer.voltage for answer in model.estimate(queries)]

    def deaf(features: list[CrystalFeatures], crystals: list[Crystal]) -> list[CrystalFeatures]:
        more = np.zeros((1, WIDE_SIZE - ATOM_SIZE), dtype=np.float32)
        return [replace(f, atoms=np.hstack([f.atoms, np.repeat(more, len(f), axis=0)])) for f in features]

    monkeypatch.setattr(delta_model, "with_chgnet", deaf)
    after = [answer.voltage for answer in model.estimate(queries)]
    assert after[0] != pytest.approx(before[0], abs=1e-4)
    assert after[1] == pytest.approx(before[1], abs=1e-5)


def test_a_host_without_its_ions_is_relaxed_for_some_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    model, unrelaxed = delta(), remove_ion(DISCHARGED[0], LI)
    seen: list[Crystal] = []

    def looked_at(crystals: list[Crystal]) -> list[CrystalFeatures]:
        seen.extend(crystals)
        return compute_features(crystals)

    monkeypatch.setattr(delta_model, "compute_features", looked_at)
    (answer,) = model.estimate([Query("Li", unrelaxed, "discharged", DISCHARGED[0])])
    (given,) = model.estimate([both(DISCHARGED[0], unrelaxed)])
    assert seen[0].lattice == pytest.approx(settled_ends(unrelaxed, DISCHARGED[0])[0].lattice)
    assert seen[1].lattice == pytest.approx(settled_ends(unrelaxed, DISCHARGED[0])[1].lattice)
    assert seen[1].lattice != pytest.approx(unrelaxed.lattice)
    assert seen[3] is unrelaxed  # a host that is given stays as it is
    # Relaxed, the host is lower in energy, and the voltage that the energies give lower with it.
    assert answer.physics < given.physics


def test_where_full_extraction_is_unlikely_the_answer_is_that_of_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    model, host = delta(), remove_ion(DISCHARGED[0], LI)
    monkeypatch.setattr(FullExtractionClassifier, "probability", lambda self, vectors, discharged, ion: 0.3)
    found, probability = model.estimate_partly(DISCHARGED[0], "Li")
    expected = model.estimate([Query("Li", host, "discharged", DISCHARGED[0])])[0]
    assert found is not None
    assert (found.voltage, probability) == (pytest.approx(expected.voltage, abs=1e-5), 0.3)
    # Without its lithium no atom has a neighbour: no host is left to settle, so the relaxed ends answer.
    lonely = Crystal(np.diag([40.0, 8, 8]), np.array([3, 8, 8]), np.array([[0.075, 0, 0], [0, 0, 0], [0.15, 0, 0]]))
    assert model.estimate_partly(lonely, "Li") == (None, 0.3)
    monkeypatch.setattr(FullExtractionClassifier, "probability", lambda self, vectors, discharged, ion: 0.5)
    assert model.estimate_partly(DISCHARGED[0], "Li") == (None, 0.5)


def test_whether_all_comes_out_is_judged_of_the_same_structure_however_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def seen(self: FullExtractionClassifier, vectors: CrystalFeatures, discharged: Crystal, ion: WorkingIon) -> float:
        return 0.001 * abs(vectors.energy)

    monkeypatch.setattr(FullExtractionClassifier, "probability", seen)
    model, rng = delta(), np.random.default_rng(0)
    shaken = replace(
        DISCHARGED[0], frac_coords=DISCHARGED[0].frac_coords + rng.normal(0, 0.02, DISCHARGED[0].frac_coords.shape)
    )
    assert settled_ends(remove_ion(shaken, LI), shaken)[0] is not shaken
    (answer,) = model.estimate([Query("Li", remove_ion(shaken, LI), "discharged", shaken)])
    assert model.estimate_partly(shaken, "Li")[1] == pytest.approx(answer.full_extraction, abs=1e-6)


def test_what_cannot_be_asked_is_refused_in_one_line() -> None:
    model = delta()
    with pytest.raises(ModelError, match="needs the discharged structure"):
        model.estimate([Query("Li", HOSTS[0])])
    with pytest.raises(InputError, match="differ by more than Li"):
        model.estimate([both(DISCHARGED[0], HOSTS[1])])
    with pytest.raises(InputError, match="holds no more Li"):
        model.estimate([both(DISCHARGED[0], DISCHARGED[0])])
    with pytest.raises(ModelError, match="not trained for Al"):
        replace_ions(foundation(), ["Li"]).estimate([Query("Al", HOSTS[0])])
    with pytest.raises(ValueError, match="ions go in"):
        Query("Li", HOSTS[0], n_ions=0.0)


def replace_ions(model, ions):
    model.card.ions = list(ions)
    return model


def test_out_of_the_domain_has_its_reasons() -> None:
    answer = foundation().estimate([Query("Li", rock_salt("U", 5.5))])[0]
    assert answer.in_domain is False
    assert any(reason.startswith("U: in no electrode") for reason in answer.reasons)
    assert any("far from all training frameworks" in reason for reason in answer.reasons)


def test_the_best_model_takes_what_the_input_allows() -> None:
    model = auto([])
    queries = [Query("Li", HOSTS[0]), both(DISCHARGED[0], HOSTS[0]), Query("Li", HOSTS[1])]
    answers = model.estimate(queries)
    assert [a.model for a in answers] == ["small", "small-delta", "small"]
    assert answers[1].physics is not None
    assert model.estimate([]) == []


def test_a_part_that_is_not_asked_is_not_loaded() -> None:
    host = foundation()

    def load() -> Predictor:
        raise ModelError("asked for")

    model = AutoModel(Part(host.card, lambda: host), Part(delta().card, load), ModelCard("auto"))
    model.require(["Li", "Mg"])
    assert "Li" in model.ions
    assert model.estimate([Query("Li", HOSTS[0])])[0].model == "small"
    with pytest.raises(ModelError, match="asked for"):
        model.estimate([both(DISCHARGED[0], HOSTS[0])])


def test_kept_models_answer_the_same_and_damaged_ones_do_not_load(tmp_path: Path) -> None:
    save_foundation(foundation(), tmp_path / "f")
    save_delta(delta(), tmp_path / "d")
    a, b = Query("Li", HOSTS[0], n_ions=1.0), both(DISCHARGED[0], HOSTS[0])
    assert load_foundation(tmp_path / "f").estimate([a])[0].voltage == pytest.approx(
        foundation().estimate([a])[0].voltage, abs=1e-4
    )
    for known in ("both", "discharged"):
        query = replace(b, end_members=known)
        again, before = load_folder(tmp_path / "d").estimate([query])[0], delta().estimate([query])[0]
        assert again.voltage == pytest.approx(before.voltage, abs=1e-4)
        assert again.upper == pytest.approx(before.upper, abs=1e-3)
    with pytest.raises(ModelError, match="not a delta one"):
        load_delta(tmp_path / "f")
    narrow = delta()
    networks = [TrainedNetwork(ATOM_SIZE).answering() for _ in range(2)]
    narrow.correctors["both"] = replace(narrow.correctors["both"], networks=networks)
    save_delta(narrow, tmp_path / "older")
    with pytest.raises(ModelError, match="older: written by an older version"):
        load_delta(tmp_path / "older")
    content = bytearray((tmp_path / "d" / WEIGHTS_FILE).read_bytes())
    content[-5] ^= 1
    (tmp_path / "d" / WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(ModelError, match="not those that the card describes"):
        load_delta(tmp_path / "d")
    broken = foundation()
    broken.alone.machine.coefficients[0] = np.nan
    save_foundation(broken, tmp_path / "n")
    with pytest.raises(ModelError, match="not finite"):
        load_foundation(tmp_path / "n")
    older = foundation()
    few = {name: getattr(older.alone.machine, name)[..., :9] for name in ("mean", "scale", "weights", "references")}
    older.alone = replace(older.alone, machine=replace(older.alone.machine, **few))
    save_foundation(older, tmp_path / "o")
    with pytest.raises(ModelError, match="written by an older version"):
        load_foundation(tmp_path / "o")
    card = json.loads((tmp_path / "f" / CARD_FILE).read_text())
    for members in (0, -1, 9):
        card["hyperparameters"]["n_members"] = members
        (tmp_path / "f" / CARD_FILE).write_text(json.dumps(card))
        with pytest.raises(ModelError, match="2 networks are there, which the card does not say"):
            load_foundation(tmp_path / "f")
    poorer = delta()
    poorer.correctors["discharged"].machine = None
    save_delta(poorer, tmp_path / "p")
    with pytest.raises(ModelError, match="written by an older version"):
        load_delta(tmp_path / "p")
    del card["hyperparameters"]["features"]
    (tmp_path / "f" / CARD_FILE).write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"not a foundation model \(no hyperparameters\.features\)"):
        load_foundation(tmp_path / "f")


@pytest.fixture
def best() -> AutoModel:
    return auto(["Li", "Mg"])


def test_predict_says_what_it_rests_on(best: AutoModel) -> None:
    host = prediction.predict(HOSTS[0], "Li", model=best)
    discharged = prediction.predict(DISCHARGED[0], "Li", model=best)
    # Not the discharged structure with its lithium deleted, which would count as that structure alone.
    charged = replace(HOSTS[0], lattice=HOSTS[0].lattice * 1.01)
    ends = prediction.predict(DISCHARGED[0], "Li", model=best, charged=charged)
    formula = prediction.predict(HOSTS[0], "Li", model=best, discharged_formula="LiCoO2")
    assert [p.end_members for p in (host, discharged, ends, formula)] == ["charged", "discharged", "both", "charged"]
    assert discharged.capacity_grav == pytest.approx(273.8, abs=0.3), "LiCoO2, all Li out"
    assert formula.capacity_grav == pytest.approx(discharged.capacity_grav)
    assert ends.capacity_grav == pytest.approx(discharged.capacity_grav)
    assert host.capacity_is_estimate
    assert not formula.capacity_is_estimate
    assert host.voltage_lower < host.voltage < host.voltage_upper
    assert ends.voltage_potential is not None
    assert host.voltage_potential is None
    assert ends.energy_grav == pytest.approx(ends.voltage * ends.capacity_grav)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("LiNiO2", "differs from the host"),
        ("CoO2", "holds no more Li"),
        ("Li", "differs from the host"),
        ("!?", "not a chemical formula"),
        ("", "differs from the host|not a chemical formula"),
        ("LiCo0.9O2", "differs from the host"),
    ],
)
def test_a_formula_that_does_not_belong_to_the_host(best: AutoModel, formula: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        prediction.predict(HOSTS[0], "Li", model=best, discharged_formula=formula)


def test_a_charged_structure_needs_its_discharged_one(best: AutoModel) -> None:
    with pytest.raises(InputError, match="holds no Li"):
        prediction.predict(HOSTS[0], "Li", model=best, charged=HOSTS[0])
