from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from srnn.tasks import TASKS, DataError, load, options_from_text, task_options


def test_every_task_documents_its_options() -> None:
    assert set(TASKS) == {
        "ecg",
        "digits",
        "smnist",
        "psmnist",
        "spoken-digits",
        "shd",
        "ssc",
        "arrays",
    }
    for name, entry in TASKS.items():
        defaults = task_options(name)
        assert json.loads(json.dumps(defaults)) == defaults
        documented = "".join(base.__doc__ or "" for base in entry.options.__mro__)
        assert [key for key in defaults if key not in documented and "seed" not in key] == []
        assert entry.summary


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("smnits", {}, "unknown task 'smnits'; did you mean 'smnist'?"),
        ("digits", {"windw": 1}, "digits: unknown setting 'windw'; did you mean 'window'?"),
        ("digits", {"window": "8"}, "digits.window: '8' is not a whole number"),
        ("digits", {"window": 1.0}, "is not a whole number"),
        ("digits", {"window": True}, "is not a whole number"),
        ("digits", {"seed": None}, "is not a whole number"),
        ("digits", {"test": "0.2"}, "is not a number"),
        ("arrays", {}, "arrays.train: is missing"),
        ("arrays", {"train": 3}, "is not text"),
    ],
)
def test_unknown_names_and_wrong_types(name: str, options: dict, said: str) -> None:
    with pytest.raises(DataError) as raised:
        load(name, options=options)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_options_as_text() -> None:
    pairs = ["window=4", "binarise=none", "limit=20", "seed=7"]
    assert options_from_text("psmnist", pairs) == {
        "window": 4,
        "binarise": None,
        "limit": 20,
        "seed": 7,
    }
    assert options_from_text("digits", ["test=1e-1"]) == {"test": 0.1}
    assert options_from_text("arrays", ["encoding=graded"]) == {"encoding": "graded"}
    for pair, said in (
        ("window", "has no '='"),
        ("window=a", "'a' is not a whole number"),
        ("widow=4", "did you mean 'window'"),
    ):
        with pytest.raises(DataError, match=said):
            options_from_text("digits", [pair])


def test_offline_message_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRNN_CACHE", str(tmp_path))
    monkeypatch.delenv("SRNN_DATA", raising=False)
    for name, url in (
        ("ecg", "https://raw.githubusercontent.com/byin-cwi/Efficient-spiking-networks/bfd47cff"),
        ("psmnist", "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz"),
    ):
        with pytest.raises(DataError) as raised:
            load(name)
        line = str(raised.value)
        assert "\n" not in line
        assert url in line
        assert "--download" in line


def test_no_torch_and_nothing_heavy_is_imported() -> None:
    heavy = ("torch", "sklearn", "h5py", "scipy", "srnn.export.network")
    code = f"import sys, srnn.tasks; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
