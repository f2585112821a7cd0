"""Lists of results that go into tables."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ionvolt.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


class Result(Protocol):
    """Whatever turns into a row."""

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types."""
        ...


R = TypeVar("R", bound=Result)


class ResultList(list["R | InputError"], Generic[R]):
    """Results in the order of the inputs; where an input was refused, its error stands in its place."""

    @property
    def answered(self) -> list[R]:
        """The results without the errors."""
        return [result for result in self if not isinstance(result, InputError)]

    @property
    def refused(self) -> list[InputError]:
        """The errors alone."""
        return [result for result in self if isinstance(result, InputError)]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Every result as plain JSON types; a refused input has ``source`` and ``error``."""
        return [
            {"source": result.source, "error": str(result)} if isinstance(result, InputError) else result.to_dict()
            for result in self
        ]

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame, one row for each result.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd

        return pd.DataFrame(self.to_dicts())

    def _repr_html_(self) -> str:
        return html_table(self.to_dicts())


def html_table(rows: list[dict[str, Any]]) -> str:
    """Rows as an HTML table for notebooks; numbers to three decimals, all text escaped."""
    columns = list(dict.fromkeys(key for row in rows for key in row))

    def cell(value: object) -> str:
        if value is None:
            return ""
        if isinstance(value, float):
            return f"{value:.3f}"
        if isinstance(value, list | tuple):
            return html.escape("; ".join(map(str, value)))
        return html.escape(str(value))

    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell(row.get(c))}</td>" for c in columns) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
