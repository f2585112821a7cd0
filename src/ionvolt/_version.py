"""The version, where everything can import it from without importing the package's face."""

__version__ = "0.1.0.dev0"
