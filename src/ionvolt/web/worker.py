"""The process that reads structures and predicts. It may be killed at any time; only JSON goes in and out."""

from __future__ import annotations

import base64
import json
import resource
import socket
import sys
import traceback
from pathlib import Path

import numpy as np
import torch

from ionvolt.errors import InputError, ModelError
from ionvolt.explain import explain_checked
from ionvolt.explain.files import to_cif
from ionvolt.models.interface import Predictor
from ionvolt.models.registry import load_model
from ionvolt.prediction import predict_checked
from ionvolt.structures import Crystal, Limits, check, read_text
from ionvolt.structures.wording import refusal
from ionvolt.web.link import Link, Message, leave_signals_to_the_server


def main(link: socket.socket, models: dict[str, str], limits: Limits, memory: int) -> None:
    """Answer one task after the other until the link is closed.

    Args:
        link: To the server.
        models: Models by name: folders, or names of shipped models.
        limits: Bounds on a structure.
        memory: Bytes that may be taken on top of what is held when ready; 0 for no bound.
    """
    leave_signals_to_the_server()
    torch.set_num_threads(1)
    ends = Link(link)
    try:
        loaded = {name: load_model(model) for name, model in models.items()}
        for model in loaded.values():
            _warm_up(model)
    except (ModelError, InputError) as error:
        ends.send({"failed": str(error)})
        return
    bound_memory(memory)
    ends.send({"ready": {name: _facts(model) for name, model in loaded.items()}})
    ends.serve(lambda task: _answer(task, loaded, limits))


def _answer(task: Message, models: dict[str, Predictor], limits: Limits) -> Message:
    source = str(task["structure"].get("name", "structure"))
    try:
        crystal = _crystal(task["structure"], limits)
        model = models[task["model"]]
        if task["task"] == "predict":
            predictions = predict_checked([crystal], task["ions"], model=model, assume=task["assume"])
            answer: Message = {"predictions": [prediction.to_dict() for prediction in predictions]}
        else:
            explanations = explain_checked([crystal], task["ions"], model=model, assume=task["assume"])
            answer = {"explanations": [e.to_dict() for e in explanations], "cif": to_cif(explanations[0])}
        json.dumps(answer, allow_nan=False)
        return answer
    except InputError as error:
        return _refused(error)
    except ModelError as error:
        return _refused(InputError(source, str(error), "Choose another ion or model"))
    except (MemoryError, RecursionError, RuntimeError, ArithmeticError, ValueError) as error:
        if isinstance(error, MemoryError) or "alloc" in str(error):
            return _refused(refusal(source, "it takes more memory than a request may", "Give a smaller cell"))
        # Where, not what: the text of the error may hold some of the file.
        *_, last = traceback.extract_tb(error.__traceback__)
        print(f"ionvolt worker: {type(error).__name__} in {last.name}, line {last.lineno}", file=sys.stderr, flush=True)
        return _refused(refusal(source, "no voltage can be computed for it", "Check the structure"))


def _crystal(given: Message, limits: Limits) -> Crystal:
    name = str(given["name"])
    if "text" in given:
        return read_text(str(given["text"]), name, limits=limits)
    if "base64" in given:
        return read_text(base64.b64decode(given["base64"]), name, limits=limits)
    lattice, numbers, places = (np.array(given[key]) for key in ("lattice", "numbers", "frac_coords"))
    notes = (tuple(given["warnings"]), tuple(given.get("doubts", ())))
    crystal = Crystal(lattice, numbers, places, name, *notes)
    return check(crystal, limits)


def _refused(error: InputError) -> Message:
    return {"refused": {"source": error.source, "rule": error.rule, "remedy": error.remedy}}


def _warm_up(model: Predictor) -> None:
    lattice = np.array([[0, 2.1, 2.1], [2.1, 0, 2.1], [2.1, 2.1, 0]])
    crystal = Crystal(lattice, np.array([12, 8]), np.array([[0.0] * 3, [0.5] * 3]), source="MgO")
    if "Mg" in model.ions:  # taken as discharged, which every kind of model answers
        predict_checked([crystal], ["Mg"], model=model, assume="discharged")
    if model.explains:
        explain_checked([crystal], model.ions[:1], model=model, assume="charged")


def _facts(model: Predictor) -> Message:
    return {
        "ions": model.ions,
        "local_ions": model.ions if model.explains else [],
        "n_members": model.card.n_members,
    }


def bound_memory(more: int) -> None:
    """Let this process take so many more bytes of address space (Linux), and leave no core file when it dies."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held = Path("/proc/self/statm")
    if more and held.exists():
        size = int(held.read_text().split()[0]) * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
