"""How large, how dense and how far apart a crystal may be before it is refused."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on an input. The defaults keep every sound crystal of the Materials Project.

    Attributes:
        max_bytes: Size of one file, after decompression.
        max_blocks: Data blocks of a CIF; the time to tell their names apart grows with the square.
        max_atoms: Atoms in the cell.
        max_unfolded: Sites times symmetry operations; counted before any symmetry is applied.
        max_operations: Symmetry operations (192 is the most of any space group in its standard cell).
        volume_per_atom: Å^3. The tightest crystal of the Materials Project has 4.4, caesium metal 117 to 124;
            beyond the upper bound lie only cells that fell apart while they were relaxed.
        max_density: g/cm^3. Osmium, the densest element, has 22.6.
        min_distance: Å between two atoms. The bond of H2 is 0.74.
        min_bond: Shortest distance of two atoms, as a share of the sum of their covalent radii. Of the 185,000
            structures of the Materials Project that were tried one in 800 lies below, all of them cells that
            collapsed while they were relaxed, and so do atoms that were put on each other.
        max_neighbour_distance: Å to the nearest neighbour, beyond which an atom counts as isolated.
        merge_distance: Å within which two symmetry images of one site are the same atom.
        occupancy_tolerance: How far from 1 the occupancy of a full site may be printed.
        max_cell_length: Å. Long polytypes reach 160.
        min_cell_height: Å between opposite faces of the cell; thinner cells have too many images to search.
        max_coordinate: Cells that a coordinate may lie away from the origin.
        max_files: Files that one folder or list of inputs may hold.
    """

    max_bytes: int = 5_000_000
    max_blocks: int = 5_000
    max_atoms: int = 2_000
    max_unfolded: int = 20_000
    max_operations: int = 1_000
    volume_per_atom: tuple[float, float] = (2.0, 200.0)
    max_density: float = 30.0
    min_distance: float = 0.5
    min_bond: float = 0.6
    max_neighbour_distance: float = 8.0
    merge_distance: float = 0.05
    occupancy_tolerance: float = 1e-3
    max_cell_length: float = 500.0
    min_cell_height: float = 0.5
    max_coordinate: float = 1_000.0
    max_files: int = 2_000_000


DEFAULT_LIMITS = Limits()
