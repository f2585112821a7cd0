"""Chemical elements out of the many ways in which files spell them."""

import re
from collections.abc import Set
from functools import lru_cache

from ionvolt.structures.crystal import ATOMIC_NUMBERS

ISOTOPES = {"D": "deuterium", "T": "tritium"}

# A charge, and what pymatgen writes behind it: Fe2+,spin=5.
_SYMBOL = re.compile(r"([A-Za-z]{1,3})(?:[0-9.]*[+-]?|[+-][0-9.]*)(?:,[a-z]+=[-+0-9.a-z]*)*", re.ASCII)
_LABEL = re.compile(r"([A-Za-z]+)", re.ASCII)
# Capitals that are an element less often than a letter and a remark: HO1 is mostly the hydrogen on an oxygen.
_RARE = frozenset(("AC", "AM", "AR", "AT", "BK", "CF", "CM", "HE", "HO", "NO", "OS", "PA", "PM", "PO", "TC", "TM"))
# Site names and molecules whose first letters are no element.
_WORDS = frozenset(("VA", "VAC", "WAT", "HOH", "DUM", "CAT", "ANI", "MET", "TET", "OCT", "HAL", "VOID"))
# From einsteinium on, elements are no part of crystals, and their symbols in labels stand for something else.
_HEAVIEST = ATOMIC_NUMBERS["Cf"]


@lru_cache(maxsize=4096)
def from_symbol(text: str) -> tuple[int, str]:
    """Element of a type symbol such as ``Fe``, ``Fe3+``, ``Fe2+,spin=5``, ``O2-`` or ``D``.

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
def from_label(text: str, stated: frozenset[int] | None = None) -> tuple[int, str]:
    """Element of a site label such as ``Fe1``, ``CaM1``, ``O2A``, ``Ow`` or ``OW1``, for files without type symbols.

    Args:
        text: The label.
        stated: Atomic numbers of the elements in the formula that the file states, if it does. They settle what could
            be read in two ways, and refuse what would mislead: ``TM1`` is no thulium where there is none.

    Returns:
        Atomic number (0 where there is no such element, or it is not clear which) and a reservation in plain words,
        or "".
    """
    match = _LABEL.match(text.strip())
    if match is None or match[1].upper() in _WORDS:
        return 0, ""
    letters = match[1]
    two = _element(letters[:2]) if len(letters) > 1 else 0
    one = _element(letters[0])
    if letters[:2].isupper() and two and one:
        return _of_capitals(letters, one, two, stated)
    if len(letters) == 1:
        return _of_letter(letters, one, stated)
    if stated is not None and letters[0] in "OH" and two and two not in stated and one in stated:
        return one, f"the site label {letters} is read as the element {letters[0]}"  # Os of a sulfate
    if two and (len(letters) == 2 or letters[2].isupper() or (stated is not None and two in stated)):
        if stated is not None and two not in stated and _is_remark(letters):
            return 0, ""
        return two, ""
    # A capital in second place begins a remark; a small letter may, behind the O or H of water, but in general
    # belongs to the symbol, so that Qq is not taken for some other element.
    if one and not two and (letters[1:].isupper() or (letters[0] in "OH" and len(letters) <= 3)):
        if stated is not None and one not in stated:
            return 0, ""
        isotope = f"{ISOTOPES[letters[0]]} is taken as hydrogen" if letters[0] in ISOTOPES else ""
        return one, isotope or f"the site label {letters} is read as the element {letters[0]}"
    return 0, ""


def _element(letters: str) -> int:
    symbol = letters.capitalize()
    number = 1 if symbol in ISOTOPES else ATOMIC_NUMBERS.get(symbol, 0)
    return number if number <= _HEAVIEST else 0


def _is_remark(letters: str) -> bool:
    # Tm for a transition metal.
    return letters == "Tm"


def _of_letter(letter: str, number: int, stated: Set[int] | None) -> tuple[int, str]:
    """``T1`` is a tetrahedral site, no tritium; ``B1`` and ``D1`` are an element where the formula does not deny it."""
    upper = letter.upper()
    if upper == "T" or (stated is not None and number not in stated and upper in "BDVWY"):
        return 0, ""
    return number, f"{ISOTOPES[upper]} is taken as hydrogen" if upper in ISOTOPES else ""


def _of_capitals(letters: str, one: int, two: int, stated: Set[int] | None) -> tuple[int, str]:
    """``HO1`` is holmium, or the hydrogen on an oxygen: the formula tells, or else how common the element is."""
    pair = letters[:2]
    if letters[0] == "T":  # no tritium
        one = 0
    choices = [z for z in (two, one) if z and (stated is None or z in stated)]
    clear = len(choices) == 1 and stated is not None
    if two in choices and (clear or (pair not in _RARE and len(letters) == 2)):
        return two, f"the site label {letters} is read as the element {pair.capitalize()}"
    if clear:
        return one, f"the site label {letters} is read as the element {letters[0]}"
    return 0, ""
