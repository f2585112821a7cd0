"""IonVolt: what voltage a crystal gives as an electrode, how sure that is, and which atoms make it so.

>>> import ionvolt
>>> ionvolt.predict("FePO4.cif", ion="Li").voltage  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ionvolt._version import __version__

__all__ = [
    "Crystal",
    "Explanation",
    "InputError",
    "IonVoltError",
    "LabelCheck",
    "Prediction",
    "VoltageResult",
    "__version__",
    "calculator",
    "check_labels",
    "compute",
    "compute_many",
    "design",
    "explain",
    "explain_many",
    "load_model",
    "plot_crystal",
    "plot_profile",
    "plot_voltages",
    "predict",
    "predict_many",
]

if TYPE_CHECKING:
    from ionvolt.computation import VoltageResult, calculator, compute, compute_many
    from ionvolt.designing import design
    from ionvolt.errors import InputError, IonVoltError
    from ionvolt.explain import explain as explain
    from ionvolt.explain.explanation import Explanation, explain_many
    from ionvolt.models.registry import load_model
    from ionvolt.plots import plot_crystal, plot_profile, plot_voltages
    from ionvolt.prediction import LabelCheck, Prediction, check_labels, predict, predict_many
    from ionvolt.structures.crystal import Crystal

_HOME = {
    "Crystal": "ionvolt.structures.crystal",
    "Explanation": "ionvolt.explain.explanation",
    "InputError": "ionvolt.errors",
    "IonVoltError": "ionvolt.errors",
    "LabelCheck": "ionvolt.prediction",
    "Prediction": "ionvolt.prediction",
    "VoltageResult": "ionvolt.computation",
    "calculator": "ionvolt.computation",
    "check_labels": "ionvolt.prediction",
    "compute": "ionvolt.computation",
    "compute_many": "ionvolt.computation",
    "design": "ionvolt.designing.run",
    "explain_many": "ionvolt.explain.explanation",
    "load_model": "ionvolt.models.registry",
    "plot_crystal": "ionvolt.plots",
    "plot_profile": "ionvolt.plots",
    "plot_voltages": "ionvolt.plots",
    "predict": "ionvolt.prediction",
    "predict_many": "ionvolt.prediction",
}
"""Where the names live; each is imported on first use, for torch alone takes over a second."""


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "explain":
        # Also the name of the room, which can be called.
        return import_module("ionvolt.explain")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'ionvolt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
