"""The recipe of the model that answers in some two milliseconds."""
