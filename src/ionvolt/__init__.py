"""IonVolt: what voltage a crystal gives as an electrode, how sure that is, and which atoms make it so.

>>> import ionvolt
>>> ionvolt.predict("FePO4.cif", ion="Li").voltage  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ionvolt._version import __version__

__all__ = [
    "Crystal",
    "InputError",
    "IonVoltError",
    "Prediction",
    "VoltageResult",
    "__version__",
    "compute",
    "compute_many",
    "design",
    "load_model",
    "predict",
    "predict_many",
]

if TYPE_CHECKING:
    from ionvolt.computation import VoltageResult, compute, compute_many
    from ionvolt.designing import design
    from ionvolt.errors import InputError, IonVoltError
    from ionvolt.models.registry import load_model
    from ionvolt.prediction import Prediction, predict, predict_many
    from ionvolt.structures.crystal import Crystal

_HOME = {
    "Crystal": "ionvolt.structures.crystal",
    "InputError": "ionvolt.errors",
    "IonVoltError": "ionvolt.errors",
    "Prediction": "ionvolt.prediction",
    "VoltageResult": "ionvolt.computation",
    "compute": "ionvolt.computation",
    "compute_many": "ionvolt.computation",
    "design": "ionvolt.designing.run",
    "load_model": "ionvolt.models.registry",
    "predict": "ionvolt.prediction",
    "predict_many": "ionvolt.prediction",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: torch alone takes over a second to import.
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'ionvolt' has no attribute {name!r}")
