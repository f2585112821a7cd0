"""Disordered electrodes as CIFs: textbook cells with the occupancies that refinements give them."""

from __future__ import annotations

from collections.abc import Sequence


def cif(group: str, cell: Sequence[float], sites: Sequence[tuple[str, float, float, float, float]]) -> str:
    """A CIF; a site is its element, place and occupancy."""
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = ["data_x", f"_symmetry_space_group_name_H-M '{group}'"]
    lines += [f"_cell_{name} {value}" for name, value in zip(names, cell, strict=True)]
    lines += ["loop_", *(f"_atom_site_{tag}" for tag in ("label", "type_symbol", "fract_x", "fract_y", "fract_z"))]
    lines.append("_atom_site_occupancy")
    lines += [f"{element}{k} {element} {x} {y} {z} {o}" for k, (element, x, y, z, o) in enumerate(sites)]
    return "\n".join(lines) + "\n"


LAYERED = (2.87, 2.87, 14.2, 90, 90, 120)
NMC811 = cif(
    "R -3 m:H",
    LAYERED,
    [
        ("Li", 0, 0, 0.5, 1),
        ("Ni", 0, 0, 0, 0.8),
        ("Mn", 0, 0, 0, 0.1),
        ("Co", 0, 0, 0, 0.1),
        ("O", 0, 0, 0.2585, 1),
    ],
)
SPINEL_5V = cif(
    "F d -3 m:2",
    (8.17, 8.17, 8.17, 90, 90, 90),
    [
        ("Li", 0.125, 0.125, 0.125, 1),
        ("Ni", 0.5, 0.5, 0.5, 0.25),
        ("Mn", 0.5, 0.5, 0.5, 0.75),
        ("O", 0.263, 0.263, 0.263, 1),
    ],
)
TITANATE = cif(
    "F d -3 m:2",
    (8.36, 8.36, 8.36, 90, 90, 90),
    [
        ("Li", 0.125, 0.125, 0.125, 1),
        ("Li", 0.5, 0.5, 0.5, 0.16667),
        ("Ti", 0.5, 0.5, 0.5, 0.83333),
        ("O", 0.263, 0.263, 0.263, 1),
    ],
)
ROCK_SALT = cif(
    "F m -3 m",
    (4.15, 4.15, 4.15, 90, 90, 90),
    [("Li", 0, 0, 0, 0.6), ("Mn", 0, 0, 0, 0.2), ("Ti", 0, 0, 0, 0.2), ("O", 0.5, 0.5, 0.5, 1)],
)
OXYFLUORIDE = cif(
    "F m -3 m",
    (4.15, 4.15, 4.15, 90, 90, 90),
    [("Li", 0, 0, 0, 0.6667), ("Mn", 0, 0, 0, 0.3333), ("O", 0.5, 0.5, 0.5, 0.6667), ("F", 0.5, 0.5, 0.5, 0.3333)],
)
P2_BRONZE = cif(
    "P 63/m m c",
    (2.88, 2.88, 11.2, 90, 90, 120),
    [
        ("Na", 0, 0, 0.25, 0.25),
        ("Na", 0.33333, 0.66667, 0.75, 0.42),
        ("Mn", 0, 0, 0, 1),
        ("O", 0.33333, 0.66667, 0.09, 1),
    ],
)
"""Na0.67MnO2: neighbouring sites of sodium, 1.66 Å apart, are never filled together."""

FLUOROPHOSPHATE = cif(
    "P 42/m n m",
    (9.04, 9.04, 10.74, 90, 90, 90),
    [
        ("Na", 0.5234, 0.2066, 0, 1),
        ("Na", 0.8055, 0.0448, 0, 0.5),
        ("V", 0.2479, 0.2479, 0.1963, 1),
        ("P", 0, 0.5, 0.25, 1),
        ("P", 0, 0, 0.2556, 1),
        ("O", 0.0959, 0.4059, 0.1624, 1),
        ("O", 0.0942, 0.0942, 0.1676, 1),
        ("O", 0.4045, 0.4045, 0.1607, 1),
        ("F", 0.2456, 0.2456, 0, 1),
        ("F", 0.2471, 0.2471, 0.3643, 1),
    ],
)
OLIVINE = cif(
    "P n m a",
    (10.33, 6.01, 4.69, 90, 90, 90),
    [
        ("Li", 0, 0, 0, 1),
        ("Fe", 0.2822, 0.25, 0.9747, 0.5),
        ("Mn", 0.2822, 0.25, 0.9747, 0.5),
        ("P", 0.0948, 0.25, 0.4182, 1),
        ("O", 0.0968, 0.25, 0.7428, 1),
        ("O", 0.4571, 0.25, 0.2060, 1),
        ("O", 0.1656, 0.0465, 0.2848, 1),
    ],
)
ALL = {
    "NMC811": NMC811,
    "LiNi0.5Mn1.5O4": SPINEL_5V,
    "Li4Ti5O12": TITANATE,
    "Li1.2Mn0.4Ti0.4O2": ROCK_SALT,
    "Li2MnO2F": OXYFLUORIDE,
    "Na0.67MnO2": P2_BRONZE,
    "Na3V2(PO4)2F3": FLUOROPHOSPHATE,
    "LiFe0.5Mn0.5PO4": OLIVINE,
}
