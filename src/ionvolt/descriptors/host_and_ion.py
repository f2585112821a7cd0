"""What element tables and geometry say of a charged host and a working ion: redox couple, surroundings, ion site.

No potential and no network is asked: a host takes some two milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.descriptors.elements import ElementTable
from ionvolt.descriptors.host import HOST_FEATURES, host_features
from ionvolt.descriptors.ion_site import ION_SITE_FEATURES, ion_site_features
from ionvolt.descriptors.ions import ION_FEATURES, ion_features
from ionvolt.descriptors.redox import RedoxTable
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array

HOST_AND_ION_FEATURES: tuple[str, ...] = HOST_FEATURES + ION_SITE_FEATURES + ION_FEATURES


@dataclass(frozen=True, eq=False)
class ElementData:
    """What is known of the elements, as it was when a model was trained.

    Attributes:
        elements: For composition and sites.
        redox: For redox couples and bonds.
    """

    elements: ElementTable
    redox: RedoxTable

    def arrays(self) -> dict[str, Array]:
        """All that is stored, by name."""
        return {
            "elements": self.elements.values,
            "ionisation": self.redox.ionisation,
            "length": self.redox.length,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> ElementData:
        """What stored arrays say."""
        elements, ionisation, length = (
            arrays[name].astype(np.float64) for name in ("elements", "ionisation", "length")
        )
        return cls(ElementTable(elements), RedoxTable(ionisation, length))

    def rows(self, hosts: Sequence[Crystal], ions: Sequence[str]) -> Array:
        """Shape (n, len(HOST_AND_ION_FEATURES)), for hosts and their ions; a host that comes again is made once."""
        unique = {id(host): host for host in hosts}
        place = {key: i for i, key in enumerate(unique)}
        found = host_features(list(unique.values()), self.elements, self.redox)[[place[id(host)] for host in hosts]]
        return np.hstack([found, ion_site_features(hosts, ions, self.redox), ion_features(ions, self.elements)])
