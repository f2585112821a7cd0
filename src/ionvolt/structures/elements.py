"""Chemical elements out of the many ways in which files spell them."""

import re
from functools import lru_cache

from ionvolt.structures.crystal import ATOMIC_NUMBERS

ISOTOPES = {"D": "deuterium", "T": "tritium"}

_SYMBOL = re.compile(r"([A-Za-z]{1,3})(?:[0-9.]*[+-]?|[+-][0-9.]*)", re.ASCII)
_LABEL = re.compile(r"([A-Za-z]+)", re.ASCII)


@lru_cache(maxsize=4096)
def from_symbol(text: str) -> tuple[int, str]:
    """Element of a type symbol such as ``Fe``, ``Fe3+``, ``O2-`` or ``D``.

    Args:
        text: The symbol; a charge behind it is ignored, capitals do not matter.

    Returns:
        Atomic number (0 where there is no such element) and a reservation in plain words, or "".
    """
    match = _SYMBOL.fullmatch(text.strip())
    if match is None:
        return 0, ""
    symbol = match[1].capitalize()
    if symbol in ISOTOPES:
        return 1, f"{ISOTOPES[symbol]} is taken as hydrogen"
    return ATOMIC_NUMBERS.get(symbol, 0), ""


@lru_cache(maxsize=4096)
def from_label(text: str) -> tuple[int, str]:
    """Element of a site label such as ``Fe1``, ``O2A`` or ``OW1``, for files without type symbols.

    Args:
        text: The label.

    Returns:
        Atomic number (0 where there is no such element) and a reservation in plain words, or "".
    """
    match = _LABEL.match(text.strip())
    if match is None:
        return 0, ""
    letters = match[1]
    number, note = from_symbol(letters)
    if number and len(letters) == 2 and letters.isupper() and letters[0] in ATOMIC_NUMBERS:
        note = f"the site label {letters} is read as the element {letters.capitalize()}"
    # A capital in second place begins a remark (OW: oxygen of water); a small letter belongs to the
    # symbol, so that Qq or Va (a vacancy) is not taken for some other element.
    if not number and len(letters) > 1 and letters[1:].isupper() and letters.upper() not in {"VA", "VAC"}:
        number, note = from_symbol(letters[0])
        note = note or f"the site label {letters} is read as the element {letters[0]}"
    return number, note
