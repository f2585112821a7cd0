"""Files that are complete or not there at all, names made of content, and claims on work that several runs share."""

from ionvolt.store.arrays import read_arrays, write_arrays
from ionvolt.store.cells import spreadsheet_cell
from ionvolt.store.claims import claim, unclaimed
from ionvolt.store.files import (
    atomic_file,
    atomic_folder,
    cache_folder,
    is_trace,
    write_bytes,
    write_json,
    write_rows,
    write_text,
)
from ionvolt.store.fingerprints import content_key, file_sha256, fingerprint, sha256
from ionvolt.store.growing import Column, GrowingTable, growing_table
from ionvolt.store.reading import read_parquet, read_regular

__all__ = [
    "Column",
    "GrowingTable",
    "atomic_file",
    "atomic_folder",
    "cache_folder",
    "claim",
    "content_key",
    "file_sha256",
    "fingerprint",
    "growing_table",
    "is_trace",
    "read_arrays",
    "read_parquet",
    "read_regular",
    "sha256",
    "spreadsheet_cell",
    "unclaimed",
    "write_arrays",
    "write_bytes",
    "write_json",
    "write_rows",
    "write_text",
]
