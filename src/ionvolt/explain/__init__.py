"""Which atoms make a voltage, by the model that answers. Knows models, not how they were trained.

The room can be called, as the verb that it is: ``ionvolt.explain("TiS2.cif", ion="Li")``.
"""

import sys
from types import ModuleType
from typing import Any

from ionvolt.explain.explanation import Explanation, Site, explain, explain_checked, explain_each, explain_many

__all__ = ["Explanation", "Site", "explain", "explain_checked", "explain_each", "explain_many"]


class _Verb(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Explanation:
        return explain(*args, **kwargs)


sys.modules[__name__].__class__ = _Verb
