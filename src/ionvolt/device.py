"""Where the potentials run: on the processor, or on a GPU where there is one.

The choice is that of a process, and of those that it starts: it stands in the environment, under ``VARIABLE``.
"""

from __future__ import annotations

import os
from pathlib import Path

from ionvolt.errors import InputError

VARIABLE = "IONVOLT_DEVICE"
AUTO, CPU, CUDA = "auto", "cpu", "cuda"

DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
"""One stands where NVIDIA's driver runs (Linux, WSL): without it PyTorch, which takes seconds, need not be asked."""

SHARES = 4
"""Processes on one GPU: each holds a few GB of its memory, and waits for the processor in between."""


def use_device(name: str, said: str = "--device") -> None:
    """Choose for this process and those that it starts.

    Args:
        name: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        said: Where it was named, for errors.

    Raises:
        InputError: There is no such device.
    """
    kind, _, number = name.partition(":")
    if name not in (AUTO, CPU, CUDA) and not (kind == CUDA and number.isdecimal()):
        raise InputError(f"{said} {name}", "no such device", "Give auto, cpu, cuda or cuda:0")
    if kind == CUDA and int(number or 0) >= _gpus():
        raise InputError(
            f"{said} {name}",
            f"PyTorch sees {_gpus() or 'no'} GPU{'s' if _gpus() > 1 else ''} here",
            "Install PyTorch for CUDA and the driver, or give auto or cpu",
        )
    os.environ[VARIABLE] = name


def chosen() -> str:
    """What was chosen for this process: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    return os.environ.get(VARIABLE) or AUTO


def gpu() -> str:
    """The GPU on which this process's potentials run, as PyTorch calls it; empty: they run on the processor.

    Raises:
        InputError: The environment names another device than there are.
    """
    name = chosen()
    if name == CPU:
        return ""
    if name == AUTO:
        return f"{CUDA}:0" if _found() else ""
    use_device(name, VARIABLE)
    return name if ":" in name else f"{CUDA}:0"


def for_process(number: int) -> str:
    """What ``use_device`` takes in one of several processes on this machine, by its number from 0.

    Where nothing else was chosen, processes are dealt out to the GPUs, and those for which no share is left stay on the
    processor.
    """
    name = chosen()
    if name != AUTO or not (gpus := _found()):
        return name
    return f"{CUDA}:{number % gpus}" if number < SHARES * gpus else CPU


def _found() -> int:
    return _gpus() if any(driver.exists() for driver in DRIVERS) else 0


def _gpus() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
