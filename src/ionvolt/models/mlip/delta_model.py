"""Voltages from both end members: a universal potential's energies, and a learned correction (a Δ-model).

Energies and atom vectors are SevenNet's. Two variants stand side by side. ``both``: two structures were given, each
relaxed in its own right; its learners look at CHGNet's atom vectors, too. ``discharged``: the charged host was made by
taking the ion out and is relaxed for a few steps (``settled_ends``); the correction has to make up for the rest, and
for labels that stop at a host with some of the ion. Networks correct both; beside them stands a Gaussian process on
atoms for ``both``, and support vectors on whole electrodes for ``discharged``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from ionvolt.descriptors.host_and_ion import HOST_AND_ION_FEATURES, ElementData
from ionvolt.errors import InputError, ModelError
from ionvolt.ions import WORKING_IONS, EndMembers, remove_ion
from ionvolt.models.card import ModelCard, parameters_of, require_ions
from ionvolt.models.interface import FULL_EXTRACTION_THRESHOLD, AtomContributions, Estimate, Query, with_interval
from ionvolt.models.laplacian import LaplacianMachine
from ionvolt.models.mlip.atomic_gp import AtomicGP
from ionvolt.models.mlip.attribution import attribute_pair
from ionvolt.models.mlip.crystal_machine import known_of, machine_rows, older_version, row_size
from ionvolt.models.mlip.delta_network import (
    IONS,
    DeltaNetwork,
    EndMemberPair,
    corrections,
    network_arrays,
    networks_from,
)
from ionvolt.models.mlip.full_extraction import FullExtractionClassifier
from ionvolt.models.mlip.latent_features import (
    ATOM_SIZE,
    WIDE_SIZE,
    CrystalFeatures,
    compute_features,
    compute_wide_features,
    features_at_ease,
    pool_features,
    with_chgnet,
)
from ionvolt.models.mlip.pair_features import SIZE, pair_features
from ionvolt.models.mlip.settled_host import settled_ends
from ionvolt.models.storage import read_model, write_model
from ionvolt.models.tensors import Arrays, load_arrays, under
from ionvolt.models.uncertainty.conformal import Conformal
from ionvolt.models.uncertainty.domain import ApplicabilityDomain, difficulty_features, ensemble_mean, ensemble_std
from ionvolt.physics.average import AverageVoltage
from ionvolt.physics.potentials.sevennet import VERSION
from ionvolt.physics.reaction import IntercalationReaction, average_voltage, balance
from ionvolt.physics.references import metal_energy
from ionvolt.physics.settling import STEPS
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array

KIND = "delta"

Variant = Literal["both", "discharged"]
Route = Literal["relaxed", "inserted"]
"""How ends that were not both given came about: the ion taken out of the discharged structure and both relaxed, or put
into the charged host and both relaxed."""
ROUTES: tuple[Route, ...] = ("relaxed", "inserted")
VARIANTS: tuple[Variant, ...] = ("both", "discharged")
ATOM_SIZES: dict[Variant, int] = {"both": WIDE_SIZE, "discharged": ATOM_SIZE}
"""Numbers of an atom that the learners of each variant look at."""


@dataclass(eq=False)
class Corrector:
    """What corrects the voltages of one variant: the mean of its kinds of learners.

    Attributes:
        networks: Members that differ in their random start.
        domain: Judges the answers.
        kernel: A learner of another kind: a Gaussian process on atoms; None where the variant has none.
        machine: One of a further kind, on whole crystals; None where the variant has none.
    """

    networks: list[DeltaNetwork]
    domain: ApplicabilityDomain
    kernel: AtomicGP | None = None
    machine: LaplacianMachine | None = None

    @property
    def n_kinds(self) -> int:
        """Kinds of learners in the mean."""
        return 1 + (self.kernel is not None) + (self.machine is not None)

    def corrections(
        self, pairs: Sequence[EndMemberPair], hosts: Sequence[Crystal], data: ElementData
    ) -> tuple[Array, list[Array]]:
        """What the potential's voltage lacks, V: by network, shape (n_members, n), and by each other one, shape (n,).

        Args:
            pairs: Both ends.
            hosts: The charged ones.
            data: Element data that the machine was trained with.
        """
        others = [] if self.kernel is None else [self.kernel.corrections(pairs)]
        if self.machine is not None:
            known = known_of(hosts, [pair.ion for pair in pairs], data)
            others.append(self.machine.predict(rows_of(pairs, known)))
        return corrections(self.networks, pairs), others


@dataclass(frozen=True)
class DeltaParameters:
    """What the model needs to answer, besides its weights.

    Attributes:
        n_members: Networks of each variant.
        features: Names of the features of host and ion that the machine reads, in their order.
        settling_steps: Of relaxation of the hosts that it learned from, where the ion was taken out of them.
    """

    n_members: int
    features: list[str]
    settling_steps: int


@dataclass(eq=False)
class DeltaModel:
    """Both end members in, voltage out.

    Attributes:
        correctors: One for each variant.
        full_extraction: Tells whether an electrode gives up all of its ions.
        data: Element data that it was trained with.
        card: The model card.
        routes: Interval widths of computed electrodes, by how their ends came about.
    """

    correctors: dict[Variant, Corrector]
    full_extraction: FullExtractionClassifier
    data: ElementData
    card: ModelCard
    routes: dict[Route, Conformal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.card.kind = KIND

    accepts: ClassVar[frozenset[EndMembers]] = frozenset({"discharged", "both"})
    explains: ClassVar[bool] = True

    @property
    def ions(self) -> list[str]:
        """Working ions that it knows."""
        return list(self.card.ions)

    def require(self, ions: Sequence[str]) -> None:
        """See ``interface.Predictor``."""
        require_ions(self.card, ions)

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        """See ``interface.Predictor``.

        Raises:
            InputError: The end members differ by more than the ion.
            ModelError: A query of a host alone.
        """
        return self._answers(*self._pairs(queries))

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """See ``interface.Predictor``; the atoms are those of the discharged crystal."""
        pairs, ends, variants = self._pairs(queries)
        found = []
        for pair, answer, variant, both in zip(
            pairs, self._answers(pairs, ends, variants), variants, ends, strict=True
        ):
            corrector = self.correctors[variant]
            kept = float(corrector.domain.fade(corrector.domain.distances([pair.charged]))[0])
            found.append(
                attribute_pair(pair, answer, corrector.networks, corrector.kernel, corrector.n_kinds, kept, both)
            )
        return found

    def _answers(
        self, pairs: Sequence[EndMemberPair], ends: Sequence[tuple[Crystal, Crystal]], variants: Sequence[Variant]
    ) -> list[Estimate]:
        answers = self.estimate_pairs(pairs, [host for _, host in ends], variants)
        return [
            replace(answer, full_extraction=self._extraction(pair.discharged, pair.charged, discharged, pair.ion))
            for pair, (discharged, _), answer in zip(pairs, ends, answers, strict=True)
        ]

    def _extraction(self, full: CrystalFeatures, empty: CrystalFeatures, discharged: Crystal, ion: str) -> float | None:
        """Probability of full extraction; None far from all training hosts, of which it has learned nothing."""
        domain = self.correctors["discharged"].domain
        if domain.distances([empty])[0] > domain.distance_limit:
            return None
        return self.full_extraction.probability(full, discharged, WORKING_IONS[ion])

    def _pairs(
        self, queries: Sequence[Query]
    ) -> tuple[list[EndMemberPair], list[tuple[Crystal, Crystal]], list[Variant]]:
        """What the learners take, the discharged and the charged crystals, and which variant answers."""
        self.require([query.ion for query in queries])
        ends: list[tuple[Crystal, Crystal]] = []
        for query in queries:
            if query.discharged is None:
                raise ModelError(
                    f"{self.card.name} needs the discharged structure of {query.host.source} too. "
                    "Give it, or take a model of the host alone"
                )
            ends.append((query.discharged, query.host))
        matched = [
            balance(discharged, host, WORKING_IONS[query.ion])
            for (discharged, host), query in zip(ends, queries, strict=True)
        ]
        variants: list[Variant] = ["both" if query.end_members == "both" else "discharged" for query in queries]
        seen = [
            (discharged, host) if variant == "both" else settled_ends(host, discharged)
            for (discharged, host), variant in zip(ends, variants, strict=True)
        ]
        vectors = _features(seen, variants)
        pairs = [
            pair_of(full, empty, reaction, query.ion)
            for (full, empty), reaction, query in zip(vectors, matched, queries, strict=True)
        ]
        return pairs, ends, variants

    def estimate_partly(self, discharged: Crystal, ion: str) -> tuple[Estimate | None, float]:
        """The answer for an electrode that gives up a part of its ions only, and how likely it gives up all, 0 to 1.

        Of the relaxed host without any ion one would have the voltage of a full extraction that does not happen; the
        variant ``discharged`` has learned where labels stop. None where full extraction is the likelier, and where the
        host holds an isolated atom as it stands.

        Raises:
            InputError: The structure holds an isolated atom or an element that the potential does not know.
        """
        self.require([ion])
        working_ion = WORKING_IONS[ion]
        _, _, full = features_at_ease(discharged)
        probability = self.full_extraction.probability(full, discharged, working_ion)
        if probability >= FULL_EXTRACTION_THRESHOLD:
            return None, probability
        host = remove_ion(discharged, working_ion)
        try:
            (empty,) = compute_features([settled_ends(host, discharged)[1]])
        except InputError:
            return None, probability
        if self._extraction(full, empty, discharged, ion) is None:
            return None, probability
        pair = pair_of(full, empty, balance(discharged, host, working_ion), ion)
        (answer,) = self.estimate_pairs([pair], [host], ["discharged"])
        return replace(answer, full_extraction=probability), probability

    def estimate_computed(self, computed: AverageVoltage, route: Route | None = None) -> Estimate:
        """The answer for an electrode whose ends were computed; what SevenNet said of them is not asked again.

        Args:
            computed: The electrode; each of its ends is relaxed, or was given.
            route: How its ends came about, where they were not both given: intervals are those of that way.
        """
        self.require([computed.ion.symbol])
        if computed.potential == VERSION:
            pair = pair_of_computed(computed)
        else:
            full, empty = compute_wide_features([computed.discharged, computed.charged])
            pair = pair_of(full, empty, computed.reaction, computed.ion.symbol)
        return self.estimate_pairs([pair], [computed.charged], ["both"], route)[0]

    def estimate_pairs(
        self,
        pairs: Sequence[EndMemberPair],
        hosts: Sequence[Crystal],
        variants: Sequence[Variant],
        route: Route | None = None,
    ) -> list[Estimate]:
        """Answers for pairs whose vectors are known; ``hosts`` are the charged crystals, ``route`` as above."""
        answers: dict[int, Estimate] = {}
        for variant, corrector in self.correctors.items():
            chosen = [i for i, v in enumerate(variants) if v == variant]
            if not chosen:
                continue
            some = [pairs[i] for i in chosen]
            members, others = corrector.corrections(some, [hosts[i] for i in chosen], self.data)
            physics = np.array([pair.physics for pair in some])
            learned = ensemble_mean(members, *others)
            distances = corrector.domain.distances([pair.charged for pair in some])
            voltages = physics + corrector.domain.fade(distances) * learned
            spread = ensemble_std(members, *others)
            ions = np.array([IONS.index(pair.ion) for pair in some])
            given = corrector.domain.conformal
            difficulty = difficulty_features(spread, distances, learned)
            judged = given.half_widths(difficulty, ions)
            widths = judged if route not in self.routes else self.routes[route].half_widths(difficulty, ions)
            for j, i in enumerate(chosen):
                # Whatever the way in, the limit of width is that of given ends, and so is the width it is held against.
                reasons = corrector.domain.reasons(hosts[i], float(distances[j]), float(spread[j]), float(judged[j]))
                answers[i] = with_interval(
                    float(voltages[j]), float(widths[j]), float(spread[j]), reasons, self.card.name, float(physics[j])
                )
        return [answers[i] for i in range(len(pairs))]


def _features(
    ends: Sequence[tuple[Crystal, Crystal]], variants: Sequence[Variant]
) -> list[tuple[CrystalFeatures, CrystalFeatures]]:
    """Features of discharged and charged crystals, with CHGNet's vectors where the variant's learners look at them."""
    crystals = [crystal for both in ends for crystal in both]
    found = compute_features(crystals)
    wide = [2 * i + end for i, variant in enumerate(variants) if ATOM_SIZES[variant] == WIDE_SIZE for end in (0, 1)]
    widened = with_chgnet([found[k] for k in wide], [crystals[k] for k in wide])
    for k, one in zip(wide, widened, strict=True):
        found[k] = one
    return list(zip(found[::2], found[1::2], strict=True))


def rows_of(pairs: Sequence[EndMemberPair], known: Array) -> Array:
    """What the machine reads of both ends; see ``crystal_machine.machine_rows``."""
    return machine_rows(pair_features(pairs), pairs, known)


def pair_of(
    discharged: CrystalFeatures, charged: CrystalFeatures, matched: IntercalationReaction, ion: str
) -> EndMemberPair:
    """Both end members with the voltage of the potential's energies."""
    working_ion = WORKING_IONS[ion]
    physics = average_voltage(
        discharged.energy, charged.energy, matched, metal_energy(working_ion, VERSION), working_ion
    )
    return EndMemberPair(
        discharged, charged, matched.discharged_cells, matched.charged_cells, matched.n_ions, ion, physics
    )


def pair_of_computed(computed: AverageVoltage) -> EndMemberPair:
    """Both end members of an electrode that was computed with SevenNet's energies, with CHGNet's vectors."""
    ends = [computed.discharged, computed.charged]
    seen = [pool_features(output, end) for output, end in zip(computed.outputs, ends, strict=True)]
    full, empty = with_chgnet(seen, ends)
    return pair_of(full, empty, computed.reaction, computed.ion.symbol)


def save_delta(model: DeltaModel, folder: Path) -> None:
    """Write the model's folder."""
    arrays: Arrays = {}
    for variant, corrector in model.correctors.items():
        more = network_arrays(corrector.networks) | corrector.domain.arrays()
        for learner in (corrector.kernel, corrector.machine):
            if learner is not None:
                more |= learner.arrays()
        arrays |= {f"{variant}.{name}": array for name, array in more.items()}
    arrays |= model.full_extraction.arrays() | model.data.arrays()
    for route, conformal in model.routes.items():
        arrays |= {f"route.{route}.{name}": array for name, array in conformal.arrays().items()}
    model.card.hyperparameters = {
        "n_members": len(next(iter(model.correctors.values())).networks),
        "features": list(HOST_AND_ION_FEATURES),
        "settling_steps": STEPS,
    }
    write_model(folder, arrays, model.card)


def load_delta(folder: Path) -> DeltaModel:
    """Read a model and check it before any number of it is used.

    Raises:
        ModelError: Files missing, checksum wrong, or arrays that do not fit.
    """
    card, content = read_model(folder)
    with load_arrays(folder, card, KIND, content) as arrays:
        if "discharged.kernel.references" in arrays:
            raise older_version(folder)
        parameters = parameters_of(card, DeltaParameters, folder)
        if tuple(parameters.features) != HOST_AND_ION_FEATURES or parameters.settling_steps != STEPS:
            raise older_version(folder)
        correctors: dict[Variant, Corrector] = {}
        for variant in VARIANTS:
            own = under(arrays, f"{variant}.")
            networks = networks_from(own, parameters.n_members)
            machine = LaplacianMachine.from_arrays(own) if "machine.references" in own else None
            if machine is not None and machine.n_features != row_size(SIZE):
                raise older_version(folder)
            kernel = AtomicGP.from_arrays(own) if "atom_kernel.mean" in own else None
            sizes = {network.atom_size for network in networks} | ({len(kernel.mean)} if kernel else set())
            if (kernel is None) == (machine is None) or sizes != {ATOM_SIZES[variant]}:
                raise older_version(folder)
            correctors[variant] = Corrector(networks, ApplicabilityDomain.from_arrays(own), kernel, machine)
        routes: dict[Route, Conformal] = {}
        for route in ROUTES:
            if own := under(arrays, f"route.{route}."):
                routes[route] = Conformal.from_arrays(own)
        classifier, data = FullExtractionClassifier.from_arrays(arrays), ElementData.from_arrays(arrays)
        return DeltaModel(correctors, classifier, data, card, routes)
