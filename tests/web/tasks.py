"""Workers that do as they are told, for tests of the pool. Imported by the worker processes."""

import os
import socket
import time

from ionvolt.web.link import Link, Message
from ionvolt.web.worker import bound_memory


def obedient(link: socket.socket) -> None:
    ends = Link(link)
    ends.send({"ready": {}})

    def answer(task: Message) -> Message:
        kind = task["do"]
        if kind == "sleep":
            time.sleep(60)
        if kind == "die":
            os._exit(1)
        if kind == "babble":
            link.sendall(b"\xff" * 100)
        if kind == "hoard":
            bound_memory(200_000_000)
            try:
                return {"held": len(bytes(100_000_000)) + len(bytes(500_000_000))}
            except MemoryError:
                return {"held": 0}
        if kind == "half":
            link.sendall(b"\x00\x00\x00\x10{")
            os._exit(1)
        return {"pid": os.getpid(), "echo": task.get("echo")}

    ends.serve(answer)


def refuses_to_start(link: socket.socket) -> None:
    Link(link).send({"failed": "no weights"})


def dies_at_start(link: socket.socket) -> None:
    os._exit(1)
