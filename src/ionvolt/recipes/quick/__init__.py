"""The recipe of the model that answers in about a millisecond."""
