"""Settings of a recipe by name, as a command line gives them: ``--layers.0.size 128``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, get_type_hints

from ..export.checkpoint import LayerConfig
from ..export.errors import InputError
from ..export.freeze import Quantization
from ..export.reading.text import read_toml
from ..export.suggest import closest, unknown
from ..export.toml_text import is_table
from .recipe import ModelRecipe, TaskConfig, TrainingConfig


def override(
    plain: dict[str, Any],
    assignments: Sequence[tuple[str, str | None]],
    options: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the plain recipe with settings replaced, as ``("training.epochs", "5")``.

    A path may be written in full (``model.layers.0.size``, ``task.options.window``), or short:
    ``epochs`` for a field of ``[training]``, ``layers.0.size`` or ``readout`` for the model's.
    Values are TOML literals; anything else is text. ``options`` are the options that a command has
    beside the settings, to be suggested where one of them is misspelled.

    Raises
    ------
    InputError
        A path that does not exist, with a suggestion; a layer that does not exist; a value that is
        None, not given.
    """
    result = _copy(plain)
    for path, text in assignments:
        parts = _full_path(path, result, options)
        if text is None:
            raise InputError(f"--{path}: needs a value")
        target: Any = result
        for index, part in enumerate(parts[:-1]):
            if isinstance(target, list):
                if not part.isdecimal() or int(part) >= len(target):
                    raise InputError(
                        f"--{path}: there are {len(target)} entries in {'.'.join(parts[:index])}, "
                        f"0 to {len(target) - 1}"
                    )
                target = target[int(part)]
            elif isinstance(target, dict):
                target = target.setdefault(part, _default(parts[: index + 1]))
            else:
                break
        if isinstance(target, list):
            raise InputError(f"--{path}: name a setting of the layer, such as {path}.size")
        if not isinstance(target, dict):
            raise InputError(f"--{path}: no setting; {'.'.join(parts[:-1])} is a value")
        target[parts[-1]] = _literal(text)
    return result


def _default(parts: Sequence[str]) -> dict[str, Any]:
    """Return the settings that a table holds which a recipe leaves out, so that one can change."""
    if len(parts) == 4 and parts[1] == "layers":
        for setting in fields(LayerConfig):
            if setting.name == parts[3] and setting.default_factory is not MISSING:
                made = setting.default_factory()
                return made if isinstance(made, dict) else asdict(made)
    return {}


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(entry) for key, entry in value.items()}
    return [_copy(entry) for entry in value] if isinstance(value, list) else value


def _literal(text: str) -> Any:
    try:
        return read_toml(f"value = {text}", "value")["value"]
    except InputError:
        return text


def _full_path(path: str, plain: Mapping[str, Any], options: Iterable[str]) -> list[str]:
    parts = path.replace("-", "_").split(".")
    training, model = _names(TrainingConfig), _names(ModelRecipe)
    if parts[0] in training and len(parts) == 1:
        return ["training", *parts]
    if parts[0] in model:
        parts = ["model", *parts]
    known = {
        "training": training,
        "model": model,
        "task": _names(TaskConfig),
        "quantization": _names(Quantization),
    }
    if len(parts) > 1 and parts[0] in known and parts[1] in known[parts[0]]:
        is_layer = parts[:2] == ["model", "layers"] and len(parts) > 3
        if not is_layer or parts[3] in _names(LayerConfig):
            return parts
    every = [*(f"--{name}" for name in setting_names(plain)), *options]
    given = f"--{path}"
    everywhere = "" if closest(given, every) else "; --show prints all settings"
    raise InputError(f"{unknown('option', given, every)}{everywhere}")


def setting_names(plain: Mapping[str, Any]) -> Iterator[str]:
    """Yield the settings of a plain recipe, as ``override`` takes them, the short forms.

    Options of its task are not among them; they are the task's.
    """
    for name in _names(TrainingConfig):
        yield name.replace("_", "-")
    model = plain.get("model")
    layers = model.get("layers", ()) if isinstance(model, Mapping) else ()
    yield from _paths(ModelRecipe)
    for index in range(len(layers)):
        yield from _paths(LayerConfig, f"layers.{index}.")
    yield "task.name"
    yield from _paths(Quantization, "quantization.")


def _names(kind: type) -> list[str]:
    return [f.name for f in fields(kind)]


def _paths(kind: type, prefix: str = "") -> Iterator[str]:
    """Yield the settings of a dataclass by dotted path, those of nested ones in their place."""
    hints = get_type_hints(kind)
    for name in _names(kind):
        if is_dataclass(hints[name]):
            yield from _paths(hints[name], f"{prefix}{name}.")
        elif not is_table(hints[name]):
            yield f"{prefix}{name}"
