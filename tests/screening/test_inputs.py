"""Every kind of input gives the same crystals, wherever a shard begins in it."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ionvolt.errors import InputError
from ionvolt.screening.crystals import Reader
from ionvolt.screening.plan import cut
from ionvolt.screening.sources import find_sources
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.writing import structure_text
from screening.conftest import crystal_of, line

pytestmark = pytest.mark.slow

N = 700


def crystal(number: int) -> Crystal:
    return crystal_of(line(number * 7, "Mn"))


def optimade(number: int) -> dict[str, Any]:
    of = crystal(number)
    return {
        "id": of.source,
        "type": "structures",
        "attributes": {
            "lattice_vectors": of.lattice.tolist(),
            "cartesian_site_positions": (of.frac_coords @ of.lattice).tolist(),
            "species_at_sites": of.symbols,
            "species": [
                {"name": symbol, "chemical_symbols": [symbol], "concentration": [1.0]} for symbol in of.composition
            ],
        },
    }


def rows(folder: Path, inputs: list[str], shard_size: int) -> list[tuple[int, str, str, tuple[int, ...]]]:
    """Unit, id, formula and numbers of all that is read, shard by shard."""
    found, _ = find_sources(inputs, folder)
    reader = Reader(folder, [one.source for one in found])
    read = []
    for pieces in cut(found, shard_size):
        for piece in pieces:
            for unit, parts in reader.read(*piece):
                for part in parts:
                    assert isinstance(part, Crystal), str(part)
                    read.append((unit, part.source, part.formula, tuple(part.numbers.tolist())))
    reader.close()
    return read


def parquet(path: Path, n: int = N, group: int = 1_000_000) -> Path:
    table = pa.table({
        "id": [crystal(k).source for k in range(n)],
        "lattice": [crystal(k).lattice.ravel().tolist() for k in range(n)],
        "numbers": [crystal(k).numbers.tolist() for k in range(n)],
        "frac_coords": [crystal(k).frac_coords.ravel().tolist() for k in range(n)],
        "note": ["is left alone"] * n,
    })  # fmt: skip
    pq.write_table(table, path, row_group_size=group)
    return path


@pytest.mark.parametrize("shard_size", [1000, 97, 256, 1])
@pytest.mark.parametrize("kind", ["plain lines", "gzipped lines", "one row group", "row groups of 100"])
def test_tables_give_each_row_once_in_order(tmp_path: Path, kind: str, shard_size: int) -> None:
    n = N if shard_size > 1 else 40
    if "lines" in kind:
        text = "".join(json.dumps(line(k * 7, "Mn")) + "\n" for k in range(n)).encode()
        path = tmp_path / ("many.jsonl.gz" if "gzipped" in kind else "many.jsonl")
        path.write_bytes(gzip.compress(text) if "gzipped" in kind else text)
    else:
        path = parquet(tmp_path / "many.parquet", n, 100 if "100" in kind else 1_000_000)
    read = rows(tmp_path, [str(path)], shard_size)
    assert [unit for unit, *_ in read] == list(range(n))
    assert [name for _, name, *_ in read] == [crystal(k).source for k in range(n)]
    assert read[5][2:] == (crystal(5).formula, tuple(crystal(5).numbers.tolist()))


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_chosen_rows_alone_are_read_and_a_reader_may_go_back(tmp_path: Path, kind: str) -> None:
    if kind == "jsonl":
        path = tmp_path / "many.jsonl"
        path.write_text("".join(json.dumps(line(k * 7, "Mn")) + "\n" for k in range(N)))
    else:
        path = parquet(tmp_path / "many.parquet", group=150)
    found, _ = find_sources([str(path)], tmp_path)
    reader = Reader(tmp_path, [found[0].source])
    for start, stop, chosen in ((600, 700, {650, 699}), (0, 100, {3}), (300, 300 + 290, {300, 589}), (10, 20, None)):
        read = [(unit, parts[0].source) for unit, parts in reader.read(0, start, stop, *found[0].offset(start), chosen)]
        assert read == [(k, crystal(k).source) for k in sorted(chosen or range(start, stop))]
    reader.close()


def test_lines_may_hold_cifs_pymatgen_and_optimade(tmp_path: Path) -> None:
    given = [
        {"id": "a", "cif": structure_text(crystal(1), "cif")},
        {"material_id": "b", "structure": crystal(1).to_pymatgen().as_dict()},
        {**optimade(1), "id": "c"},
        {**line(7, "Mn"), "id": "d"},
    ]
    path = tmp_path / "mixed.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in given) + '{"id": "e"}\nno json\n[1]\n')
    found, _ = find_sources([str(path)], tmp_path)
    reader = Reader(tmp_path, [found[0].source])
    read = [part for _, parts in reader.read(0, 0, 7, 0, 0) for part in parts]
    reader.close()
    assert [part.source for part in read] == ["a", "b", "c", "d", "e", "mixed.jsonl:6", "mixed.jsonl:7"]
    assert [part.formula for part in read[:4]] == ["MnO2"] * 4
    assert all(isinstance(part, InputError) for part in read[4:])


def test_folders_hold_files_archives_and_documents(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "one.cif").write_text(structure_text(crystal(0), "cif"))
    (folder / "POSCAR").write_text(structure_text(crystal(1), "poscar"))
    (folder / "note.txt").write_text("nothing")
    with zipfile.ZipFile(folder / "packed.zip", "w") as archive:
        for k in range(300):
            archive.writestr(f"{k:03d}.cif", structure_text(crystal(k), "cif"))
    (folder / "page.json").write_text(json.dumps({"data": [optimade(k) for k in range(400)]}))
    (folder / "rows.jsonl").write_text(json.dumps(line(0, "Mn")) + "\n")
    found, passed_over = find_sources([str(folder)], tmp_path / "run")
    assert passed_over == {".txt": 1}
    assert sorted((one.source.kind, one.source.units) for one in found) == [("files", 702), ("lines", 1)]
    read = rows(tmp_path / "run", [str(folder)], 50)
    names = [name for _, name, *_ in read]
    assert len(read) == len(set(names)) == 703
    assert {f"{folder}/packed.zip#{k:03d}.cif" for k in range(300)} < set(names)
    assert {f"{folder}/page.json#{crystal(k).source}" for k in range(400)} < set(names)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.parquet", b"nothing", "no Parquet file"),
        ("x.jsonl", b"", "no lines"),
        ("x.jsonl.gz", b"nothing", "cannot be read"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        find_sources([str(tmp_path / name)], tmp_path / "run")


def test_missing_files_standard_input_and_other_columns_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "other.parquet")
    (tmp_path / "empty").mkdir()
    for given, words in (
        (str(tmp_path / "other.parquet"), "no column lattice, numbers, frac_coords"),
        ("-", "standard input"),
        (str(tmp_path / "no.cif"), "no such file"),
        (str(tmp_path / "*.cif"), "no structure file"),
        (str(tmp_path / "empty"), "no structure file"),
    ):
        with pytest.raises(InputError, match=words):
            find_sources([given], tmp_path / "run")


def test_shards_are_of_one_size_and_cover_all(tmp_path: Path) -> None:
    for number, n in enumerate((3, 500, 1, 40)):
        text = "".join(json.dumps(line(k)) + "\n" for k in range(n))
        (tmp_path / f"{number}.jsonl").write_text(text)
    found, _ = find_sources([str(tmp_path)], tmp_path / "run")
    shards = cut(found, 64)
    sizes = [sum(piece.stop - piece.start for piece in pieces) for pieces in shards]
    assert sizes == [64] * 8 + [32]
    covered = sorted((piece.source, unit) for pieces in shards for piece in pieces for unit in range(*piece[1:3]))
    assert covered == [(source, unit) for source, n in enumerate((3, 500, 1, 40)) for unit in range(n)]
