"""Partly filled sites of the working ion alone are answered alike wherever they are asked about."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ionvolt import tool_server
from ionvolt.computation import Computer, compute_partly_filled, partly_filled
from ionvolt.explain import explain, explain_many
from ionvolt.ions import working_ion
from ionvolt.models.registry import PAPER_MODEL, load_model
from ionvolt.physics.average import RelaxOptions
from ionvolt.prediction import predict
from ionvolt.structures import as_crystal, read_disordered
from ionvolt.structures.disorder import DisorderError
from ionvolt.web import worker
from ionvolt.web.link import Link
from ionvolt.web.settings import WEB_LIMITS
from ionvolt.web.workshop import Workshop
from ordering.cells import NMC811, P2_BRONZE


def test_command_python_tools_and_page_answer_alike() -> None:
    expected = predict(P2_BRONZE, "Na", model=PAPER_MODEL)
    assert expected.host_formula == "MnO2"
    explained = explain(P2_BRONZE, "Na", model=PAPER_MODEL)
    assert explained.prediction.voltage == pytest.approx(expected.voltage, abs=1e-5)
    (listed,) = explain_many([read_disordered(P2_BRONZE)], "Na", model=PAPER_MODEL)
    assert listed.prediction.voltage == pytest.approx(expected.voltage, abs=1e-5)  # type: ignore[union-attr]
    assert tool_server.predict(P2_BRONZE, "Na", model=PAPER_MODEL)["voltage"] == pytest.approx(expected.voltage)
    workshop = Workshop({PAPER_MODEL: load_model(PAPER_MODEL)}, WEB_LIMITS, cast("Link", None))
    task = {
        "structure": {"name": "a.cif", "text": P2_BRONZE},
        "charged": None,
        "assume": "auto",
        "options": {},
        "checks": True,
    }
    facts = worker.read(task, workshop)
    assert facts["formula"] == "Na1.34Mn2O4"
    reply = worker.predict(task | {"structure": facts["crystal"], "ions": ["Na"], "model": PAPER_MODEL}, workshop)
    assert reply["predictions"][0]["voltage"] == pytest.approx(expected.voltage)


def test_the_hosts_own_disorder_is_refused_everywhere() -> None:
    for ask in (explain, predict, tool_server.predict):
        with pytest.raises(Exception, match="disordered"):
            ask(NMC811, "Li", model=PAPER_MODEL)  # type: ignore[operator]
    workshop = Workshop({}, WEB_LIMITS, cast("Link", None))
    with pytest.raises(DisorderError):
        worker.read({"structure": {"name": "a.cif", "text": NMC811}}, workshop)


def test_compute_puts_whole_ions_into_the_emptied_host(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def noted(*given: Any, **more: Any) -> Any:
        asked.append(given)
        return RESULT

    monkeypatch.setattr(partly_filled, "compute_checked", noted)
    monkeypatch.setattr(partly_filled, "replace", lambda one, **changes: SimpleNamespace(**vars(one) | changes))
    with pytest.raises(DisorderError) as found:
        as_crystal(P2_BRONZE)
    computer = cast("Computer", SimpleNamespace(options=RelaxOptions()))
    result = compute_partly_filled(found.value, working_ion("Na"), computer)
    ((host, charged, ion, used),) = asked
    assert (host.formula, charged, ion.symbol, used.options.insert) == ("MnO2", None, "Na", 1)
    assert "fills 1.34 of 4 sites" in result.warnings[-1]


RESULT = SimpleNamespace(warnings=(), source="")
