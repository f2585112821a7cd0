"""``ionvolt models``: what there is, and the converter of published checkpoints."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionvolt.cli.inputs import require_inputs
from ionvolt.cli.outputs import ReplaceOption, require_free
from ionvolt.cli.terminal import folded, json_text, printable

if TYPE_CHECKING:
    from ionvolt.models.card import ModelCard

models_app = typer.Typer(help="Models: list them, read their cards, convert published ones.", no_args_is_help=True)


@models_app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Cards as a JSON list.")] = False,
) -> None:
    """List the models that come with IonVolt, with their ions and test errors."""
    from ionvolt.models.registry import (
        AUTO,
        DELTA_MODEL,
        FOUNDATION_MODEL,
        auto_card,
        default_model,
        shipped_models,
    )  # fmt: skip

    cards = shipped_models()
    if as_json:
        print(json_text([asdict(card) for card in cards.values()]))
        return
    for name, card in cards.items():
        about = card.description or f"{card.kind}, ions {', '.join(card.ions)}"
        print(folded(f"{name}: {about}"))
        test, errors = _errors(card)
        print(folded(f"  error in V on held-out rows ({test}): {errors}"))
    best = auto_card()
    if best:
        print(folded(f"{AUTO}: {best.description}"))
        print(folded(f"  error as that of {FOUNDATION_MODEL} from the host alone, of {DELTA_MODEL} from both ends"))
    print(folded(f"default: {default_model()}; docs/accuracy.md has all errors with intervals"))


def _errors(card: ModelCard) -> tuple[str, str]:
    """The first test that the card tells of, and its mean absolute error for each ion."""
    by_ion = {ion: card.errors(ion) for ion in card.ions}
    test = next((test for errors in by_ion.values() for test in errors), None)
    if test is None:
        return "none stated", ", ".join(f"{printable(ion)} –" for ion in by_ion)
    found = {ion: errors.get(test, {}).get("mae") for ion, errors in by_ion.items()}
    words = "test part" if test == "test" else test
    return words, ", ".join(f"{printable(ion)} {'–' if e is None else f'{e:.2f}'}" for ion, e in found.items())


@models_app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="A shipped model's name or a model's folder.", metavar="NAME|DIR")],
) -> None:
    """Print a model's card."""
    from ionvolt.models.card import read_card
    from ionvolt.models.registry import AUTO, auto_card, model_folder
    from ionvolt.models.storage import CARD_FILE

    card = auto_card() if name == AUTO else None
    print(json_text(asdict(card or read_card(model_folder(name) / CARD_FILE))))


@models_app.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="A .pth.tar checkpoint of the paper's authors.", metavar="FILE")],
    ion: Annotated[str, typer.Option("--ion", "-i", help="The working ion that it was trained for.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the converted model.", metavar="DIR")],
    replace: ReplaceOption = False,
) -> None:
    """Convert a checkpoint of the paper's authors into a model folder, without running anything in it."""
    require_inputs([str(file)])
    require_free(output, replace)
    from ionvolt.ions import working_ion

    chosen = working_ion(ion)
    from ionvolt.models.cgcnn.ensemble import save_ensemble
    from ionvolt.models.cgcnn.published import import_checkpoint

    save_ensemble(import_checkpoint(file, chosen), output)
    print(folded(f"{output}: {file.name} converted; use it with --model {output} --ion {chosen.symbol}"))
