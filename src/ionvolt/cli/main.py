"""The ``ionvolt`` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from ionvolt._version import __version__
from ionvolt.cli.baseline import baseline
from ionvolt.cli.cite import cite
from ionvolt.cli.compute import compute
from ionvolt.cli.data import data_app
from ionvolt.cli.design import design
from ionvolt.cli.evaluate import evaluate
from ionvolt.cli.examples import examples
from ionvolt.cli.explain import explain
from ionvolt.cli.explain_model import explain_model
from ionvolt.cli.mcp import mcp
from ionvolt.cli.models import models_app
from ionvolt.cli.order import order
from ionvolt.cli.predict import predict
from ionvolt.cli.recipe import recipe_app
from ionvolt.cli.reproduce import reproduce
from ionvolt.cli.screen import screen_app
from ionvolt.cli.serve import serve
from ionvolt.cli.train import train, transfer
from ionvolt.cli.validate import validate
from ionvolt.errors import IonVoltError, printable
from ionvolt.parallel import LIBRARY_THREADS

app = typer.Typer(
    name="ionvolt",
    help="What voltage a crystal gives as an electrode, how sure that is, and which atoms make it so.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# What the list of commands says of each: one line of a screen of 80 columns.
app.command(short_help="Average voltages of structures.")(predict)
app.command(short_help="Which atoms make the voltage.")(explain)
app.command(short_help="Voltage, profile and volume change of relaxed structures.")(compute)
app.command(short_help="Disordered crystals as ordered ones.")(order)
app.command(short_help="Better electrodes by substitution in a known one.")(design)
app.add_typer(screen_app, name="screen", short_help="Many structures through stages from cheap to dear.")
app.command(short_help="Known electrodes beside what is measured; example files.")(examples)
app.command(short_help="Models beside the measured voltages of cathodes.")(validate)
app.command(short_help="The web page and the web API.")(serve)
app.command(short_help="A tool server for language models.")(mcp)
app.add_typer(models_app, name="models", short_help="List models, read their cards, convert published ones.")
app.add_typer(data_app, name="data", short_help="Data sets: fetch, import, describe.")
app.command(short_help="Train the paper's network for one ion.")(train)
app.command(short_help="Transfer a trained network to another ion.")(transfer)
app.command(short_help="Train a classical model.")(baseline)
app.command(short_help="Errors of models on electrodes kept out of their training.")(evaluate)
app.command("explain-model", short_help="What a model has learned.")(explain_model)
app.add_typer(recipe_app, name="recipe", short_help="Make the shipped models anew, from any data set.")
app.command(short_help="The paper's tables and figures again.")(reproduce)
app.command(short_help="What to cite for which answer.")(cite)


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
    # Several threads are slower than one where others are at work; who knows better says so.
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
