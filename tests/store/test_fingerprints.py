"""Equal content, equal name."""

import hashlib
import json

import numpy as np

from ionvolt.store import content_key, fingerprint, sha256


def test_names_are_sha256_of_what_they_name() -> None:
    assert sha256([b"a", b"", b"bc"]) == hashlib.sha256(b"abc").hexdigest()
    rows = np.arange(3)
    facts = {"b": 1, "a": [None, "x"]}
    text = json.dumps(facts, sort_keys=True).encode()
    assert content_key(facts, rows) == hashlib.sha256(text + rows.tobytes()).hexdigest()
    assert content_key({"a": [None, "x"], "b": 1}, rows) == content_key(facts, rows)


def test_memory_layout_does_not_matter() -> None:
    matrix = np.arange(12.0).reshape(3, 4)
    assert content_key([], matrix) == content_key([], np.asfortranarray(matrix))
    assert fingerprint([], matrix) == fingerprint([], np.asfortranarray(matrix))


def test_what_makes_another_run() -> None:
    rows = np.arange(10)
    one = fingerprint(["x", 1], rows[:7], rows[7:])
    assert one == fingerprint(["x", 1], rows[:7].copy(), rows[7:].copy())
    others = [
        fingerprint(["x", 2], rows[:7], rows[7:]),
        fingerprint(["x", 1], rows[:6], rows[6:]),  # the same numbers dealt out otherwise
        fingerprint(["x", 1], rows),
        fingerprint(["x", 1], rows[:7], rows[7:].astype(np.int32)),
        fingerprint(["x", 1], rows[:7], rows[7:].astype(np.uint64)),
        fingerprint(["x", 1], rows[:7], rows[7:].reshape(1, -1)),
    ]
    assert len({one, *others}) == len(others) + 1
