"""What a data set holds, counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ionvolt.datasets.records import ElectrodeSet


def describe(data: ElectrodeSet) -> dict[str, Any]:
    """Counts, ranges, duplicates and frameworks, as plain JSON types.

    Returns:
        ``n``, ``snapshots``, ``provenance``; ``frameworks``; ``shared_frameworks``, how many of them serve more than
        one ion; ``ions``: for each ion ``n``, voltage ``min``, ``median``, ``mean``,
        ``max``, ``std`` (V), ``negative``, ``multi_step``, ``with_discharged``, ``frameworks``, ``same_formula`` (rows
        beyond the first of a charged formula), ``same_host`` (rows beyond the first of a charged id),
        ``host_shared`` (rows whose host also serves another ion), ``framework_shared`` (likewise), ``atoms_median``
        and ``atoms_max``.
    """
    ions, frameworks, voltages = data.ions, data.frameworks, data.voltages
    hosts = np.array([f"{e.snapshot}:{e.id_charge}" for e in data])
    formulas = np.array([e.formula_charge for e in data])
    sizes = np.array([len(e.host) for e in data])
    steps = np.array([e.num_steps or 0 for e in data])
    ends = np.array([e.discharged is not None for e in data], dtype=bool)
    result: dict[str, Any] = {
        "n": len(data),
        "snapshots": dict(Counter(e.snapshot or "(none)" for e in data)),
        "frameworks": len(set(frameworks)),
        "shared_frameworks": sum(
            n > 1 for n in Counter(f for f, _ in set(zip(frameworks, ions, strict=True))).values()
        ),
        "ions": {},
        "provenance": data.provenance,
    }
    for ion, n in Counter(ions.tolist()).most_common():
        of_ion = ions == ion
        v = voltages[of_ion]
        result["ions"][ion] = {
            "n": n,
            "min": round(float(v.min()), 4),
            "median": round(float(np.median(v)), 4),
            "mean": round(float(v.mean()), 4),
            "max": round(float(v.max()), 4),
            "std": round(float(v.std()), 4),
            "negative": int((v < 0).sum()),
            "multi_step": int((steps[of_ion] > 1).sum()),
            "with_discharged": int(ends[of_ion].sum()),
            "frameworks": len(set(frameworks[of_ion])),
            "same_formula": n - len(set(formulas[of_ion])),
            "same_host": n - len(set(hosts[of_ion])),
            "host_shared": int(np.isin(hosts[of_ion], hosts[~of_ion]).sum()),
            "framework_shared": int(np.isin(frameworks[of_ion], frameworks[~of_ion]).sum()),
            "atoms_median": int(np.median(sizes[of_ion])),
            "atoms_max": int(sizes[of_ion].max()),
        }
    return result
