"""Results of the potential on disk, found again by the content of a crystal.

One file for each result, whole or not there: where a run was killed, the next one goes on. A file that cannot be read
is computed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import DataError
from ionvolt.physics.potentials.chgnet import ATOMS_TOGETHER
from ionvolt.physics.potentials.interface import Potential, PotentialOutput
from ionvolt.physics.relaxation import Relaxation, RelaxSettings, relax
from ionvolt.store import cache_folder, content_key, read_arrays, write_arrays
from ionvolt.structures.crystal import Crystal

FORMAT = 1
"""Counted up when what a file holds or how it comes about changes."""


def default_folder() -> Path:
    """``physics`` in IonVolt's cache folder, where the system keeps such (Linux: ``XDG_CACHE_HOME``, ``~/.cache``)."""
    return cache_folder("physics")


def key(crystal: Crystal, *settings: object) -> str:
    """A name for a crystal and the settings it is computed with, 40 hexadecimal digits.

    Lattice (1e-5 Å) and coordinates (1e-6) are rounded, so that what a file format loses does not matter.
    """
    frac = np.round(crystal.wrapped, 6) % 1.0
    # Adding zero turns -0.0 into 0.0.
    return content_key([FORMAT, *settings], np.round(crystal.lattice, 5) + 0.0, crystal.numbers, frac + 0.0)[:40]


class Cache:
    """A folder of results; without a folder it remembers nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def load(self, name: str) -> dict[str, NDArray[Any]] | None:
        """The arrays stored under a name, or None."""
        if self.folder is None:
            return None
        return read_arrays(self._path(name))

    def save(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Store arrays under a name. A full or read-only disk is no error: the result is just not remembered."""
        if self.folder is None:
            return
        with suppress(DataError):
            write_arrays(self._path(name), arrays)

    def _path(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / name[:2] / f"{name}.npz"


def cached_outputs(crystals: Iterable[Crystal], potential: Potential, cache: Cache) -> list[PotentialOutput]:
    """``Potential.evaluate``, computing only what the cache does not hold and remembering each pass as it ends.

    Raises:
        InputError: A crystal holds an isolated atom or an element that the potential does not know.
    """
    crystals = list(crystals)
    names = [key(crystal, "output", potential.version) for crystal in crystals]
    found: dict[str, PotentialOutput | None] = {
        name: _as_output(cache.load(name), len(c)) for name, c in zip(names, crystals, strict=True)
    }
    missing = {name: c for name, c in zip(names, crystals, strict=True) if found[name] is None}
    todo = list(missing.items())
    while todo:
        size, n_atoms = 0, 0
        while size < len(todo) and (size == 0 or n_atoms + len(todo[size][1]) <= ATOMS_TOGETHER):
            n_atoms += len(todo[size][1])
            size += 1
        chunk, todo = todo[:size], todo[size:]
        for (name, _), new in zip(chunk, potential.evaluate([c for _, c in chunk]), strict=True):
            moments = {} if new.magmoms is None else {"magmoms": new.magmoms}
            cache.save(name, {"energy": new.energy, "features": new.features} | moments)
            found[name] = new
    return [output for name in names if (output := found[name]) is not None]


def cached_relax(crystal: Crystal, potential: Potential, settings: RelaxSettings, cache: Cache) -> Relaxation:
    """``relax``, remembered. One that ran out of time goes on from where it was.

    Raises:
        InputError: The potential cannot compute the start.
    """
    name = key(crystal, "relaxation", settings.optimiser, potential.version, settings.fmax, settings.max_steps)
    before = _as_relaxation(cache.load(name), crystal)
    if before is None:
        result = relax(crystal, potential, settings)
    elif before.stopped_by == "time":
        more = relax(before.crystal, potential, replace(settings, max_steps=max(1, settings.max_steps - before.steps)))
        result = replace(
            more,
            start_energy=before.start_energy,
            volume_ratio=more.crystal.volume / crystal.volume,
            steps=before.steps + more.steps,
            seconds=before.seconds + more.seconds,
        )
    else:
        return before
    cache.save(
        name,
        {
            "lattice": result.crystal.lattice,
            "frac_coords": result.crystal.frac_coords,
            "energies": [result.energy, result.start_energy],
            "steps": result.steps,
            "max_force": result.max_force,
            "stopped_by": result.stopped_by,
            "seconds": result.seconds,
        },
    )
    return result


def _as_output(arrays: Mapping[str, NDArray[Any]] | None, n_atoms: int) -> PotentialOutput | None:
    if arrays is None or arrays.keys() | {"magmoms"} != {"energy", "features", "magmoms"}:
        return None
    moments = arrays.get("magmoms")
    if any(array is not None and array.shape[:1] != (n_atoms,) for array in (arrays["features"], moments)):
        return None
    return PotentialOutput(float(arrays["energy"]), arrays["features"], moments)


def _as_relaxation(arrays: Mapping[str, NDArray[Any]] | None, crystal: Crystal) -> Relaxation | None:
    if arrays is None:
        return None
    try:
        relaxed = replace(crystal, lattice=arrays["lattice"], frac_coords=arrays["frac_coords"])
        stopped_by = str(arrays["stopped_by"])
        return Relaxation(
            crystal=relaxed,
            energy=float(arrays["energies"][0]),
            start_energy=float(arrays["energies"][1]),
            volume_ratio=relaxed.volume / crystal.volume,
            steps=int(arrays["steps"]),
            max_force=float(arrays["max_force"]),
            converged=stopped_by == "converged",
            stopped_by=stopped_by,
            seconds=float(arrays["seconds"]),
        )
    except (KeyError, ValueError, IndexError, TypeError):
        return None
