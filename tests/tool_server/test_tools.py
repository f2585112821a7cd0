"""The tool server, asked by the SDK's own client: in this process, and over a pipe as clients start it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip("mcp")

from mcp import Client, StdioServerParameters

import ionvolt
from ionvolt.tool_server import LIMITS, SITES, server

pytestmark = pytest.mark.slow

EXAMPLES = Path(ionvolt.__file__).parent / "examples"
TIS2 = (EXAMPLES / "TiS2.cif").read_text(encoding="utf-8")
PAPER = "cgcnn-mp2020"


def call(tool: str, **arguments: Any) -> Any:
    async def ask() -> Any:
        async with Client(server()) as client:
            return await client.call_tool(tool, arguments)

    return anyio.run(ask)


def answered(tool: str, **arguments: Any) -> dict[str, Any]:
    result = call(tool, **arguments)
    assert not result.is_error, result.content
    return result.structured_content


def refused(tool: str, **arguments: Any) -> str:
    result = call(tool, **arguments)
    assert result.is_error
    return " ".join(part.text for part in result.content)


def test_tools_say_what_they_do() -> None:
    async def ask() -> Any:
        async with Client(server()) as client:
            return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in anyio.run(ask)}
    assert set(tools) == {"predict", "compute", "explain", "models"}
    assert all(tool.description for tool in tools.values())
    assert tools["predict"].input_schema["required"] == ["structure", "ion"]


def test_predict_is_that_of_the_package() -> None:
    found = answered("predict", structure=TIS2, ion="Mg", model=PAPER)
    expected = ionvolt.predict(TIS2, ion="Mg", model=PAPER)
    assert found["voltage"] == pytest.approx(expected.voltage, abs=1e-6)
    assert found["model"] == PAPER


def test_explanations_add_up_and_are_bounded() -> None:
    found = answered("explain", structure=TIS2, ion="Mg", model=PAPER)
    total = sum(site["contribution"] for site in found["sites"]) + found["remainder"]
    assert total == pytest.approx(found["prediction"]["voltage"], abs=1e-4)
    assert len(found["sites"]) <= SITES


def test_models_tell_their_errors() -> None:
    found = answered("models")
    by_name = {model["name"]: model for model in found["models"]}
    assert found["default"] == "auto"
    assert 0 < by_name["foundation-mp2025"]["ions"]["Mg"]["framework 5-fold"]["mae"] < 0.5
    assert all(model["limits"] or model["name"] for model in found["models"])


def test_refusals_reach_the_model_as_sentences() -> None:
    assert "neither a CIF nor a POSCAR" in refused("predict", structure="no structure\nat all", ion="Mg")
    assert "Fe" in refused("predict", structure=TIS2, ion="Fe", model=PAPER)
    assert "no shipped model" in refused("predict", structure=TIS2, ion="Mg", model="../weights/cgcnn-mp2020")


def test_no_file_is_opened_that_a_tool_names(tmp_path: Path) -> None:
    path = tmp_path / "a.cif"
    path.write_text(TIS2)
    assert str(EXAMPLES) not in refused("predict", structure=str(path), ion="Mg", model=PAPER)


def test_large_input_is_refused_before_it_is_parsed() -> None:
    assert "more than 2 MB" in refused("predict", structure="data_x\n" + "#" * LIMITS.max_bytes, ion="Mg", model=PAPER)


def test_over_a_pipe_as_a_client_starts_it() -> None:
    source = str(Path(ionvolt.__file__).parents[1])
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-c", "from ionvolt.cli.main import main; main()", "mcp"],
        env=dict(os.environ) | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1"},
    )

    async def ask() -> Any:
        async with Client(parameters) as client:
            return await client.call_tool("predict", {"structure": TIS2, "ion": "Li"})

    found = anyio.run(ask).structured_content
    # Measured 2.1 V; calculated some 0.3 V below.
    assert 1.2 < found["voltage"] < 2.6
    assert found["voltage_lower"] < found["voltage"] < found["voltage_upper"]
