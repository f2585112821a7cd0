"""Text of unknown origin in a cell of a table."""

from __future__ import annotations

import math
from typing import Any

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def spreadsheet_cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula: text that begins like one gets an apostrophe in front.

    Numbers stay as they are, also where they come as text (``-0.12``).
    """
    if not isinstance(value, str) or not value.startswith(_BEGINS_A_FORMULA):
        return value
    try:
        if math.isfinite(float(value)) and value == value.strip():
            return value
    except ValueError:
        pass
    return "'" + value
