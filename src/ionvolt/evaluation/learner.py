"""What runs under a protocol, and the simplest that does: the mean."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet
from ionvolt.typing import Array, Indices, LogCallback


class Learner(Protocol):
    """Anything that learns from rows and answers for others.

    In a random split a test host may stand among the *training* rows of another ion. A learner that takes more than
    an ion's own rows passes them through ``leakage.drop_leaking_rows`` first.
    """

    name: str

    def fit_predict(
        self,
        data: ElectrodeSet,
        train: Indices,
        validation: Indices,
        test: Indices,
        *,
        seed: int,
        log: LogCallback,
    ) -> NDArray[np.float64]:
        """Voltages in V of the test rows, in their order.

        Args:
            data: All electrodes, cleaned.
            train: Rows to learn from, of all ions.
            validation: Rows to choose by, of all ions; those who choose otherwise may learn from them too.
            test: Rows to answer for, of one or more ions. Their voltages must not be looked at.
            seed: Seed of everything that is drawn.
            log: Told in a few words what is being done.
        """
        ...


class Mean:
    """The mean voltage of the ion's training rows (of all rows, where it has none)."""

    name = "mean"

    def fit_predict(
        self,
        data: ElectrodeSet,
        train: Indices,
        validation: Indices,
        test: Indices,
        *,
        seed: int,
        log: LogCallback,
    ) -> Array:
        """See ``Learner``."""
        pool = np.concatenate([train, validation])
        voltages, ions = data.voltages, data.ions
        result = np.empty(len(test))
        for ion in np.unique(ions[test]):
            own = pool[ions[pool] == ion]
            result[ions[test] == ion] = voltages[own if len(own) else pool].mean()
        return result
