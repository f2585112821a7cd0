import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from crystals import random_crystal
from ionvolt.errors import ModelError
from ionvolt.graphs import CrystalGraph, build_graph, collate
from ionvolt.models.cgcnn.network import CGCNN, Head
from ionvolt.training.cgcnn.networks import new_network, pooled_vectors, set_scale, train_ensemble, transfer_heads
from ionvolt.training.loop import History, evaluate, fit
from ionvolt.training.settings import HEAD, PAPER, Settings

pytestmark = pytest.mark.slow

N = 20
ALL = np.arange(N)
PARTS = [(ALL[:14], ALL[14:]), (ALL[6:], ALL[:6])]
SHORT = Settings(epochs=4, batch_size=5, learning_rate=2e-3)
SHORT_HEAD = replace(SHORT, trainable="head", batch_norm="frozen")


@pytest.fixture(scope="module")
def graphs() -> list[CrystalGraph]:
    rng = np.random.default_rng(0)
    return [build_graph(random_crystal(rng, int(rng.integers(2, 6)))) for _ in range(N)]


@pytest.fixture(scope="module")
def targets(graphs: list[CrystalGraph]) -> np.ndarray:
    """Something that a network can see: more oxygen and shorter bonds, more volts."""
    return np.array([3 * (g.numbers == 8).mean() + 6 - 2 * g.distances[:, :4].mean() for g in graphs])


@pytest.fixture(scope="module")
def trained(graphs: list[CrystalGraph], targets: np.ndarray) -> list[CGCNN]:
    return train_ensemble(graphs, targets, PARTS, SHORT)[0]


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def assert_same(one: nn.Module, two: nn.Module) -> None:
    first, second = one.state_dict(), two.state_dict()
    assert first.keys() == second.keys()
    for name in first:
        # Not to the last bit: how products are rounded may depend on where in memory their factors lie.
        torch.testing.assert_close(first[name], second[name], rtol=1e-5, atol=1e-6, equal_nan=True, msg=name)


def changed(before: dict[str, Tensor], after: nn.Module) -> set[str]:
    return {name for name, tensor in after.state_dict().items() if not torch.equal(tensor, before[name])}


class Killed(Exception):
    pass


def kill_after(epoch: int) -> Callable[[int, dict[str, float]], None]:
    def progress(member: int, record: dict[str, float]) -> None:
        if record["epoch"] == epoch:
            raise Killed

    return progress


# Determinism


def test_one_seed_one_network(graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN]) -> None:
    again, histories = train_ensemble(graphs, targets, PARTS, SHORT)
    for one, two in zip(trained, again, strict=True):
        assert_same(one, two)
    assert all(len(history.epochs) == SHORT.epochs for history in histories)
    other, _ = train_ensemble(graphs, targets, PARTS[:1], replace(SHORT, seed=5))
    assert changed(state(trained[0]), other[0])


def test_members_differ_by_their_seeds(graphs: list[CrystalGraph], targets: np.ndarray) -> None:
    networks, _ = train_ensemble(graphs, targets, [PARTS[0], PARTS[0]], replace(SHORT, epochs=1))
    assert changed(state(networks[0]), networks[1])
    second, _ = train_ensemble(graphs, targets, [PARTS[0]], replace(SHORT, epochs=1, seed=1))
    assert_same(second[0], networks[1])


def test_two_jobs_give_what_one_gives(
    graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN], tmp_path: Path
) -> None:
    threads = torch.get_num_threads()
    networks, _ = train_ensemble(graphs, targets, PARTS, SHORT, jobs=2, folder=tmp_path)
    assert torch.get_num_threads() == threads
    for one, two in zip(trained, networks, strict=True):
        assert_same(one, two)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["member-0", "member-1"]


def test_two_jobs_give_what_one_gives_where_torch_has_threads_of_its_own() -> None:
    rng = np.random.default_rng(0)
    graphs = [build_graph(random_crystal(rng, 25)) for _ in range(64)]
    targets, rows = rng.normal(size=64), np.arange(64)
    settings, parts = replace(SHORT, epochs=1, batch_size=64), [(rows, rows[:8]), (rows, rows[8:16])]
    torch.set_num_threads(2)
    try:
        one, _ = train_ensemble(graphs, targets, parts, settings)
        two, _ = train_ensemble(graphs, targets, parts, settings, jobs=2)
    finally:
        torch.set_num_threads(1)
    for a, b in zip(one, two, strict=True):
        assert_same(a, b)


def test_seed_of_new_network_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, two, other = new_network(4), new_network(4), new_network(5)
    assert torch.equal(torch.get_rng_state(), before)
    assert_same(one, two)
    assert changed(state(one), other)


# Kill and go on


@pytest.mark.parametrize("kind", ["adamw", "sgd", "head", "drift"])
def test_a_killed_run_goes_on_to_the_same_weights(
    kind: str, graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN], tmp_path: Path
) -> None:
    settings = {
        "adamw": SHORT,
        "sgd": replace(SHORT, optimiser="sgd", loss="mse", learning_rate=1e-3),
        "head": SHORT_HEAD,
        "drift": replace(SHORT_HEAD, batch_norm="train"),
    }[kind]
    initial = trained[:1] if kind in ("head", "drift") else None

    def run(folder: Path, **more: Callable[[int, dict[str, float]], None]) -> tuple[list[CGCNN], list[History]]:
        return train_ensemble(graphs, targets, PARTS[:1], settings, initial=initial, folder=folder, **more)

    whole, histories = run(tmp_path / "whole")
    for epoch in (0, 2):
        with pytest.raises(Killed):
            run(tmp_path / "killed", progress=kill_after(epoch))
    seen: list[float] = []
    resumed, continued = run(tmp_path / "killed", progress=lambda _, record: seen.append(record["epoch"]))
    assert seen == [3]
    assert_same(whole[0], resumed[0])
    assert continued == histories
    log = (tmp_path / "killed" / "member-0" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in log] == histories[0].epochs


def test_a_finished_run_is_not_repeated(
    graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN], tmp_path: Path
) -> None:
    train_ensemble(graphs, targets, PARTS, SHORT, folder=tmp_path)
    again, histories = train_ensemble(graphs, targets, PARTS, SHORT, folder=tmp_path, progress=kill_after(0))
    for one, two in zip(trained, again, strict=True):
        assert_same(one, two)
    assert len(histories[0].epochs) == SHORT.epochs


@pytest.mark.parametrize("damage", [b"", b"not tensors", None])
def test_a_damaged_checkpoint_is_told(
    damage: bytes | None, graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN], tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        train_ensemble(graphs, targets, PARTS[:1], SHORT, folder=tmp_path, progress=kill_after(1))
    path = tmp_path / "member-0" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:1000] if damage is None else damage)
    with pytest.raises(ModelError, match="damaged"):
        train_ensemble(graphs, targets, PARTS[:1], SHORT, folder=tmp_path)
    path.unlink()
    again, _ = train_ensemble(graphs, targets, PARTS[:1], SHORT, folder=tmp_path)
    assert_same(again[0], trained[0])


@pytest.mark.parametrize("what", ["settings", "training rows", "validation rows", "targets"])
def test_another_run_in_the_folder_is_not_continued(
    what: str, graphs: list[CrystalGraph], targets: np.ndarray, tmp_path: Path
) -> None:
    settings = replace(SHORT, epochs=2)
    with pytest.raises(Killed):
        train_ensemble(graphs, targets, PARTS[:1], settings, folder=tmp_path, progress=kill_after(0))
    train, validation = PARTS[0]
    new_targets = targets
    if what == "settings":
        settings = replace(settings, learning_rate=1e-3)
    elif what == "training rows":
        train = train[1:]
    elif what == "validation rows":
        validation = validation[1:]
    else:
        new_targets = targets + 0.01
    seen: list[float] = []
    parts = [(train, validation)]
    in_folder, _ = train_ensemble(
        graphs, new_targets, parts, settings, folder=tmp_path, progress=lambda _, r: seen.append(r["epoch"])
    )
    fresh, _ = train_ensemble(graphs, new_targets, parts, settings)
    assert seen == [0, 1]
    assert_same(in_folder[0], fresh[0])


# Which weights are kept


class Drifting(nn.Module):
    """Answers one number, whatever the input; its error on a target of 0 grows as it learns one of 1."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(start))

    def forward(self, rows: np.ndarray) -> Tensor:
        return self.value.expand(len(rows))


DRIFT = Settings(
    epochs=30, batch_size=2, learning_rate=0.05, weight_decay=0.0, schedule="constant", loss="mse", optimiser="sgd"
)


def drift(settings: Settings, validation_target: float = 0.0, folder: Path | None = None) -> tuple[Drifting, History]:
    network = Drifting()
    targets = np.array([1.0, 1.0, 1.0, 1.0, validation_target])
    history = fit(network, lambda rows: rows, targets, [0, 1, 2, 3], [4], settings, scale=(0.0, 1.0), folder=folder)
    return network, history


def test_patience_ends_a_run_that_no_longer_improves(tmp_path: Path) -> None:
    for patience in (1, 3, 7):
        network, history = drift(replace(DRIFT, patience=patience), folder=tmp_path)
        assert history.best_epoch == 0
        assert len(history.epochs) == 1 + patience
        assert float(network.value.detach()) == pytest.approx(history.best_mae)
        again, same = drift(replace(DRIFT, patience=patience), folder=tmp_path)
        assert same == history
        assert torch.equal(again.value, network.value)
    assert len(drift(DRIFT)[1].epochs) == 30


def test_weights_of_the_best_epoch_are_kept() -> None:
    network, history = drift(DRIFT, validation_target=0.5)
    maes = [record["validation_mae"] for record in history.epochs]
    assert 0 < int(np.argmin(maes)) < 29
    assert history.best_epoch == int(np.argmin(maes))
    assert history.best_mae == min(maes)
    assert abs(float(network.value.detach()) - 0.5) == pytest.approx(history.best_mae)
    assert not network.training


def test_a_network_is_left_at_its_best_epoch(graphs: list[CrystalGraph], targets: np.ndarray) -> None:
    networks, histories = train_ensemble(graphs, targets, PARTS, replace(SHORT, epochs=6, learning_rate=2e-2))
    for network, history, (_, validation) in zip(networks, histories, PARTS, strict=True):
        maes = [record["validation_mae"] for record in history.epochs]
        assert history.best_mae == min(maes)
        assert maes.index(min(maes)) == history.best_epoch
        mae = evaluate(network, lambda rows: collate([graphs[row] for row in rows]), targets, validation)
        assert mae == pytest.approx(history.best_mae, abs=1e-6)


def test_without_validation_the_last_epoch_is_kept(graphs: list[CrystalGraph], targets: np.ndarray) -> None:
    none = np.array([], dtype=np.int64)
    networks, (history,) = train_ensemble(graphs, targets, [(ALL, none)], SHORT)
    shorter, _ = train_ensemble(graphs, targets, [(ALL, none)], replace(SHORT, epochs=3))
    assert history.best_epoch == SHORT.epochs - 1
    assert math.isinf(history.best_mae)
    assert changed(state(networks[0]), shorter[0])


# What is trained and what is not


BATCH_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def test_a_frozen_trunk_stays_as_it_was_bit_by_bit(
    graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN]
) -> None:
    before = [state(network) for network in trained]
    networks, _ = train_ensemble(graphs, targets * 0.7 + 1, PARTS, SHORT_HEAD, initial=trained)
    for network, old in zip(networks, before, strict=True):
        new = changed(old, network)
        assert new == {name for name in old if name.startswith("head.")}
    for network, old in zip(trained, before, strict=True):
        assert not changed(old, network), "the networks that it starts from are not to be changed"
        assert all(parameter.requires_grad for parameter in network.parameters())


def test_batch_norm_in_train_mode_drifts_as_it_did_for_the_authors(
    graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN]
) -> None:
    settings = replace(SHORT_HEAD, batch_norm="train")
    before = state(trained[0])
    networks, _ = train_ensemble(graphs, targets * 0.7 + 1, PARTS[:1], settings, initial=trained[:1])
    new = {name for name in changed(before, networks[0]) if name.startswith("trunk.")}
    assert new == {name for name in before if name.endswith(BATCH_STATISTICS)}


def test_frozen_batch_norm_keeps_its_statistics_while_all_else_learns(
    graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN]
) -> None:
    settings = replace(SHORT, batch_norm="frozen")
    before = state(trained[0])
    networks, _ = train_ensemble(graphs, targets * 0.7 + 1, PARTS[:1], settings, initial=trained[:1])
    assert changed(before, networks[0]) == {name for name in before if not name.endswith(BATCH_STATISTICS)}


def test_all_of_a_network_learns_again_after_its_head_alone_did(
    graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN]
) -> None:
    heads_only, _ = train_ensemble(graphs, targets, PARTS[:1], replace(SHORT_HEAD, epochs=1), initial=trained[:1])
    before = state(heads_only[0])
    networks, _ = train_ensemble(graphs, targets + 1, PARTS[:1], replace(SHORT, epochs=1), initial=heads_only)
    assert "trunk.embedding.weight" in changed(before, networks[0])


def test_transfer_of_heads_equals_training_with_a_frozen_trunk(
    graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN]
) -> None:
    new_targets = targets[::-1].copy()
    before = [state(network) for network in trained]
    heads, histories = transfer_heads(trained, graphs, new_targets, PARTS, SHORT_HEAD)
    networks, slow = train_ensemble(graphs, new_targets, PARTS, SHORT_HEAD, initial=trained)
    for head, network, old, start in zip(heads, networks, before, trained, strict=True):
        for name, tensor in head.state_dict().items():
            torch.testing.assert_close(tensor, network.head.state_dict()[name], atol=1e-5, rtol=1e-5)
        assert not changed(old, start)
        assert changed(state(start.head), head)
    for one, two in zip(histories, slow, strict=True):
        assert one.best_epoch == two.best_epoch
        assert one.best_mae == pytest.approx(two.best_mae, abs=1e-5)


def test_known_pooled_vectors_are_used(graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN]) -> None:
    pooled = [pooled_vectors(network.trunk, graphs) for network in trained]
    assert pooled[0].shape == (N, 64)
    one, _ = transfer_heads(trained, graphs, targets, PARTS, SHORT_HEAD)
    two, _ = transfer_heads(trained, [], targets, PARTS, SHORT_HEAD, pooled=pooled, jobs=2)
    for a, b in zip(one, two, strict=True):
        assert_same(a, b)


def test_a_killed_transfer_goes_on(
    graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN], tmp_path: Path
) -> None:
    whole, _ = transfer_heads(trained, graphs, targets, PARTS, SHORT_HEAD)
    with pytest.raises(Killed):
        transfer_heads(trained, graphs, targets, PARTS, SHORT_HEAD, folder=tmp_path, progress=kill_after(1))
    resumed, _ = transfer_heads(trained, graphs, targets, PARTS, SHORT_HEAD, folder=tmp_path)
    for one, two in zip(whole, resumed, strict=True):
        assert_same(one, two)


def test_set_scale() -> None:
    head = Head()
    set_scale(head, np.array([1.0, 2.0, 4.0]))
    assert float(head.target_mean) == pytest.approx(7 / 3)
    assert float(head.target_std) == pytest.approx(np.std([1.0, 2.0, 4.0]))
    set_scale(head, np.array([2.5, 2.5]))
    assert (float(head.target_mean), float(head.target_std)) == (2.5, 1.0)


def test_scale_is_that_of_the_training_rows(
    graphs: list[CrystalGraph], targets: np.ndarray, trained: list[CGCNN]
) -> None:
    for network, (train, _) in zip(trained, PARTS, strict=True):
        assert float(network.head.target_mean) == pytest.approx(targets[train].mean(), rel=1e-6)
        assert float(network.head.target_std) == pytest.approx(targets[train].std(), rel=1e-6)
    heads, _ = transfer_heads(trained, graphs, 2 * targets, PARTS, replace(SHORT_HEAD, epochs=1))
    assert float(heads[1].target_mean) == pytest.approx(2 * targets[PARTS[1][0]].mean(), rel=1e-6)


# Does it learn?


def test_it_learns_twenty_crystals_by_heart(graphs: list[CrystalGraph], targets: np.ndarray) -> None:
    settings = Settings(epochs=40, batch_size=10, learning_rate=5e-3)
    (network,), (history,) = train_ensemble(graphs, targets, [(ALL, ALL)], settings)
    losses = [record["loss"] for record in history.epochs]
    assert np.mean(losses[-5:]) < 0.25 * np.mean(losses[:2])
    assert history.best_mae < 0.4 * np.abs(targets - targets.mean()).mean()
    assert evaluate(network, lambda rows: collate([graphs[row] for row in rows]), targets, ALL) == pytest.approx(
        history.best_mae, abs=1e-6
    )


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("loss", ["mse", "l1", "huber"])
def test_every_loss_and_optimiser_finds_the_mean(loss: str, optimiser: str) -> None:
    settings = replace(DRIFT, loss=loss, optimiser=optimiser, epochs=60, weight_decay=0.0)  # type: ignore[arg-type]
    network = Drifting()
    fit(network, lambda rows: rows, np.full(4, 0.8), [0, 1, 2, 3], [], settings, scale=(0.0, 1.0))
    assert float(network.value.detach()) == pytest.approx(0.8, abs=0.1)


def test_rates_of_the_schedules() -> None:
    _, one_cycle = drift(replace(DRIFT, schedule="one-cycle", epochs=40))
    rates = [record["rate"] for record in one_cycle.epochs]
    top = int(np.argmax(rates))
    assert max(rates) == pytest.approx(0.05, rel=0.02)
    assert 3 <= top <= 5
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert 0 < rates[-1] < 1e-3
    assert {record["rate"] for record in drift(DRIFT)[1].epochs} == {0.05}


def test_every_training_row_is_seen_once_an_epoch_and_batches_never_run_small() -> None:
    seen: list[list[int]] = []

    def batch_of(rows: np.ndarray) -> np.ndarray:
        seen.append(rows.tolist())
        return rows

    train = [3, 4, 5, 6, 7, 8, 9]
    settings = replace(DRIFT, epochs=3, batch_size=2)
    fit(Drifting(), batch_of, np.ones(12), train, [], settings, scale=(0.0, 1.0))
    assert len(seen) == 9
    assert all(len(rows) >= 2 for rows in seen)
    orders = [[row for rows in seen[i : i + 3] for row in rows] for i in (0, 3, 6)]
    assert all(sorted(order) == train for order in orders)
    assert orders[0] != orders[1] != orders[2]


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in ({"epochs": 0}, {"batch_size": 1}, {"learning_rate": 0.0}, {"patience": -1}):
        with pytest.raises(ValueError, match="needed"):
            replace(SHORT, **wrong)  # type: ignore[arg-type]
    assert PAPER.optimiser == "sgd"
    assert HEAD.trainable == "head"
    assert HEAD.batch_norm == "frozen"


def test_a_folder_of_another_run_is_not_taken_over(tmp_path: Path) -> None:
    """Other initial weights or other inputs in the same folder start anew, whatever the settings say."""
    rng = np.random.default_rng(4)
    graphs = [build_graph(random_crystal(rng, 6)) for _ in range(16)]
    others = [build_graph(random_crystal(rng, 6)) for _ in range(16)]
    targets, rows = rng.normal(size=16), np.arange(16)
    settings, parts = replace(SHORT, epochs=1, batch_size=8), [(rows[:12], rows[12:])]
    train_ensemble(graphs, targets, parts, settings, initial=[new_network(1)], folder=tmp_path)
    for inputs, seed in ((graphs, 2), (others, 1)):
        fresh, _ = train_ensemble(inputs, targets, parts, settings, initial=[new_network(seed)])
        there, _ = train_ensemble(inputs, targets, parts, settings, initial=[new_network(seed)], folder=tmp_path)
        for name, tensor in fresh[0].state_dict().items():
            assert torch.equal(tensor, there[0].state_dict()[name]), name


def test_a_diverged_run_says_so() -> None:
    rng = np.random.default_rng(5)
    graphs = [build_graph(random_crystal(rng, 6)) for _ in range(8)]
    targets, rows = np.full(8, np.nan), np.arange(8)
    with pytest.raises(ModelError, match="learning rate"):
        train_ensemble(graphs, targets, [(rows, rows[:0])], replace(SHORT, epochs=1, batch_size=8))
