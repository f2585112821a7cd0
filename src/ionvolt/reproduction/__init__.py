"""The paper's tables and figures, each beside the paper's number."""
