from __future__ import annotations

import re

import pytest
from paths import ROOT
from srnn.export.errors import InputError
from srnn.export.suggest import LISTED, check_known, closest, unknown
from srnn.tasks import DataError

SETTINGS = ["epochs", "learning-rate", "layers.0.size", "layers.1.size", "layers.0.tau_mem.mean"]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("epoch", "epochs"),
        ("LEARNING_RATE", "learning-rate"),
        ("--learnin-rate", "learning-rate"),
        ("layers.1.sise", "layers.1.size"),
        ("size", "layers.0.size"),
        ("training.learnin_rate", "learning-rate"),
        ("tau_mem.men", "layers.0.tau_mem.mean"),
        ("zzz", None),
        ("", None),
    ],
)
def test_the_nearest_name(word: str, name: str | None) -> None:
    assert closest(word, SETTINGS) == name


def test_the_whole_sentence() -> None:
    assert unknown("task", "ecgg", ["ecg", "digits"], "--task") == (
        "--task: unknown task 'ecgg'; did you mean 'ecg'? (known: ecg, digits)"
    )
    assert unknown("task", "x", ["ecg", "ecg"]) == "unknown task 'x' (known: ecg)"
    assert unknown("task", 3, ["ecg"]) == "unknown task 3 (known: ecg)"
    assert unknown("task", "x", []) == "unknown task 'x'"
    assert "\n" not in unknown("task", "a\nb" * 100, ["ecg"])


def test_a_long_list_is_cut_and_not_needed_beside_a_suggestion() -> None:
    names = [f"setting-{i:03}" for i in range(200)]
    assert unknown("setting", "seting-007", names) == (
        "unknown setting 'seting-007'; did you mean 'setting-007'?"
    )
    line = unknown("setting", "qqq", names)
    assert line.endswith(", ...)")
    assert len(line) < LISTED + 60


def test_refusing() -> None:
    check_known("kind", "a", iter("ab"))
    with pytest.raises(InputError, match=r"^x: unknown kind 'c' \(known: a, b\)$"):
        check_known("kind", "c", iter("ab"), "x")
    with pytest.raises(DataError):
        check_known("kind", "c", "ab", error=DataError)


def test_no_other_sentence_for_an_unknown_name() -> None:
    words = re.compile(
        r"is not one of (\{|\"$)|no such (setting|table|recipe|task|energy model)|"
        r"; choose from|known are"
    )
    files = [
        path
        for package in ("train", "export", "simulate", "deploy", "tasks", "benchmarks")
        for path in (ROOT / package).rglob("*.py")
    ]
    assert len(files) > 100
    said = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in files
        for line in path.read_text("utf-8").splitlines()
        if words.search(line)
    ]
    assert said == []
