"""Whether the compiled passes can be used."""

from __future__ import annotations

import os


def kernels_available() -> bool:
    """Whether numba is installed and IONVOLT_KERNELS not set to ``none``."""
    if os.environ.get("IONVOLT_KERNELS", "") == "none":
        return False
    try:
        import ionvolt.models.cgcnn._convolution_numba  # noqa: F401
    except ImportError:
        return False
    return True
