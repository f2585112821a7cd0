"""Which atoms make the voltage: local voltages of a crystal. Knows models, not how they were trained."""

from ionvolt.explain.local_voltages import Explanation, Site, explain, explain_many

__all__ = ["Explanation", "Site", "explain", "explain_many"]
