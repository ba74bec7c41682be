"""Mistakes of usage in the four commands: one line, exit code 2, and nothing heavy imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT
from srnn.simulate.pilot_example import example_text

HEAVY = ("torch", "numba", "matplotlib", "lava")
NET, MODEL = str(ROOT / "zoo" / "digits.net"), str(ROOT / "zoo" / "digits.pt")
RECIPE = str(ROOT / "train" / "recipes" / "digits.toml")

MISTAKES: dict[str, list[tuple[list[str], str]]] = {
    "train": [
        (["digits", "--epoch", "3"], "unknown option '--epoch'; did you mean '--epochs'?"),
        (["digits", "--size", "3"], "did you mean '--layers.0.size'?"),
        (["digits", "--layers.0.sise", "3"], "did you mean '--layers.0.size'?"),
        (["digits", "--windw", "3"], "did you mean '--task.options.window'?"),
        (["--resum", "runs/x"], "unknown option '--resum'; did you mean '--resume'?"),
        (["digits", "--shwo"], "unknown option '--shwo'; did you mean '--show'?"),
        (["digts"], "unknown recipe 'digts'; did you mean 'digits'?"),
        (["digits", "--task.name", "digts"], "unknown task 'digts'; did you mean 'digits'?"),
        (["digits", "--task.options.windw", "3"], "did you mean 'window'?"),
        (["digits", "--layers.0.neuron", "alff"], "unknown neuron 'alff'; did you mean 'alif'?"),
        (["digits", "--baseline", "ltsm"], "unknown baseline 'ltsm'; did you mean 'lstm'?"),
        (["digits", "--readout", "mean"], "unknown readout 'mean'; did you mean"),
        (["digits", "--surrogate.name", "gausian"], "did you mean 'gaussian'?"),
        (["digits", "--zzz", "1"], "unknown option '--zzz' (known: --epochs, "),
        (["digits", "--epochs"], "--epochs: needs a value"),
        ([NET], "digits.net: is a network of integers, not a recipe; srnn-simulate "),
        ([MODEL], "digits.pt: is a trained model, not a recipe; srnn-export "),
        (["digits", "--start", NET], "digits.net: is a network of integers, not a trained model"),
        (["zoo"], "zoo: is a folder, not a recipe"),
    ],
    "export": [
        (["--scal", "layer"], "unknown option '--scal'; did you mean '--scale'?"),
        ([MODEL, "--scale", "lyer"], "--scale: unknown value 'lyer'; did you mean 'layer'?"),
        ([NET], "is a network of integers, not a trained model; srnn-simulate "),
        ([RECIPE], "digits.toml: is a recipe, not a trained model; srnn-train "),
        (["--inspect", MODEL], "is a trained model, not a network of integers; srnn-export "),
        ([MODEL, "-o", RECIPE], "--output: "),
        ([MODEL, "--calibrate", NET], "is a network of integers, not a file of arrays"),
        (["zoo"], "zoo: is a folder, not a trained model"),
        (["none.pt"], "none.pt: no such file"),
    ],
    "simulate": [
        ([NET, "--tsk", "ecg"], "unknown option '--tsk'; did you mean '--task'?"),
        ([NET, "--task", "digts"], "unknown task 'digts'; did you mean 'digits'?"),
        ([NET, "--split", "tst"], "--split: unknown value 'tst'; did you mean 'test'?"),
        ([MODEL], "is a trained model, not a network of integers; srnn-export "),
        (["data.csv", NET], "data.csv: is a table of samples, not a network of integers; "),
        (["data.npz"], "data.npz: is a file of arrays, not a network of integers; "),
        ([NET, "--pilot", RECIPE], "is a recipe, not a pilot; srnn-train "),
        ([NET, "--energy-models", "pilot.toml"], "pilot.toml: is a pilot, not a file of energy"),
        ([NET, "--baseline", NET], "is a network of integers, not a trained model"),
    ],
    "deploy": [
        ([NET, "--targt", "lava"], "unknown option '--targt'; did you mean '--target'?"),
        ([NET, "--target", "lva"], "--target: unknown target 'lva'; did you mean 'lava'?"),
        ([NET, "--dry-run", "--target", "loihi3"], "--target: unknown board 'loihi3'; did you"),
        ([NET, "--task", "digts"], "unknown task 'digts'; did you mean 'digits'?"),
        ([MODEL], "is a trained model, not a network of integers; srnn-export "),
        ([NET, "--dry-run", "--board", RECIPE], "is a recipe, not a file of boards; srnn-train "),
    ],
}

SCRIPT = """
import contextlib, importlib, io, json, sys
name, mistakes = sys.argv[1], json.loads(sys.argv[2])
main = importlib.import_module(f"srnn.{name}.cli").main
found = []
for words in mistakes:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as exit:
            code = exit.code
    heavy = [module for module in %r if module in sys.modules]
    found.append([code, out.getvalue(), err.getvalue(), heavy])
print(json.dumps(found))
"""


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named_in_one_line_before_anything_heavy(name: str, tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    (tmp_path / "data.csv").write_text("1,2\n", "utf-8")
    (tmp_path / "pilot.toml").write_text(example_text(), "utf-8")
    np.savez(tmp_path / "data.npz", inputs=np.zeros((1, 2, 3)))
    words = json.dumps([mistake for mistake, _ in MISTAKES[name]])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT % (HEAVY,), name, words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    for (mistake, said), (code, out, err, heavy) in zip(
        MISTAKES[name], json.loads(done.stdout), strict=True
    ):
        assert (code, out, err.count("\n"), heavy) == (2, "", 1, []), (mistake, err)
        assert err.startswith(f"srnn-{name}: ")
        assert said in err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "data.csv", "data.npz", "pilot.toml", "zoo",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ("simulate", "NET", "--trace", "NET"),
        ("simulate", "NET", "--trace", "CSV"),
        ("deploy", "NET", "--emit-program", "NET"),
        ("deploy", "NET", "--emit-program", "CSV"),
    ],
)
def test_outputs_replace_no_file_of_another_kind(words: tuple[str, ...], tmp_path: Path) -> None:
    net, table = tmp_path / "a.net", tmp_path / "a.csv"
    net.write_bytes((ROOT / "zoo" / "ecg.net").read_bytes())
    table.write_text("sample,label,x\n0,a,1\n", encoding="utf-8")
    before = net.read_bytes(), table.read_bytes()
    command, *rest = words
    given = [{"NET": str(net), "CSV": str(table)}.get(word, word) for word in rest]
    done = subprocess.run(
        [sys.executable, "-m", f"srnn.{command}", *given],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"srnn-{command}: {rest[1]}: {given[2]} is a ")
    assert done.stderr.endswith("; name another file\n")
    assert (net.read_bytes(), table.read_bytes()) == before
