"""Which atoms make a voltage: the answer of the model that predicts, atom by atom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from operator import length_hint
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import InputError, ModelError
from ionvolt.explain.coordination import coordination
from ionvolt.graphs import build_graph
from ionvolt.ions import EndMembers, parse_ions
from ionvolt.models.interface import AtomContributions, Estimate, Pooling, Predictor, Query
from ionvolt.models.registry import AUTO, PAPER_MODEL
from ionvolt.parallel import Work, answered, jobs_of, shown
from ionvolt.prediction import (
    Assume,
    Prediction,
    Question,
    as_model,
    as_question,
    by_name,
    filled_host,
    predict_checked,
)
from ionvolt.results import ResultList, html_table
from ionvolt.structures import as_crystal
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderError
from ionvolt.typing import ProgressCallback, no_progress


@dataclass(frozen=True)
class Site:
    """An atom and what it adds to the voltage.

    Attributes:
        index: Its place in the crystal, from 0.
        element: Symbol.
        frac_coords: Fractional coordinates.
        cart_coords: Å.
        contribution: What it adds, V; with those of all atoms and the remainder this makes the voltage.
        contribution_std: Spread of it over the learners, V (0 for a single one).
        contribution_potential: The part of it that comes from the universal potential's energies, V; None where the
            model uses none.
        local_voltage: The contribution times the number of atoms, plus the remainder, V: the mean over the atoms is the
            voltage. It does not hang on the size of the cell.
        local_voltage_std: Spread of it over the learners, V.
        linear_voltage: Local voltage by eq. (2) of the paper, V; None where the model has none. Its mean over the atoms
            comes as close to the voltage as the model's card says.
        coordination: Effective coordination number (Hoppe 1979), from the distances of the nearest neighbours.
        neighbours: Elements of the nearest shell, such as ``O6``.
    """

    index: int
    element: str
    frac_coords: tuple[float, float, float]
    cart_coords: tuple[float, float, float]
    contribution: float
    contribution_std: float
    contribution_potential: float | None
    local_voltage: float
    local_voltage_std: float
    linear_voltage: float | None
    coordination: float
    neighbours: str


@dataclass(frozen=True)
class Explanation:
    """A prediction, atom by atom. Contributions and remainder add up to the voltage.

    Attributes:
        prediction: The voltage and its circumstances; ``prediction.model`` is the model that is explained.
        lattice: Cell vectors of the crystal as rows, Å.
        sites: The atoms. A model of the host alone has those of the host, with the ions that it tried in it where it
            does so; a model of both end members those of the discharged crystal.
        elements: For each element the number of atoms, its ``contribution`` (V, all its atoms together), and the
            median, lowest and highest local voltage, V.
        remainder: V that belong to no atom.
        remainder_share: How much of the answer that is, 0 to 1.
        remainder_is: What the remainder stands for.
        pooling: How the atoms make the voltage: ``sum`` (energies of atoms) or ``mean`` (vectors of atoms, averaged).
        mean_local_voltage: Mean over the atoms, V: ``prediction.voltage`` but for rounding.
        mean_linear_voltage: Mean of the linear local voltages, V; None where there are none.
        notes: What the reader should know of this sharing out.
    """

    prediction: Prediction
    lattice: list[list[float]]
    sites: list[Site]
    elements: dict[str, dict[str, float]]
    remainder: float
    remainder_share: float
    remainder_is: str
    pooling: Pooling
    mean_local_voltage: float
    mean_linear_voltage: float | None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain JSON types."""
        content = asdict(self)
        content["prediction"] = self.prediction.to_dict()
        content["notes"] = list(self.notes)
        content["sites"] = [
            asdict(site) | {"frac_coords": list(site.frac_coords), "cart_coords": list(site.cart_coords)}
            for site in self.sites
        ]
        return content

    def _repr_html_(self) -> str:
        rows = [asdict(site) for site in self.sites]
        columns = ("index", "element", "contribution", "local_voltage", "coordination", "neighbours")
        return html_table([self.prediction.to_dict()]) + html_table([{c: row[c] for c in columns} for row in rows])


class Options(TypedDict, total=False):
    """How a structure is read; see ``prediction.predict`` and ``predict_each``, whose options these are."""

    assume: Assume
    discharged_formula: str | None
    charged_formula: str | None
    relax: bool
    exchange: bool
    check_relaxation: bool


def explain(
    structure: object,
    ion: str,
    *,
    model: str | Path | Predictor | None = None,
    charged: object | None = None,
    **options: Unpack[Options],
) -> Explanation:
    """What each atom adds to the voltage that ``predict`` gives for the same arguments.

    Args:
        structure: As ``predict`` takes it.
        ion: Working ion: ``"Mg"``.
        model: See ``predict``.
        charged: See ``predict``.
        **options: See ``predict``: ``assume``, ``discharged_formula``, ``charged_formula``, ``relax``, ``exchange``.

    Raises:
        InputError: See ``predict``.
        ModelError: See ``predict``; or the model does not explain its answers.
    """
    other, predictor = None if charged is None else as_crystal(charged), as_model(model)
    try:
        crystal = as_crystal(structure)
    except DisorderError as error:
        if charged is not None or options:
            raise
        return explain_partly_filled(error, ion, model=predictor)
    return explain_checked([crystal], [ion], model=predictor, charged=other, **options)[0]


def explain_partly_filled(
    error: DisorderError, ion: str, *, model: Predictor, check_relaxation: bool = True
) -> Explanation:
    """``explain`` for a crystal that was refused as disordered, as ``prediction.predict_partly_filled`` answers it.

    Raises:
        DisorderError: Not only sites of the working ion are partly filled.
    """
    host, formula = filled_host(error, ion)
    return explain_checked([host], [ion], model=model, discharged_formula=formula, check_relaxation=check_relaxation)[0]


def explain_many(
    structures: Iterable[object],
    ions: str | Sequence[str],
    *,
    model: str | Path | Predictor | None = None,
    n_jobs: int | None = 1,
    progress: ProgressCallback | bool = no_progress,
    **options: Unpack[Options],
) -> ResultList[Explanation]:
    """``explain`` for many structures and one or more ions, in the order of ``predict_many``.

    Args:
        structures: As ``predict`` takes them.
        ions: A list of symbols, ``"Mg,Ca"`` or ``"all"``.
        model: See ``predict``.
        n_jobs: See ``predict_many``.
        progress: See ``predict_many``.
        **options: See ``explain``.

    Returns:
        A list; what cannot be explained has its error in its place.

    Raises:
        ModelError: The model cannot be used, does not know one of the ions, or does not explain its answers.
    """
    chosen = [ion.symbol for ion in parse_ions(ions if isinstance(ions, str) else ",".join(ions))]
    total = length_hint(structures)
    jobs = jobs_of(n_jobs, total)
    if jobs > 1:
        model = by_name(model)
    work = Work(explaining, (model, chosen, options))
    found: ResultList[Explanation] = ResultList()
    with shown(progress, "explaining") as report:
        for done, answers in enumerate(answered(work, map(as_question, structures), jobs), start=1):
            found += answers
            report(done, total, "")
    return found


def explaining(
    model: str | Path | Predictor | None, ions: Sequence[str], options: Options
) -> Callable[[list[Question]], list[list[Explanation | InputError]]]:
    """What explains lists of structures, one process's share of ``parallel.answered``."""
    predictor = as_model(model)

    def partly_filled(error: DisorderError, ion: str) -> Explanation | InputError:
        try:
            return explain_partly_filled(error, ion, model=predictor)
        except InputError as refused:
            return refused

    def one(question: Question) -> list[Explanation | InputError]:
        if isinstance(question, DisorderError) and not options:
            return [partly_filled(question, ion) for ion in ions]
        if isinstance(question, InputError):
            return [question] * len(ions)
        return list(explain_each([question], ions, model=predictor, **options))

    return lambda questions: [one(question) for question in questions]


def explain_each(
    crystals: Sequence[Crystal],
    ions: Sequence[str],
    *,
    model: Predictor,
    charged: Crystal | None = None,
    **options: Unpack[Options],
) -> ResultList[Explanation]:
    """``explain_checked``, with the error in the place of what cannot be explained: nothing spoils its neighbours."""
    found: ResultList[Explanation] = ResultList()
    for crystal in crystals:
        try:
            found += explain_checked([crystal], ions, model=model, charged=charged, **options)
        except InputError as error:
            if len(ions) == 1:
                found.append(error)
            else:
                for ion in ions:
                    found += explain_each([crystal], [ion], model=model, charged=charged, **options)
    return found


def explain_checked(
    crystals: Sequence[Crystal],
    ions: str | Sequence[str],
    *,
    model: Predictor,
    charged: Crystal | None = None,
    **options: Unpack[Options],
) -> list[Explanation]:
    """``explain_many`` for crystals that ``structures`` has read or checked already; the first error ends it.

    ``charged`` is that of ``explain`` and holds for every crystal.
    """
    if not model.explains:
        raise ModelError(
            f"{model.card.name}: it does not share its answers out among atoms. "
            f"Take a model that does, such as {AUTO} or {PAPER_MODEL}"
        )
    asked = _Attributing(model)
    predictions = predict_checked(crystals, ions, model=asked, charged=charged, **options)
    return [_explanation(*both) for both in zip(predictions, asked.found, strict=True)]


class _Attributing:
    """A model that keeps how its answers are shared out: what is asked once is predicted and explained."""

    def __init__(self, model: Predictor) -> None:
        self.model, self.card = model, model.card
        self.found: list[AtomContributions] = []

    @property
    def accepts(self) -> frozenset[EndMembers]:
        return self.model.accepts

    @property
    def explains(self) -> bool:
        return self.model.explains

    @property
    def ions(self) -> list[str]:
        return self.model.ions

    def require(self, ions: Sequence[str]) -> None:
        self.model.require(ions)

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        return [found.estimate for found in self.attribute(queries)]

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        found = self.model.attribute(queries)
        self.found += found
        return found


def _explanation(prediction: Prediction, found: AtomContributions) -> Explanation:
    symbols, local = np.array(found.crystal.symbols), found.local_voltages
    elements = {
        symbol: {
            "n": int((symbols == symbol).sum()),
            "contribution": float(found.contributions[symbols == symbol].sum()),
            "median": float(np.median(local[symbols == symbol])),
            "min": float(local[symbols == symbol].min()),
            "max": float(local[symbols == symbol].max()),
        }
        for symbol in dict.fromkeys(found.crystal.symbols)
    }
    return Explanation(
        prediction=prediction,
        lattice=found.crystal.lattice.tolist(),
        sites=_sites(found),
        elements=elements,
        remainder=found.remainder,
        remainder_share=found.remainder_share,
        remainder_is=found.remainder_is,
        pooling=found.pooling,
        mean_local_voltage=float(local.mean()),
        mean_linear_voltage=None if found.linear is None else float(found.linear.mean()),
        notes=found.notes,
    )


def _sites(found: AtomContributions) -> list[Site]:
    crystal, local = found.crystal, found.local_voltages
    numbers, shells = coordination(build_graph(crystal))
    cart = crystal.frac_coords @ crystal.lattice
    return [
        Site(
            index=i,
            element=symbol,
            frac_coords=_triple(crystal.frac_coords[i]),
            cart_coords=_triple(cart[i]),
            contribution=float(found.contributions[i]),
            contribution_std=float(found.spread[i]),
            contribution_potential=None if found.potential is None else float(found.potential[i]),
            local_voltage=float(local[i]),
            local_voltage_std=float(found.spread[i] * len(crystal)),
            linear_voltage=None if found.linear is None else float(found.linear[i]),
            coordination=round(float(numbers[i]), 2),
            neighbours=shells[i],
        )
        for i, symbol in enumerate(crystal.symbols)
    ]


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (round(float(v), 6) for v in values)
    return x, y, z
