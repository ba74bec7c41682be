"""NIR files: chains of layers, other graphs, and files that are not NIR."""

from __future__ import annotations

import json
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nir_graphs import DT, chain, cuba, ends, li, lif, matrix, nir, offences, write
from srnn.export import cli
from srnn.export.errors import InputError
from srnn.export.extras import how_to_install
from srnn.export.float_run import run_float
from srnn.export.nir_import import import_nir

pytestmark = pytest.mark.extra("nir")


def test_the_equations_of_nir_by_euler_steps(tmp_path: Path) -> None:
    """Against the equations in nir's docstrings, step by step."""
    rng = np.random.default_rng(1)
    w, b = matrix(6, 4), 0.2 * rng.normal(size=6)
    node = nir.LIF(
        tau=rng.uniform(2e-3, 40e-3, 6), r=rng.uniform(0.5, 3.0, 6),
        v_leak=rng.uniform(-0.2, 0.2, 6), v_threshold=rng.uniform(0.1, 0.4, 6),
        v_reset=rng.uniform(-0.3, 0.1, 6),
    )  # fmt: skip
    rec = matrix(6, 6, 1)
    nodes = {**chain(4, nir.Affine(w, b), node, m=6), "rec": nir.Linear(rec)}
    names = ["in", "n0", "n1", "out"]
    edges = [*pairwise(names), ("n1", "rec"), ("rec", "n1")]
    model = import_nir(write(tmp_path, nodes, edges, dt=DT))
    assert model.task["dt"] == DT
    x = (rng.random((1, 80, 4)) < 0.3).astype(np.int32)
    v, s, sent = node.v_reset, np.zeros(6), []
    for t in range(80):
        current = w @ x[0, t] + b + rec @ s
        v = v + DT / node.tau * (node.v_leak - v + node.r * current)
        s = (v > node.v_threshold).astype(float)
        v = np.where(s > 0, node.v_reset, v)
        sent.append(s)
    ours = run_float(model, x).spikes[0]
    assert np.sum(sent) > 20
    np.testing.assert_array_equal(ours, np.array(sent)[None].astype(bool))


def test_cuba_equations_of_nir_by_euler_steps(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    w = matrix(6, 4)
    node = nir.CubaLIF(
        tau_syn=rng.uniform(1e-3, 9e-3, 6), tau_mem=rng.uniform(2e-3, 40e-3, 6),
        r=rng.uniform(0.5, 3.0, 6), v_leak=rng.uniform(-0.2, 0.2, 6),
        v_threshold=rng.uniform(0.1, 0.4, 6), v_reset=rng.uniform(-0.3, 0.0, 6),
        w_in=rng.uniform(0.5, 3.0, 6),
    )  # fmt: skip
    model = import_nir(write(tmp_path, chain(4, nir.Linear(w), node, m=6), dt=DT))
    x = (rng.random((1, 120, 4)) < 0.3).astype(np.int32)
    v, i, sent = node.v_reset, np.zeros(6), []
    for t in range(120):
        i = i + DT / node.tau_syn * (node.w_in * (w @ x[0, t]) - i)
        v = v + DT / node.tau_mem * (node.v_leak - v + node.r * i)
        s = v > node.v_threshold
        v = np.where(s, node.v_reset, v)
        sent.append(s)
    assert np.sum(sent) > 20
    np.testing.assert_array_equal(run_float(model, x).spikes[0], np.array(sent)[None])


def test_linear_nodes_are_multiplied_out(tmp_path: Path) -> None:
    w, v, b, s = matrix(6, 4), matrix(3, 6, 1), np.arange(6.0), np.array([2.0, -1.0, 0.5])
    nodes = chain(
        4, nir.Flatten({"input": np.array([2, 2])}, 0), nir.Affine(w, b), nir.Linear(v),
        nir.Scale(s), nir.Delay(np.zeros(3)), lif(3), m=3,
    )  # fmt: skip
    nodes["in"] = nir.Input([2, 2])
    model = import_nir(write(tmp_path, nodes), dt=DT)
    gain = DT / 20e-3
    np.testing.assert_allclose(
        model.weights["layers.0.weight"], gain * s[:, None] * (v @ w), rtol=1e-6
    )
    np.testing.assert_allclose(model.weights["layers.0.bias"], gain * s * (v @ b), rtol=1e-6)


def test_branches_are_added(tmp_path: Path) -> None:
    w, v = matrix(4, 4), matrix(4, 4, 1)
    nodes = {**ends(4, 4), "a": nir.Linear(w), "b": nir.Linear(v), "c": nir.Scale(np.full(4, 3.0)),
             "n": lif(4)}  # fmt: skip
    edges = [(x, y) for branch in "abc" for x, y in (("in", branch), (branch, "n"))]
    model = import_nir(write(tmp_path, nodes, [*edges, ("in", "n"), ("n", "out")]), dt=DT)
    total = DT / 20e-3 * (w + v + 4 * np.eye(4))
    np.testing.assert_allclose(model.weights["layers.0.weight"], total, rtol=1e-6)


def test_nested_graphs_are_opened(tmp_path: Path) -> None:
    inner = nir.NIRGraph(
        {"input": nir.Input([5]), "lif": lif(5), "w_rec": nir.Affine(matrix(5, 5), np.ones(5)),
         "output": nir.Output([5])},
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )  # fmt: skip
    outer = nir.NIRGraph(
        {"x": nir.Input([5]), "sub": inner, "y": nir.Output([5])}, [("x", "sub"), ("sub", "y")]
    )
    model = import_nir(write(tmp_path, chain(3, nir.Linear(matrix(5, 3)), outer, m=5)), dt=DT)
    np.testing.assert_allclose(
        model.weights["layers.0.weight_rec"], DT / 20e-3 * matrix(5, 5), rtol=1e-6
    )
    np.testing.assert_allclose(model.weights["layers.0.bias"], np.full(5, DT / 20e-3), rtol=1e-6)


def test_every_offending_node_is_named(tmp_path: Path) -> None:
    nodes = chain(
        4, nir.Linear(matrix(4, 4)), nir.I(np.ones(4)), nir.Threshold(np.ones(4)),
        nir.Linear(matrix(4, 4)), nir.IF(np.ones(4), np.ones(4)), m=4,
    )  # fmt: skip
    path = write(tmp_path, nodes)
    with h5py.File(path, "r+") as file:
        strange = file.create_group("node/nodes/strange")
        strange["type"] = "Izhikevich"
        broken = file.create_group("node/nodes/broken")
        broken["type"] = "LI"
    line = offences(path)
    for part in (
        "n1 (I): an integrator without leak", "n2 (Threshold): spikes", "n4 (IF): a neuron without",
        "strange (Izhikevich): nir 1.0.8 knows no such node", "broken (LI): nir refuses it",
    ):  # fmt: skip
        assert part in line
    assert "n0" not in line


def test_every_neuron_parameter_is_named(tmp_path: Path) -> None:
    nodes = chain(
        4, nir.Linear(matrix(4, 4)), lif(4, tau=0.5e-3), nir.Linear(matrix(4, 4)),
        lif(4, tau=9.0), nir.Affine(matrix(4, 4), np.ones(4)), cuba(4),
        nir.Linear(matrix(4, 4)), lif(4, v_threshold=-1.0, metadata={"reset": "none"}), m=4,
    )  # fmt: skip
    line = offences(write(tmp_path, nodes))
    for part in (
        "n1 (LIF): tau of neurons 0, 1, 2, 3 is 0.0005 s, below dt 0.001 s",
        "n3 (LIF): tau of neurons 0, 1, 2, 3 is 9 s, a decay factor of 0.999889",
        "n5 (CubaLIF): a bias passes the filter",
        "n7 (LIF): metadata: unknown reset 'none' (known: zero, subtract",
        "n7 (LIF): v_threshold of neurons 0, 1, 2, 3 is below v_reset",
    ):
        assert part in line


@pytest.mark.parametrize(
    ("nodes", "edges", "expected"),
    [
        ({"w": "w44", "n": "lif"}, "in-w w-n", r"out (Output): receives nothing"),
        ({"w": "w44", "n": "lif"}, "in-w w-n w-out n-out", "out (Output): receives "),
        ({"w": "w44", "n": "lif", "v": "w44"}, "in-w w-n n-v v-out", "put an LI node after"),
        ({"w": "w44", "v": "w44"}, "in-w w-v v-w w-out", "lies on a cycle without a neuron"),
        ({"n": "lif", "m": "lif"}, "in-n in-m n-out", "in (Input): feeds m, n; srnn's layers"),
        ({"n": "lif", "m": "lif"}, "in-n n-m m-n m-out", "n (LIF): receives in, m; srnn's"),
        ({"n": "li", "m": "lif"}, "in-n n-m m-out", "n (LI): does not spike and feeds m"),
        ({"n": "li", "w": "w44"}, "in-n n-w w-n n-out", "n (LI): does not spike and feeds back"),
        ({"n": "lif", "m": "lif"}, "in-n n-out m-out", "m (LIF): receives nothing"),
        ({"w": "w45", "n": "lif"}, "in-w w-n n-out", "n (LIF): reads 5 values and is sent 4"),
        ({"w": "w54", "n": "lif"}, "in-w w-n n-out", "n (LIF): parameters and inputs of [4, 5]"),
        ({"w": "w54", "v": "w44", "n": "lif"}, "in-w w-v v-n n-out", "v (Linear): takes 4 values"),
        ({"w": "w54", "v": "w44", "n": "lif"}, "in-w in-v w-n v-n n-out", "adds signals of"),
        ({"n": "lif", "out2": "out"}, "in-n n-out n-out2", "out, out2 (Output): needs one Output"),
        ({"n": "lif"}, "in-n n-out n-ghost", "ghost (edge): n to ghost: there is no such node"),
    ],
)  # fmt: skip
def test_graphs_that_are_no_chain(
    nodes: dict[str, str], edges: str, expected: str, tmp_path: Path
) -> None:
    made = {
        "lif": lif(4), "li": li(4), "out": nir.Output([4]),
        "w44": nir.Linear(matrix(4, 4)), "w45": nir.Linear(matrix(4, 5)),
        "w54": nir.Linear(matrix(5, 4)),
    }  # fmt: skip
    pairs = [tuple(edge.split("-")) for edge in edges.split()]
    path = write(tmp_path, {**ends(4, 4), **{n: made[kind] for n, kind in nodes.items()}}, pairs)  # type: ignore[arg-type]
    assert expected in offences(path)


def test_dt_is_never_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, chain(4, nir.Linear(matrix(4, 4)), lif(4, r=20.0), m=4))
    assert cli.main([str(path)]) == 2
    line = capsys.readouterr().err
    assert "says no dt; give --dt SECONDS (tau / r is 0.001 everywhere" in line
    path = write(tmp_path, chain(4, nir.Linear(matrix(4, 4)), lif(4), m=4), dt=DT)
    assert import_nir(path).task["dt"] == DT
    assert "--dt: 0.002, the file says 0.001" in offences(path, dt=2e-3)
    for wrong in ("soon", -1.0, np.nan):
        assert "metadata dt" in offences(
            write(tmp_path, chain(4, nir.Linear(matrix(4, 4)), lif(4), m=4), dt=wrong)
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "not JSON"),
        ("[]", "not a table of readout"),
        ('{"task": 3}', "task of a wrong type"),
        ('{"skip_steps": true}', "skip_steps of a wrong type"),
        ('{"readout": "vote"}', "unknown readout 'vote'"),
        ('{"task": {"classes": ["a"]}}', "are not 4 names"),
        ('{"colour": "red"}', "not a table of readout"),
    ],
)
def test_our_metadata_is_checked(text: str, expected: str, tmp_path: Path) -> None:
    path = write(tmp_path, chain(4, nir.Linear(matrix(4, 4)), lif(4), m=4), dt=DT, srnn=text)
    assert expected in offences(path, dt=None)


def test_samples_are_asked_for_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, chain(4, nir.Linear(matrix(4, 4)), lif(4), li(4), m=4), dt=DT)
    assert cli.main([str(path)]) == 2
    assert "give --calibrate FILE, an .npz with inputs, integers" in capsys.readouterr().err
    file = tmp_path / "inputs.npz"
    for content, expected in (
        ({"inputs": np.zeros((2, 5, 3), int)}, "needs integers (sample, time, 4)"),
        ({"inputs": np.full((2, 5, 4), 0.5)}, "inputs[0, 0, 0] is 0.5, not an integer"),
        ({"other": np.zeros((2, 5, 4), int)}, "holds no inputs"),
        ({"inputs": np.array(["a"])}, "needs integers"),
        ({"inputs": np.zeros((2, 5, 4), int), "lengths": np.array([9, 9])}, "lengths 9..9"),
    ):
        np.savez(file, **content)
        assert cli.main([str(path), "--calibrate", str(file)]) == 2
        assert expected in capsys.readouterr().err
    file.write_bytes(b"PK nothing")
    assert cli.main([str(path), "--calibrate", str(file)]) == 2
    assert "not a complete .npz file" in capsys.readouterr().err
    np.savez(file, inputs=np.arange(80).reshape(20, 4) % 5, targets=np.ones((1, 20), int))
    assert cli.main([str(path), "--calibrate", str(file), "--json", "--dry-run"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["parity"]["samples"], result["written"]) == (1, None)


def test_an_installation_without_nir_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, chain(4, nir.Linear(matrix(4, 4)), lif(4), m=4))
    monkeypatch.setitem(sys.modules, "nir", None)
    assert cli.main([str(path), "--dt", "1"]) == 2
    assert how_to_install("nir") in capsys.readouterr().err


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    how = {"reset": "zero"}
    nodes = chain(
        3, nir.Linear(matrix(5, 3)), lif(5, metadata=how), nir.Linear(matrix(2, 5)), li(2), m=2
    )
    return write(tmp_path_factory.mktemp("whole"), nodes, dt=DT)


@settings(max_examples=30)
@given(data=st.data())
def test_damaged_files_give_one_line(whole: Path, data: st.DataObject) -> None:
    content = bytearray(whole.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(
                st.integers(0, 7)
            )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.nir"
        path.write_bytes(content)
        refused = None
        try:
            import_nir(path)
        except InputError as error:
            refused = str(error)
        assert refused is None or (refused.startswith(f"{path}: ") and "\n" not in refused)


VALUES = st.sampled_from(
    [
        "text", 0, -1, 1 << 40, np.nan, np.inf, 0.5, True, np.zeros(0), np.full(5, -3.0),
        np.full((5, 3), np.inf), np.full((2, 2, 2), 1e300), np.arange(3),
        np.zeros((1, 1), np.uint8), np.array(["a", "b"], dtype=object),
        np.array([["n0", "n0"]], dtype=object),
    ]
)  # fmt: skip


NAMES = (
    "type", "edges", "nodes", "metadata", "metadata/dt", "nodes/in/shape", "nodes/in/type",
    "nodes/n0", "nodes/n0/weight", "nodes/n1/tau", "nodes/n1/r", "nodes/n1/v_leak",
    "nodes/n1/v_reset", "nodes/n1/v_threshold", "nodes/n1/metadata", "nodes/n1/metadata/reset",
    "nodes/n3/tau",
    "nodes/out/shape", "nodes/other",
)  # fmt: skip


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.none() | VALUES), min_size=1, max_size=3))
@example([("nodes/in/type", np.zeros(0))])
@example([("nodes/n1/metadata/reset", np.arange(3))])
def test_wrong_values_give_one_line(whole: Path, changes: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.nir"
        path.write_bytes(whole.read_bytes())
        with h5py.File(path, "r+") as file:
            root = file["node"]
            for name, value in changes:
                if name in root:
                    del root[name]
                if value is not None and isinstance(
                    root.get(name.rpartition("/")[0] or "."), h5py.Group
                ):
                    root[name] = value
        refused = None
        try:
            import_nir(path)
        except InputError as error:
            refused = str(error)
        assert refused is None or (refused.startswith(f"{path}: ") and "\n" not in refused)


def test_a_large_input_without_weights_is_refused(tmp_path: Path) -> None:
    one = lif(1)
    nodes = {"in": nir.Input([1 << 20]), "n": one, "out": nir.Output([1 << 20])}
    assert "n (LIF): 1048576 neurons with one-to-one input" in offences(write(tmp_path, nodes))
    nodes["in"] = nir.Input([1 << 40])
    assert "in (Input): its shape is none of" in offences(write(tmp_path, nodes))


@pytest.mark.parametrize("content", ["empty", "no graph", "soft link"])
def test_foreign_hdf5(content: str, tmp_path: Path) -> None:
    path = tmp_path / "graph.nir"
    with h5py.File(path, "w") as file:
        if content == "no graph":
            file["layer/0/weight"] = np.zeros(3)
        elif content == "soft link":
            file["node"] = h5py.SoftLink("/elsewhere")
    line = offences(path)
    assert ("link" if content == "soft link" else "not a NIR graph") in line


@pytest.mark.parametrize("name", ["v_reset", "v_leak", "r"])
@pytest.mark.parametrize("rows", [1, 4])
def test_parameters_of_another_length_are_an_offence(rows: int, name: str, tmp_path: Path) -> None:
    nodes = chain(3, nir.Linear(matrix(rows, 3)), lif(rows), m=rows)
    path = write(tmp_path, nodes, dt=DT)
    with h5py.File(path, "r+") as file:
        for key in ("tau", "r", "v_leak", "v_threshold", "v_reset"):
            if rows == 1 or key == name:
                entry = f"node/nodes/n1/{key}"
                value = np.full(7, file[entry][...].flat[0])
                del file[entry]
                file[entry] = value
    found = offences(path)
    assert "n1 (LIF)" in found
    assert "do not fit" in found or "needs the shape" in found or "shape" in found


@pytest.mark.parametrize("size", [0, 3, 5])
def test_a_bias_of_another_length_is_an_offence(size: int, tmp_path: Path) -> None:
    nodes = chain(3, nir.Affine(matrix(4, 3), np.zeros(4)), lif(4), m=4)
    path = write(tmp_path, nodes, dt=DT)
    with h5py.File(path, "r+") as file:
        del file["node/nodes/n0/bias"]
        file["node/nodes/n0/bias"] = np.zeros(size)
    assert f"n0 (Affine): bias of {size} values, its weight has 4 rows" in offences(path)


def test_a_million_names_are_too_many(tmp_path: Path) -> None:
    nodes = chain(3, nir.Linear(matrix(4, 3)), lif(4), m=4)
    path = write(tmp_path, nodes, dt=DT)
    with h5py.File(path, "r+") as file:
        del file["node/edges"]
        file.create_dataset("node/edges", (1 << 19, 2), "S4", chunks=True, compression="gzip")
    assert "/node/edges: more than 100,000" in offences(path)
