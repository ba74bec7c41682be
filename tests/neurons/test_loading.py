"""Neurons from a user's own file and from installed distributions."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import h5py
import pytest
from own_neurons import TEXT, TYPE, forget, forgotten, install_neurons, own_network, write_own
from srnn.export.digest import network_digest
from srnn.export.errors import InputError
from srnn.export.network import same_network
from srnn.export.netx import read_net, write_net
from srnn.neurons import NEURONS, load
from srnn.neurons.identity import origin, step_digest
from srnn.neurons.loading import find, load_installed
from srnn.neurons.registry import BUILT_IN, FLOAT_NEURONS, register


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with forgotten():
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_neuron.py"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_file_is_loaded_once(file: Path) -> None:
    (record,) = load(file)
    assert NEURONS[TYPE] is record is find(TYPE)
    assert load(str(file)) == (record,)
    link = file.with_name("linked.py")
    link.symlink_to(file)
    assert load(link) == (record,)
    assert sys.modules[record.__module__].__file__ == str(file)
    assert not list(file.parent.glob("__pycache__"))


def test_a_file_that_has_changed_is_run_again(file: Path) -> None:
    (first,) = load(file)
    file.write_text(TEXT.replace("a << 6", "a << 5"), encoding="utf-8")
    (second,) = load(file)
    assert NEURONS[TYPE] is second is not first
    file.write_text(TEXT.replace("a << 6", "a / 2"), encoding="utf-8")
    with pytest.raises(InputError, match="step of integers"):
        load(file)
    assert NEURONS[TYPE] is second is getattr(sys.modules[second.__module__], "Surfer")  # noqa: B009


def test_what_is_pickled_is_found_in_another_process(file: Path, tmp_path: Path) -> None:
    (record,) = load(file)
    (tmp_path / "sent").write_bytes(pickle.dumps(own_network(record)))
    code = (
        "import pickle, sys; from srnn.neurons import load; load(sys.argv[1]);"
        "print(type(pickle.load(open(sys.argv[2], 'rb')).layers[0].neuron).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "my_neuron.py", "sent"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("Surfer\n", "")


def test_two_files_of_one_name_and_several_neurons(file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.b").mkdir()
    other = tmp_path / "a.b" / "my_neuron.py"
    second = TEXT.replace("class Surfer", "class Other").replace(TYPE, "OWN_OTHER")
    base = "\nclass _Base(Neuron):\n    pass\n\nAgain = Other\n"
    other.write_text(TEXT.replace(TYPE, "OWN_THIRD") + second + base, encoding="utf-8")
    (record,) = load(file)
    third, fourth = load(other)
    assert [one.TYPE for one in (record, third, fourth)] == [TYPE, "OWN_THIRD", "OWN_OTHER"]


def test_a_file_may_register_by_itself(file: Path) -> None:
    own = "from srnn.neurons import register\n@register\n@dataclass("
    decorated = TEXT.replace("@dataclass(", own)
    file.write_text(decorated, encoding="utf-8")
    (record,) = load(file)
    assert NEURONS[TYPE] is record
    file.write_text(decorated + "\n1 / 0\n", encoding="utf-8")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        load(file)
    assert NEURONS[TYPE] is record


WRONG = {
    "x = (": r"my_neuron\.py, line 1: is not Python: '\(' was never closed",
    "a b": r"my_neuron\.py, line 1: is not Python: invalid syntax",
    "x = 1\0": r"my_neuron\.py(, line 1)?: is not Python: source code.* null bytes",
    "\n\nimport no_such_module": r"my_neuron\.py, line 3: ModuleNotFoundError: No module named",
    "def f():\n    raise OSError('two\\nlines')\nf()": r"my_neuron\.py, line 2: OSError: two lin",
    "import sys\nsys.exit(3)": r"my_neuron\.py, line 2: SystemExit: 3",
    "x = 1": r"my_neuron\.py: defines no neuron, a class with the base Neuron",
    "from srnn.neurons import LeakyIntegrator": r"my_neuron\.py: defines no neuron",
    TEXT.replace(TYPE, "CUBA"): r"my_neuron\.py, line 8: neuron Surfer: the name CUBA is taken",
    TEXT.replace(TYPE, "a-b"): r"my_neuron\.py, line 8: neuron Surfer: TYPE 'a-b' is not a",
    TEXT.replace("@dataclass(frozen=True, eq=False)", ""): r"line 9: neuron \w+: write @datacla",
    TEXT.replace('"wDecay"', '"vDecay"'): r"line 8: neuron \w+: two parameters have the key vDecay",
    TEXT.replace('"wDecay"', '"type"'): r"line 8: neuron \w+: key 'type' is not a name of letters",
    TEXT.replace("(a << 6)", "a / 64"): r"^[^:]*n\.py, line 23: neuron \w+: a step of integers",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_with_a_file_is_one_line(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=WRONG[text]) as raised:
        load(file)
    assert "\n" not in str(raised.value)
    assert set(NEURONS.values()) == BUILT_IN
    assert not [name for name in sys.modules if name.startswith("srnn_neurons_my_neuron")]
    file.write_text(TEXT, encoding="utf-8")
    load(file)


def test_of_a_name_that_is_taken_neither_file_loses_one(file: Path) -> None:
    (record,) = load(file)
    second = file.with_name("second.py")
    first = TEXT.replace(TYPE, "OWN_FIRST").replace("class Surfer", "class First")
    second.write_text(first + TEXT, encoding="utf-8")
    with pytest.raises(InputError, match=r"second\.py, line 32: .* is taken by another neuron"):
        load(second)
    assert set(NEURONS.values()) == {*BUILT_IN, record}


def test_only_python_files_are_run(file: Path) -> None:
    for name, said in (("none.py", "no such file"), (".", "not a Python file"), ("a.txt", "not a")):
        (file.parent / "a.txt").write_text("raise SystemExit")
        with pytest.raises(InputError, match=said):
            load(file.parent / name)


def test_the_digest_is_that_of_the_step_and_not_of_the_file(file: Path) -> None:
    (record,) = load(file)
    found = step_digest(record)
    for same in (
        TEXT.replace("        w = sat(", "        # slow\n        w = sat(\n            "),
        TEXT.replace('    """An LIF whose slow state w follows its spikes."""\n', ""),
        TEXT.replace("class Surfer", "class Renamed"),
        TEXT.replace('"state")', '"mV")'),
    ):
        assert same != TEXT
        file.write_text(same, encoding="utf-8")
        assert step_digest(*load(file)) == found
    for other in (
        TEXT.replace("a << 6", "a << 5"),
        TEXT.replace("v > p", "v >= p"),
        TEXT.replace("1 << 20", "1 << 19"),
        TEXT.replace('"vTh"', '"vThreshold"'),
        TEXT.replace('("v", "w")', '("w", "v")'),
    ):
        assert other != TEXT
        file.write_text(other, encoding="utf-8")
        assert step_digest(*load(file)) != found


def test_the_digest_stays_what_it_is_in_files(file: Path) -> None:
    # Files hold it: it may not change with versions of srnn, Python or the expression language.
    (record,) = load(file)
    assert step_digest(record) == PINNED


PINNED = "98055c6f2205a57a2f12b85471d6a4a3e5786e7c55738fbfd0e8ce293a083a31"


def test_steps_of_many_common_parts_have_a_digest_at_once(file: Path) -> None:
    doubled = "        for _ in range(200):\n            v = sat(v + v)\n"
    file.write_text(TEXT.replace("        return", f"{doubled}        return"), encoding="utf-8")
    assert len(step_digest(*load(file))) == 64


def test_a_network_file_says_which_neuron_is_missing(tmp_path: Path) -> None:
    file, net = write_own(tmp_path)
    with pytest.raises(InputError) as raised:
        read_net(net)
    assert str(raised.value) == (
        f"{net}: /srnn/layer/1/neuron/type: neuron 'OWN_SURFER', of my_neuron.py, is not srnn's "
        "own; give its file by --neurons FILE (in Python srnn.neurons.load), or install its "
        "distribution"
    )
    load(file)
    network = read_net(net)
    with h5py.File(net) as content:
        # The digest is not among the parameters, whose keys are free.
        assert set(content["srnn/layer/1/neuron"]) == {"jump", "type", "vDecay", "vTh", "wDecay"}
        assert content["srnn/layer/1/neuron_origin"][()] == b'{"file": "my_neuron.py"}'
        assert content["layer/1/neuron/type"][()] == b"SRNN_NEURON"
        assert content["srnn"].attrs["format_version"] == 1
        assert "neuron_digest" not in content["srnn/layer/2"]
    write_net(tmp_path / "again.net", network)
    assert network_digest(read_net(tmp_path / "again.net")) == network_digest(network)


def test_another_version_of_a_neuron_is_refused(tmp_path: Path) -> None:
    file, net = write_own(tmp_path)
    load(file)
    made = network_digest(read_net(net))
    file.write_text(TEXT.replace("a << 6", "a << 5"), encoding="utf-8")
    load(file)
    with pytest.raises(InputError, match="with another version of neuron OWN_SURFER") as raised:
        read_net(net)
    assert str(raised.value).count("of my_neuron.py") == 2
    # The same integers of another file are the same network.
    file.rename(tmp_path / "moved.py")
    forget()
    (tmp_path / "moved.py").write_text(TEXT, encoding="utf-8")
    load(tmp_path / "moved.py")
    network = read_net(net)
    assert origin(type(network.layers[0].neuron)) == {"file": "moved.py"}
    assert network_digest(network) == made


def test_a_file_that_was_edited_is_refused(tmp_path: Path) -> None:
    file, net = write_own(tmp_path)
    load(file)
    for path, value, said in (
        ("neuron_digest", None, "neuron_digest: missing"),
        ("neuron_origin", None, "neuron_origin: missing"),
        ("neuron_origin", b"[]", "not an object in JSON"),
        ("neuron_digest", "", r"another version of neuron OWN_SURFER \(step , of my_neuron"),
        (
            "neuron_digest",
            b"0" * 64,
            r"another version of neuron OWN_SURFER \(step 000000000000, of",
        ),
    ):
        edited = tmp_path / "edited.net"
        edited.write_bytes(net.read_bytes())
        with h5py.File(edited, "r+") as content:
            del content[f"srnn/layer/1/{path}"]
            if value is not None:
                content[f"srnn/layer/1/{path}"] = value
        with pytest.raises(InputError, match=said):
            read_net(edited)
    forget()
    with h5py.File(edited, "r+") as content:
        del content["srnn/layer/1/neuron_digest"]
    with pytest.raises(InputError, match=r"unknown neuron 'OWN_SURFER' .*; --neurons FILE gives"):
        read_net(edited)


def test_a_neuron_that_srnn_takes_in_later_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, net = write_own(tmp_path)
    (record,) = load(file)
    monkeypatch.setattr("srnn.export.netx_read.BUILT_IN", frozenset({*BUILT_IN, record}))
    assert isinstance(read_net(net).layers[0].neuron, record)


@pytest.mark.parametrize(
    "value",
    ["acme_neurons", "acme_neurons:Surfer", "acme_neurons:one", "acme_neurons:many"],
)
def test_installed_neurons_are_imported_when_a_name_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    code = TEXT + "\ndef one():\n    return Surfer\n\ndef many():\n    return [Surfer]\n"
    install_neurons(tmp_path, monkeypatch, code, value)
    assert find("CUBA") is not None
    assert "acme_neurons" not in sys.modules
    record = find(TYPE)
    assert record is not None
    assert origin(record) == {"distribution": "acme 1.2"}
    write_net(tmp_path / "a.net", own_network(record))
    assert isinstance(read_net(tmp_path / "a.net").layers[0].neuron, record)
    assert load_installed() == ()


@pytest.mark.parametrize(
    ("code", "value", "said"),
    [
        ("import no_such_module", "acme_neurons", "ModuleNotFoundError: No module named 'no_such_"),
        ("x = (", "acme_neurons", "SyntaxError"),
        ("raise SystemExit", "acme_neurons", "SystemExit"),
        ("x = 1", "acme_neurons", "defines no neuron, a class with the base Neuron"),
        ("x = 1", "acme_neurons:y", "AttributeError"),
        ("def make():\n    return 7", "acme_neurons:make", "7 is not a class with the base Neuron"),
        (TEXT.replace(TYPE, "CUBA"), "acme_neurons", "the name CUBA is taken by another neuron"),
        (
            TEXT.replace("a << 6", "a / 2"),
            "acme_neurons",
            "line 23: neuron OWN_SURFER: a step of in",
        ),
    ],
)
def test_a_broken_distribution_is_named_and_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, value: str, said: str
) -> None:
    install_neurons(tmp_path, monkeypatch, TEXT, "other_neurons", "other")
    install_neurons(tmp_path, monkeypatch, code, value)
    assert find(TYPE) is not None
    (line,) = load_installed()
    assert line.startswith(f"the neurons of acme 1.2 are broken: loading {value}: ")
    assert said in line
    assert "\n" not in line
    assert set(NEURONS) == {*(record.TYPE for record in BUILT_IN), TYPE}


def test_what_is_missing_is_said_with_what_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, net = write_own(tmp_path)
    install_neurons(tmp_path, monkeypatch, "raise ValueError(3)", "acme_neurons")
    with pytest.raises(
        InputError, match=r"of my_neuron.py, is not .*; the neurons of acme 1.2 are b"
    ):
        read_net(net)


def test_a_class_of_no_file_has_no_origin(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = ModuleType("in_a_notebook")
    monkeypatch.setitem(sys.modules, "in_a_notebook", notebook)
    # inspect finds the text of a cell by the name of its file, as in a notebook.
    exec(compile(TEXT, file, "exec"), vars(notebook))
    record = register(notebook.Surfer)
    write_net(tmp_path / "a.net", own_network(record))
    assert same_network(read_net(tmp_path / "a.net"), own_network(record))
    assert origin(record) == {}
    forget()
    with pytest.raises(InputError, match="unknown neuron 'OWN_SURFER'"):
        read_net(tmp_path / "a.net")
    load(file)
    assert read_net(tmp_path / "a.net").layers[0].neuron.TYPE == TYPE


def test_a_network_file_runs_no_code(tmp_path: Path) -> None:
    file, net = write_own(tmp_path)
    file.write_text("raise SystemExit", encoding="utf-8")
    with pytest.raises(InputError, match="is not srnn's own"):
        read_net(os.path.relpath(net))


FLOAT = """

class RealSurfer(FloatNeuron):
    NAME = "own_surfer"
    PARAMETERS = (tau("tau_mem"),)
    STATES = ("v", "s")
    RECORD = Surfer

    @staticmethod
    def coefficients(p):
        return {"alpha": exp(-1 / p.tau_mem)}

    @staticmethod
    def step(c, s, current, spike):
        v = c.alpha * s.v * (1 - s.s) + current
        return {"v": v, "s": spike(v - 1)}
"""


def test_a_neuron_of_real_numbers_is_registered_with_its_record(file: Path) -> None:
    head = "from srnn.neurons.real import FloatNeuron, exp, tau\n"
    file.write_text(head + TEXT + FLOAT, encoding="utf-8")
    record, neuron = load(file)
    assert FLOAT_NEURONS["own_surfer"] is neuron is find("own_surfer", FLOAT_NEURONS)
    assert neuron.RECORD is record is find(TYPE)
    wrong = FLOAT.replace('STATES = ("v", "s")', 'STATES = ("s", "v")')
    file.write_text(head + TEXT.replace("a << 6", "a << 5") + wrong, encoding="utf-8")
    with pytest.raises(InputError, match=r"n\.py, line 28: neuron RealSurfer: STATES .* needs v"):
        load(file)
    assert FLOAT_NEURONS["own_surfer"] is neuron
    assert NEURONS[TYPE] is record
