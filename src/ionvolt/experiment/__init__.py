"""Measured cathodes, and models beside them."""
