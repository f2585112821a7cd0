"""Which rows may be learned from when others are tested, and whether two data sets are the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ionvolt.datasets import ElectrodeSet
from ionvolt.store import sha256
from ionvolt.typing import Indices


def drop_leaking_rows(data: ElectrodeSet, rows: Indices, test: Indices) -> Indices:
    """Rows that a model for several ions may learn from.

    A row is left out where its framework is tested with *another* ion: the host would be known. Rows of the tested ion
    itself stay, as the split dealt them out.
    """
    tested: dict[str, set[str]] = {}
    for framework, ion in zip(data.frameworks[test], data.ions[test], strict=True):
        tested.setdefault(str(framework), set()).add(str(ion))
    frameworks, ions = data.frameworks[rows], data.ions[rows]
    keep = [not tested.get(str(f), set()) - {str(i)} for f, i in zip(frameworks, ions, strict=True)]
    kept: Indices = rows[np.array(keep, dtype=bool)]
    return kept


def groups_disjoint(data: ElectrodeSet, rows: Indices, test: Indices) -> bool:
    """Whether no framework stands on both sides, so that settings should be searched by whole frameworks, too."""
    return not np.isin(data.frameworks[test], data.frameworks[rows]).any()


def data_fingerprint(data: ElectrodeSet) -> str:
    """SHA-256 of names, voltages and hosts of a data set, in their order."""
    return sha256(_content(data))


def _content(data: ElectrodeSet) -> Iterator[bytes]:
    for key, electrode in zip(data.keys, data, strict=True):
        host = electrode.host
        yield f"{key}:{electrode.framework}:{electrode.average_voltage!r}".encode()
        for array in (host.lattice, host.numbers, host.frac_coords):
            yield array.tobytes()
