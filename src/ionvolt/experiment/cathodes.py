"""Insertion cathodes whose voltage was measured, and the typed-in structures of their hosts."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast

from ionvolt.ions import EndMember, working_ion
from ionvolt.structures import Crystal, read_text

Basis = Literal["refined", "cell", "bonds", "ideal"]
"""Where a structure's positions come from; structures.toml explains the words."""

Checked = Literal["source", "review", "textbook", "recalled"]
"""How sure a voltage is: seen in the source, seen in another paper, in every textbook, or from memory only."""

_CELL_TAGS = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")


@dataclass(frozen=True)
class HostStructure:
    """A crystal as a crystallographer writes it down.

    Attributes:
        name: Name of the entry in structures.toml.
        formula: One formula unit.
        group: Hermann-Mauguin symbol with the setting (``R -3 m:H``, ``F d -3 m:2``).
        z: Formula units in the cell.
        cell: a, b, c in Å and α, β, γ in degrees.
        sites: Element, Wyckoff position (multiplicity and letter) and fractional coordinates of each distinct site.
        basis: Where the positions come from.
        source: Reference, and what was assumed.
    """

    name: str
    formula: str
    group: str
    z: int
    cell: tuple[float, ...]
    sites: tuple[tuple[str, str, float, float, float], ...]
    basis: Basis
    source: str

    def crystal(self, *, primitive: bool = False) -> Crystal:
        """All atoms of the cell, checked as any input is.

        Args:
            primitive: The primitive cell instead, which holds the same crystal in fewer atoms.
        """
        lines = ["data_host"] + [f"_cell_{tag} {value}" for tag, value in zip(_CELL_TAGS, self.cell, strict=True)]
        lines += [f"_space_group_name_H-M_alt '{self.group}'", "loop_", "_atom_site_type_symbol"]
        lines += ["_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z"]
        lines += [f"{element} {x} {y} {z}" for element, _, x, y, z in self.sites]
        crystal = read_text("\n".join(lines) + "\n", self.name, fmt="cif")
        if not primitive:
            return crystal
        return Crystal.from_pymatgen(crystal.to_pymatgen().get_primitive_structure(tolerance=0.01), source=self.name)


@dataclass(frozen=True)
class MeasuredStep:
    """A plateau of a measured electrode.

    Attributes:
        voltage: V against the ion's metal.
        x_from: Ions per host formula at its charged end.
        x_to: Likewise at its discharged end.
    """

    voltage: float
    x_from: float
    x_to: float


@dataclass(frozen=True)
class Cathode:
    """One measured electrode.

    Attributes:
        ion: Working ion.
        host: Formula of the charged electrode, as it is before x ions go in.
        phase: Which polymorph, and how it was made where that matters.
        x_from: Ions per host formula at the charged end of the measurement; None where it is not stated.
        x_to: Likewise at the discharged end.
        voltage: Average voltage over that range, V against the ion's metal; None where none was found.
        uncertainty: Half width of what the measurement allows, V: spread of reports, polarisation, reference.
        reference: Against what it was measured, and whether it was converted.
        conditions: Temperature, electrolyte, rate.
        doi: DOI of the measurement.
        evidence: What was seen, in plain words.
        checked: How sure that is.
        use: Whether it counts: insertion of the bare ion, a voltage that is more than a memory, an ordered host.
        note: Reservations; where it does not count, why.
        charged: Name of the charged host's structure, or "".
        discharged: Name of the discharged electrode's structure, or "".
        kept_back: Whether the estimate of measured voltages was chosen and fitted without looking at it.
        trains: Whether that estimate learns from it; a ``recalled`` row may, an uncertain one does not.
        steps: Plateaus, where they are known, the charged end first.
        mp_discharged: Id of the discharged electrode in the Materials Project, where no structure was typed in, or "".
        mp_charged: Likewise of the charged one.
    """

    ion: str
    host: str
    phase: str
    x_from: float | None
    x_to: float | None
    voltage: float | None
    uncertainty: float | None
    reference: str
    conditions: str
    doi: str
    evidence: str
    checked: Checked
    use: bool
    note: str
    charged: str
    discharged: str
    kept_back: bool = False
    trains: bool = False
    steps: tuple[MeasuredStep, ...] = ()
    mp_discharged: str = ""
    mp_charged: str = ""

    @property
    def name(self) -> str:
        """Ion, host and phase, which together name a row: ``Mg in Ti2S4 (thiospinel)``."""
        return f"{self.ion} in {self.host} ({self.phase})"

    @property
    def multivalent(self) -> bool:
        """Whether its ion carries more than one charge."""
        return working_ion(self.ion).charge > 1

    @property
    def structure(self) -> str:
        """Name of the structure that a model of the host is asked about: the charged one where there is one."""
        return self.charged or self.discharged

    @property
    def state(self) -> EndMember:
        """What that structure is."""
        return "charged" if self.charged else "discharged"


@cache
def host_structures() -> dict[str, HostStructure]:
    """The typed-in structures by name."""
    text = (files("ionvolt.experiment") / "structures.toml").read_text(encoding="utf-8")
    return {
        name: HostStructure(
            name=name,
            formula=entry["formula"],
            group=entry["group"],
            z=entry["z"],
            cell=tuple(float(value) for value in entry["cell"]),
            sites=tuple(_site(line) for line in entry["sites"]),
            basis=entry["basis"],
            source=entry["source"],
        )
        for name, entry in tomllib.loads(text).items()
    }


@cache
def all_cathodes() -> tuple[Cathode, ...]:
    """Every row of the table, those that do not count included."""
    return read_cathodes((files("ionvolt.experiment") / "cathodes.csv").read_text(encoding="utf-8"))


def read_cathodes(text: str) -> tuple[Cathode, ...]:
    """The rows of a table: CSV with the columns of ``cathodes.csv``."""
    return tuple(_cathode(row) for row in csv.DictReader(text.splitlines()))


def usable_cathodes() -> tuple[Cathode, ...]:
    """The rows that count."""
    return tuple(cathode for cathode in all_cathodes() if cathode.use)


def _site(line: str) -> tuple[str, str, float, float, float]:
    element, position, x, y, z = line.split()
    return element, position, float(x), float(y), float(z)


def _cathode(row: dict[str, str]) -> Cathode:
    def number(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    return Cathode(
        ion=row["ion"],
        host=row["host"],
        phase=row["phase"],
        x_from=number("x_from"),
        x_to=number("x_to"),
        voltage=number("voltage"),
        uncertainty=number("uncertainty"),
        reference=row["reference"],
        conditions=row["conditions"],
        doi=row["doi"],
        evidence=row["evidence"],
        checked=cast("Checked", row["checked"]),
        use={"yes": True, "no": False}[row["use"]],
        note=row["note"],
        charged=row["charged"],
        discharged=row["discharged"],
        kept_back={"yes": True, "no": False}[row["kept_back"]],
        trains={"yes": True, "no": False}[row["trains"]],
        steps=tuple(_step(text) for text in row["steps"].split()),
        mp_discharged=row["mp_discharged"],
        mp_charged=row["mp_charged"],
    )


def _step(text: str) -> MeasuredStep:
    """``4.12:0-0.5`` is 4.12 V between 0 and 0.5 ions."""
    voltage, _, span = text.partition(":")
    low, _, high = span.partition("-")
    return MeasuredStep(float(voltage), float(low), float(high))
