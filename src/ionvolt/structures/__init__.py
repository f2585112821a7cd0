"""Reading and checking crystals: every way in, every limit, and every message about an input."""

from ionvolt.structures.checks import check
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderedCrystal, read_disordered
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.reading import read_file, read_text
from ionvolt.structures.sources import as_crystal, found_files, read_found, read_many

__all__ = [
    "DEFAULT_LIMITS",
    "Crystal",
    "DisorderedCrystal",
    "Limits",
    "as_crystal",
    "check",
    "found_files",
    "read_disordered",
    "read_file",
    "read_found",
    "read_many",
    "read_text",
]
