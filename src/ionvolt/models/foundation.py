"""Voltages from the charged host alone, on the vectors of a universal potential, for all ions at once.

The answer is the mean of two learners of different kinds: small networks on the atoms (``atom_networks.HostNetwork``)
and kernel ridge regression on the crystal (``kernel.IonKernel``). Where the discharged composition is known, both use
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ionvolt.errors import ModelError
from ionvolt.models.atom_networks import IONS, HostNetwork, collate_hosts
from ionvolt.models.card import ModelCard
from ionvolt.models.files import read_model, write_model
from ionvolt.models.interface import Estimate, Query, with_interval
from ionvolt.models.kernel import IonKernel, KernelSettings
from ionvolt.models.tensors import fill, load_arrays, named_arrays
from ionvolt.models.trust import Trust, signs, spread_of
from ionvolt.models.vectors import CrystalVectors, evaluate_vectors

KIND = "foundation"
TOGETHER = 64
"""Hosts in one pass of the networks."""

Vector = NDArray[np.float64]


@dataclass(eq=False)
class FoundationModel:
    """Host in, voltage out.

    Attributes:
        networks: Members that differ in their random start.
        kernel: Of other kind than the members.
        trust: Judges the answers.
        card: What it is.
    """

    networks: list[HostNetwork]
    kernel: IonKernel
    trust: Trust
    card: ModelCard

    @property
    def ions(self) -> list[str]:
        """Working ions that it knows."""
        return list(self.card.ions)

    def require(self, ions: Sequence[str]) -> None:
        """See ``interface.Predictor``."""
        require_ions(self.card, ions)

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        """See ``interface.Predictor``."""
        self.require([query.ion for query in queries])
        if not queries:
            return []
        hosts = evaluate_vectors([query.host for query in queries])
        content = np.array([np.nan if q.n_ions is None else q.n_ions / len(q.host) for q in queries])
        ions = np.array([IONS.index(query.ion) for query in queries])
        members = network_voltages(self.networks, hosts, [q.ion for q in queries], content)
        kernel = kernel_voltages(self.kernel, hosts, ions, content)
        voltages = 0.5 * (members.mean(0) + kernel)
        spread = spread_of(members, kernel)
        distances = self.trust.distances(hosts)
        # Voltages far from the middle are rarer, and harder.
        unusual = voltages - self.kernel.target_mean
        widths = self.trust.conformal.half_widths(signs(spread, distances, unusual), ions)
        answers = []
        for i, query in enumerate(queries):
            reasons = self.trust.reasons(query.host, float(distances[i]), float(spread[i]))
            answers.append(
                with_interval(float(voltages[i]), float(widths[i]), float(spread[i]), reasons, self.card.name)
            )
        return answers


def require_ions(card: ModelCard, ions: Sequence[str]) -> None:
    """Raise ``ModelError`` where a model was not trained for one of the ions."""
    for ion in ions:
        if ion not in card.ions:
            raise ModelError(f"{card.name}: not trained for {ion}; it knows {', '.join(card.ions)}")


@torch.no_grad()
def network_voltages(
    networks: Sequence[HostNetwork], hosts: Sequence[CrystalVectors], ions: Sequence[str], content: Vector
) -> Vector:
    """What every member says, in V, shape (n_members, n_hosts)."""
    parts = []
    for start in range(0, len(hosts), TOGETHER):
        part = slice(start, start + TOGETHER)
        batch = collate_hosts(hosts[part], ions[part], content[part])
        parts.append(np.array([network.eval()(batch).double().numpy() for network in networks]))
    return np.concatenate(parts, axis=1)


def kernel_voltages(
    kernel: IonKernel, hosts: Sequence[CrystalVectors], ions: NDArray[np.int64], content: Vector
) -> Vector:
    """What the kernel says, in V, shape (n_hosts,)."""
    parts = []
    for start in range(0, len(hosts), TOGETHER):
        part = slice(start, start + TOGETHER)
        distances = kernel.distances(np.stack([host.pooled for host in hosts[part]]))
        parts.append(kernel.voltages(distances, ions[part], content[part]))
    return np.concatenate(parts)


def save_foundation(model: FoundationModel, folder: Path) -> None:
    """Write the model's folder."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for index, network in enumerate(model.networks):
        arrays |= named_arrays(f"network.{index}", network)
    k = model.kernel
    arrays |= {
        "kernel.mean": k.mean,
        "kernel.scale": k.scale,
        "kernel.references": k.references.astype(np.float16),
        "kernel.ions": k.ions,
        "kernel.content": k.content,
        "kernel.ion_kernel": k.ion_kernel,
        "kernel.weights": k.weights,
        "kernel.target_mean": np.array([k.target_mean]),
    }
    model.card.kind, model.card.n_members = KIND, len(model.networks)
    model.card.training = {**model.card.training, "kernel": asdict(k.settings)}
    write_model(folder, arrays | model.trust.arrays(), model.card)


def load_foundation(folder: Path) -> FoundationModel:
    """Read a model and check it before any number of it is used.

    Raises:
        ModelError: Files missing, checksum wrong, or arrays that do not fit.
    """
    card, content = read_model(folder)
    with load_arrays(folder, card, KIND, content) as arrays:
        kernel = IonKernel(
            KernelSettings(**card.training["kernel"]),
            arrays["kernel.mean"].astype(np.float32),
            arrays["kernel.scale"].astype(np.float32),
            arrays["kernel.references"].astype(np.float32),
            arrays["kernel.ions"].astype(np.int64),
            arrays["kernel.content"].astype(np.float64),
            arrays["kernel.ion_kernel"].astype(np.float64),
            arrays["kernel.weights"].astype(np.float64),
            float(arrays["kernel.target_mean"][0]),
        )
        networks = [fill(HostNetwork(), f"network.{m}", arrays) for m in range(card.n_members)]
        return FoundationModel(networks, kernel, Trust.from_arrays(arrays), card)
