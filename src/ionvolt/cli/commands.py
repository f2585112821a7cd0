"""The table of commands. A command's module is imported, and its options are looked at, when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "predict": ("predict:predict", "Average voltages of structures."),
    "explain": ("explain:explain", "Which atoms make the voltage."),
    "compute": ("compute:compute", "Voltage, profile and volume change of relaxed structures."),
    "order": ("order:order", "Disordered crystals as ordered ones."),
    "design": ("design:design", "Better electrodes by substitution in a known one."),
    "screen": ("screen:screen_app", "Many structures through stages from cheap to dear."),
    "examples": ("examples:examples", "Known electrodes beside what is measured; example files."),
    "validate": ("validate:validate", "Models beside the measured voltages of cathodes."),
    "serve": ("serve:serve", "The web page and the web API."),
    "mcp": ("mcp:mcp", "A tool server for language models."),
    "models": ("models:models_app", "List models, read their cards, convert published ones."),
    "data": ("data:data_app", "Data sets: fetch, import, describe, check labels."),
    "train": ("train:train", "Train the paper's network for one ion."),
    "transfer": ("train:transfer", "Transfer a trained network to another ion."),
    "baseline": ("baseline:baseline", "Train a classical model."),
    "evaluate": ("evaluate:evaluate", "Errors of models on electrodes kept out of their training."),
    "explain-model": ("explain_model:explain_model", "What a model has learned."),
    "recipe": ("recipe:recipe_app", "Make the shipped models anew, from any data set."),
    "reproduce": ("reproduce:reproduce", "The paper's tables and figures again."),
    "cite": ("cite:cite", "What to cite for which answer."),
}
"""Where each command stands in this package, and what the list of commands says of it: a line of 80 columns."""

CONTEXT = {"help_option_names": ["-h", "--help"]}


class Commands(Mapping[str, Any]):
    """Commands by name, made when they are first asked for."""

    def __getitem__(self, name: str) -> Any:
        return _command(name, *COMMANDS[name])

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


@cache
def _command(name: str, place: str, short_help: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"ionvolt.cli.{module}"), attribute)
    app = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings=CONTEXT)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name, short_help=short_help)
        return typer.main.get_group(app).commands[name]
    app.command(name, short_help=short_help)(found)
    return typer.main.get_command(app)


class LazyGroup(TyperGroup):
    """A group of the commands in the table."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands: Any = Commands()

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands, of which none is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in COMMANDS.items()])
