"""Textbook crystals as CIF text, written here, and small tools to bend them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import gemmi


@dataclass(frozen=True)
class Cell:
    """A crystal as an author would write it: cell, space group, distinct sites."""

    group: str
    cell: tuple[float, ...]
    sites: tuple[tuple[str, str, str, str], ...]

    def cif(
        self,
        *,
        symmetry: str = "operations",
        extra: str = "",
        name: str = "cell",
        group: gemmi.SpaceGroup | None = None,
    ) -> str:
        """Its CIF; ``symmetry`` is ``operations``, ``name``, ``number``, ``hall`` or ``none``."""
        group = group or gemmi.find_spacegroup_by_name(self.group)
        assert group is not None
        tags = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
        lines = ["data_cell"] + [f"_cell_{tag} {value}" for tag, value in zip(tags, self.cell, strict=True)]
        if symmetry == "operations":
            lines += ["loop_", "_space_group_symop_operation_xyz"]
            lines += [f"'{op.triplet()}'" for op in group.operations()]
        elif symmetry == "name":
            lines.append(f"_symmetry_space_group_name_H-M '{self.group}'")
        elif symmetry == "hall":
            lines.append(f"_space_group_name_Hall '{group.hall}'")
        elif symmetry == "number":
            lines.append(f"_space_group_IT_number {group.number}")
        lines += [extra] if extra else []
        lines += [
            "loop_",
            "_atom_site_label",
            "_atom_site_fract_x",
            "_atom_site_fract_y",
            "_atom_site_fract_z",
        ]
        lines += [" ".join(site) for site in self.sites]
        return "\n".join(lines) + "\n"

    def with_sites(self, *sites: tuple[str, str, str, str]) -> "Cell":
        return replace(self, sites=sites)

    def with_cell(self, *cell: float) -> "Cell":
        return replace(self, cell=cell)


ROCK_SALT = Cell(
    "F m -3 m", (5.6402, 5.6402, 5.6402, 90, 90, 90), (("Na1", "0", "0", "0"), ("Cl1", "0.5", "0.5", "0.5"))
)
OLIVINE = Cell(
    "P n m a",
    (9.814, 5.789, 4.782, 90, 90, 90),
    (
        ("Fe1", "0.2753(2)", "0.25", "0.9478"),
        ("P1", "0.0940", "0.25", "0.3956"),
        ("O1", "0.1215", "0.25", "0.7081"),
        ("O2", "0.4388", "0.25", "0.1603"),
        ("O3", "0.1662(4)", "0.0448", "0.2504"),
    ),
)
SPINEL = Cell(
    "F d -3 m:2",
    (8.245, 8.245, 8.245, 90, 90, 90),
    (("Li1", "0.125", "0.125", "0.125"), ("Mn1", "0.5", "0.5", "0.5"), ("O1", "0.2632", "0.2632", "0.2632")),
)
LAYERED = Cell(
    "R -3 m:H",
    (2.8156, 2.8156, 14.0542, 90, 90, 120),
    (("Co1", "0", "0", "0"), ("Li1", "0", "0", "0.5"), ("O1", "0", "0", "0.2395")),
)
LAYERED_RHOMBOHEDRAL = Cell(
    "R -3 m:R",
    (4.959, 4.959, 4.959, 32.99, 32.99, 32.99),
    (("Co1", "0", "0", "0"), ("Li1", "0.5", "0.5", "0.5"), ("O1", "0.2395", "0.2395", "0.2395")),
)
ILMENITE = Cell(
    "R -3:H",
    (5.0884, 5.0884, 14.0855, 90, 90, 120),
    (
        ("Fe1", "0", "0", "0.35537"),
        ("Ti1", "0", "0", "0.14640"),
        ("O1", "0.31743", "0.02332", "0.24506"),
    ),
)
LITHIUM_RICH = Cell(
    "C 1 2/m 1",
    (4.937, 8.532, 5.030, 90, 109.46, 90),
    (
        ("Mn1", "0", "0.1671", "0"),
        ("Li1", "0", "0.5", "0"),
        ("Li2", "0", "0", "0.5"),
        ("Li3", "0", "0.6606", "0.5"),
        ("O1", "0.2189", "0", "0.2273"),
        ("O2", "0.2540", "0.3213", "0.2233"),
    ),
)
BADDELEYITE = Cell(
    "P 1 21/c 1",
    (5.1505, 5.2116, 5.3173, 90, 99.23, 90),
    (
        ("Zr1", "0.2754", "0.0395", "0.2083"),
        ("O1", "0.0700", "0.3317", "0.3447"),
        ("O2", "0.4496", "0.7569", "0.4792"),
    ),
)
RUTILE = Cell(
    "P 42/m n m", (4.594, 4.594, 2.959, 90, 90, 90), (("Ti1", "0", "0", "0"), ("O1", "0.3053", "0.3053", "0"))
)
ANATASE = Cell(
    "I 41/a m d:2",
    (3.7842, 3.7842, 9.5146, 90, 90, 90),
    (("Ti1", "0", "0.75", "0.125"), ("O1", "0", "0.75", "0.3331")),
)
WURTZITE = Cell(
    "P 63 m c",
    (3.2495, 3.2495, 5.2069, 90, 90, 120),
    (("Zn1", "0.3333", "0.6667", "0"), ("O1", "0.3333", "0.6667", "0.3819")),
)
TRICLINIC = Cell(
    "P -1",
    (5.173, 5.309, 7.250, 107.6, 107.8, 98.4),
    (
        ("V1", "0", "0", "0"),
        ("V2", "0", "0", "0.5"),
        ("P1", "0.323", "0.634", "0.248"),
        ("O1", "0.367", "0.240", "0.584"),
        ("O2", "0.112", "0.676", "0.354"),
        ("O3", "0.299", "0.330", "0.135"),
        ("O4", "0.258", "0.790", "0.089"),
        ("F1", "0.905", "0.124", "0.246"),
    ),
)
ALL = {
    "rock salt": ROCK_SALT,
    "olivine": OLIVINE,
    "spinel": SPINEL,
    "layered": LAYERED,
    "layered, rhombohedral axes": LAYERED_RHOMBOHEDRAL,
    "ilmenite": ILMENITE,
    "lithium-rich": LITHIUM_RICH,
    "baddeleyite": BADDELEYITE,
    "rutile": RUTILE,
    "anatase": ANATASE,
    "wurtzite": WURTZITE,
    "triclinic": TRICLINIC,
}

# Caesium chloride, as pymatgen would write it.
P1 = """data_CsCl
_symmetry_space_group_name_H-M 'P 1'
_cell_length_a 4.12
_cell_length_b 4.12
_cell_length_c 4.12
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_Int_Tables_number 1
loop_
 _symmetry_equiv_pos_site_id
 _symmetry_equiv_pos_as_xyz
  1 'x, y, z'
loop_
 _atom_site_type_symbol
 _atom_site_label
 _atom_site_fract_x
 _atom_site_fract_y
 _atom_site_fract_z
 _atom_site_occupancy
  Cs Cs0 0.0 0.0 0.0 1
  Cl Cl1 0.5 0.5 0.5 1
"""

POSCAR = """CsCl by hand
1.0
4.12 0.0 0.0
0.0 4.12 0.0
0.0 0.0 4.12
Cs Cl
1 1
Direct
0.0 0.0 0.0
0.5 0.5 0.5
"""


def p1(*sites: Sequence[object], cell: Sequence[object] = (4.12, 4.12, 4.12, 90, 90, 90)) -> str:
    """The caesium chloride file with other sites (symbol, x, y, z, occupancy) or another cell."""
    head, _ = P1.split("  Cs Cs0")
    for old, new in zip(("4.12", "4.12", "4.12", "90", "90", "90"), cell, strict=True):
        head = head.replace(f" {old}\n", f" @{new}\n", 1)
    rows = sites or (("Cs", 0, 0, 0, 1), ("Cl", 0.5, 0.5, 0.5, 1))
    return head.replace("@", "") + "".join(f" {s} {s}{i} {x} {y} {z} {o}\n" for i, (s, x, y, z, o) in enumerate(rows))
