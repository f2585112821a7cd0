"""Workers that hang, die or babble are replaced; nothing is mixed up."""

import asyncio
import os
import signal
import sys

import pytest

from ionvolt.errors import ModelError
from ionvolt.web.pool import NoWorker, Pool, TaskTimeout, WorkerLost
from ionvolt.web.template import Template

pytestmark = pytest.mark.slow


def test_tasks_that_go_wrong() -> None:
    async def run() -> None:
        pool = Pool(Template("web.tasks:obedient", ()), 1)
        await pool.start()
        try:
            first = await pool.run({"do": "echo", "echo": "é\n\0"}, 5)
            assert first["echo"] == "é\n\0"
            for restarts, (kind, error) in enumerate(
                [("sleep", TaskTimeout), ("die", WorkerLost), ("babble", WorkerLost), ("half", WorkerLost)], start=1
            ):
                with pytest.raises(error):
                    await pool.run({"do": kind}, 0.5 if kind == "sleep" else 5)
                answer = await pool.run({"do": "echo", "echo": kind}, 5)
                assert answer["echo"] == kind
                assert answer["pid"] != first["pid"]
                assert pool.restarts == restarts
                assert pool.alive == 1
        finally:
            pool.close()

    asyncio.run(run())


def test_a_worker_that_died_idle_costs_nobody_anything() -> None:
    async def run() -> None:
        pool = Pool(Template("web.tasks:obedient", ()), 1)
        await pool.start()
        try:
            os.kill(pool.pids[0], signal.SIGKILL)
            while pool.alive:
                await asyncio.sleep(0.01)
            assert (await pool.run({"do": "echo", "echo": 1}, 5))["echo"] == 1
        finally:
            pool.close()

    asyncio.run(run())


def test_many_tasks_keep_their_answers() -> None:
    async def run() -> None:
        pool = Pool(Template("web.tasks:obedient", ()), 2)
        await pool.start()
        try:
            asked = [pool.run({"do": "sleep" if n == 20 else "echo", "echo": n}, 1) for n in range(200)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
        finally:
            pool.close()
        assert isinstance(answers[20], TaskTimeout)
        assert [a["echo"] for n, a in enumerate(answers) if n != 20 and isinstance(a, dict)] == [
            n for n in range(200) if n != 20
        ]

    asyncio.run(run())


def test_a_request_that_is_given_up_mixes_nothing_up() -> None:
    async def run() -> None:
        pool = Pool(Template("web.tasks:obedient", ()), 1)
        await pool.start()
        try:
            given_up = asyncio.create_task(pool.run({"do": "sleep"}, 30))
            await asyncio.sleep(0.1)
            given_up.cancel()
            assert (await pool.run({"do": "echo", "echo": 1}, 5))["echo"] == 1
        finally:
            pool.close()

    asyncio.run(run())


def test_workers_that_cannot_be_started() -> None:
    for target, words in (("refuses_to_start", "no weights"), ("dies_at_start", "could not be started")):
        with pytest.raises(ModelError, match=words):
            asyncio.run(Pool(Template(f"web.tasks:{target}", ()), 1).start())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the bound is that of Linux")
def test_memory_of_a_worker_is_bounded() -> None:
    async def run() -> None:
        pool = Pool(Template("web.tasks:obedient", ()), 1)
        await pool.start()
        try:
            assert await pool.run({"do": "hoard"}, 20) == {"held": 0}
        finally:
            pool.close()

    asyncio.run(run())


def test_nobody_waits_for_ever() -> None:
    async def run() -> None:
        pool = Pool(Template("web.tasks:obedient", ()), 1)
        await pool.start()
        try:
            busy = asyncio.create_task(pool.run({"do": "sleep"}, 30))
            await asyncio.sleep(0.1)
            with pytest.raises(NoWorker):
                await pool.run({"do": "echo"}, 5, patience=0.2)
            busy.cancel()
        finally:
            pool.close()

    asyncio.run(run())


def test_those_who_ask_again_do_not_go_before_those_who_wait() -> None:
    answered: list[int] = []

    async def run() -> None:
        pool = Pool(Template("web.tasks:obedient", ()), 1)
        await pool.start()

        async def client(number: int) -> None:
            for _ in range(30):
                await pool.run({"do": "echo"}, 5)
                answered.append(number)

        try:
            await asyncio.gather(*(client(number) for number in range(8)))
        finally:
            pool.close()

    asyncio.run(run())
    rounds = [answered[i : i + 8] for i in range(0, len(answered), 8)]
    assert all(sorted(clients) == list(range(8)) for clients in rounds)
