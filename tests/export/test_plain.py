from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from srnn.export.errors import InputError
from srnn.export.plain import build, join
from srnn.tasks import DataError


@dataclass(frozen=True)
class Inner:
    name: str = "a"
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.share > 1:
            raise InputError(f"share {self.share} is above 1")


@dataclass(frozen=True)
class Outer:
    size: int
    inner: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = ()
    rates: tuple[float, ...] | None = None
    table: dict[str, Any] = field(default_factory=dict)
    on: bool = False


def test_plain_values_become_records() -> None:
    made = build(
        Outer,
        {
            "size": 3,
            "inner": {"share": 1},
            "many": [{"name": "b"}, {}],
            "rates": [1, 2.5],
            "table": {"x": [1]},
            "on": True,
        },
    )
    assert made == Outer(3, Inner("a", 1.0), (Inner("b"), Inner()), (1.0, 2.5), {"x": [1]}, True)
    assert isinstance(made.inner.share, float)
    assert build(Outer, {"size": 1, "rates": None}) == Outer(1)
    assert build(Outer, {"size": 1, "inner": made.inner}).inner is made.inner


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "it.size: is missing"),
        ([("size", 1)], "it: [('size', 1)] is not a table of settings"),
        ({"size": 1, "sise": 2}, "it: unknown setting 'sise'; did you mean 'size'?"),
        ({"size": 1, "zzz": 2}, "it: unknown setting 'zzz' (known: "),
        ({"size": 1, 3: 2}, "it: unknown setting 3 (known: "),
        ({"size": 1.0}, "it.size: 1.0 is not a whole number"),
        ({"size": True}, "it.size: True is not a whole number"),
        ({"size": None}, "it.size: None is not a whole number"),
        ({"size": 1, "on": 1}, "it.on: 1 is not true or false"),
        ({"size": 1, "inner": {"name": 3}}, "it.inner.name: 3 is not text"),
        ({"size": 1, "inner": {"share": "x"}}, "it.inner.share: 'x' is not a number"),
        ({"size": 1, "inner": {"share": True}}, "it.inner.share: True is not a number"),
        ({"size": 1, "inner": {"share": 2}}, "it.inner: share 2.0 is above 1"),
        ({"size": 1, "inner": {"share": math.nan}}, "share: nan is not a finite number"),
        ({"size": 1, "inner": {"share": 10**400}}, "share: inf is not a finite number"),
        ({"size": 1, "inner": 3}, "it.inner: 3 is not a table of settings"),
        ({"size": 1, "many": {}}, "it.many: {} is not a list"),
        ({"size": 1, "many": [{}, 3]}, "it.many.1: 3 is not a table"),
        ({"size": 1, "rates": [1, "x"]}, "it.rates.1: 'x' is not a number"),
        ({"size": 1, "table": [1]}, "it.table: [1] is not a table"),
    ],
)
def test_what_is_refused(values: Any, said: str) -> None:
    with pytest.raises(InputError) as raised:
        build(Outer, values, "it")
    assert said in str(raised.value)
    assert not isinstance(raised.value, DataError)
    with pytest.raises(DataError) as data_error:
        build(Outer, values, "it", DataError)
    assert str(data_error.value) == str(raised.value)


def test_a_place_is_not_named_twice() -> None:
    with pytest.raises(InputError) as raised:
        build(Inner, {"share": 3.0}, "share 3")
    assert str(raised.value) == "share 3.0 is above 1"
    with pytest.raises(InputError, match=r"^share 3.0 is above 1$"):
        build(Inner, {"share": 3.0})


def test_paths() -> None:
    assert (join("", "a"), join("a", 1)) == ("a", "a.1")
