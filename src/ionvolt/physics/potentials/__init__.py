"""Universal potentials behind one interface."""
