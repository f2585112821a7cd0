"""Clients share by seconds used; nobody starves and nobody saves turns up."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ionvolt.web.turns import Turns


def nothing() -> None:
    pass


def test_a_heavy_client_leaves_a_light_one_the_next_turn() -> None:
    turns = Turns()
    for _ in range(2000):
        turns.join("heavy", "one request", 1.0, nothing)
    for _ in range(10):
        piece = turns.next()
        assert piece is not None
        turns.done(piece, 3.0)
    turns.join("light", "another", 1.0, nothing)
    piece = turns.next()
    assert piece is not None
    assert piece.client == "light"


def test_new_requests_of_one_client_do_not_starve_its_long_one() -> None:
    turns = Turns()
    for _ in range(100):
        turns.join("a", "long", 1.0, nothing)
    for _ in range(3):
        turns.join("a", object(), 1.0, nothing)
    served = Counter[bool]()
    for _ in range(40):
        piece = turns.next()
        assert piece is not None
        turns.done(piece, 1.0)
        served[piece.flow == "long"] += 1
        if piece.flow != "long":
            turns.join("a", object(), 1.0, nothing)
    assert 8 <= served[True] <= 12  # a quarter, as each of four


def test_spare_workers_are_for_flows_with_nothing_running() -> None:
    turns = Turns()
    for _ in range(3):
        turns.join("a", "long", 1.0, nothing)
    first = turns.next()
    assert first is not None
    assert turns.next(light=True) is None
    turns.join("a", "short", 1.0, nothing)
    piece = turns.next(light=True)
    assert piece is not None
    assert piece.flow == "short"


def test_what_is_given_up_leaves_nothing_behind() -> None:
    turns = Turns()
    pieces = [turns.join("a", n % 3, 2.0, nothing) for n in range(9)]
    assert turns.seconds_of("a") == 18.0
    for piece in pieces:
        turns.leave(piece)
    assert (turns.waiting, turns.running, turns.seconds) == (0, 0, 0.0)
    assert turns.next() is None
    assert turns.seconds_of("a") == 0.0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.floats(0.01, 5.0)), max_size=60), st.data())
def test_every_piece_is_served_once_in_the_order_of_its_flow(
    asked: list[tuple[int, int, float]], data: st.DataObject
) -> None:
    turns = Turns()
    pieces = [turns.join(client, flow, cost, nothing) for client, flow, cost in asked]
    served = []
    while (piece := turns.next()) is not None:
        served.append(piece)
        turns.done(piece, data.draw(st.floats(0.0, 10.0)))
    assert sorted(p.number for p in served) == sorted(p.number for p in pieces)
    for flow in {(p.client, p.flow) for p in pieces}:
        numbers = [p.number for p in served if (p.client, p.flow) == flow]
        assert numbers == sorted(numbers)


@given(st.lists(st.floats(0.05, 2.0), min_size=2, max_size=4))
def test_clients_get_alike_seconds_whatever_their_pieces_cost(costs: list[float]) -> None:
    turns = Turns()
    for client, cost in enumerate(costs):
        for _ in range(int(100 / cost)):
            turns.join(client, "flow", cost, nothing)
    used = Counter[int]()
    while sum(used.values()) < 40:
        piece = turns.next()
        assert piece is not None
        turns.done(piece, piece.cost)
        used[piece.client] += piece.cost  # type: ignore[assignment, index]
    assert max(used.values()) - min(used[client] for client in range(len(costs))) <= 2 * max(costs)
