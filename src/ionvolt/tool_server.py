"""Predict, compute and explain as tools of the model context protocol, so that a language model can ask.

The official SDK (extra ``mcp``) speaks the protocol. A structure comes as text or as a Materials Project id; the server
opens no file that a tool names. Calls are answered one after the other: each uses all that one process has.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from ionvolt._version import __version__
from ionvolt.errors import IonVoltError
from ionvolt.structures import Crystal, DisorderedCrystal, Limits, read_text
from ionvolt.structures.disorder import DisorderError

LIMITS = Limits(max_bytes=2_000_000, max_atoms=500, max_unfolded=5_000)
"""Of a structure that is predicted or explained."""
RELAXED_ATOMS = 120
"""Atoms up to which a structure is relaxed: a minute or two."""
RELAX_SECONDS = 60.0
"""After which a relaxation ends with the best structure so far."""
SITES = 60
"""Atoms that an explanation lists; beyond, those that add most and least."""

INSTRUCTIONS = (
    "Voltages of insertion electrodes from crystal structures, for Li, Na, K, Rb, Cs, Mg, Ca, Zn, Al and Y. "
    "A structure is the text of a CIF or POSCAR file, or a Materials Project id such as mp-25210. voltage is the "
    "calculated average voltage (PBE+U) in V against the metal of the ion; voltage_measured is what a cell is expected "
    "to show, with its own interval, and measured_basis says where it is just the calculated one. Tell the 90 % "
    "interval with every voltage, and the warnings where in_domain is false. predict answers in "
    "a second; compute relaxes both end members, takes a minute or more, and is the more accurate from a discharged "
    "structure."
)

_one_at_a_time = threading.Lock()


def server() -> MCPServer[Any]:
    """The server with its tools."""
    made: MCPServer[Any] = MCPServer("ionvolt", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING")
    for tool in (predict, compute, explain, models):
        made.tool(structured_output=True)(tool)
    return made


def run() -> None:
    """Serve on standard input and output until the client goes away."""
    server().run("stdio")


def predict(
    structure: str,
    ion: str,
    charged: str | None = None,
    discharged_formula: str | None = None,
    model: str | None = None,
) -> dict[str, Any]:
    """Predict the average voltage of an insertion electrode in about a second.

    Args:
        structure: Text of a CIF or POSCAR file, or a Materials Project id. A structure that holds the working ion is
            taken as the discharged electrode, another one as the charged host.
        ion: Working ion: Li, Na, K, Rb, Cs, Mg, Ca, Zn, Al or Y.
        charged: The charged structure, where `structure` is the discharged one and both are known.
        discharged_formula: Formula of the discharged electrode, where `structure` is the charged host: MgMn2O4.
        model: Name of a shipped model (see `models`); by default the best that the input allows.
    """
    with _answering():
        from ionvolt.prediction import predict as answer

        return answer(
            _crystal(structure, "structure"), ion, model=_shipped(model),
            charged=None if charged is None else _crystal(charged, "charged"), discharged_formula=discharged_formula,
        ).to_dict()  # fmt: skip


def compute(structure: str, ion: str, charged: str | None = None, profile: bool = False) -> dict[str, Any]:
    """Compute the voltage from a universal potential, with both end members relaxed; a minute or more.

    Args:
        structure: Text of a CIF or POSCAR file, or a Materials Project id; at most 120 atoms.
        ion: Working ion.
        charged: The charged structure, where `structure` is the discharged one; both are then taken as they are.
        profile: Also the voltage against filling, step by step.
    """
    with _answering():
        from ionvolt.computation import compute as answer
        from ionvolt.physics.relaxation import RelaxSettings

        limits = Limits(max_bytes=LIMITS.max_bytes, max_atoms=RELAXED_ATOMS, max_unfolded=LIMITS.max_unfolded)
        return answer(
            _crystal(structure, "structure", limits), ion, profile=profile,
            charged=None if charged is None else _crystal(charged, "charged", limits),
            settings=RelaxSettings(timeout=RELAX_SECONDS),
        ).to_dict()  # fmt: skip


def explain(structure: str, ion: str, model: str | None = None) -> dict[str, Any]:
    """Say which atoms and elements make the voltage: contributions in V that add up to it, with a stated remainder.

    Args:
        structure: Text of a CIF or POSCAR file, or a Materials Project id.
        ion: Working ion.
        model: Name of a shipped model that explains its answers; by default the one that `predict` uses.
    """
    with _answering():
        from ionvolt.explain.explanation import explain as answer

        found = answer(_crystal(structure, "structure"), ion, model=_shipped(model)).to_dict()
    sites = found["sites"]
    if len(sites) > SITES:
        ranked = sorted(sites, key=lambda site: site["local_voltage"])
        found["sites"] = ranked[: SITES // 2] + ranked[-SITES // 2 :]
        found["sites_left_out"] = len(sites) - SITES
    return found


def models() -> dict[str, Any]:
    """List the shipped models: what they are, their ions, limits, and errors in V on held-out electrodes."""
    with _answering():
        from ionvolt.models.registry import default_model, shipped_models

        return {
            "default": default_model(),
            "models": [
                {
                    "name": name, "description": card.description, "limits": card.limits,
                    "attribution": card.attribution,
                    "ions": {
                        ion: {test: _error(found) for test, found in card.errors(ion).items()}
                        for ion in card.ions
                    },
                }
                for name, card in shipped_models().items()
            ],
        }  # fmt: skip


def _error(found: dict[str, Any]) -> dict[str, float] | None:
    """Mean absolute error of a test and its interval (V), and where the card has them the median and shares."""
    return {
        name: found[name]
        for name in ("mae", "mae_low", "mae_high", "median", "within_01", "within_03")
        if name in found
    } or None


@contextmanager
def _answering() -> Iterator[None]:
    """One call at a time; what IonVolt refuses is an answer of the tool, for the model to read."""
    with _one_at_a_time:
        try:
            yield
        except IonVoltError as error:
            raise ToolError(str(error)) from error


def _crystal(given: str, name: str, limits: Limits = LIMITS) -> Crystal | DisorderedCrystal:
    """What is given; a disordered crystal as such, since some are answered."""
    from ionvolt.structures.materials_project import fetch_crystal, is_id

    given = given.strip("\n")
    if is_id(given.strip()):
        return fetch_crystal(given.strip(), limits=limits)
    try:
        return read_text(given, name, limits=limits)
    except DisorderError as error:
        return error.crystal


def _shipped(model: str | None) -> str | None:
    """A model by its name alone: a tool names no folders."""
    from ionvolt.models.registry import AUTO, shipped_models

    names = [AUTO, *shipped_models()]
    if model is not None and model not in names:
        raise ToolError(f"{model}: no shipped model. Choose from {', '.join(names)}")
    return model
