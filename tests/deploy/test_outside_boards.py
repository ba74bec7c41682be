"""Neurons from a user's own file on boards: placed, reported and listed, or refused in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from deploy_networks import integrator, spikes, synapses
from listing_machine import Machine
from neuron_draws import random_record, sums
from srnn.deploy import microcode_text
from srnn.deploy.boards import read_boards
from srnn.deploy.cli import main
from srnn.deploy.loihi2 import native
from srnn.deploy.loihi2.options import BoardOptions
from srnn.deploy.microcode import Bank, Listing, largest_sum, microcode
from srnn.deploy.programs import requirements, support
from srnn.export.errors import InputError
from srnn.export.network import NEURONS, CubaLIF, Layer, Network, Neuron
from srnn.export.netx import write_net
from srnn.export.samples import Samples
from srnn.neurons.lava import Stock
from srnn.neurons.neuron import initial_state, take_step
from srnn.neurons.registry import register
from srnn.simulate import reference

HEAD = """
from dataclasses import dataclass
from srnn.neurons.grid import decayed, rtz, sat, where, wrap24
from srnn.neurons.neuron import Neuron, decay, parameter, state

@dataclass(frozen=True, eq=False)
"""
RESONATOR = (
    HEAD
    + '''
class Own(Neuron):
    """It rotates: s.phase and s.v trade places; a name of a state is a parameter's too."""

    turn: object = parameter("turn", -4096, 4096, "1/4096")
    keep: object = parameter("keep", -4096, 4096, "1/4096")
    q_decay: object = decay("qDecay")
    slow_decay: object = decay("sDecay", low=1)
    v_threshold: object = state("vTh", None)
    slow: object = state("qStep", 0)
    bias: object = state("bias")
    phase_init: object = state("phaseInit")

    TYPE = "TEST_OWN"
    STATES = ("phase", "q", "slow", "v", "before")

    @staticmethod
    def step(p, s, a):
        phase = sat(rtz(s.v * p.turn + s.phase * p.keep, 12))
        q = sat(decayed(s.q, p.q_decay) + where(s.spiked, p.slow, 0))
        v = sat(rtz(s.v * p.keep - s.phase * p.turn, 12) + (a << 6) + p.bias)
        slow = sat(decayed(s.slow, p.slow_decay) + (v >> 4))
        spiked = ~(v - (slow >> 2) <= p.v_threshold + q) | (v < -p.v_threshold) & (q >= 9)
        return {"phase": phase, "q": q, "slow": slow, "v": v, "before": s.v, "spiked": spiked}

    def threshold(self, states=None):
        return self.v_threshold
'''
)
BARE = (
    HEAD
    + """
class Own(Neuron):
    TYPE = "TEST_OWN"
    STATES = ("one", "v")

    @staticmethod
    def step(p, s, a):
        return {"one": 1, "v": wrap24(rtz(s.v, 1) + (a << 6) + s.one), "spiked": s.v > 500}
"""
)
FAR = (
    HEAD
    + """
class Own(Neuron):
    far: object = parameter("far", 0, 60, "bits")
    TYPE = "TEST_OWN"
    STATES = ("v",)

    @staticmethod
    def step(p, s, a):
        return {"v": sat((s.v + a) << p.far), "spiked": s.v > 500}
"""
)
FILES = {"resonator": RESONATOR, "bare": BARE}


def registered(text: str, tmp_path: Path) -> type[Neuron]:
    path = tmp_path / "own_neuron.py"
    path.write_text(text, encoding="utf-8")
    spec = spec_from_file_location("own_neuron", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return register(module.Own)


@pytest.fixture(params=FILES)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[type[Neuron]]:
    yield registered(FILES[request.param], tmp_path)
    del NEURONS["TEST_OWN"]


@pytest.fixture
def far(tmp_path: Path) -> Iterator[type[Neuron]]:
    yield registered(FAR, tmp_path)
    del NEURONS["TEST_OWN"]


def network_of(record: type[Neuron]) -> Network:
    rng = np.random.default_rng(1)
    neuron = random_record(rng, record, 9)
    first = Layer("own", synapses(rng, 9, 5, exp=3), neuron, synapses(rng, 9, 9))
    return Network((first, Layer("out", synapses(rng, 3, 9), integrator(rng, 3))))


def saved(record: type[Neuron], tmp_path: Path) -> str:
    network = network_of(record)
    inputs, lengths = spikes(np.random.default_rng(2), 2, 20, 5), np.array([20, 20])
    output = reference.run(network, inputs, lengths).output
    path = tmp_path / "m.net"
    write_net(path, network, Samples(inputs, lengths, None, None, output))
    return str(path)


@pytest.mark.parametrize("board", read_boards().boards)
def test_every_board_places_it_or_says_why_not(
    own: type[Neuron], board: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = saved(own, tmp_path)
    code = main([model, "--dry-run", "--target", board, "--json"])
    found = json.loads(capsys.readouterr().out)
    programs = [layer["program"] for layer in found["layers"]]
    if found["chip"] == "Loihi 1":
        assert (code, programs) == (1, ["not possible", "native"])
        assert "neuron_model" in {row["limit_name"] for row in found["violations"]}
    else:
        assert (code, programs) == (0, ["needs microcode", "native"])
    assert main([model, "--dry-run", "--target", board]) == code
    assert "needs a step of its own" in capsys.readouterr().out


def test_a_board_of_ones_own_may_have_it(
    own: type[Neuron], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, boards = saved(own, tmp_path), tmp_path / "my.toml"
    boards.write_text(
        '[chips.mine]\ntitle = "Mine"\nnative_neurons = ["TEST_OWN", "SRNN_LI"]\n'
        "[chips.mine.limits]\ncores_per_chip = { value = 9 }\nneurons_per_core = { value = 4 }\n"
        "decay_bits = { value = 12 }\nthreshold_bits = { value = 24 }\nbias_bits = { value = 24 }\n"
        "decay_profiles_per_core = { value = 3 }\nstate_bits = { value = 24 }\n"
        '[boards.desk]\ntitle = "Desk"\nchip = "mine"\nchips = { value = 1 }\n'
    )
    assert main([model, "--dry-run", "--board", str(boards), "--json"]) in {0, 1}
    found = json.loads(capsys.readouterr().out)
    assert found["layers"][0]["program"] == "native"
    # A clearing decay, 4096, is beyond 12 bits where 0 is a code too.
    assert {row["limit_name"] for row in found["violations"]} <= {"decay_bits"}


def test_what_a_chip_needs_follows_from_the_record(own: type[Neuron]) -> None:
    needs = requirements(own)
    assert needs.state_bits == 24
    if own.PARAMETERS:
        assert needs.decays == {"q_decay": 0, "slow_decay": 1}
        assert needs.thresholds == ("turn", "keep", "v_threshold", "slow")


def test_its_listing_gives_its_steps_bits(own: type[Neuron]) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        neuron = random_record(rng, own, 13)
        bits = min(26, 1 + largest_sum(own).bit_length())
        made = microcode(own, bits)
        bank = Bank("one", own.TYPE, 13, made.values(neuron))
        machine = Machine(microcode_text.write(Listing({own.TYPE: made}, (bank,))), "one", 1)
        states, spiked = initial_state(neuron, 1), np.zeros((1, 13), np.int64)
        bound = min(largest_sum(own), 1 << 24)
        for _ in range(25):
            a = np.clip(sums(rng, 13), -bound, bound)
            found = machine.step(a)
            states, spiked = take_step(neuron, states, a, spiked)
            for name in own.STATES:
                np.testing.assert_array_equal(found[name], states[name], err_msg=name)
            np.testing.assert_array_equal(found["spiked"], spiked)


def test_the_command_lists_it(
    own: type[Neuron], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = saved(own, tmp_path)
    assert main([model, "--emit-program"]) == 0
    assert Machine(capsys.readouterr().out, "own", 1).shape == (1, 9)
    assert main([model, "--emit-program", "--target", "loihi1"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "layer own: TEST_OWN: needs a step of its own" in err


def test_other_commands_run_it_or_refuse_it_in_one_line(
    own: type[Neuron], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = saved(own, tmp_path)
    assert main([model, "--target", "simulator"]) == 0
    capsys.readouterr()
    assert main([model, "--dry-run", "--target", "loihi2", "--cluster", "2"]) in {0, 2}
    err = capsys.readouterr().err
    if own.PARAMETERS:
        assert err.count("\n") == 1
        assert "layer own: TEST_OWN does not say how its neurons can be merged" in err
    with pytest.raises(InputError, match="layer own: TEST_OWN needs microcode"):
        native.describe_layers(network_of(own), BoardOptions())


def test_a_step_beyond_64_bits_is_refused_in_one_line(
    far: type[Neuron], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.net"
    write_net(path, network_of(far))
    assert main([str(path), "--emit-program"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "TEST_OWN: ((v + a) << far) may be" in err
    assert "64 bits do not hold; saturate its operands first" in err


def test_another_step_inherits_no_claim_of_the_first() -> None:
    @dataclass(frozen=True, eq=False)
    class Softer(CubaLIF):
        TYPE: ClassVar[str] = "TEST_SOFTER"

        @staticmethod
        def step(p: Any, s: Any, a: Any) -> dict[str, Any]:
            after = CubaLIF.step(p, s, a)
            return {**after, "v": after["v"] >> 1}

    chip = read_boards().find("loihi2").chip
    values = (100, 100, 900)
    assert isinstance(CubaLIF(3, *values).stock(1, 10), Stock)
    assert Softer(3, *values).stock(1, 10) == "stock Lava has no such neuron"
    assert (
        support(chip, Softer).reason == "needs a step of its own; stock tools have no such program"
    )
    assert Softer.RESPONSE is None

    @dataclass(frozen=True, eq=False)
    class Renamed(CubaLIF):
        TYPE: ClassVar[str] = "TEST_RENAMED"

    assert isinstance(Renamed(3, *values).stock(1, 10), Stock)
