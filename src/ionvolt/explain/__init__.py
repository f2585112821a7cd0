"""Which atoms make a voltage, by the model that answers. Knows models, not how they were trained."""

from ionvolt.explain.explanation import Explanation, Site, explain, explain_checked, explain_each, explain_many

__all__ = ["Explanation", "Site", "explain", "explain_checked", "explain_each", "explain_many"]
