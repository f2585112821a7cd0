"""Error messages on one line, whatever the input holds."""

from collections.abc import Sequence

from ionvolt.errors import InputError, printable


def shown(value: object, width: int = 40) -> str:
    """A value from an input, fit to print: quoted, without control characters, cut at ``width``."""
    text = str(value)
    return ascii(text if len(text) <= width else text[: width - 1] + "~")


def refusal(source: str, rule: str, remedy: str) -> InputError:
    """The ``InputError`` for ``source``, which may be a file name with odd characters in it."""
    return InputError(printable(source), rule, remedy)


def listed(values: Sequence[str], most: int = 4) -> str:
    """``a, b, c`` of the distinct values in their order, cut after ``most``."""
    distinct = list(dict.fromkeys(values))
    return ", ".join(distinct[:most]) + (", ..." if len(distinct) > most else "")
