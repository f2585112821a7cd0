"""The voltage that a cell will show: from calculated voltages to measured ones."""

from ionvolt.models.measured.estimate import MeasuredEstimate, expected_measured, functional_gap, measured_of

__all__ = ["MeasuredEstimate", "expected_measured", "functional_gap", "measured_of"]
