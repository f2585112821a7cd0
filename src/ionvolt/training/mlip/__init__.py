"""Training of learners on a universal potential."""
