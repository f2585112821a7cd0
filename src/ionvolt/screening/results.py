"""The rows of a run as one stream: each structure and ion once, with the answer of the last stage that it reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ionvolt.errors import DataError, InputError
from ionvolt.screening.places import MERGED, shard_file
from ionvolt.screening.plan import Plan, Shard, open_plan
from ionvolt.screening.records import COLUMNS, Row, read_records, schema, to_table
from ionvolt.store import atomic_file

NOT_CHOSEN = "not among those that enter the stage {} (--keep)"
_GROUP = 20_000


def rows_of(folder: Path) -> Iterator[Row]:
    """All rows of finished shards, in the order of the inputs; memory holds one shard.

    Raises:
        DataError: There is no run in the folder.
    """
    merged = folder / MERGED
    if merged.exists():
        yield from _rows_of_table(merged)
        return
    plan = open_plan(folder)
    for shard in plan.shards:
        yield from _rows_of_shard(plan, shard)


def merge(folder: Path) -> Path:
    """Write all rows of a finished run as one Parquet file.

    Raises:
        DataError: The run is not complete, or the file cannot be written.
    """
    import pyarrow.parquet as pq

    plan = open_plan(folder)
    names = plan.settings.stages
    for number, name in enumerate(names):
        left = sum(not path.exists() for path in plan.files(number))
        if left:
            raise DataError(
                f"{folder}: {left} of {len(plan.cuts)} shards of the stage {name} are not done. "
                "Give the same command as before to go on, then merge"
            )
    target = folder / MERGED
    with atomic_file(target) as part, pq.ParquetWriter(part, schema(), compression="zstd") as writer:
        group: list[Row] = []
        for shard in plan.shards:
            group += _rows_of_shard(plan, shard)
            if len(group) >= _GROUP:
                writer.write_table(to_table(group).replace_schema_metadata(None))
                group = []
        if group:
            writer.write_table(to_table(group).replace_schema_metadata(None))
    return target


def tables_of(folder: Path) -> list[str]:
    """Parquet files of all rows, for DuckDB: the merged one, or those of all finished shards."""
    merged = folder / MERGED
    if merged.exists():
        return [str(merged)]
    plan = open_plan(folder)
    stages = range(len(plan.settings.stages))
    return [str(path) for stage in stages for path in plan.files(stage) if path.exists()]


def query(folder: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Ask DuckDB about the rows of a run; the table is called ``records``.

    Args:
        folder: The run's folder.
        sql: Such as ``SELECT ion, count(*) FROM records WHERE voltage > 2 GROUP BY ion``.

    Returns:
        Names of the columns, and the rows.

    Raises:
        DataError: DuckDB is not installed (extra ``screen``), or nothing is done yet.
        InputError: DuckDB cannot answer.
    """
    try:
        import duckdb
    except ImportError as error:
        raise DataError("questions need DuckDB. Install it with `pip install 'ionvolt[screen]'`") from error
    tables = tables_of(folder)
    if not tables:
        raise DataError(f"{folder}: no shard is finished yet. Ask again later")
    listed = ", ".join("'" + table.replace("'", "''") + "'" for table in tables)
    # A row stands once in each stage that it reached; the later one counts.
    order = "CASE stage WHEN 'rules' THEN 1 WHEN 'network' THEN 2 WHEN 'model' THEN 3 ELSE 4 END DESC"
    latest = f"QUALIFY row_number() OVER (PARTITION BY unit, part, ion ORDER BY {order}) = 1"
    with duckdb.connect(":memory:") as base:
        base.execute("SET memory_limit = '2GB'")
        base.execute(f"CREATE VIEW records AS SELECT * FROM read_parquet([{listed}]) {latest}")
        base.execute("SET autoinstall_known_extensions = false")
        try:
            found = base.execute(sql)
            names = [column[0] for column in found.description or ()]
            return names, found.fetchall()
        except duckdb.Error as error:
            words = str(error).splitlines()[0]
            columns = ", ".join(COLUMNS)
            raise InputError("the question", words, f"The table is records, with columns {columns}") from error


def _rows_of_table(path: Path) -> Iterator[Row]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(4096):
            yield from batch.to_pylist()


def _rows_of_shard(plan: Plan, shard: Shard) -> list[Row]:
    """The rows of a shard, as far as its stages are done."""
    names = plan.settings.stages
    found: dict[tuple[Any, ...], Row] = {}
    done = -1
    for number in range(len(names)):
        path = shard_file(plan.folder, number, shard.number)
        if not path.exists():
            break
        done = number
        for row in read_records(path):
            key = (row["unit"], row["part"], row["ion"])
            known = {name: value for name, value in row.items() if value is not None}
            earlier = found.get(key, {})
            found[key] = {**dict.fromkeys(COLUMNS), **earlier, "reason": None, **known}
    for row in found.values():
        reached = names.index(row["stage"])
        if row["status"] == "kept" and reached < done:
            row |= {"status": "dropped", "reason": NOT_CHOSEN.format(names[reached + 1])}
    return list(found.values())
