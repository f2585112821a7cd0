"""PyTorch's own files: the only place where ``torch.load`` is called.

Such files are pickles, and a pickle can run code when it is read. Here tensors, arrays of numbers and plain Python
values are read, and nothing in a file is run, unless whoever asks says that the file is trusted.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ionvolt.errors import InputError
from ionvolt.store.fingerprints import sha256

TRUST = "If you trust whoever made it, give --trust-checkpoint: reading it may then run code of its maker"


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes:
        content: As PyTorch reads it.
        sha256: SHA-256 of the file, hexadecimal.
    """

    content: Any
    sha256: str


def read_checkpoint(
    path: Path, most_bytes: int, remedy: str, *, trusted: bool = False, may_trust: str = ""
) -> Checkpoint:
    """Read a file of PyTorch's.

    Args:
        path: The file.
        most_bytes: More than this, unpacked, is refused before anything is read.
        remedy: What to do where it is no such file.
        trusted: Whether objects of any kind may be made, which can run code.
        may_trust: The remedy where the file holds more than plain values; by default ``remedy``.

    Raises:
        InputError: It cannot be read, is too large, damaged, or holds more than plain values and is not trusted.
    """
    try:
        if not path.is_file() and path.exists():
            raise InputError(str(path), "it is a folder, pipe or device, not a regular file", remedy)
        size = _unpacked_size(path, most_bytes)
        if size > most_bytes:
            raise InputError(str(path), f"{size} bytes are more than a checkpoint has ({most_bytes})", remedy)
        data = path.read_bytes()
        return Checkpoint(_load(data, trusted), sha256([data]))
    except InputError:
        raise
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})", remedy) from error
    except Exception as error:  # a damaged pickle fails in any way: IndexError, TypeError, struct.error, ...
        strange = _objects(data) if may_trust and not trusted else []
        if strange:
            named = ", ".join(strange[:3]) + (", …" if len(strange) > 3 else "")
            raise InputError(str(path), f"it holds more than numbers and text ({named})", may_trust) from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if reason.startswith("Weights only load failed"):  # with advice to run what is in the file
            reason = "it holds more than numbers, or is none of PyTorch's files"
        raise InputError(str(path), f"not a checkpoint of plain tensors ({reason})", remedy) from error


def _load(data: bytes, trusted: bool) -> Any:
    import torch

    if trusted:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=False)
    with torch.serialization.safe_globals(_arrays()):
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _arrays() -> list[Any]:
    """What arrays of numbers are made with, under the names of old and new versions of numpy."""
    import numpy as np

    old = np.lib.NumpyVersion(np.__version__) < "2.0.0"
    module: Any = import_module("numpy.core.multiarray" if old else "numpy._core.multiarray")
    made = [
        (getattr(module, name), f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ]
    kinds = [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")]
    return [np.ndarray, np.dtype, *kinds, *made]


def _objects(data: bytes) -> list[str]:
    """What a file would make besides plain values; empty where it cannot be told."""
    import torch

    try:
        with torch.serialization.safe_globals(_arrays()):
            found: list[str] = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data))
    except Exception:  # a damaged file, or one in the format before zip archives
        return []
    return sorted(found)


def _unpacked_size(path: Path, most_bytes: int) -> int:
    """Bytes of the file, or of what a zip archive (the newer format) unpacks to."""
    size = path.stat().st_size
    if size <= most_bytes and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return max(size, sum(member.file_size for member in archive.infolist()))
    return size
