"""Training of the paper's network."""
