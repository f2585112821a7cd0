"""Known electrodes as starting points: measured cathodes whose structures come with the package, and its examples."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

from ionvolt.errors import InputError
from ionvolt.experiment.cathodes import all_cathodes, host_structures
from ionvolt.structures import read_text
from ionvolt.structures.chemistry import MOBILE_IONS
from ionvolt.structures.crystal import Crystal


def families() -> dict[str, list[str]]:
    """Names of the structures of each family of known electrodes: ``olivine``, ``spinel``, ``nasicon``, ..."""
    found: dict[str, list[str]] = {}
    for cathode in all_cathodes():
        # Filled hosts first: their ions' places are known, others' have to be found.
        name = cathode.discharged or cathode.charged
        if not name or name not in host_structures():
            continue
        word = cathode.phase.replace(",", " ").split()[0].lower()
        found.setdefault(word, [])
        if name not in found[word]:
            found[word].append(name)
    return {word: found[word] for word in sorted(found)}


def prototypes(names: str) -> list[Crystal]:
    """Crystals of named families, structures or examples: ``olivine``, ``spinel,NaV2(PO4)3``, ``LiFePO4``, ``all``.

    ``all`` are those that hold a mobile ion: its places are known, and another ion takes them at once.

    Raises:
        InputError: There is none of that name.
    """
    known = families()
    found: dict[str, Crystal] = {}
    for name in (part.strip() for part in names.split(",") if part.strip()):
        if name.lower() == "all":
            every = sorted({one for own in known.values() for one in own})
            crystals = {one: _crystal(one, known) for one in every}
            found |= {one: c for one, c in crystals.items() if any(s in MOBILE_IONS for s in c.composition)}
            continue
        for one in known.get(name.lower(), [name]):
            found.setdefault(one, _crystal(one, known))
    if not found:
        raise InputError(names or "''", "no prototype is named", f"Choose from {', '.join(known)}, or all")
    return list(found.values())


def _crystal(name: str, known: dict[str, list[str]]) -> Crystal:
    if name in host_structures():
        return replace(host_structures()[name].crystal(primitive=True), source=name)
    path = files("ionvolt") / "examples" / f"{name}.cif"
    if name.isalnum() and path.is_file():
        return read_text(path.read_text(encoding="utf-8"), name)
    raise InputError(
        name,
        "no known electrode or family of them",
        f"Choose from {', '.join(known)}, all, or a formula such as LiFePO4",
    )
