"""Microcode listings: their text, executed, gives the reference's bits for any neuron."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import listing_machine
import neuron_draws
import numpy as np
import pytest
import second_reading
from deploy_networks import adaptive, cuba, integrator, stack, threshold_refractory
from hypothesis import example, given, settings
from hypothesis import strategies as st
from listing_machine import Machine
from paths import ROOT
from srnn.deploy import microcode_text
from srnn.deploy.boards import read_boards
from srnn.deploy.cli import main
from srnn.deploy.microcode import (
    KINDS,
    Bank,
    Listing,
    largest_sum,
    listing,
    microcode,
)
from srnn.deploy.programs import MICROCODE, support
from srnn.export.errors import InputError
from srnn.export.network import NEURONS, AdaptiveLIF, Network, Neuron, ThresholdRefractoryLIF
from srnn.export.netx import read_net, write_net
from srnn.neurons.ranges import _BOUNDS
from srnn.simulate import reference

CHIP = read_boards().find("loihi2").chip


def random_record(rng: np.random.Generator, kind: type[Neuron], n: int) -> Neuron:
    """A record over the whole range of every parameter, its ends often."""
    neuron = neuron_draws.random_record(rng, kind, n)
    if kind is ThresholdRefractoryLIF:
        # Refused beyond 32 bits; the test of that is below.
        return replace(
            neuron,
            th_step=rng.integers(0, 5000, n), th_init=rng.integers(0, 100_000, n),
            th_decay=rng.integers(1, 4097, n), r_decay=rng.integers(20, 4097, n),
        )  # fmt: skip
    return neuron


def text_of(neuron: Neuron, sum_bits: int) -> str:
    """The listing of one layer."""
    made = microcode(type(neuron), sum_bits)
    bank = Bank("one", neuron.TYPE, neuron.size, made.values(neuron))
    return microcode_text.write(Listing({neuron.TYPE: made}, (bank,)))


@pytest.mark.parametrize("kind", NEURONS)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), reach=st.integers(1, 25))
@example(seed=0, reach=25)
def test_the_text_executed_gives_the_references_bits(kind: str, seed: int, reach: int) -> None:
    compare_with_the_reference(NEURONS[kind], seed, reach)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NEURONS)
@settings(max_examples=400)
@given(seed=st.integers(0, 2**32 - 1), reach=st.integers(1, 25))
def test_many_texts_executed_give_the_references_bits(kind: str, seed: int, reach: int) -> None:
    compare_with_the_reference(NEURONS[kind], seed, reach)


def compare_with_the_reference(kind: type[Neuron], seed: int, reach: int) -> None:
    """Step a random population from its listing's text and by the second reading."""
    rng = np.random.default_rng(seed)
    neuron = random_record(rng, kind, 17)
    bound = min(largest_sum(kind), 1 << reach)
    machine = Machine(text_of(neuron, bound.bit_length() + 1), "one", 2)
    state, spiked = reference.initial_state(neuron, 2), np.zeros((2, 17), np.int64)
    for _ in range(25):
        a = rng.integers(-bound, bound + 1, (2, 17))
        found = machine.step(a)
        state, spiking = second_reading.STEPS[kind.TYPE](neuron, state, a, spiked)
        for name in kind.STATES:
            np.testing.assert_array_equal(found[name], state[name], err_msg=name)
        if kind.SPIKING:
            spiked = np.asarray(spiking).astype(np.int64)
            np.testing.assert_array_equal(found["spiked"], spiked)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("rtz %6 12", "shr %6 12"),
        ("gt %15 %12", "ge %15 %12"),
        ("sel spiked %12 0", "sel spiked v_threshold 0"),
        ("add %8 bias", "sub %8 bias"),
    ],
)
def test_a_wrong_operation_is_found(right: str, wrong: str) -> None:
    rng = np.random.default_rng(8)
    # Small numbers, so that a membrane often is its threshold.
    neuron = AdaptiveLIF(
        30,
        v_decay=rng.integers(500, 2000, 30),
        b_decay=rng.integers(500, 2000, 30),
        v_threshold=64,
        b_step=rng.integers(0, 99, 30),
        b_exp=rng.integers(0, 2, 30),
        bias=rng.integers(-30, 30, 30),
    )
    text = text_of(neuron, 18)
    assert text.count(right) == 1
    changed = text.replace(right, wrong)
    machines = [Machine(one, "one", 2) for one in (text, changed)]
    differ = 0
    for _ in range(200):
        a = rng.integers(-3, 4, (2, 30))
        found, other = (machine.step(a) for machine in machines)
        differ += sum(int((found[name] != other[name]).sum()) for name in found)
    assert differ > 0


def test_every_operation_of_a_step_has_a_name() -> None:
    assert set(KINDS) == set(_BOUNDS)
    assert {kind for kind, _ in KINDS.values()} == set(listing_machine.COMPUTE)


def mixed() -> Network:
    rng = np.random.default_rng(7)
    neurons = [adaptive(rng, 20), threshold_refractory(rng, 7, bias=True), cuba(rng, 4)]
    return stack(rng, 5, [*neurons, adaptive(rng, 3), integrator(rng, 2)], exp=-1)


def test_mixed_stacks_list_what_needs_a_program() -> None:
    network = mixed()
    listed = listing(network, CHIP)
    assert [bank.layer for bank in listed.banks] == ["l0", "l1", "l3"]
    assert [bank.size for bank in listed.banks] == [20, 7, 3]
    assert list(listed.programs) == ["SRNN_ALIF", "ATRLIF"]
    needing = [row.neuron.TYPE for row in network.layers if needs_microcode(row.neuron)]
    assert needing == [bank.program for bank in listed.banks]


def needs_microcode(neuron: Neuron) -> bool:
    return support(CHIP, type(neuron)).kind == MICROCODE


@pytest.mark.parametrize(("model", "steps"), [("digits", 64), ("ecg", 250)])
def test_a_trained_layers_listing_gives_the_references_bits(model: str, steps: int) -> None:
    network = read_net(ROOT / "zoo" / f"{model}.net")
    layer = network.layers[0]
    text = microcode_text.write(listing(network, CHIP))
    rng = np.random.default_rng(3)
    top = (1 << network.message_bits) - 1 if network.message_bits else 1
    inputs = rng.integers(0, top + 1, (1, steps, network.input_size)).astype(np.int32)
    expected = reference.run(network, inputs).layers[0]
    assert expected.spikes is not None
    assert expected.spikes.sum() > 100
    machine = Machine(text, layer.name, 1)
    for t in range(steps):
        a = reference.delivered(layer.synapses, inputs.astype(np.int64), t)
        if layer.recurrent is not None and t > 0:
            a = a + reference.delivered(layer.recurrent, expected.spikes.astype(np.int64), t - 1)
        found = machine.step(a)
        for name, values in expected.states.items():
            np.testing.assert_array_equal(found[name], values[:, t], err_msg=name)
        np.testing.assert_array_equal(found["spiked"], expected.spikes[:, t])


def test_a_state_without_a_limit_has_32_bits() -> None:
    runaway = ThresholdRefractoryLIF(
        1, i_decay=1, v_decay=0, th_decay=0, r_decay=0, th_init=0, th_step=(1 << 23) - 1
    )
    text = text_of(runaway, 18)
    assert "register r s32" in text
    assert "# beyond s32: an error" in text
    machine = Machine(text, "one", 1)
    # A spike in this step takes r to v + th, beyond 32 bits.
    v, th = 1 << 22, (1 << 31) - (1 << 20)
    for name, value in {"v": v, "th": th, "r": v - th}.items():
        machine.values[name] = np.full((1, 1), value)
    with pytest.raises(AssertionError, match=r"^r$|^th$"):
        machine.step(np.zeros((1, 1), np.int64))


def test_sums_that_a_wrap_cannot_take_are_refused_by_layer() -> None:
    rng = np.random.default_rng(11)
    neurons = [threshold_refractory(rng, 4), integrator(rng, 2)]
    network = stack(rng, 40, neurons, exp=7, message_bits=8)
    with pytest.raises(
        InputError, match=r"layer l0: ATRLIF: sums up to \d+, the program takes 262143"
    ):
        listing(network, CHIP)


def write(path: Path, network: Network) -> str:
    write_net(path, network)
    return str(path)


def test_the_command_writes_a_file_or_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, target = write(tmp_path / "m.net", mixed()), tmp_path / "program.txt"
    assert main([model, "--emit-program", str(target)]) == 0
    printed = capsys.readouterr().out
    assert "SRNN_ALIF" in printed
    assert f"Wrote {target}" in printed
    assert main([model, "--emit-program"]) == 0
    out, err = capsys.readouterr()
    assert out == target.read_text(encoding="utf-8")
    assert err == ""
    assert Machine(out, "l1", 1).shape == (1, 7)
    assert main([model, "--json", "--emit-program", "-", "--target", "hala-point"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["listing"] == out
    assert found["programs"][0] == {
        "program": "SRNN_ALIF",
        "layers": ["l0", "l3"],
        "neurons": 23,
        "register_bits": 48,
        "constant_bits": 98,
        "widest_intermediate_bits": 36,
        "operations": listing(mixed(), CHIP).programs["SRNN_ALIF"].counts,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "loihi1"], "Loihi 1: layer l0: SRNN_ALIF: needs an adaptive threshold"),
        (["--target", "lava"], "--target: unknown board 'lava'"),
        (
            ["--dry-run", "--target", "loihi2"],
            "--emit-program: places nothing; leave out --dry-run",
        ),
        (["--cluster", "3"], "--cluster: is about placement"),
        (["--samples", "3"], "--samples: --emit-program runs no sample; leave it out"),
        (["--task", "digits"], "--task: --emit-program runs no sample; leave it out"),
    ],
)
def test_bad_arguments_are_one_line_and_leave_no_file(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model, target = write(tmp_path / "m.net", mixed()), tmp_path / "p.txt"
    assert main([model, "--emit-program", str(target), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not target.exists()


def test_a_network_that_needs_no_program_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(14)
    model = write(tmp_path / "m.net", stack(rng, 3, [cuba(rng, 5), integrator(rng, 2)]))
    assert main([model, "--emit-program"]) == 2
    assert (
        "no layer needs a program: Loihi 2 runs CUBA, SRNN_LI by itself" in capsys.readouterr().err
    )


def test_the_page_shows_a_program_as_it_is_written() -> None:
    page = (ROOT / "docs" / "MICROCODE.md").read_text(encoding="utf-8")
    lines = microcode_text.write_program(microcode(NEURONS["SRNN_ALIF"], 18))
    assert "\n".join(lines) in page
    for name, _ in KINDS.values():
        assert f"`{name} " in page
