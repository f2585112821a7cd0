"""Names made of content: equal content, equal name, on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def sha256(chunks: Iterable[bytes]) -> str:
    """SHA-256 of chunks of bytes one after another, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's contents, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_key(facts: object, *arrays: NDArray[Any]) -> str:
    """A name for plain facts and arrays whose number, types and layout the facts' kind settles, 64 digits.

    Only the arrays' bytes are taken. Where a row could move from one array to the next, use ``fingerprint``.

    Args:
        facts: Anything that JSON holds; the order of keys does not matter.
        arrays: Any shapes.
    """
    text = json.dumps(facts, sort_keys=True)
    return sha256([text.encode(), *(np.ascontiguousarray(array).tobytes() for array in arrays)])


def fingerprint(facts: object, *arrays: NDArray[Any]) -> str:
    """What makes a run this one and no other: its settings and the arrays it works on, 64 hexadecimal digits.

    Types and shapes of the arrays count, too: the same rows dealt out otherwise are another run.

    Args:
        facts: Anything that JSON holds: settings, names, seeds, a format that is raised when the work changes.
        arrays: Any shapes.
    """
    return content_key([facts, [[a.dtype.str, list(a.shape)] for a in arrays]], *arrays)
