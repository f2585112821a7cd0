"""Files of unknown origin, read within bounds: what is no regular file or too large is refused before it is parsed."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from ionvolt.errors import DataError, InputError

MOST_VALUES = 100_000_000
"""Numbers and texts in a Parquet file, over all columns. A data set of 100,000 electrodes has some 40 million."""
MOST_TEXT = 1_000_000_000
"""Bytes of all texts in a Parquet file, each counted as often as it occurs."""
MOST_UNPACKED = 4_000_000_000
"""Bytes that a Parquet file states to unpack to."""


def read_regular(path: Path, most: int, remedy: str) -> bytes:
    """The content of a regular file.

    Args:
        path: The file.
        most: Bytes that it may have.
        remedy: What to do where it is none.

    Raises:
        InputError: No such file, a folder, a pipe or a device (which would block or never end), or too large.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
            raise InputError(str(path), f"it is {kind}, not a regular file", remedy)
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        raise InputError(str(path), "there is no such file", remedy) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the path is not valid"
        raise InputError(str(path), f"it cannot be read ({reason.lower()})", remedy) from error
    if len(content) > most:
        raise InputError(str(path), f"it has more than {most / 1e6:g} MB", remedy)
    return content


def read_parquet(path: Path) -> Any:
    """A Parquet file as a ``pyarrow.Table``; one that would unpack to more than memory should hold is refused.

    A column that says one thing again and again takes next to nothing on disk, so that the file's size bounds nothing.
    Values are counted in the file's footer; texts are read as dictionaries and measured before they are written out.

    Raises:
        DataError: It is too large.
        pyarrow.ArrowException: It is no Parquet file.
        OSError: It cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    remedy = "Give it in parts"
    with pq.ParquetFile(path) as file:
        about = file.metadata
        chunks = [about.row_group(g).column(c) for g in range(about.num_row_groups) for c in range(about.num_columns)]
        values = max(sum(chunk.num_values for chunk in chunks), about.num_rows)
        unpacked = sum(chunk.total_uncompressed_size for chunk in chunks)
        if values > MOST_VALUES or unpacked > MOST_UNPACKED:
            raise DataError(f"{path}: it unpacks to {values:,} values, more than {MOST_VALUES:,}. {remedy}")
        schema = file.schema_arrow
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    table = pq.read_table(path, read_dictionary=texts)
    total = 0
    for name in texts:
        for chunk in table.column(name).chunks:
            if pa.types.is_dictionary(chunk.type):
                lengths = pc.take(pc.binary_length(chunk.dictionary), chunk.indices)
                total += int(pc.sum(lengths).as_py() or 0)
        if total > MOST_TEXT:
            raise DataError(f"{path}: its texts have more than {MOST_TEXT / 1e9:g} GB. {remedy}")
    return table.cast(pa.schema([schema.field(i) for i in range(len(schema))], metadata=table.schema.metadata))
