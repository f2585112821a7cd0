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


def _use_device(name: str | None) -> None:
    """Choose where potentials run; without the option the environment does."""
    if name is not None:
        from ionvolt.device import use_device

        use_device(name)


DeviceOption = Annotated[
    None,
    typer.Option(
        "--device",
        callback=_use_device,
        parser=str,
        metavar="auto|cpu|cuda[:N]",
        help="Where potentials run [default: IONVOLT_DEVICE, else auto: a GPU where there is one].",
    ),
]
ModelOption = Annotated[str | None, typer.Option("--model", "-m", help="A shipped model's name or a model's folder.")]
