"""``ionvolt train`` and ``ionvolt transfer``, killed in the middle and not."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

pytestmark = pytest.mark.slow

WEIGHTS = "weights.safetensors"


def card(folder: Path) -> dict:
    return json.loads((folder / "card.json").read_text(), parse_constant=lambda name: pytest.fail(name))


def weights(folder: Path) -> dict:
    return load_file(folder / WEIGHTS)


def same(one, other, prefix: str) -> bool:
    names = [name for name in one if name.startswith(prefix)]
    assert names
    return all((one[name] == other[name]).all() for name in names)


def test_train(li_model):
    facts = card(li_model)
    assert (facts["name"], facts["hyperparameters"]["n_members"], facts["ions"]) == ("li", 2, ["Li"])
    li = facts["training"]["ions"]["Li"]
    assert li["n_test"] > 0
    assert len(li["validation_mae_V"]) == 2
    (record,) = facts["evaluation"]
    assert (record["test"], record["ion"]) == ("test", "Li")
    assert record["values"]["mae"] > 0
    assert set(facts["hyperparameters"]["calibration"]["Li"]) == {"std_scale", "std_floor"}
    assert facts["training"]["spared_test_frameworks_of"] == ["Mg"]
    assert facts["training"]["snapshots"] == ["made-up"]
    assert facts["training"]["settings"]["epochs"] == 2
    for member in range(2):
        log = (li_model / f"member-{member}" / "log.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in log] == [0, 1]


def test_transfer_of_the_head_keeps_the_rest(li_model, mg_model):
    before, after = weights(li_model), weights(mg_model)
    assert same(before, after, "trunk.")
    assert not any(name.startswith("head.Li") for name in after)
    assert (before["head.Li.0.hidden.weight"] != after["head.Mg.0.hidden.weight"]).any()
    facts = card(mg_model)
    assert facts["training"]["ions"]["Mg"]["mode"] == "head"
    assert facts["training"]["pretrained"] == "li"
    # The pre-training spared the frameworks of these test rows, and the card says so.
    assert facts["training"]["ions"]["Mg"]["test_rows_of_pretraining_frameworks"] == 0


@pytest.mark.parametrize(("layers", "drift"), [("all", False), ("head", True)])
def test_transfer_of_more(ionvolt, data, li_model, tmp_path, layers, drift):
    folder = tmp_path / "mg"
    args = ["--from", li_model, "--ion", "Mg", "-o", folder, "--layers", layers, "--epochs", 2, "--json"]
    result = ionvolt("transfer", data, *args, *(["--update-batchnorm"] if drift else []))
    assert result.code == 0, result.err
    assert result.json == card(folder)
    before, after = weights(li_model), weights(folder)
    moved = {name for name in before if name.startswith("trunk.") and (before[name] != after[name]).any()}
    if drift:
        assert moved
        assert all("running" in name for name in moved)
    else:
        assert {"trunk.0.embedding.weight", "trunk.1.convolutions.0.linear.weight"} <= moved


def test_what_is_told(ionvolt, data, li_model, tmp_path):
    again = ionvolt(
        "train", data, "--ion", "Li", "-o", tmp_path / "m", "--members", 1, "--epochs", 1, "--split", "framework"
    )
    assert again.code == 0
    assert "1 networks for Li; validation MAE" in again.out
    assert "test (framework split" in again.out
    result = ionvolt("transfer", data, "--from", tmp_path / "m", "--ion", "Mg", "-o", tmp_path / "n", "--epochs", 1)
    assert "--hold-out-frameworks-of Mg" in result.out


def test_the_same_seed_gives_the_same_bytes_whatever_the_jobs(ionvolt, data, li_model, tmp_path):
    args = ["train", data, "--ion", "Li", "--members", 2, "--epochs", 2, "--hold-out-frameworks-of", "Mg"]
    assert ionvolt(*args, "-o", tmp_path / "a" / "li", "--jobs", 2).code == 0
    assert (tmp_path / "a" / "li" / WEIGHTS).read_bytes() == (li_model / WEIGHTS).read_bytes()
    assert ionvolt(*args, "-o", tmp_path / "b" / "li", "--seed", 1).code == 0
    assert (tmp_path / "b" / "li" / WEIGHTS).read_bytes() != (li_model / WEIGHTS).read_bytes()


def test_cleaning_before_the_split(ionvolt, data, tmp_path):
    args = ["train", data, "--ion", "Li", "-o", tmp_path / "m", "--members", 1, "--epochs", 1, "--json"]
    facts = ionvolt(*args, "--clean", "paper").json
    assert set(facts["training"]["cleaning"]) == {"paper"}


def test_paper_settings(ionvolt, data, tmp_path):
    args = ["train", data, "--ion", "Li", "-o", tmp_path / "m", "--members", 1, "--epochs", 1, "--json", "--paper"]
    settings = ionvolt(*args).json["training"]["settings"]
    assert (settings["optimiser"], settings["loss"], settings["batch_size"]) == ("sgd", "mse", 256)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": "none.parquet"}, "none.parquet"),
        ({"--ion": "Fe"}, "Fe"),
        ({"--ion": "Cs"}, "Cs: "),
        ({"--clean": "3sigma"}, "3sigma"),
        ({"--learning-rate": "0"}, "learning_rate"),
        ({"--learning-rate": "nan"}, "learning_rate"),
        ({"--hold-out-frameworks-of": "Mg,Fe"}, "Fe"),
        ({"--from": "cgcnm"}, "cgcnm"),
        ({"--from": "{data}"}, "parquet"),
    ],
    ids=lambda x: "".join(x) if isinstance(x, dict) else x,
)
def test_what_cannot_be_trained(ionvolt, data, tmp_path, change, said):
    args = {"--ion": "Li", "-o": tmp_path / "m", "--epochs": 1} | change
    command = "transfer" if "--from" in args else "train"
    file = args.pop("data", data)
    flat = [str(word).format(data=data) for pair in args.items() for word in pair]
    assert said in ionvolt(command, file, *flat).refused()
    assert not (tmp_path / "m").exists()


def test_a_file_where_the_folder_should_be(ionvolt, data, tmp_path):
    (tmp_path / "m").write_text("")
    args = ["train", data, "--ion", "Li", "-o", tmp_path / "m", "--members", 1, "--epochs", 1]
    assert str(tmp_path / "m") in ionvolt(*args).refused()


def test_a_killed_run_goes_on_to_the_same_bytes(ionvolt, console, data, tmp_path):
    args = ["train", data, "--ion", "Li", "--members", 2, "--epochs", 20]
    assert ionvolt(*args, "-o", tmp_path / "whole" / "li").code == 0

    killed = tmp_path / "killed" / "li"
    log = killed / "member-0" / "log.jsonl"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([console, *map(str, args), "-o", str(killed)], env=environment)
    try:
        deadline = time.monotonic() + 120
        while not (log.exists() and len(log.read_text().splitlines()) >= 3):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (killed / WEIGHTS).exists()
    done = len(log.read_text().splitlines())
    assert done < 20

    checkpoint = (killed / "member-0" / "checkpoint.safetensors").stat().st_mtime_ns
    assert ionvolt(*args, "-o", killed).code == 0
    assert (killed / "member-0" / "checkpoint.safetensors").stat().st_mtime_ns > checkpoint
    assert (killed / WEIGHTS).read_bytes() == (tmp_path / "whole" / "li" / WEIGHTS).read_bytes()
    assert card(killed) == card(tmp_path / "whole" / "li")


def test_a_finished_run_is_not_repeated(ionvolt, data, li_model):
    before = (li_model / WEIGHTS).read_bytes()
    checkpoint = li_model / "member-0" / "checkpoint.safetensors"
    changed = checkpoint.stat().st_mtime_ns
    args = [
        "train",
        data,
        "--ion",
        "Li",
        "-o",
        li_model,
        "--members",
        2,
        "--epochs",
        2,
        "--hold-out-frameworks-of",
        "Mg",
    ]
    assert ionvolt(*args).code == 0
    assert checkpoint.stat().st_mtime_ns == changed
    assert (li_model / WEIGHTS).read_bytes() == before


def test_a_finished_model_is_not_replaced_unasked(ionvolt, data, li_model, tmp_path):
    before = (li_model / WEIGHTS).read_bytes()
    args = ["train", data, "--ion", "Li", "-o", li_model, "--members", 1, "--epochs", 1]
    assert "--replace" in ionvolt(*args).refused()
    assert (li_model / WEIGHTS).read_bytes() == before
    copy = tmp_path / "copy"
    shutil.copytree(li_model, copy)
    assert ionvolt("train", data, "--ion", "Li", "-o", copy, "--members", 1, "--epochs", 1, "--replace").code == 0
    assert card(copy)["hyperparameters"]["n_members"] == 1
