"""Intervals that cover, and the domain in which a model may be trusted."""
