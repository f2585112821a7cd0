"""Training of classical models."""
