"""Workers that do as they are told, for tests of the pool. Imported by the worker processes."""

import os
import time

from ionvolt.errors import ModelError
from ionvolt.web.link import Link, Message, Prepared
from ionvolt.web.worker import bound_memory


def answer(task: Message, link: Link) -> Message:
    kind = task["do"]
    if kind == "sleep":
        time.sleep(task.get("seconds", 60))
    if kind == "die":
        os._exit(1)
    if kind == "babble":
        link._stream.write(b"\xff" * 100)
        link._stream.flush()
    if kind == "hoard":
        bound_memory(200_000_000)
        try:
            return {"held": len(bytes(100_000_000)) + len(bytes(500_000_000))}
        except MemoryError:
            return {"held": 0}
    if kind == "half":
        link._stream.write(b"\x00\x00\x00\x10{")
        link._stream.flush()
        os._exit(1)
    if kind == "tell":
        for step in range(3):
            link.report({"step": step})
    return {"pid": os.getpid(), "nice": os.nice(0), "echo": task.get("echo")}


def obedient() -> Prepared:
    return Prepared(answer, {})


def refuses_to_start() -> Prepared:
    raise ModelError("no weights")


def dies_at_start() -> Prepared:
    os._exit(1)
