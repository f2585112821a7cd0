"""What a model has learned: embeddings, environments, importances, and checks of explanations."""
