"""``ionvolt mcp``: a server of the model context protocol on standard input and output."""

from __future__ import annotations


def mcp() -> None:
    """Serve predict, compute, explain and models as tools for language models, over standard input and output.

    The client starts it: name `ionvolt` as the command and `mcp` as its argument. Needs the extra `mcp`.
    """
    from ionvolt.errors import IonVoltError

    try:
        from ionvolt.tool_server import run
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("mcp", "mcp_types", "pydantic", "anyio"):
            raise
        raise IonVoltError("mcp: the tool server is not installed. Install it: pip install 'ionvolt[mcp]'") from None
    run()
