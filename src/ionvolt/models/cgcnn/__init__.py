"""The paper's network: a crystal graph convolutional network, its ensembles and its published checkpoints."""
