"""Learners on the atom features of a universal potential (machine-learned interatomic potential)."""
