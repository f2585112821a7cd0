"""Protocols and metrics with intervals. Knows predictions, not how a model works inside."""
