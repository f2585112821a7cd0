"""Screening: many crystals and ions through stages from cheap to dear, in shards that survive whatever ends a run."""
