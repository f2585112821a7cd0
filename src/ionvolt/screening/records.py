"""Rows of a screen: one for each structure and ion, in every stage of the same form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ionvolt.errors import InputError
from ionvolt.store import atomic_file
from ionvolt.structures.crystal import ATOMIC_NUMBERS

if TYPE_CHECKING:
    import pyarrow as pa

Status = Literal["kept", "dropped", "refused", "failed"]
"""``kept``: passed the stage. ``dropped``: by a cut or a budget. ``refused``: the input cannot be used. ``failed``: the
program could not, which another try may."""

Row = dict[str, Any]
"""A row by column; a column that is not there is null."""

TEXTS = ("id", "formula", "host_formula", "ion", "stage", "status", "reason", "end_members", "model")
NUMBERS = (
    "voltage", "voltage_lower", "voltage_upper", "voltage_std", "voltage_potential", "voltage_measured",
    "voltage_measured_lower", "voltage_measured_upper", "capacity_grav", "capacity_vol", "energy_grav", "energy_vol",
    "volume_change", "full_extraction", "seconds",
)  # fmt: skip
FLAGS = ("capacity_is_estimate", "in_domain")
KEY = ("unit", "part", "ion")
"""What tells rows apart: the unit of the input, the structure in it, the ion."""

COLUMNS = ("unit", "part", *TEXTS, "n_atoms", *NUMBERS, *FLAGS, "warnings")


def schema() -> pa.Schema:
    """The columns of every table of records."""
    import pyarrow as pa

    return pa.schema(
        [
            ("unit", pa.int64()),
            ("part", pa.int32()),
            *((name, pa.string()) for name in TEXTS),
            ("n_atoms", pa.int32()),
            *((name, pa.float64()) for name in NUMBERS),
            *((name, pa.bool_()) for name in FLAGS),
            ("warnings", pa.list_(pa.string())),
        ]
    )


def to_table(rows: Iterable[Mapping[str, Any]], about: Mapping[str, str] | None = None) -> pa.Table:
    """Rows as a table; ``about`` goes into its metadata."""
    import pyarrow as pa

    facts = {key.encode(): value.encode() for key, value in (about or {}).items()}
    listed = list(rows)
    columns = {name: [row.get(name) for row in listed] for name in COLUMNS}
    return pa.table(columns, schema=schema().with_metadata(facts))


def write_records(path: Path, rows: Iterable[Mapping[str, Any]], about: Mapping[str, str]) -> None:
    """Write a whole table of rows at once; for errors see ``store.atomic_file``."""
    import pyarrow.parquet as pq

    with atomic_file(path) as part:
        pq.write_table(to_table(rows, about), part, compression="zstd")


def read_records(path: Path, columns: Sequence[str] | None = None) -> list[Row]:
    """Rows of a finished shard."""
    import pyarrow.parquet as pq

    found: list[Row] = pq.read_table(path, columns=list(columns) if columns else None).to_pylist()
    return found


def refused(error: InputError) -> Row:
    """The columns of a row that an error stands in."""
    return {"status": "refused", "reason": f"{error.rule}. {error.remedy}"}


def kind_of(reason: str) -> str:
    """A reason without what differs from crystal to crystal, so that like reasons can be counted."""
    text = re.sub(r"'[^']*'", "…", reason.split(". ")[0])
    words: list[str] = []
    for word in text.split(" "):
        # Behind a number V is the unit, elsewhere vanadium.
        words.append(word if word == "V" and words and words[-1] == "…" else _plain(word))
    return " ".join(words)


_NUMBER = re.compile(r"[-+±]?\d[\d.,]*(?:e[-+]?\d+)?")
_SYMBOLS = re.compile(r"([A-Z][a-z]?|[\d.()\[\]]+)+[:,;]?")


def _plain(word: str) -> str:
    bare = word.strip("():,;")
    letters = re.findall(r"[A-Z][a-z]?", bare)
    formula = bool(_SYMBOLS.fullmatch(word)) and bool(letters) and all(s in ATOMIC_NUMBERS for s in letters)
    if (
        formula
        and not (bare.isalpha() and bare.isupper() and len(bare) > 2)
        and bare not in ("I", "In", "No", "As", "At", "He")
    ):
        return word.replace(bare, "…")
    return _NUMBER.sub("…", word)


def to_line(content: Any) -> bytes:
    """A line of a journal."""
    return json.dumps(content, ensure_ascii=True, allow_nan=True).encode() + b"\n"
