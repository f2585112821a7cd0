"""Labelled electrodes: one row, and a set of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from ionvolt.ions import WORKING_IONS
from ionvolt.structures.chemistry import ALKALI_METALS
from ionvolt.structures.crystal import Crystal

if TYPE_CHECKING:
    import pandas as pd

_SYMBOL = re.compile(r"[A-Z][a-z]?")


@dataclass(frozen=True, eq=False)
class Electrode:
    """One labelled electrode; optional facts are None where the source does not state them.

    Attributes:
        battery_id: The source's own id of the row, such as ``mp-22526_Li``.
        working_ion: Symbol of the ion.
        average_voltage: Over the whole charge, V against the ion's metal.
        formula_charge: Reduced formula of the charged host.
        host: The charged host.
        framework: Charged formula less the working ion and the alkali metals, reduced.
        snapshot: Which calculation the label belongs to, such as ``mp2020``; snapshots never mix unseen.
        id_charge: Id of the charged host.
        formula_discharge: Reduced formula of the discharged electrode.
        id_discharge: Its id.
        discharged: Its structure.
        num_steps: Voltage steps.
        capacity_grav: mAh/g of the discharged electrode.
        max_delta_volume: Largest relative volume change of a step.
        stability_charge: eV/atom above the hull, charged.
        stability_discharge: eV/atom above the hull, discharged.
        steps: The steps as JSON.
    """

    battery_id: str
    working_ion: str
    average_voltage: float
    formula_charge: str
    host: Crystal
    framework: str
    snapshot: str = ""
    id_charge: str = ""
    formula_discharge: str | None = None
    id_discharge: str | None = None
    discharged: Crystal | None = None
    num_steps: int | None = None
    capacity_grav: float | None = None
    max_delta_volume: float | None = None
    stability_charge: float | None = None
    stability_discharge: float | None = None
    steps: str | None = None

    def __post_init__(self) -> None:
        if self.working_ion not in WORKING_IONS:
            raise ValueError(f"{self.battery_id}: working ion {self.working_ion!r} is not known")
        if not math.isfinite(self.average_voltage):
            raise ValueError(f"{self.battery_id}: voltage {self.average_voltage} is not a number")
        for name in ("battery_id", "formula_charge", "framework"):
            if not getattr(self, name):
                raise ValueError(f"{self.battery_id or 'an electrode'}: {name} is empty")
        if self.num_steps is not None and self.num_steps < 1:
            raise ValueError(f"{self.battery_id}: num_steps is {self.num_steps}, less than 1")


@dataclass(eq=False)
class ElectrodeSet:
    """Electrodes in a fixed order, and where they came from.

    Attributes:
        electrodes: The rows.
        provenance: Source files with checksums, licence, refused rows, cleaning rules and what they removed.
    """

    electrodes: list[Electrode]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.electrodes)

    def __iter__(self) -> Iterator[Electrode]:
        return iter(self.electrodes)

    @overload
    def __getitem__(self, rows: int) -> Electrode: ...
    @overload
    def __getitem__(self, rows: Sequence[int] | NDArray[Any]) -> ElectrodeSet: ...
    def __getitem__(self, rows: int | Sequence[int] | NDArray[Any]) -> Electrode | ElectrodeSet:
        """One row by its number, or a subset by numbers or a boolean mask."""
        if isinstance(rows, int | np.integer):
            return self.electrodes[int(rows)]
        index = np.asarray(rows)
        if index.dtype == bool:
            if index.shape != (len(self),):
                raise IndexError(f"a mask of shape {index.shape} does not fit {len(self)} electrodes")
            index = np.flatnonzero(index)
        return ElectrodeSet([self.electrodes[int(i)] for i in index], self.provenance)

    def for_ion(self, ion: str) -> ElectrodeSet:
        """The electrodes of one working ion."""
        return self[np.flatnonzero(self.ions == ion)]

    @property
    def hosts(self) -> list[Crystal]:
        """The charged hosts."""
        return [e.host for e in self.electrodes]

    @property
    def voltages(self) -> NDArray[np.float64]:
        """Average voltages in V, shape (n,)."""
        return np.array([e.average_voltage for e in self.electrodes], dtype=np.float64)

    @property
    def ions(self) -> NDArray[np.str_]:
        """Working ions, shape (n,)."""
        return np.array([e.working_ion for e in self.electrodes], dtype=np.str_)

    @property
    def frameworks(self) -> NDArray[np.str_]:
        """Frameworks, shape (n,)."""
        return np.array([e.framework for e in self.electrodes], dtype=np.str_)

    @property
    def chemical_systems(self) -> NDArray[np.str_]:
        """Elements of the frameworks, such as ``Fe-O-P``, shape (n,)."""
        return np.array([chemical_system_of(e.framework) for e in self.electrodes], dtype=np.str_)

    @property
    def keys(self) -> list[str]:
        """What names a row whatever its place: snapshot, battery id and ion."""
        return [f"{e.snapshot}:{e.battery_id}:{e.working_ion}" for e in self.electrodes]

    def to_pandas(self) -> pd.DataFrame:
        """All columns but the structures as a DataFrame."""
        import pandas as pd

        names = [field.name for field in fields(Electrode) if field.name not in ("host", "discharged")]
        return pd.DataFrame({name: [getattr(e, name) for e in self.electrodes] for name in names})


def chemical_system_of(formula: str) -> str:
    """The elements of a formula, sorted: ``Fe-O-P``."""
    return "-".join(sorted(set(_SYMBOL.findall(formula))))


def framework_of(formula: str, ion: str) -> str:
    """The charged formula less the working ion and the alkali metals, reduced (the formula itself if none is left)."""
    from pymatgen.core.composition import Composition

    dropped = {ion, *ALKALI_METALS}
    composition = Composition(formula)
    kept = {element.symbol: amount for element, amount in composition.items() if element.symbol not in dropped}
    return str(Composition(kept or composition.as_dict()).reduced_formula)
