"""Options that several commands offer."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

# The same words as ``prediction.Assume``, which is too heavy to import for --help.
Assume = Literal["auto", "charged", "discharged"]
SplitKind = Literal["random", "framework"]

AssumeOption = Annotated[
    Assume,
    typer.Option(
        help="auto: a structure with the working ion is discharged, and the ion is removed; "
        "charged: take it as the host, as it is."
    ),
]
ModelOption = Annotated[str | None, typer.Option("--model", "-m", help="A shipped model's name or a model's folder.")]
