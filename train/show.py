"""``srnn-train --show`` and ``--list``: one recipe with all its settings, and all recipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ..export.checkpoint import LayerConfig
from ..export.freeze import Quantization
from ..export.meanings import in_brief, meanings
from ..export.plain import build
from ..export.toml_text import key, literal, settings
from ..tasks.registry import TASKS, task_options
from .recipe import ModelRecipe, Recipe, TrainingConfig, make_recipe, read_plain, recipe_names


def complete(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain values, with every setting that it leaves to a default.

    None stands for a setting that has no value: the size of a last layer, which is one neuron per
    class, an option of the task that must be given, and what a surrogate chooses itself.
    """
    plain = recipe.plain()
    plain["task"]["options"] = task_options(recipe.task.name) | dict(recipe.task.options)
    plain["model"]["layers"] = [
        asdict(build(LayerConfig, layer)) | {"size": layer.get("size")}
        if index == len(recipe.model.layers) - 1
        else asdict(build(LayerConfig, layer))
        for index, layer in enumerate(recipe.model.layers)
    ]
    return plain


def as_toml(recipe: Recipe) -> str:
    """Write a recipe as a file that ``srnn-train`` takes, every setting with its meaning."""
    return "\n".join(_lines(recipe, complete(recipe))) + "\n"


def _lines(recipe: Recipe, plain: Mapping[str, Any]) -> Iterator[str]:
    root, model = meanings(Recipe), meanings(ModelRecipe)
    yield "# A recipe of srnn-train with every setting; srnn-train FILE.toml trains it."
    yield "# As an option: --epochs 5, --layers.0.size 64, --task.options.NAME VALUE"
    yield f"description = {literal(recipe.description)}"
    yield f"\n# {in_brief(root['task'])}"
    yield "[task]"
    yield f"name = {literal(recipe.task.name)}  # {TASKS[recipe.task.name].summary}"
    yield "\n[task.options]"
    yield from settings(TASKS[recipe.task.name].options, plain["task"]["options"])
    yield f"\n# {in_brief(root['model'])}"
    yield "[model]"
    yield from settings(ModelRecipe, plain["model"])
    yield f"\n# {in_brief(model['layers'])}"
    for index, layer in enumerate(plain["model"]["layers"]):
        yield f"\n[[model.layers]]  # --layers.{index}"
        yield from settings(LayerConfig, layer)
    for name, kind in (("training", TrainingConfig), ("quantization", Quantization)):
        yield f"\n# {in_brief(root[name])}"
        yield f"[{key(name)}]"
        yield from settings(kind, plain[name])


def listed() -> list[dict[str, str]]:
    """Return every recipe that comes with srnn: name, neurons of its layers, data, description."""
    rows = []
    for name in recipe_names():
        recipe = make_recipe(read_plain(name), name)
        rows.append(
            {
                "recipe": name,
                "layers": _shape(recipe.model),
                "task": recipe.task.name,
                "data": TASKS[recipe.task.name].data,
                "description": recipe.description,
            }
        )
    return rows


def _shape(model: ModelRecipe) -> str:
    """Write the layers as ``64r-256r``: neurons, r where recurrent; the readout is left out."""
    hidden = [layer for layer in model.layers if "size" in layer]
    return "-".join(f"{layer['size']}{'r' * bool(layer.get('recurrent'))}" for layer in hidden)
