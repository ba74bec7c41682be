from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest
from srnn.export.config import LayerConfig
from srnn.export.meanings import in_brief, meanings
from srnn.export.toml_text import literal, settings
from srnn.simulate.pilot import Pilot
from srnn.tasks import TASKS
from srnn.train.recipe import Recipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass
class Inner:
    """Inner.

    Parameters
    ----------
    low, high
        A bound. Not
        the mean.
    """

    low: int = 0
    high: int = 1


@dataclass
class Outer(Inner):
    """Outer.

    Parameters
    ----------
    inner
        ``inner`` things; as many
        as there are.
    high
        Another one

    Raises
    ------
    ValueError
        Never.
    """

    inner: Inner | None = None
    none: int | None = None


def test_meanings_of_own_and_inherited_fields() -> None:
    found = meanings(Outer)
    assert found == {
        "low": "A bound. Not the mean.",
        "high": "Another one",
        "inner": "``inner`` things; as many as there are.",
    }
    assert in_brief(found["inner"]) == "inner things; as many as there are"
    assert in_brief(found["low"]) == "A bound"


def nested(kind: type) -> Iterator[type]:
    """Yield a dataclass and all that its fields hold."""
    yield kind
    for hint in get_type_hints(kind).values():
        for inner in (hint, *get_args(hint)):
            if is_dataclass(inner) and isinstance(inner, type):
                yield from nested(inner)


def declared() -> list[type]:
    roots = [Recipe, LayerConfig, Pilot, *(task.options for task in TASKS.values())]
    return list(dict.fromkeys(kind for root in roots for kind in nested(root)))


def test_what_is_looked_at() -> None:
    names = {kind.__name__ for kind in declared()}
    assert {"TrainingConfig", "Init", "Delay", "SurrogateConfig", "Quantization"} <= names
    assert {"Cost", "Measurement", "ArraysOptions", "PSMnistOptions"} <= names


@pytest.mark.parametrize("kind", declared())
def test_no_setting_is_without_a_meaning_that_fits_a_line(kind: type) -> None:
    found = meanings(kind)
    assert list(found) == [f.name for f in fields(kind)]
    briefs = {name: in_brief(text) for name, text in found.items()}
    assert [name for name, text in briefs.items() if not 3 < len(text) <= 77] == []
    assert len(set(briefs.values())) == len(briefs), "two settings of one meaning"


VALUES: list[Any] = [
    True, -3, 1e-05, 1e22, 0.1, float("inf"), "", 'a "b" \\ \n\t\x7f\x00 \u2028 \U0001f600', [],
    [1, [2.5, "x"]], {"a b": 1, "c-d_1": {"": [True]}},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_literals_are_read_back(value: Any) -> None:
    assert tomllib.loads(f"x = {literal(value)}")["x"] == value


def test_what_toml_does_not_have() -> None:
    with pytest.raises(TypeError, match="TOML has no NoneType"):
        literal(None)


def test_settings_that_have_no_value_are_comments() -> None:
    text = "\n".join(settings(Inner, {"low": 3}, "x."))
    assert text == "# A bound\nx.low = 3\n# A bound\n# x.high = (not set)"
