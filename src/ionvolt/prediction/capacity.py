"""Capacities that belong to an answer."""

from __future__ import annotations

from ionvolt.ions import capacity_grav, capacity_of_formula, capacity_vol_of_host, volumetric
from ionvolt.physics.insertion import estimated_ions
from ionvolt.reading import Reading


def theoretical_capacity(reading: Reading) -> tuple[float | None, float | None, bool]:
    """mAh/g, mAh/cm³, and whether they are an estimate; None where they cannot be told."""
    query, ion, n_ions = reading.query, reading.ion, reading.n_ions
    if query.discharged is not None and n_ions is not None:
        left = query.discharged.composition[ion.symbol] - n_ions
        capacity = capacity_grav(query.discharged, ion, left)
        return capacity, volumetric(capacity, query.discharged), False
    estimate = n_ions is None
    n_ions = float(estimated_ions(query.host, ion)) if n_ions is None else n_ions
    if not n_ions:
        return None, None, False
    return capacity_of_formula(query.host, ion, n_ions), capacity_vol_of_host(query.host, ion, n_ions), estimate
