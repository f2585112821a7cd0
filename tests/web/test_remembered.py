"""Answers that are kept for those who ask the same again."""

import asyncio

from ionvolt.web.pool import Pool
from ionvolt.web.remembered import Remembered, key_of
from ionvolt.web.template import Template


def asked(ion: str, task: str = "predict") -> dict[str, object]:
    return {"task": task, "structure": {"name": "a.cif", "text": "data_a"}, "ions": [ion], "options": {}}


def key(ion: str) -> bytes:
    found = key_of(asked(ion))
    assert found is not None
    return found


def test_the_same_question_has_the_same_key() -> None:
    assert key("Mg") == key("Mg")
    assert key("Mg") != key("Ca")


def test_nothing_that_holds_a_structure_is_kept() -> None:
    assert key_of(asked("Mg", "read")) is None
    assert key_of(asked("Mg", "explain")) is None
    assert key_of(asked("Mg", "structures")) is None


def test_an_answer_is_found_until_its_time_is_over() -> None:
    store = Remembered(1_000, 60.0)
    store.keep(key("Mg"), {"voltage": 1.5})
    assert store.find(key("Mg")) == {"voltage": 1.5}
    assert store.find(key("Ca")) is None
    short = Remembered(1_000, -1.0)
    short.keep(key("Mg"), {"voltage": 1.5})
    assert short.find(key("Mg")) is None
    assert short.held == 0


def test_the_oldest_give_way() -> None:
    store = Remembered(200, 60.0)
    for number, ion in enumerate(("Li", "Na", "K")):
        store.keep(key(ion), {"text": "x" * 60, "number": number})
        assert store.find(key("Li")) is not None or ion == "K"
    # Li was asked for again: Na is the one that goes.
    assert store.find(key("Na")) is None
    assert store.held <= 200


def test_an_answer_that_came_while_a_piece_waited_is_taken() -> None:
    async def run() -> None:
        pool = Pool(Template("web.tasks:obedient", ()), 1)
        await pool.start()
        known: dict[str, object] = {}
        try:
            slow = asyncio.create_task(pool.run({"do": "sleep", "seconds": 0.5, "echo": 1}, 30))
            await asyncio.sleep(0.1)
            waiting = asyncio.create_task(pool.run({"do": "die"}, 30, known=lambda: known))
            known["echo"] = 1
            assert (await slow)["echo"] == 1
            assert await waiting == {"echo": 1}
            assert pool.restarts == 0
            assert (await pool.run({"do": "echo", "echo": 2}, 30))["echo"] == 2
        finally:
            pool.close()

    asyncio.run(run())
