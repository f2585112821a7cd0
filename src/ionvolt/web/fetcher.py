"""The process that asks the Materials Project, so that a slow line keeps no prediction waiting."""

from __future__ import annotations

import socket

from ionvolt.errors import InputError
from ionvolt.structures import Limits
from ionvolt.structures.materials_project import UnavailableError, fetch_crystal
from ionvolt.web.link import Link, Message, leave_signals_to_the_server


def main(link: socket.socket, endpoint: str | None, limits: Limits) -> None:
    """Fetch one crystal after the other until the link is closed.

    Args:
        link: To the server.
        endpoint: Address of the API, if not the Materials Project's own.
        limits: Bounds on a structure.
    """
    leave_signals_to_the_server()

    def answer(task: Message) -> Message:
        try:
            crystal = fetch_crystal(task["mp_id"], task["key"], endpoint=endpoint, limits=limits)
        except InputError as error:
            kind = "unavailable" if isinstance(error, UnavailableError) else "refused"
            return {"refused": {"source": error.source, "rule": error.rule, "remedy": error.remedy}, "kind": kind}
        return {
            "name": crystal.source,
            "lattice": crystal.lattice.tolist(),
            "numbers": crystal.numbers.tolist(),
            "frac_coords": crystal.frac_coords.tolist(),
            "warnings": list(crystal.warnings),
            "doubts": list(crystal.doubts),
        }

    ends = Link(link)
    ends.send({"ready": {}})
    ends.serve(answer)
