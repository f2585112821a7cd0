"""Training: the loop, ensembles, transfer. Knows graphs and targets, no files of structures."""
