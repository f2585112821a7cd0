"""``ionvolt models``: what there is, and the converter of published checkpoints."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

models_app = typer.Typer(help="Models: list them, read their cards, convert published ones.", no_args_is_help=True)


@models_app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Cards as a JSON list.")] = False,
) -> None:
    """List the models that come with IonVolt, with their ions and test errors."""
    from ionvolt.models.registry import AUTO, auto_card, default_model, shipped_models

    cards = shipped_models()
    if as_json:
        json.dump([asdict(card) for card in cards.values()], sys.stdout, indent=1, ensure_ascii=False)
        print()
        return
    for name, card in cards.items():
        print(f"{name}: {card.kind}, {card.n_members} networks, ions {', '.join(card.ions)}")
        print(f"  {card.description}")
    best = auto_card()
    if best:
        print(f"{AUTO}: {best.description}")
    print(f"default: {default_model()}")


@models_app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="A shipped model's name or a model's folder.", metavar="NAME|DIR")],
) -> None:
    """Print a model's card."""
    from ionvolt.models.card import read_card
    from ionvolt.models.registry import model_folder
    from ionvolt.models.storage import CARD_FILE

    print(json.dumps(asdict(read_card(model_folder(name) / CARD_FILE)), indent=1, ensure_ascii=False))


@models_app.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="A .pth.tar checkpoint of the paper's authors.", metavar="FILE")],
    ion: Annotated[str, typer.Option("--ion", "-i", help="The working ion that it was trained for.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the converted model.", metavar="DIR")],
) -> None:
    """Convert a checkpoint of the paper's authors into a model folder, without running anything in it."""
    from ionvolt.ions import working_ion
    from ionvolt.models.cgcnn.ensemble import save_ensemble
    from ionvolt.models.cgcnn.published import import_checkpoint

    save_ensemble(import_checkpoint(file, working_ion(ion)), output)
    print(f"{output}: {file.name} converted; use it with --model {output} --ion {working_ion(ion).symbol}")
