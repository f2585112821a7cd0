"""Ion exchange: the working ion takes the places of the mobile ion that a crystal holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ionvolt.ions import WorkingIon
from ionvolt.physics.orderings import without_farthest
from ionvolt.structures.chemistry import MOBILE_IONS
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.wording import refusal


def exchanged(crystal: Crystal, ion: WorkingIon) -> Crystal:
    """A crystal whose mobile ions are exchanged for the working ion, charge for charge; nothing is relaxed.

    All ions of the most frequent mobile element are exchanged. Where the new ion has more charge, fewer of it go in,
    at places far from each other.

    Raises:
        InputError: The crystal holds no other mobile ion, or too few places for the charge.
    """
    others = {s: n for s, n in crystal.composition.items() if s in MOBILE_IONS and s != ion.symbol}
    if not others:
        raise refusal(
            crystal.source,
            f"it holds no mobile ion that {ion.symbol} could take the place of",
            "Give a compound of Li, Na, K, Rb, Cs, Mg, Ca or Zn, or leave --exchange out",
        )
    symbol = max(others, key=lambda s: others[s])
    wanted = others[symbol] * MOBILE_IONS[symbol] / ion.charge
    if abs(wanted - round(wanted)) > 1e-6 or not 1 <= round(wanted) <= others[symbol]:
        raise refusal(
            crystal.source,
            f"{others[symbol]} {symbol} in a cell make room for {wanted:.3g} {ion.symbol}",
            "Give a supercell in which that is a whole number" if wanted < others[symbol] else "Leave --exchange out",
        )
    number = ATOMIC_NUMBERS[symbol]
    kept = without_farthest(crystal, number, others[symbol] - round(wanted))
    numbers = np.where(kept.numbers == number, ion.number, kept.numbers)
    return replace(kept, numbers=numbers, source=f"{crystal.source} with {ion.symbol} for {symbol}")
