"""Random networks as C: every spike, state and label of the specification, and clean C."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from c_cases import DRAWN, SANITIZED, Case, assert_same, c_cases, expected_trace, ran_as_c
from hypothesis import given, settings
from neuron_draws import random_record
from paths import ROOT
from simulate_networks import random_convolution, random_inputs, random_network
from srnn.deploy.c.project import project
from srnn.deploy.c.runner import printed_program
from srnn.export.network import NEURONS, Layer, LeakyIntegrator, Network, Neuron, Synapses
from srnn.export.netx import read_net, read_samples
from srnn.neurons.grid import rtz, sat, where, wrap24
from srnn.neurons.neuron import parameter
from srnn.neurons.registry import register
from srnn.simulate import simulator

pytestmark = pytest.mark.needs("gcc")


def check(case: Case) -> None:
    expected = expected_trace(case)
    if expected is not None:
        assert_same(ran_as_c(case), expected, case[0])


@settings(DRAWN, max_examples=5)
@given(c_cases(extreme=False))
def test_networks(case: Case) -> None:
    check(case)


@settings(DRAWN, max_examples=4)
@given(c_cases(extreme=True))
def test_extreme_networks(case: Case) -> None:
    check(case)


@pytest.mark.slow
@settings(DRAWN, max_examples=110)
@given(c_cases(extreme=False))
def test_many_networks(case: Case) -> None:
    check(case)


@pytest.mark.slow
@settings(DRAWN, max_examples=110)
@given(c_cases(extreme=True))
def test_many_extreme_networks(case: Case) -> None:
    check(case)


@dataclass(frozen=True, eq=False)
class Everything(Neuron):
    """All operations of the language, and names that C or the printed text have as well."""

    layer: np.ndarray = parameter("layer", 0, 3, "1")  # noqa: RUF009
    pace: np.ndarray = parameter("pace", 0, 40, "1")  # noqa: RUF009
    shift: np.ndarray = parameter("shift", 0, 40, "bits")  # noqa: RUF009
    mode: np.ndarray = parameter("mode", 0, 2, "1")  # noqa: RUF009

    TYPE: ClassVar[str] = "TEST_C"
    STATES: ClassVar[tuple[str, ...]] = ("int", "i", "spikes", "v")

    @staticmethod
    def step(p, s, a):
        fast = (p.mode > 0) & ~s.spiked
        i = where(s.spiked | (s.i >= 1000), 0, s.i + p.pace + 1)
        x = wrap24(rtz(s.spikes - s.v, p.shift) + (a << 3))
        y = sat((s.spikes >> p.shift) * 5 + where(fast, x * 3, s.int << 2) - (x >> p.mode))
        low, high = y < -p.pace, y > p.pace * 9
        v = where(low & ~high, i - x, where(high, y, -s.v))
        whole = rtz(s.int * p.mode, 12) + rtz(v, 3) + p.layer
        return {
            "int": sat(whole), "i": i, "spikes": sat(rtz(s.spikes * 3, 1) + a), "v": sat(v),
            "spiked": (i <= 500) & (y >= p.pace),
        }  # fmt: skip


def test_a_users_neuron_with_any_operation() -> None:
    register(Everything)
    try:
        for seed in range(3):
            drawn = random_network(seed, ["CUBA", "SRNN_LI"], [21, 3], 6, delays=seed == 1)
            neuron = random_record(np.random.default_rng(seed), Everything, 21)
            layers = (replace(drawn.layers[0], neuron=neuron), drawn.layers[1])
            network = replace(drawn, layers=layers)
            inputs = random_inputs(seed, network, 2, 40, 0.4)
            expected = simulator.run(network, inputs)
            assert np.asarray(expected.layers[0].spikes).sum() > 10
            assert_same(ran_as_c((network, inputs, expected.lengths)), expected, network)
    finally:
        del NEURONS["TEST_C"]


def test_many_active_sources_of_extreme_weights() -> None:
    rng = np.random.default_rng(3)
    for low, high in ((-256, 254), (0, 255), (-255, 0), (-256, 192)):
        weight = rng.choice([low, high], (9, 700))
        weight[0], weight[1] = low, high
        layer = Layer("one", Synapses(weight, -3), LeakyIntegrator(9, 4096))
        inputs = np.ones((1, 3, 700), np.uint8)
        inputs[0, 1, rng.random(700) < 0.5] = 0
        network = Network((layer,))
        expected = simulator.run(network, inputs)
        assert_same(ran_as_c((network, inputs, expected.lengths)), expected, network)


def test_sums_of_64_bits() -> None:
    weight = np.full((3, 400), 254)
    weight[1] = -256
    weight[2, ::2] = -256
    layer = Layer("wide", Synapses(weight, -8), LeakyIntegrator(3, 4096))
    network = Network((layer,), message_bits=24)
    inputs = np.full((1, 2, 400), (1 << 24) - 1)
    inputs[0, 1, 7:] = 0
    expected = simulator.run(network, inputs)
    assert printed_program(network, "wide").sum_type == "int64_t"
    assert_same(ran_as_c((network, inputs, expected.lengths)), expected, network)


def test_a_message_times_its_unit_has_the_bits_of_a_sum() -> None:
    loop = Synapses([[1]], 0)  # type: ignore[arg-type]
    neuron = NEURONS["SRNN_ALIF"](1, 4096, 4096, 1, 0, 0)
    layer = Layer("one", Synapses([[-256, 128]], 7), neuron, loop)  # type: ignore[arg-type]
    network = Network((layer,), message_bits=24)
    inputs = np.array([(1 << 24) - 1, 0, -(1 << 24) + 1, 0]).reshape(1, 2, 2)
    expected = simulator.run(network, inputs)
    assert_same(ran_as_c((network, inputs, expected.lengths)), expected, network)


def test_a_state_beyond_32_bits_stops_there_and_is_said() -> None:
    neuron = NEURONS["CUBA"](1, 0, 4096, 262143)
    layer = Layer("one", Synapses([[1]]), neuron)  # type: ignore[arg-type]
    network = Network((layer,), message_bits=24)
    inputs = np.full((1, 40, 1), (1 << 24) - 1)
    ran = ran_as_c((network, inputs, np.array([40])))
    assert "a state left 32 bits" in ran.printed
    assert ran.trace.layers[0].states["u"].max() == (1 << 31) - 1


def test_inputs_beyond_their_range_are_limited() -> None:
    layer = Layer("one", Synapses([[2]]), LeakyIntegrator(1, 4096))  # type: ignore[arg-type]
    source = printed_program(Network((layer,), message_bits=5), "one").source
    assert "x > 31 ? 31 : x < -31 ? -31 : x" in source


def zoo(name: str) -> Case:
    path = ROOT / "zoo" / f"{name}.net"
    samples = read_samples(path)
    assert samples is not None
    return read_net(path), samples.inputs, samples.lengths


@pytest.mark.parametrize("name", ["ecg", "digits", "spoken-digits"])
def test_the_zoo(name: str, tmp_path: Path) -> None:
    case = zoo(name)
    ran = ran_as_c(case, tmp_path / "a")
    assert_same(ran, simulator.run(*case), case[0])
    files = {file.name: file.read_bytes() for file in (tmp_path / "a").rglob("*") if file.is_file()}
    ran_as_c(case, tmp_path / "b")
    again = {file.name: file.read_bytes() for file in (tmp_path / "b").rglob("*") if file.is_file()}
    assert files == again
    assert printed_program(case[0], name).digest.encode() in files["srnn_case.h"]
    code = files["srnn_case.c"].decode().splitlines()
    tables = [line for line in code if line.startswith(("    0x", "    -"))
              or line[4:5].isdigit()]  # fmt: skip
    assert len(code) - len(tables) < 260
    assert all(len(line) <= 100 for line in code)
    assert all(word not in files["srnn_case.c"] for word in (b"malloc", b"goto"))


def test_it_builds_by_make(tmp_path: Path) -> None:
    ran_as_c(zoo("ecg"), tmp_path)
    done = subprocess.run(["make"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "sample 0: 1300 steps, label 3" in done.stdout


@pytest.mark.needs("g++")
def test_the_header_is_cpp(tmp_path: Path) -> None:
    (tmp_path / "srnn_ecg.h").write_text(printed_program(zoo("ecg")[0], "ecg").header)
    (tmp_path / "use.cpp").write_text('#include "srnn_ecg.h"\nint main() { return 0; }\n')
    subprocess.run(["g++", "-Wall", "-Werror", "-c", "use.cpp"], cwd=tmp_path, check=True)


def test_two_networks_and_two_copies_in_one_program(tmp_path: Path) -> None:
    for name in ("ecg", "digits"):
        program = printed_program(zoo(name)[0], name)
        (tmp_path / f"srnn_{name}.h").write_text(program.header)
        (tmp_path / f"srnn_{name}.c").write_text(program.source)
    (tmp_path / "main.c").write_text("""
#include "srnn_ecg.h"
#include "srnn_digits.h"
#include <string.h>
static srnn_ecg_state one, other;
static srnn_digits_state third;
int main(void)
{
    srnn_ecg_input up[SRNN_ECG_INPUTS] = {1, 0, 1, 0};
    srnn_digits_input pixels[SRNN_DIGITS_INPUTS] = {16, 3};
    int i;
    srnn_ecg_reset(&one);
    srnn_ecg_reset(&other);
    srnn_digits_reset(&third);
    for (i = 0; i < 50; i++) {
        if (srnn_ecg_step(&one, up) != srnn_ecg_step(&other, up)) {
            return 1;
        }
        srnn_digits_step(&third, pixels);
    }
    return memcmp(srnn_ecg_output(&one), srnn_ecg_output(&other), 6 * sizeof(int32_t)) != 0;
}
""")
    files = ["main.c", "srnn_ecg.c", "srnn_digits.c"]
    command = ["gcc", "-std=c99", "-Wall", "-Werror", *SANITIZED, "-o", "both", *files]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run(["./both"], cwd=tmp_path, check=True)


@pytest.mark.needs("clang")
def test_clang_has_no_remark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "clang")
    flags = ("-O1", "-fsanitize=undefined", "-fsanitize-trap=undefined")
    for seed, kinds in enumerate((["ATRLIF", "SRNN_LI"], ["SRNN_ALIF", "CUBA"])):
        network = random_network(seed, kinds, [20, 5], 7, delays=True, message_bits=8 * seed)
        inputs = random_inputs(seed, network, 2, 30, 0.4)
        expected = simulator.run(network, inputs)
        ran = ran_as_c((network, inputs, expected.lengths), flags=flags)
        assert_same(ran, expected, network)


@pytest.mark.needs("cppcheck")
def test_cppcheck_has_no_remark(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    stack = [random_convolution(rng, extreme=True, delays=True)]
    drawn = random_network(
        4, ["ATRLIF", "SRNN_BRF", "SRNN_ALIF"], [9, 8, 5], stack[0].n_in, delays=True,
        message_bits=20, convolutions=stack, readout="spike_count",
    )  # fmt: skip
    for name, network in (("drawn", drawn), ("ecg", zoo("ecg")[0])):
        for file, text in project(printed_program(network, name)).items():
            if file.endswith((".h", ".c")) and "main" not in file:
                (tmp_path / file).write_text(str(text))
    sources = sorted(file.name for file in tmp_path.glob("*.c"))
    command = ["cppcheck", "--std=c99", "--enable=warning,style,performance,portability"]
    done = subprocess.run(
        [*command, "--error-exitcode=1", "--quiet", *sources],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == 0
