"""Support vectors on whole electrodes: what the potential says, how many ions go in, and what element tables say.

One row holds features of the potential (of hosts with the ion tried in them, or of both ends), the ions per host atom,
and ``descriptors.host_and_ion``. The machine compares rows by a weighted sum of differences (``models.laplacian``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ionvolt.descriptors.host_and_ion import HOST_AND_ION_FEATURES, ElementData
from ionvolt.errors import ModelError
from ionvolt.models.mlip.delta_network import EndMemberPair
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import primitive_cell
from ionvolt.typing import Array, Array32


def older_version(folder: Path) -> ModelError:
    """What is said of a folder whose model reads other rows."""
    return ModelError(f"{folder}: written by an older version. Make it again: ionvolt recipe run mlip")


def row_size(n_features: int) -> int:
    """Numbers in a row, of which so many are features of the potential."""
    return n_features + 1 + len(HOST_AND_ION_FEATURES)


def machine_rows(features: Array32, pairs: Sequence[EndMemberPair], known: Array) -> Array:
    """What a machine reads, shape (n, row_size(n_features)).

    Args:
        features: What the potential says, shape (n, n_features).
        pairs: Both ends, or hosts with the ion tried in them, which tell how many ions go in.
        known: From ``known_of``.
    """
    content = np.array([pair.ions_per_host_atom for pair in pairs])
    return np.hstack([features, content[:, None], known])


def known_of(hosts: Sequence[Crystal], ions: Sequence[str], data: ElementData) -> Array:
    """What element tables and geometry say of hosts and ions, shape (n, len(HOST_AND_ION_FEATURES)).

    In primitive cells, so that a supercell is answered as its cell is.
    """
    cells = {id(host): primitive_cell(host) for host in hosts}
    return data.rows([cells[id(host)] for host in hosts], ions)
