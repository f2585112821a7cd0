"""Options that several commands offer."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

# The same words as ``reading.Assume``, which is too heavy to import for --help.
Assume = Literal["auto", "charged", "discharged", "emptied"]
SplitKind = Literal["random", "framework"]

AssumeOption = Annotated[
    Assume,
    typer.Option(
        help="auto: a structure with the working ion is discharged; another one is a host, emptied of other mobile "
        "ions as far as its metals can give electrons. charged: the host as it is."
    ),
]
ModelOption = Annotated[str | None, typer.Option("--model", "-m", help="A shipped model's name or a model's folder.")]
