"""The ``ionvolt`` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from ionvolt._version import __version__
from ionvolt.cli.commands import CONTEXT, LazyGroup
from ionvolt.errors import IonVoltError, printable
from ionvolt.parallel import LIBRARY_THREADS, OWN_THREADS, threads

GARBAGE_AFTER = 50_000
"""New objects after which the collector looks at the youngest; Python's own 700 are for small programs."""

app = typer.Typer(
    name="ionvolt",
    cls=LazyGroup,
    help="What voltage a crystal gives as an electrode, how sure that is, and which atoms make it so.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
)


def _version(asked: bool) -> None:
    if asked:
        print(f"ionvolt {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """What voltage a crystal gives as an electrode, how sure that is, and which atoms make it so."""


def main() -> None:
    """Run the command; an expected error is one line on standard error and exit code 2."""
    # Modules live on, and so does most that a command makes: to look for garbage seldom saves a tenth of a short one.
    gc.set_threshold(GARBAGE_AFTER)
    # At the end all of it goes: the collector would walk through it first, for a quarter of a second.
    atexit.register(gc.freeze)
    # Several threads of libraries are slower than one where others are at work, as they wait for each other; own ones
    # do not. Who knows better says so.
    os.environ.setdefault(OWN_THREADS, str(threads()))
    for name in LIBRARY_THREADS:
        os.environ.setdefault(name, os.environ.get("OMP_NUM_THREADS", "1"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # File names may hold bytes that are no text, and not every terminal knows every sign.
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except IonVoltError as error:
        print(f"ionvolt: {printable(str(error))}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        # What could not be written: a full disk, a folder where a file should go, no permission.
        where = printable(str(error.filename or "output"))
        print(f"ionvolt: {where}: {error.strerror or error}. Check path and disk", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("ionvolt: interrupted", file=sys.stderr)
        sys.exit(130)
