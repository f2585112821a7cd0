"""The physical rules that every crystal has to meet, wherever it came from."""

from __future__ import annotations

from functools import cache
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.pairs import search
from ionvolt.structures.wording import refusal

# g/cm^3 for one g/mol in one Å^3.
_DENSITY = 1.66053907
# Nearly every atom has a neighbour this near, and so short a search costs little.
_NEAR = 3.2


def check(crystal: Crystal, limits: Limits = DEFAULT_LIMITS) -> Crystal:
    """Hold a crystal against every physical rule.

    Args:
        crystal: What was read.
        limits: The bounds.

    Returns:
        The same crystal.

    Raises:
        InputError: It breaks a rule; the message names the rule and the offending value.
    """

    def refuse(rule: str, remedy: str) -> NoReturn:
        raise refusal(crystal.source, rule, remedy)

    n = len(crystal)
    if n == 0:
        refuse("it holds no atoms", "Give a crystal structure with at least one atom")
    check_atom_count(crystal.source, n, limits)
    if crystal.numbers.min() < 1 or crystal.numbers.max() >= len(SYMBOLS):
        wrong = next(int(z) for z in crystal.numbers if not 0 < z < len(SYMBOLS))
        refuse(f"no element has the atomic number {wrong}", "Remove dummy atoms or name their element")

    volume = check_cell(crystal.lattice, crystal.source, limits)
    frac = crystal.frac_coords
    if not np.abs(frac).max() <= limits.max_coordinate:
        refuse(
            f"a fractional coordinate is {_largest(frac):.3g}, not within ±{limits.max_coordinate:g}",
            "Check the coordinates: fractional ones lie near 0 to 1",
        )

    low, high = limits.volume_per_atom
    per_atom = volume / n
    if not low <= per_atom <= high:
        refuse(
            f"{per_atom:.3g} Å^3 per atom lies outside {low:g} to {high:g} Å^3",
            "Check cell and atoms: some are missing, repeated or not in Å",
        )
    density = float(_masses()[crystal.numbers].sum()) * _DENSITY / volume
    if density > limits.max_density:
        refuse(
            f"a density of {density:.3g} g/cm^3 is above {limits.max_density:g} g/cm^3",
            "Check cell and atoms",
        )
    _check_distances(crystal, limits)
    return crystal


def check_cell(cell: NDArray[np.float64], source: str, limits: Limits = DEFAULT_LIMITS) -> float:
    """Hold a cell against the rules on its shape.

    Args:
        cell: Vectors as rows, shape (3, 3), Å.
        source: For messages.
        limits: The bounds.

    Returns:
        Its volume, Å^3.

    Raises:
        InputError: It breaks a rule.
    """

    def refuse(rule: str, remedy: str) -> NoReturn:
        raise refusal(source, rule, remedy)

    # Compared first: a product of entries as large as 1e300 overflows.
    if not np.abs(cell).max() <= limits.max_cell_length:
        refuse(
            f"a cell vector holds {_largest(cell):.3g} Å, more than {limits.max_cell_length:g} Å",
            "Check the cell; it has to be finite and in Å",
        )
    faces = np.array([_cross(cell[1], cell[2]), _cross(cell[2], cell[0]), _cross(cell[0], cell[1])])
    volume = abs(float(cell[0] @ faces[0]))
    areas = np.sqrt((faces * faces).sum(axis=1))
    if volume == 0.0 or volume < limits.min_cell_height * areas.max():
        height = volume / areas.max() if areas.max() > 0 else 0.0
        refuse(
            f"the cell is only {height:.3g} Å thick, less than {limits.min_cell_height:g} Å",
            "Check cell lengths and angles; give the reduced cell where they are right",
        )
    length = float(np.sqrt((cell * cell).sum(axis=1)).max())
    if length > limits.max_cell_length:
        refuse(f"a cell vector is {length:.4g} Å long, more than {limits.max_cell_length:g} Å", "Check the cell")
    return volume


def check_atom_count(source: str, n_atoms: int, limits: Limits) -> None:
    """Refuse more atoms than the limits allow; readers ask before they build the atoms."""
    if n_atoms > limits.max_atoms:
        raise refusal(
            source,
            f"{n_atoms} atoms in the cell are more than {limits.max_atoms}",
            "Give the primitive cell or a smaller one",
        )


def _check_distances(crystal: Crystal, limits: Limits) -> None:
    first, second, distance = _neighbours(crystal, _NEAR, "ijd")
    if distance.size and distance.min() < limits.min_distance:
        k = int(distance.argmin())
        one, two = (f"{SYMBOLS[crystal.numbers[i]]} (atom {i + 1})" for i in sorted((first[k], second[k])))
        raise refusal(
            crystal.source,
            f"{one} and {two} are {distance[k]:.3f} Å apart, less than {limits.min_distance:g} Å",
            "Remove the atom that is there twice, or check cell and coordinates",
        )
    radii = _radii()[crystal.numbers]
    bond = radii[first] + radii[second]
    short = np.flatnonzero(distance < limits.min_bond * bond)
    if short.size:
        k = int(short[(distance[short] / bond[short]).argmin()])
        one, two = (f"{SYMBOLS[crystal.numbers[i]]} (atom {i + 1})" for i in sorted((first[k], second[k])))
        raise refusal(
            crystal.source,
            f"{one} and {two} are {distance[k]:.2f} Å apart, where a bond of the two is about {bond[k]:.2f} Å long "
            f"and never below {limits.min_bond * bond[k]:.2f} Å",
            "Check cell and coordinates, or remove one of the two",
        )
    alone = np.bincount(first, minlength=len(crystal)) == 0
    if not alone.any():
        return
    first, _ = _neighbours(crystal, limits.max_neighbour_distance, "id")
    alone = np.bincount(first, minlength=len(crystal)) == 0
    if alone.any():
        i = int(alone.argmax())
        raise refusal(
            crystal.source,
            f"{SYMBOLS[crystal.numbers[i]]} (atom {i + 1}) has no neighbour within {limits.max_neighbour_distance:g} Å",
            "Check cell and coordinates, or remove that atom: IonVolt is for crystals, whose atoms touch",
        )


def _neighbours(crystal: Crystal, cutoff: float, quantities: str) -> list[NDArray[np.int64]]:
    found = search(crystal, cutoff, quantities, both=True)
    return [part.astype(np.int64) if part.dtype.kind == "u" else part for part in found]


def _cross(u: NDArray[np.float64], v: NDArray[np.float64]) -> tuple[float, float, float]:
    # numpy's cross takes ten times as long on single vectors.
    (a, b, c), (d, e, f) = u.tolist(), v.tolist()
    return b * f - c * e, c * d - a * f, a * e - b * d


def _largest(values: NDArray[np.float64]) -> float:
    flat = values.ravel()
    bad = flat[~np.isfinite(flat)]
    return float(bad[0]) if bad.size else float(flat[np.abs(flat).argmax()])


@cache
def _masses() -> NDArray[np.float64]:
    import gemmi

    return np.array([0.0] + [gemmi.Element(z).weight for z in range(1, len(SYMBOLS))])


@cache
def _radii() -> NDArray[np.float64]:
    """Covalent radii by atomic number, Å; those of an element without one are those of the last with one."""
    import gemmi

    return np.array([0.0] + [gemmi.Element(z).covalent_r for z in range(1, len(SYMBOLS))])
