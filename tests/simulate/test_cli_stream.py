"""``srnn-simulate --stream`` as seen from a shell."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulate_networks import random_inputs, random_network
from srnn.export.network import Network, Readout
from srnn.export.netx import write_net
from srnn.export.readout import predictions
from srnn.simulate import simulator
from srnn.simulate.cli import main
from srnn.simulate.cli_stream import NO_LABEL
from srnn.tasks.encoders import Graded, MelLevels, Slope

CLASSES = ("P", "QRS", "T")
# Whoever starts the tests in the background may have SIGINT ignored.
CODE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from srnn.simulate.cli import main
sys.exit(main())
"""
COMMAND = [sys.executable, "-c", CODE]


def slope_network(readout: Readout | None = None) -> Network:
    network = random_network(9, ["SRNN_ALIF", "SRNN_LI"], [25, 3], 4)
    readout = readout or Readout(classes=CLASSES)
    return replace(network, readout=readout, task={"encoder": Slope((0.2,)).plain()})


def signal_of(steps: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(3).normal(0, 0.2, (steps, 2)), axis=0).round(4)


def csv(rows: np.ndarray) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows.tolist())


def answers(network: Network, signal: np.ndarray) -> list[str]:
    codes = Slope((0.2,)).encode(signal[None])
    output = simulator.run(network, codes).output
    if network.readout.per_step:
        return [CLASSES[c] for c in predictions(network, output)[0]]
    labels = [int(predictions(network, output[:, : t + 1])[0]) for t in range(len(signal))]
    skipped = network.readout.skip_steps
    return [NO_LABEL if t < skipped else CLASSES[c] for t, c in enumerate(labels)]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    write_net(tmp_path / "model.net", slope_network())
    return tmp_path / "model.net"


class Shell:
    """Runs the command on a text and gives what it printed."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.patch, self.capsys = patch, capsys

    def __call__(self, text: str | bytes, *arguments: object, code: int = 0) -> tuple[str, str]:
        content = text.encode() if isinstance(text, str) else text
        self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert main([*map(str, arguments), "--stream"]) == code
        return self.capsys.readouterr()

    def refusal(self, text: str | bytes, *arguments: object) -> str:
        _, err = self(text, *arguments, code=2)
        assert err.startswith("srnn-simulate: ")
        assert err.count("\n") == 1
        return err


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.mark.parametrize(
    "readout",
    [Readout(kind, skip, CLASSES) for kind, skip in
     (("membrane", 0), ("mean_softmax", 5), ("last_membrane", 0))],
    ids=lambda readout: readout.kind,
)  # fmt: skip
def test_a_raw_signal_gives_the_labels_of_the_batch(
    readout: Readout, tmp_path: Path, shell: Shell
) -> None:
    network, signal = slope_network(readout), signal_of(60)
    write_net(tmp_path / "m.net", network)
    out, err = shell(csv(signal), tmp_path / "m.net")
    assert out.splitlines() == [f"{t}\t{a}" for t, a in enumerate(answers(network, signal))]
    assert err == ""


def test_all_forms_of_text_are_the_same_samples(net: Path, shell: Shell) -> None:
    signal = signal_of(30)
    expected, _ = shell(csv(signal), net)
    rows = signal.tolist()
    forms = [
        "\ufefflead 1,lead 2\r\n\n# made up\n" + csv(signal).replace("\n", "\r\n"),
        csv(signal).replace(",", " ; "),
        csv(signal).replace(",", "\t"),
        csv(signal).replace(",", " "),
        csv(signal).rstrip("\n"),
        "\n".join(map(json.dumps, rows)),
        "\n".join(json.dumps({"a": a, "b": b}) for a, b in rows),
        "\n".join(json.dumps({"b": b, "a": a} if i else {"a": a, "b": b})
                  for i, (a, b) in enumerate(rows)),
    ]  # fmt: skip
    for form in forms:
        assert shell(form, net)[0] == expected
    timed = "time,II,V5\n" + "".join(f"{t},{a},{b}\n" for t, (a, b) in enumerate(rows))
    for columns in ("2,3", "II,V5", "II, 3"):
        assert shell(timed, net, "--columns", columns)[0] == expected


def test_changes_and_json(net: Path, shell: Shell) -> None:
    labels = answers(slope_network(), signal_of(60))
    out, _ = shell(csv(signal_of(60)), net, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["label"] for line in lines] == labels
    assert [line["step"] for line in lines] == list(range(60))
    assert {type(line["score"]) for line in lines} == {float}
    assert all(CLASSES[line["class"]] == line["label"] for line in lines)
    out, _ = shell(csv(signal_of(60)), net, "--changes")
    changes = [t for t in range(60) if t == 0 or labels[t] != labels[t - 1]]
    assert 1 < len(changes) < 60
    assert out.splitlines() == [f"{t}\t{labels[t]}" for t in changes]


def test_integers_of_a_network_without_encoder(tmp_path: Path, net: Path, shell: Shell) -> None:
    network = random_network(9, ["CUBA", "SRNN_LI"], [25, 3], 4, message_bits=4)
    write_net(tmp_path / "plain.net", network)
    inputs = random_inputs(9, network, 1, 20, 0.6)
    found, _ = shell(csv(inputs[0]), tmp_path / "plain.net")
    labels = predictions(network, simulator.run(network, inputs).output)[0]
    assert found.splitlines() == [f"{t}\t{c}" for t, c in enumerate(labels)]
    spikes = Slope((0.2,)).encode(signal_of(30)[None])[0]
    assert shell(csv(spikes), net, "--encoded") == shell(csv(signal_of(30)), net)
    assert "line 1: inputs: 16 is outside -15..15 (4 bits)" in shell.refusal(
        "16,0,0,0\n", tmp_path / "plain.net"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n3\n", "standard input, line 2: 1 columns, needs 2, which its slope encoder takes"),
        ("1,2,0,1\n", "or give --encoded with 4 columns of integers"),
        ("a,b\n1,nan\n", "line 2, column 2: nan is not a finite number; fill the gap"),
        ("1,2\n1,\n", "line 2, column 2: is empty"),
        ("1,2\n1,x\n", "line 2, column 2: 'x' is not a number"),
        ("a,b\nc,d\n", "line 2, column 1: 'c' is not a number"),
        ("[1, true]\n", "line 1, column 2: True is not a number"),
        ("[1, [2]]\n", "line 1, column 2: [2] is not a number"),
        ("[1, 1e999]\n", "line 1, column 2: inf is not a finite number"),
        ("[1, 2\n", "line 1: is not JSON"),
        ('{"a": 1, "b": 2}\n{"a": 1, "c": 2}\n', "line 2: has ['a', 'c'], the lines before"),
        (b"1,2\n\xff\xfe\n", "line 2: is not UTF-8 text"),
        (b"1" * (1 << 21), "line 1: longer than 1,048,576 bytes"),
        ("", "holds no sample; give one line of 2 numbers per step"),
        ("a,b\n\n", "holds no sample"),
        ("1,2\n1,2\n", "line 2: slope encoder: a recording of 2 samples is shorter"),
    ],
)
def test_a_bad_line_is_named(net: Path, shell: Shell, text: str | bytes, words: str) -> None:
    assert words in shell.refusal(text, net)


def test_what_came_before_a_bad_line_is_printed(net: Path, shell: Shell) -> None:
    out, err = shell(csv(signal_of(30)) + "1,2,3\n", net, code=2)
    assert "line 31: 3 columns, needs 2" in err
    assert [line.split("\t")[0] for line in out.splitlines()] == [str(t) for t in range(27)]


def test_options_that_do_not_go_together(net: Path, tmp_path: Path, shell: Shell) -> None:
    assert "--limit: cannot be combined with --stream" in shell.refusal("", net, "--limit", 1)
    assert "--energy: cannot be combined with --stream" in shell.refusal("", net, "--energy")
    assert "--window: needs --monitor" in shell.refusal("", net, "--window", 1)
    assert "--window: 0 is below 1" in shell.refusal("", net, "--window", 0, "--monitor", "-")
    assert "--columns: unknown column 'x' (known: 1..2" in shell.refusal(
        "1,2\n", net, "--columns", "x,1"
    )
    assert main([str(net), "--encoded"]) == 2
    assert "--encoded: needs --stream" in shell.capsys.readouterr().err
    loud = MelLevels(bands=2, span=6.0)
    network = replace(slope_network(), task={"encoder": loud.plain()})
    write_net(tmp_path / "mel.net", network)
    assert "mel_levels encoder: scales a clip by its" in shell.refusal("", tmp_path / "mel.net")
    graded = replace(slope_network(), task={"encoder": Graded((0.0,), (1.0,)).plain()})
    write_net(tmp_path / "graded.net", graded)
    assert "line 1: inputs: 3 is outside 0..1" in shell.refusal(
        "3,0,0,0\n", tmp_path / "graded.net"
    )


def test_a_monitor_writes_its_windows(net: Path, tmp_path: Path, shell: Shell) -> None:
    log = tmp_path / "log.jsonl"
    out, err = shell(csv(signal_of(50)), net, "--monitor", log, "--window", 20)
    assert "holds no calibration and no samples" in err
    windows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(w["first_step"], w["last_step"]) for w in windows] == [(0, 19), (20, 39), (40, 49)]
    both, _ = shell(csv(signal_of(50)), net, "--monitor", "-", "--window", 20)
    lines = [line for line in both.splitlines() if not line.startswith("{")]
    assert lines == out.splitlines()
    assert len(both.splitlines()) == len(lines) + 3


def test_labels_come_at_once_and_ctrl_c_is_quiet(net: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    process = subprocess.Popen(
        [*COMMAND, str(net), "--stream", "--monitor", str(log)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    expected = answers(slope_network(), signal_of(12))
    process.stdin.write(csv(signal_of(12)))
    process.stdin.flush()
    # The slope encoder lags three samples; the pipe stays open.
    found = [process.stdout.readline() for _ in range(9)]
    assert found == [f"{t}\t{expected[t]}\n" for t in range(9)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert "stopped" not in err
    assert json.loads(log.read_text())["last_step"] == 8


def test_a_reader_that_leaves_is_no_error(net: Path, tmp_path: Path) -> None:
    (tmp_path / "sensor.csv").write_text(csv(signal_of(5000)))
    with (tmp_path / "sensor.csv").open() as file:
        process = subprocess.Popen(
            [*COMMAND, str(net), "--stream"],
            stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"0\t")
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(timeout=300) == 0
        process.stderr.close()
