"""Classical models on composition and structure features."""
