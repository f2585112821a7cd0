"""scikit-learn, which training asks for and answering does not."""

from __future__ import annotations

from ionvolt.errors import ModelError


def require_scikit_learn() -> None:
    """Check that it is there.

    Raises:
        ModelError: It is not.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise ModelError(
            "scikit-learn, with which this is trained, is not here. Install it: pip install 'ionvolt[baselines]'"
        ) from error
