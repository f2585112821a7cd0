"""Files, folders, patterns, standard input and what lies in them."""

import gzip
import io
import os
import subprocess
import sys
import time
import zipfile

import pytest

from ionvolt.errors import InputError
from ionvolt.structures import Crystal, Limits, read_file, read_many, read_text
from structures.textbook import OLIVINE, P1, POSCAR


@pytest.fixture
def write(tmp_path):
    def write(name, data):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


def rule(path, **options):
    with pytest.raises(InputError) as caught:
        read_file(path, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.source == str(path)
    return caught.value.rule


@pytest.mark.parametrize("name", ["a.cif", "A.CIF", "POSCAR", "CONTCAR", "x.vasp", "noending", "x.txt"])
def test_formats_are_told_by_what_is_inside(write, name):
    assert read_file(write(name, P1)).symbols == ["Cs", "Cl"]
    crystal = read_file(write(name, POSCAR))
    assert crystal.symbols == ["Cs", "Cl"]
    assert crystal.source.endswith(name)


@pytest.mark.parametrize("name", ["a.cif.gz", "POSCAR.gz"])
def test_gzip(write, name):
    text = P1 if "cif" in name else POSCAR
    assert len(read_file(write(name, gzip.compress(text.encode())))) == 2
    halves = gzip.compress(text[:90].encode()) + gzip.compress(text[90:].encode())
    assert len(read_file(write(name, halves))) == 2


def test_compressed_bombs(write):
    bomb = gzip.compress(b"#" * 200_000_000, 9, mtime=0)
    assert len(bomb) < 250_000
    path = write("bomb.cif.gz", bomb)
    begin = time.perf_counter()
    assert "more than 5 MB" in rule(path)
    assert time.perf_counter() - begin < 0.5
    assert "damaged" in rule(write("many.cif.gz", gzip.compress(b"") * 20_000))
    assert "damaged" in rule(write("cut.cif.gz", gzip.compress(P1.encode())[:-9]))
    assert "damaged" in rule(write("junk.cif.gz", b"\x1f\x8b" + bytes(range(200))))
    nested = gzip.compress(gzip.compress(P1.encode()))
    assert rule(write("nested.cif.gz", nested))


def test_unreadable(write, tmp_path):
    assert rule(tmp_path / "none.cif") == "there is no such file"
    assert rule(tmp_path) == "it is a folder, not a file"
    assert rule(write("a.cif", P1) / "below") == "it cannot be read (not a directory)"
    assert "cannot be read" in rule(tmp_path / ("x" * 5000))
    with pytest.raises(InputError, match="path is not valid"):
        read_file("a\0.cif")
    assert rule(write("empty.cif", "")) == "the file is empty"
    assert rule(write("blank.cif", " \n")) == "the file is empty"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_do_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.cif")
    assert rule(tmp_path / "pipe.cif") == "it is not a regular file"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(write):
    path = write("secret.cif", P1)
    path.chmod(0)
    assert "permission denied" in rule(path)


def test_junk(write):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("a.cif", P1)
    assert "damaged" in rule(write("zip.cif", archive.getvalue()[:-30]))
    assert "binary" in rule(write("zeros.cif", bytes(1000)))
    assert "binary" in rule(write("escape.cif", "\x1b[31m" + P1))
    assert rule(write("utf16be.cif", P1.encode("utf-16-be")))
    assert "more than 5 MB" in rule(write("large.cif", P1 + "#" * 5_000_001))
    assert "more than 0.0001 MB" in rule(write("small.cif", P1), limits=Limits(max_bytes=100))


def test_text_and_bytes_are_alike():
    assert read_text(P1, "x").symbols == read_text(P1.encode(), "x").symbols
    assert read_text(P1, "x", fmt="cif").symbols == ["Cs", "Cl"]
    with pytest.raises(InputError, match="is no cell vector"):
        read_text(P1, "x", fmt="poscar")
    with pytest.raises(InputError, match="no structure"):
        read_text(POSCAR, "x", fmt="cif")


def test_many(write, tmp_path):
    write("runs/b.cif", P1)
    write("runs/a/POSCAR", POSCAR)
    write("runs/a/z.cif.gz", gzip.compress(OLIVINE.cif().encode()))
    write("runs/c.cif", "junk")
    write("runs/notes.txt", "nothing")
    write("runs/.hidden.cif", P1)
    write("bare/notes.txt", "nothing")
    bracket = write("a[1].cif", P1)
    given = [
        "runs",
        "runs/*.cif",
        "none.cif",
        "none*.cif",
        "bare",
        "runs/b.cif",
        "runs/**/POSCAR",
        bracket.name,
    ]
    found = list(read_many([str(tmp_path / g) for g in given]))
    seen = [
        (item.source.removeprefix(f"{tmp_path}{os.sep}").replace(os.sep, "/"), isinstance(item, Crystal))
        for item in found
    ]
    assert seen == [
        ("runs/b.cif", True),
        ("runs/c.cif", False),
        ("runs/a/POSCAR", True),
        ("runs/a/z.cif.gz", True),
        ("runs/b.cif", True),
        ("runs/c.cif", False),
        ("none.cif", False),
        ("none*.cif", False),
        ("bare", False),
        ("runs/b.cif", True),
        ("runs/a/POSCAR", True),
        ("a[1].cif", True),
    ]
    assert [item.rule for item in found if isinstance(item, InputError)][2:] == [
        "there is no such file",
        "no file matches the pattern",
        "no structure file in the folder",
    ]


def test_many_is_bounded_and_lazy(write, tmp_path):
    for i in range(5):
        write(f"{i}.cif", P1)
    found = list(read_many([str(tmp_path)], Limits(max_files=3)))
    assert [isinstance(item, Crystal) for item in found] == [True, True, True, False]
    assert found[-1].rule == "more than 3 files"
    assert len(list(read_many([]))) == 0
    assert isinstance(next(read_many(["a\0b*"])), InputError)


def test_standard_input(monkeypatch):
    class Stdin:
        buffer = io.BytesIO(P1.encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    first, second = read_many(["-", "-"])
    assert first.symbols == ["Cs", "Cl"]
    assert first.source == "standard input"
    assert second.rule == "the file is empty"


def test_nothing_heavy_is_imported():
    heavy = ("torch", "pymatgen", "ase", "scipy")
    code = f"import sys, ionvolt.structures; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_materials_project_id_without_a_key_says_where_to_get_one(monkeypatch, tmp_path):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (error,) = read_many(["mp-25210"])
    assert isinstance(error, InputError)
    assert "materialsproject.org/api" in str(error)


def test_a_file_that_is_called_like_an_id_is_a_file(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mp-25210").write_text(P1)
    (crystal,) = read_many(["mp-25210"])
    assert crystal.source == "mp-25210"
