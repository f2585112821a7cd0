"""What the potential says of a data set's structures, once computed, kept in files.

``latent-features/``: of every structure, with CHGNet's vectors, a hundred structures a file. ``settled-hosts/``: of
every discharged structure without its ions, relaxed for some steps, a file for each electrode, by its number within the
cleaned data; ``trial-features/``: for every electrode those of its host with the ion tried in it. All hang on the data
set alone, whatever part of it takes part in a run; several runs share the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import Electrode, ElectrodeSet
from ionvolt.errors import DataError, InputError
from ionvolt.ions import WORKING_IONS, WorkingIon, remove_ion
from ionvolt.models.mlip.latent_features import (
    WIDE_SIZE,
    CrystalFeatures,
    compute_features,
    compute_wide_features,
    pool_features,
)
from ionvolt.models.mlip.settled_host import settled_ends
from ionvolt.models.mlip.trial_features import TrialFeatures, from_crystal_features, ions_of_cell
from ionvolt.models.tensors import under
from ionvolt.physics.potentials.sevennet import load_sevennet
from ionvolt.physics.reaction import balance
from ionvolt.physics.settling import at_ease
from ionvolt.physics.trial_insertion import Wanted, trial_insertions
from ionvolt.store import fingerprint, read_arrays, unclaimed, write_arrays
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import primitive_cell
from ionvolt.typing import Indices, ProgressCallback

FEATURES, SETTLED, TRIALS, INFORMED = "latent-features", "settled-hosts", "trial-features", "trial-features-informed"
"""Folders."""

Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")


def structures(data: ElectrodeSet) -> dict[str, Crystal]:
    """Every structure of the data that the potential must see, by name."""
    found: dict[str, Crystal] = {}
    for e in data:
        if e.discharged is not None:
            found[e.id_charge] = e.host
            found[e.id_discharge or ""] = e.discharged
    return found


def require_ids(data: ElectrodeSet) -> None:
    """Check that structures can be told apart by their ids.

    Raises:
        DataError: An id is missing, or names two structures.
    """
    known: dict[str, Crystal] = {}
    for e in data:
        if e.discharged is None:
            continue
        for name, crystal in ((e.id_charge, e.host), (e.id_discharge or "", e.discharged)):
            other = known.setdefault(name, crystal)
            if not name or other.numbers.shape != crystal.numbers.shape or (other.numbers != crystal.numbers).any():
                raise DataError(
                    f"{e.battery_id}: id {name or 'missing'} does not tell its structure from others. "
                    "Give id_charge and id_discharge, each for one structure"
                )


def feature_files(data: ElectrodeSet, rows: Indices, a_file: int, folder: Path) -> dict[Path, list[str]]:
    """Files in which features of the structures of some rows stand, or are to stand, and the names in each.

    Files are numbered by hundreds of all the structures of the data. A file of a part of a hundred says so in its name.
    """
    names, wanted = list(structures(data)), set(structures(data[rows]))
    files: dict[Path, list[str]] = {}
    for number, start in enumerate(range(0, len(names), a_file)):
        whole = names[start : start + a_file]
        part = [name for name in whole if name in wanted]
        path = folder / FEATURES / f"{number:03d}.npz"
        if part and part != whole and not path.exists():
            path = path.with_stem(f"{path.stem}-{fingerprint(part)[:10]}")
        if part:
            files[path] = whole if part == whole else part
    return files


def compute_structure_features(
    data: ElectrodeSet, rows: Indices, a_file: int, folder: Path, progress: ProgressCallback
) -> None:
    """Run the potential over the structures of some rows; what stands in files is not repeated."""
    crystals = structures(data)
    files = feature_files(data, rows, a_file, folder)
    done = sum(path.exists() for path in files)
    progress(done, len(files), "features of structures")
    for path in unclaimed(files):
        kept, refused = [], 0
        for name in files[path]:
            try:
                kept.append((name, compute_wide_features([crystals[name]])[0]))
            except InputError:  # an isolated atom, or an element that a potential does not know
                refused += 1
        write_arrays(path, packed(kept), compressed=False)
        done += 1
        progress(done, len(files), f"{path.name}: {len(kept)} structures" + (f", {refused} refused" if refused else ""))


def packed(named: Sequence[tuple[str, CrystalFeatures]]) -> Arrays:
    """Features of named structures as arrays; atoms one after another, in half precision."""
    features = [f for _, f in named]
    return {
        "names": np.array([name for name, _ in named], dtype=np.str_),
        "energy": np.array([f.energy for f in features]),
        "volume": np.array([f.volume for f in features]),
        "size": np.array([len(f) for f in features], dtype=np.int64),
        "pooled": np.array([f.pooled for f in features]),
        "atoms": np.concatenate([f.atoms for f in features] or [np.empty((0, 0), dtype=np.float32)]).astype(np.float16),
    }


def unpacked(arrays: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, CrystalFeatures]]:
    """The named features in the arrays of a file."""
    ends = np.cumsum(arrays["size"])
    atoms = arrays["atoms"].astype(np.float32)
    for i, name in enumerate(arrays["names"].tolist()):
        own = atoms[ends[i] - arrays["size"][i] : ends[i]]
        yield name, CrystalFeatures(float(arrays["energy"][i]), own, arrays["pooled"][i], float(arrays["volume"][i]))


def read_structure_features(
    files: Mapping[Path, Sequence[str]], crystals: Mapping[str, Crystal]
) -> dict[str, CrystalFeatures]:
    """The features in some files, by name; those that the potential refused are not among them.

    Args:
        files: From ``feature_files``.
        crystals: All structures of the data, by name; files do not hold their elements.

    Raises:
        DataError: A file is not there, cannot be read, or holds structures of other data.
    """
    found: dict[str, CrystalFeatures] = {}
    for path, names in files.items():
        wanted, content = set(names), dict(unpacked(read(path)))
        if any(one.atoms.shape[1] != WIDE_SIZE for one in content.values()):
            raise DataError(f"{path}: written by an earlier version. Delete it and compute the features again")
        if content.keys() - crystals.keys():
            raise DataError(f"{path}: it holds features of other structures. Give the folder that belongs to the data")
        for name in wanted & content.keys():
            found[name] = replace(content[name], numbers=crystals[name].numbers)
    return found


def settled_file(folder: Path, row: int) -> Path:
    """Where the settled host of a row stands."""
    return folder / SETTLED / f"{row:05d}.npz"


def compute_settled(data: ElectrodeSet, rows: Indices, folder: Path, progress: ProgressCallback) -> None:
    """Take the ions out of discharged structures and settle what is left; what stands in files is not repeated."""
    asked: dict[Path, tuple[Crystal, WorkingIon]] = {}
    for row, electrode in zip(rows.tolist(), data[rows], strict=True):
        if electrode.discharged is not None:
            asked[settled_file(folder, row)] = electrode.discharged, WORKING_IONS[electrode.working_ion]
    write_each(
        asked,
        lambda one: settled_arrays(*one),
        lambda one, _: f"{one[0].formula} without {one[1].symbol}",
        progress,
        "hosts settled",
    )


def settled_arrays(discharged: Crystal, ion: WorkingIon) -> Arrays:
    """A discharged structure's settled host (``models.mlip.settled_host``) as arrays, and that structure if it moved.

    Raises:
        InputError: It cannot be evaluated, or the structure holds nothing but the ion, or none of it.
    """
    eased, host = settled_ends(remove_ion(discharged, ion), discharged)
    found = stored(compute_features([host])[0])
    if eased is not discharged:  # else its features stand among the structures'
        found |= {f"discharged.{key}": array for key, array in stored(compute_features([eased])[0]).items()}
    return found


def read_settled(
    path: Path, discharged: CrystalFeatures, numbers: NDArray[np.int64]
) -> tuple[CrystalFeatures, CrystalFeatures] | None:
    """A discharged structure and its settled host; None where that was refused.

    Args:
        path: Its file.
        discharged: The structure as it stands in the data.
        numbers: The host's elements, which the file does not hold.

    Raises:
        DataError: The file cannot be read.
    """
    arrays = read(path)
    if "refused" in arrays:
        return None
    eased = under(arrays, "discharged.")
    full = replace(features_of(eased), numbers=discharged.numbers) if eased else discharged
    return full, replace(features_of(arrays), numbers=numbers)


def stored(features: CrystalFeatures) -> Arrays:
    """Features of a crystal as arrays; atoms in half precision."""
    return {
        "energy": np.array(features.energy),
        "pooled": features.pooled,
        "volume": np.array(features.volume),
        "atoms": features.atoms.astype(np.float16),
    }


def features_of(arrays: Mapping[str, NDArray[Any]]) -> CrystalFeatures:
    """Features of a crystal from the arrays of ``stored``."""
    atoms = arrays["atoms"].astype(np.float32)
    return CrystalFeatures(float(arrays["energy"]), atoms, arrays["pooled"], float(arrays["volume"]))


def compute_trials(data: ElectrodeSet, rows: Indices, folder: Path, progress: ProgressCallback) -> None:
    """Try the ion in the host of some rows, two files for each row; what stands in files is not repeated.

    The second has as many ions as the electrode's discharged composition says.
    """
    both = [(row, informed) for row in rows.tolist() for informed in (False, True)]
    asked = {trial_file(folder, row, informed=informed): (data[row], informed) for row, informed in both}
    write_each(
        asked,
        lambda one: trial_arrays(*one),
        lambda one, arrays: f"{one[0].working_ion} tried in {one[0].formula_charge}",
        progress,
        "ions tried in hosts",
    )


def write_each(
    asked: Mapping[Path, T],
    compute_arrays: Callable[[T], Arrays],
    words: Callable[[T, Arrays], str],
    progress: ProgressCallback,
    label: str,
    minutes: float | None = None,
) -> None:
    """Write what is computed of each into its file, in that order, until time is up; refusals, too.

    Several runs may share the files; what stands in them is not repeated.

    Args:
        asked: What is asked for, by file.
        compute_arrays: Computes it, or raises ``InputError``.
        words: Says it in a line.
        progress: Told of every file.
        label: What is counted.
        minutes: After which it ends; None: it does not.
    """
    end = time.monotonic() + 60 * (np.inf if minutes is None else minutes)
    done = sum(path.exists() for path in asked)
    progress(done, len(asked), label)
    for path in unclaimed(asked):
        if time.monotonic() > end:
            break
        try:
            arrays = compute_arrays(asked[path])
        except InputError as error:
            arrays = {"refused": np.array(str(error))}
        write_arrays(path, arrays, compressed=False)
        done += 1
        progress(done, len(asked), f"{path.name}: {words(asked[path], arrays)}")


def trial_file(folder: Path, row: int, *, informed: bool = False) -> Path:
    """Where the trials of a row stand, without or with knowledge of its discharged composition."""
    return folder / (INFORMED if informed else TRIALS) / f"{row:05d}.npz"


def trial_arrays(electrode: Electrode, informed: bool) -> Arrays:
    """An electrode's trial insertions as arrays.

    Args:
        electrode: The electrode.
        informed: Whether as many ions are tried as go in.

    Raises:
        InputError: Its host has no void, or cannot be evaluated; or its end members differ by more than the ion.
    """
    ion, potential = WORKING_IONS[electrode.working_ion], load_sevennet()
    cell, given = at_ease(primitive_cell(electrode.host), potential)
    n_ions = None
    if informed and electrode.discharged is not None:
        matched = balance(electrode.discharged, electrode.host, ion)
        n_ions = ions_of_cell(matched.n_ions / (matched.charged_cells * len(electrode.host)), cell)
    ((single, filled),) = trial_insertions(cell, [Wanted(ion, n_ions)], potential, given=given)
    features = {name: pool_features(t.output, t.crystal) for name, t in (("single", single), ("filled", filled))}
    if cell is not electrode.host:  # else its features stand among the structures'
        features["host"] = compute_features([cell])[0]
    found: Arrays = {"n_ions": np.array(filled.n_ions)}
    for name, f in features.items():
        found |= {f"{name}.{key}": array for key, array in stored(f).items()}
    return found


def read_trials(path: Path, host: CrystalFeatures | None, ion: str) -> TrialFeatures | None:
    """An electrode's trials; None where its host was refused.

    Args:
        path: Its file.
        host: Features of its host as it stands in the data, for the case that this is its primitive cell.
        ion: Symbol of its ion.

    Raises:
        DataError: The file cannot be read.
    """
    arrays = read(path)
    if "refused" in arrays or ("host.energy" not in arrays and host is None):
        return None
    own = {name: features_of(some) for name in ("single", "filled", "host") if (some := under(arrays, f"{name}."))}
    alone = own.get("host", host)
    assert alone is not None
    return from_crystal_features(alone, own["single"], own["filled"], int(arrays["n_ions"]), ion)


def read(path: Path) -> Arrays:
    """A file of features.

    Raises:
        DataError: It is not there, or cannot be read.
    """
    arrays = read_arrays(path)
    if arrays is None:
        raise DataError(f"{path}: no features there. Compute them first: ionvolt recipe run … --only features")
    return arrays
