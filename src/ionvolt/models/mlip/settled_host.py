"""Charged hosts that are made by taking the ion out, as the models on a universal potential see them."""

from __future__ import annotations

from dataclasses import replace

from ionvolt.models.interface import Query
from ionvolt.physics.potentials.interface import Potential
from ionvolt.physics.potentials.sevennet import load_sevennet
from ionvolt.physics.settling import STEPS, at_ease, settle, settle_changed
from ionvolt.structures.crystal import Crystal


def settled_query(query: Query, known: dict[int, Crystal]) -> Query:
    """The same, its charged host settled if it was made of another crystal; ``known`` remembers hosts by ``id``.

    That crystal is no end of the electrode that is asked for, so that its own forces count, too: they belong to the
    ion that is gone.

    Raises:
        InputError: The host holds an isolated atom or an element that the potential does not know.
    """
    if query.made_of is None:
        return query
    if id(query.host) not in known:
        known[id(query.host)] = settle(query.host, load_sevennet(), STEPS)
    return replace(query, host=known[id(query.host)])


def settled_ends(
    host: Crystal, discharged: Crystal, steps: int = STEPS, potential: Potential | None = None
) -> tuple[Crystal, Crystal]:
    """A discharged crystal, and what is left of it, relaxed for some steps, atoms and cell.

    The first is the given one unless that is not relaxed (``settling.at_ease``). For the second see
    ``settling.settle_changed``.

    Args:
        host: The discharged crystal without its ions, or without some of them.
        discharged: That crystal.
        steps: Of the relaxation.
        potential: Whose forces count; None: SevenNet's.

    Raises:
        InputError: The host holds an isolated atom or an element that the potential does not know.
        ValueError: The host was not made of that crystal.
    """
    places = {place.tobytes(): i for i, place in enumerate(discharged.frac_coords)}
    kept = [places.get(place.tobytes(), -1) for place in host.frac_coords]
    if -1 in kept or (discharged.numbers[kept] != host.numbers).any():
        raise ValueError(f"{host.source}: not made of {discharged.source}")
    potential = potential or load_sevennet()
    eased, given = at_ease(discharged, potential)
    if eased is not discharged:
        host = replace(host, lattice=eased.lattice, frac_coords=eased.frac_coords[kept])
    return eased, settle_changed(host, given, kept, potential, steps).crystal
