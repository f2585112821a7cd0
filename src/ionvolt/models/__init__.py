"""Predictors of voltages: networks, ensembles, their weights and cards. Knows nothing of where data came from."""
