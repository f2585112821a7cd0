"""Structure files of other packages, read by IonVolt and by pymatgen.

    pip download --no-binary :all: --no-deps -d SDISTS pymatgen-core ase gemmi
    python benchmarks/public_files.py SDISTS/*.tar.gz

Takes source packages, folders or files. Prints how many files each of the two reads, what only pymatgen reads and why
it was refused, and every crystal whose composition is not the one that its file states, with whether that was said.
"""

from __future__ import annotations

import gzip
import re
import sys
import tarfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ionvolt.errors import InputError
from ionvolt.structures import Crystal, read_disordered
from ionvolt.structures.reading import is_structure_name, read_all

LARGEST = 20_000_000
_SUM = re.compile(r"""^\s*_chemical_formula_sum\s+(?:'([^'\n]+)'|"([^"\n]+)"|(\S+))""", re.MULTILINE | re.IGNORECASE)


def files(given: str) -> Iterator[tuple[str, bytes]]:
    path = Path(given)
    if tarfile.is_tarfile(path) if path.is_file() else False:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and member.size <= LARGEST and is_structure_name(member.name):
                    stream = archive.extractfile(member)
                    assert stream is not None
                    yield member.name, stream.read()
        return
    for found in [path] if path.is_file() else sorted(path.rglob("*")):
        if found.is_file() and is_structure_name(found.name):
            yield str(found), found.read_bytes()


def by_pymatgen(name: str, data: bytes) -> str:
    """``ordered``, ``disordered``, or why pymatgen does not read it."""
    from pymatgen.core import Structure
    from pymatgen.io.cif import CifParser

    base = name.lower().removesuffix(".gz")
    try:
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        text = data.decode("utf-8", "replace")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if base.endswith((".cif", ".mcif")):
                structure = CifParser.from_str(text, occupancy_tolerance=1.0).parse_structures(primitive=False)[0]
            elif base.endswith(".json"):
                structure = Structure.from_str(text, fmt="json")
            elif base.endswith((".res", ".xyz", ".extxyz", ".traj", ".zip")):
                return "format not read"
            else:
                structure = Structure.from_str(text, fmt="poscar")
        return "ordered" if structure.is_ordered else "disordered"
    except Exception as error:  # whatever a parser meets in files of any kind
        return f"{type(error).__name__}: {error}"[:100]


def by_ionvolt(name: str, data: bytes) -> tuple[str, list[Crystal], str]:
    """``ordered``, ``disordered`` or ``refused``; the crystals; and the reason."""
    found = list(read_all(data, name))
    crystals = [one for one in found if isinstance(one, Crystal)]
    if crystals:
        return "ordered", crystals, ""
    reason = next((one.rule for one in found if isinstance(one, InputError)), "nothing in it")
    if "disordered" in reason:
        return "disordered", [], reason
    return "refused", [], reason


def wrong(data: bytes, crystals: list[Crystal]) -> list[tuple[str, str, bool]]:
    """Stated and read formula of crystals that differ, and whether that was told."""
    from pymatgen.core import Composition

    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    stated = [next(part for part in match if part) for match in _SUM.findall(data.decode("latin-1"))]
    if len(stated) != 1 or len(crystals) != 1:
        return []
    try:
        wanted = Composition(stated[0].replace("D", "H") if re.search(r"\bD\d*\b", stated[0]) else stated[0])
    except Exception:
        return []
    read = Composition(crystals[0].composition)
    if wanted.fractional_composition.almost_equals(read.fractional_composition, 0.001):
        return []
    return [(stated[0], crystals[0].formula, bool(crystals[0].doubts))]


def main(given: list[str]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for package in given:
        n: Counter[str] = Counter()
        for name, data in files(package):
            theirs, (ours, crystals, reason) = by_pymatgen(name, data), by_ionvolt(name, data)
            kind = theirs if theirs in ("ordered", "disordered") else "refused"
            n[f"{kind} by pymatgen, {ours} by ionvolt"] += 1
            counts[(kind, ours)] += 1
            if kind == "ordered" and ours != "ordered":
                print(f"  only pymatgen: {name}: {reason}")
            if kind != "ordered" and ours == "ordered":
                print(f"  only ionvolt: {name}: {crystals[0].formula} ({theirs})")
            if ours == "disordered":
                try:
                    read_disordered(data.decode("latin-1"), name)
                except InputError as error:
                    print(f"  disordered, not read: {error}")
            for stated, read, warned in wrong(data, crystals):
                print(f"  {'warned' if warned else 'NOT WARNED'}: {name} states {stated}, read {read}")
        print(f"{Path(package).name}: {sum(n.values())} files")
        for line, count in sorted(n.items()):
            print(f"  {count:5d} {line}")
    readable = sum(count for (_, ours), count in counts.items() if ours == "ordered")
    readable_by_pymatgen = sum(count for (kind, _), count in counts.items() if kind == "ordered")
    print(f"all: ordered crystals from {readable} files by ionvolt, {readable_by_pymatgen} by pymatgen")


if __name__ == "__main__":
    main(sys.argv[1:])
