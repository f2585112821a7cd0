"""Tasks that take minutes: computing the end members of an electrode, ordering a disordered crystal, designing."""

from __future__ import annotations

import base64
from typing import Any

from ionvolt.computation import Computer, compute_checked
from ionvolt.designing.run import design_job
from ionvolt.designing.settings import DesignSettings, parse_elements
from ionvolt.ions import working_ion
from ionvolt.ordered_prediction import predict_orderings
from ionvolt.ordering import Orderings, OrderSettings
from ionvolt.ordering import order as order_crystal
from ionvolt.physics.average import RelaxOptions
from ionvolt.physics.cache import Cache
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.structures import read_disordered
from ionvolt.web.formats import formats_of
from ionvolt.web.link import Message
from ionvolt.web.workshop import Workshop

RELAXATION = RelaxSettings(timeout=600.0)
"""A relaxation that takes longer ends with what it has, and says so."""


def compute(task: Message, workshop: Workshop) -> Message:
    """The voltage from the energies of both end members, and these as files."""
    options = RelaxOptions(task["relax"], task["insert"], RELAXATION)
    computer = Computer.load(cache=Cache(None), options=options)
    found = compute_checked(
        workshop.crystal(task),
        workshop.charged(task),
        working_ion(task["ions"][0]),
        computer,
        profile=task["profile"],
        log=workshop.log,
    )
    ends = {"discharged": found.discharged, "charged": found.charged}
    files = [{"role": role} | formats_of(crystal) for role, crystal in ends.items()]
    return {"result": found.to_dict(), "structures": files}


def order(task: Message, workshop: Workshop) -> Message:
    """The orderings of a disordered crystal, and the voltages over them."""
    given = task["structure"]
    text = base64.b64decode(given["base64"]).decode("utf-8", "replace") if "base64" in given else str(given["text"])
    disordered = read_disordered(text + "\n", str(given["name"]), limits=workshop.limits)
    found = order_crystal(disordered, OrderSettings(max_atoms=task["max_atoms"]), cache=Cache(None), log=workshop.log)
    predictions = []
    if task["ions"]:
        workshop.log("predicting every ordering")
        model = workshop.models[task["model"]]
        predictions = [
            p.to_dict()
            for ion in task["ions"]
            for p in predict_orderings(found, [ion], model=model, assume=task["assume"])
        ]
    files = [{"role": "ordering"} | formats_of(one.crystal) for one in found.orderings]
    return {"result": _orderings(found) | {"predictions": predictions}, "structures": files}


def design(task: Message, workshop: Workshop) -> Message:
    """Better electrodes by substitution in a known one, predicted as they are drawn: nothing is relaxed."""
    elements, exclude = (parse_elements(",".join(task[name])) if task[name] else () for name in ("elements", "exclude"))
    settings = DesignSettings(
        voltage=None if task["voltage"] is None else (task["voltage"][0], task["voltage"][1]),
        elements=elements,
        exclude=exclude,
        candidates=task["candidates"],
        budget=0,
    )
    found = design_job(
        [workshop.crystal(task)],
        task["ions"][0],
        settings,
        cache=Cache(None),
        progress=lambda done, total, words: workshop.log(words) if words else None,
    )
    files = [{"role": "design"} | formats_of(one.discharged) for one in found.designs]
    return {"result": found.to_dict(), "structures": files}


def _orderings(found: Orderings) -> dict[str, Any]:
    first = found.orderings[0]
    return {
        "source": found.source,
        "formula": first.crystal.formula,
        "primitive_cells": found.cells,
        "distinct_found": found.found,
        "complete": found.complete,
        "temperature": found.temperature,
        "charges": found.charges,
        "warnings": list(found.notes),
        "orderings": [
            {
                "n_atoms": len(one.crystal),
                "weight": one.weight,
                "degeneracy": one.degeneracy,
                "energy": one.energy,
                "electrostatic_energy": one.electrostatic_energy,
            }
            for one in found.orderings
        ],
    }
