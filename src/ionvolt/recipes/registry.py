"""Recipes by name."""

from __future__ import annotations

import difflib

from ionvolt.errors import ModelError
from ionvolt.recipes.interface import Recipe


def recipes() -> dict[str, Recipe]:
    """All recipes, by name."""
    from ionvolt.recipes.cgcnn.recipe import CgcnnRecipe
    from ionvolt.recipes.measured.recipe import MeasuredRecipe
    from ionvolt.recipes.mlip.recipe import MlipRecipe
    from ionvolt.recipes.quick.recipe import QuickRecipe

    found: list[Recipe] = [MlipRecipe(), QuickRecipe(), CgcnnRecipe(), MeasuredRecipe()]
    return {recipe.name: recipe for recipe in found}


def find_recipe(name: str) -> Recipe:
    """A recipe by its name, or by that of a shipped model that it makes.

    Raises:
        ModelError: There is none.
    """
    known = recipes()
    by_model = {model: recipe for recipe in known.values() for model in recipe.makes}
    found = known.get(name) or by_model.get(name)
    if found is None:
        near = difflib.get_close_matches(name, [*known, *by_model], n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Choose from {', '.join([*known, *by_model])}"
        raise ModelError(f"{name}: no recipe. {hint}")
    return found
