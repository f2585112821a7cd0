"""Chemical formulas as files state them, and whether what was read agrees with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

from ionvolt.structures.crystal import ATOMIC_NUMBERS, SYMBOLS

_CHARGE = re.compile(r"(?<![A-Za-z0-9.])[0-9.]*[+-](?![A-Za-z0-9])|\^[0-9.]*[+-]\^", re.ASCII)
_SUBSCRIPT = re.compile(r"~([0-9.]+)~|</?su[bp]>", re.ASCII)
_TOKEN = re.compile(
    r"\s*(?:([A-Z][a-z]?)|([0-9]+\.?[0-9]*|\.[0-9]+)|([(\[{])|([)\]}])|([,;*·]|(?<=\s)\.(?=\s)))", re.ASCII
)
_KINDS = ("element", "number", "open", "close", "part")
_LONGEST = 400
_DEEPEST = 20
# Counts of atoms that were added up from occupancies of three digits.
_OCCUPANCIES = 0.02


@dataclass(frozen=True)
class Formula:
    """A formula as it was stated.

    Attributes:
        text: As it stands in the file, without spaces.
        amounts: By atomic number; deuterium counts as hydrogen.
        rounding: How far each amount may be off by the digits that it was printed with.
    """

    text: str
    amounts: Mapping[int, float]
    rounding: Mapping[int, float]


@lru_cache(maxsize=1024)
def parse_formula(text: str) -> Formula | None:
    """The formula in a text such as ``Li3 Mn0.3 O6``, ``Na3 V2 (P O4)3``, ``Ca S O4, 2(H2 O)`` or ``Ni 2+, 2(O H -)``.

    None where it is no formula.
    """
    plain = _CHARGE.sub(" ", _SUBSCRIPT.sub(lambda m: m[1] or "", text.strip().strip("'\"")))
    if not 0 < len(plain) <= _LONGEST:
        return None
    tokens: list[tuple[str, str]] = []
    at = 0
    plain = plain.rstrip()
    while at < len(plain):
        match = _TOKEN.match(plain, at)
        if match is None:
            return None
        kind = match.lastindex or 1
        tokens.append((_KINDS[kind - 1], match[kind]))
        at = match.end()
    found = _group(tokens, 0, 0)
    if found is None or found[1] != len(tokens):
        return None
    amounts = {z: a for z, (a, _) in found[0].items() if a > 0.0}
    if not amounts:
        return None
    return Formula("".join(plain.split()), amounts, {z: found[0][z][1] for z in amounts})


def formula_of(amounts: Mapping[int, float], order: Mapping[int, float] | None = None) -> str:
    """``Li4PS4`` of amounts by atomic number, by default in their order; whole numbers are reduced."""
    ordered = [z for z in (order or {}) if z in amounts] + [z for z in amounts if z not in (order or {})]
    whole = [round(amounts[z]) for z in ordered]
    if all(abs(amounts[z] - n) < 1e-6 for z, n in zip(ordered, whole, strict=True)):
        divisor = gcd(*whole) or 1
        counts = [f"{n // divisor}" for n in whole]
    else:
        counts = [f"{amounts[z]:.4g}" for z in ordered]
    return "".join(SYMBOLS[z] + ("" if n == "1" else n) for z, n in zip(ordered, counts, strict=True))


def multiple(stated: Formula, amounts: Mapping[int, float], ordered: bool = True) -> float | None:
    """How many formula units the amounts are; None where they are not a multiple of the formula."""
    if stated.amounts.keys() != amounts.keys():
        return None
    low, high = 0.0, float("inf")
    for z, amount in amounts.items():
        slack = 0.0 if ordered else _OCCUPANCIES * amount + _OCCUPANCIES
        one, off = stated.amounts[z], stated.rounding[z] + 1e-6
        low = max(low, (amount - slack) / (one + off))
        high = min(high, (amount + slack) / (one - off) if one > off else float("inf"))
    return (low + high) / 2.0 if low <= high else None


def whole_cell_units(stated: Formula) -> int:
    """The greatest number that divides every amount: 4 for ``Li4 Fe4 P4 O16``, as it is written for a whole cell."""
    whole = [round(amount) for amount in stated.amounts.values()]
    exact = all(abs(amount - n) < 1e-6 for amount, n in zip(stated.amounts.values(), whole, strict=True))
    return gcd(*whole) if exact else 1


def doubt(stated: Formula | None, amounts: Mapping[int, float], ordered: bool = True) -> list[str]:
    """The reason not to trust these amounts where they are no multiple of the stated formula."""
    if stated is None or multiple(stated, amounts, ordered) is not None:
        return []
    read = formula_of(amounts, stated.amounts)
    missing = ": its hydrogens are missing" if stated.amounts.keys() - amounts.keys() == {1} else ""
    return [f"the file states the formula {stated.text}, but {read} was read{missing}"]


_Amounts = dict[int, tuple[float, float]]


def _group(tokens: list[tuple[str, str]], at: int, depth: int) -> tuple[_Amounts, int] | None:
    """Parts of a formula up to a closing bracket or the end."""
    total: _Amounts = {}
    part: _Amounts = {}
    factor, begun = (1.0, 0.0), False
    while True:
        kind, text = tokens[at] if at < len(tokens) else ("close", "")
        if kind in ("close", "part"):
            _add(total, part, factor)
            part, factor, begun = {}, (1.0, 0.0), False
            if kind == "close":
                return total, at
            at += 1
        elif kind == "number":
            if begun:  # two numbers in a row, or one that belongs to nothing
                return None
            factor, begun, at = _number(text), True, at + 1
        else:
            if kind == "element":
                z = 1 if text == "D" else ATOMIC_NUMBERS.get(text, 0)
                if not z:
                    return None
                unit: _Amounts = {z: (1.0, 0.0)}
            else:
                inner = _group(tokens, at + 1, depth + 1) if depth < _DEEPEST else None
                if inner is None or inner[1] >= len(tokens):
                    return None
                unit, at = inner
            at, begun = at + 1, True
            count = (1.0, 0.0)
            if at < len(tokens) and tokens[at][0] == "number":
                count, at = _number(tokens[at][1]), at + 1
            _add(part, unit, count)


def _number(text: str) -> tuple[float, float]:
    digits = len(text.partition(".")[2])
    return float(text), 0.5 * 10.0**-digits if digits else 0.0


def _add(total: _Amounts, more: _Amounts, factor: tuple[float, float]) -> None:
    for z, (amount, off) in more.items():
        known, loose = total.get(z, (0.0, 0.0))
        total[z] = (known + amount * factor[0], loose + off * factor[0] + amount * factor[1])
