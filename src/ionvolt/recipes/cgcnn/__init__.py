"""The paper's network: pre-trained on Li, transferred to every other ion."""
