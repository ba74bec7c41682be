"""Microcode programs as listings: executed from their text they give the reference's bits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import neuron_draws
import numpy as np
import pytest
import second_reading
from deploy_networks import adaptive, cuba, integrator, spikes, stack, threshold_refractory
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paths import ROOT
from srnn.deploy import emit, microcode, microcode_text
from srnn.deploy.boards import read_boards
from srnn.deploy.cli import main
from srnn.deploy.inputs import Inputs, bundled_inputs
from srnn.deploy.microcode import Listing, Width, narrowest
from srnn.deploy.microcode_programs import SOURCES, listing, notes, program
from srnn.deploy.programs import MICROCODE, support
from srnn.export.errors import InputError
from srnn.export.network import NEURONS, AdaptiveLIF, Network, Neuron, ThresholdRefractoryLIF
from srnn.export.netx import read_net, write_net
from srnn.export.samples import Samples
from srnn.simulate import reference

CHIP = read_boards().find("loihi2").chip
NAMES = {AdaptiveLIF: "alif", ThresholdRefractoryLIF: "atrlif"}
LARGEST_SUM = {AdaptiveLIF: 1 << 25, ThresholdRefractoryLIF: (1 << 17) - 1}


def test_every_neuron_that_a_chip_needs_in_microcode_has_a_program() -> None:
    chips = read_boards().chips.values()
    records = {
        kind for chip in chips for kind in NEURONS.values() if support(chip, kind).kind == MICROCODE
    }
    assert set(SOURCES) == records


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


def read_back(neuron: Neuron, width: Width) -> Listing:
    """The listing of one layer, from its text."""
    made = program(type(neuron), width)
    source = SOURCES[type(neuron)]
    entries = source.constants | source.registers
    values = {name: entry.values(neuron) for name, entry in entries.items()}
    bank = microcode.Bank("one", neuron.TYPE, neuron.size, values)
    return microcode_text.parse(microcode_text.write(Listing({neuron.TYPE: made}, (bank,))))


@pytest.mark.parametrize("kind", SOURCES, ids=NAMES.get)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), reach=st.integers(1, 25))
@example(seed=0, reach=25)
def test_the_text_executed_gives_the_references_bits(
    kind: type[Neuron], seed: int, reach: int
) -> None:
    compare_with_the_reference(kind, seed, reach)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SOURCES, ids=NAMES.get)
@settings(max_examples=400)
@given(seed=st.integers(0, 2**32 - 1), reach=st.integers(1, 25))
def test_many_texts_executed_give_the_references_bits(
    kind: type[Neuron], seed: int, reach: int
) -> None:
    compare_with_the_reference(kind, seed, reach)


def compare_with_the_reference(kind: type[Neuron], seed: int, reach: int) -> None:
    """Step a random population from its listing's text and by the reference."""
    rng = np.random.default_rng(seed)
    neuron = random_record(rng, kind, 17)
    largest = LARGEST_SUM[kind]
    listed = read_back(neuron, narrowest((-largest, largest)))
    bank = listed.banks[0]
    made = listed.programs[neuron.TYPE]
    registers = microcode.start(made, bank, 2)
    state, spiked = reference.initial_state(neuron, 2), np.zeros((2, 17), np.int64)
    bound = min(largest, 1 << reach)
    for _ in range(25):
        a = rng.integers(-bound, bound + 1, (2, 17))
        registers = microcode.step(made, bank, registers, a)
        state, spiking = second_reading.STEPS[kind.TYPE](neuron, state, a, spiked)
        spiked = np.asarray(spiking).astype(np.int64)
        assert made.states == kind.STATES
        for name in kind.STATES:
            np.testing.assert_array_equal(registers[name], state[name], err_msg=name)
        np.testing.assert_array_equal(registers["s"], spiked)


@pytest.mark.parametrize(("model", "samples", "steps"), [("digits", 1, 64), ("ecg", 1, 250)])
def test_trained_networks_give_the_references_bits(model: str, samples: int, steps: int) -> None:
    path = ROOT / "zoo" / f"{model}.net"
    network = read_net(path)
    inputs = bundled_inputs(path).cut(samples, steps)
    listed = microcode_text.parse(microcode_text.write(listing(network, CHIP)))
    rows = emit.check(listed, network, inputs)
    assert [row.quantity for row in rows] == ["spikes", "d", "v", "v"]
    assert sum(row.different for row in rows) == 0
    first = emit.execute(listed, network, inputs).layers[0].spikes
    assert first is not None
    assert first.sum() > 100


def mixed() -> tuple[Network, Inputs]:
    rng = np.random.default_rng(7)
    neurons = [adaptive(rng, 20), threshold_refractory(rng, 7, bias=True), cuba(rng, 4)]
    network = stack(rng, 5, [*neurons, adaptive(rng, 3), integrator(rng, 2)], exp=-1)
    lengths = np.array([40, 0, 17])
    return network, Inputs(spikes(rng, 3, 40, 5), lengths, None, "here")


def test_mixed_stacks_run_what_needs_no_program_by_the_reference() -> None:
    network, inputs = mixed()
    listed = microcode_text.parse(microcode_text.write(listing(network, CHIP)))
    assert [bank.layer for bank in listed.banks] == ["l0", "l1", "l3"]
    assert list(listed.programs) == ["SRNN_ALIF", "ATRLIF"]
    rows = emit.check(listed, network, inputs)
    assert len(rows) == 3 + 5 + 3 + 3 + 1
    assert sum(row.different for row in rows) == 0


@pytest.mark.parametrize(
    ("right", "wrong", "count"),
    [
        ("rtz v1 12", "shr v1 12", ("shr 1 rtz 2", "shr 2 rtz 1")),
        ("gt v B", "ge v B", ("gt 1", "ge 1")),
        ("sel s B 0", "sel s vTh 0", ("", "")),
        ("add v4 bias", "sub v4 bias", ("add 4 sub 1", "add 3 sub 2")),
    ],
)
def test_a_wrong_operation_is_found(right: str, wrong: str, count: tuple[str, str]) -> None:
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
    network = stack(rng, 5, [neuron, integrator(rng, 2)], recurrent=False, exp=-6)
    inputs = Inputs(spikes(rng, 2, 200, 5), np.array([200, 200]), None, "here")
    text = microcode_text.write(listing(network, CHIP))
    assert (
        sum(row.different for row in emit.check(microcode_text.parse(text), network, inputs)) == 0
    )
    assert text.count(right) == 1
    changed = text.replace(right, wrong).replace(*count)
    assert (
        sum(row.different for row in emit.check(microcode_text.parse(changed), network, inputs)) > 0
    )


def small() -> str:
    rng = np.random.default_rng(9)
    network = stack(rng, 2, [adaptive(rng, 20), integrator(rng, 2)])
    return microcode_text.write(listing(network, CHIP), {"SRNN_ALIF": notes(AdaptiveLIF)})


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("listing 1", "listing 2", "listing version 2, this reads 1"),
        ("d1 u35 = mul", "d1 u34 = mul", r"operation 1, d1 u34 = .*u34 does not hold that"),
        ("d1 u35 = mul", "d1 u63 = mul", "width u63: needs s, u or w and 1 to 62 bits"),
        ("= mul d dKeep", "= div d dKeep", r"unknown operation 'div' \(known: add, sub"),
        ("= mul d dKeep", "= mul d", "mul takes 2 operands, not 1"),
        ("= mul d dKeep", "= mul d dkeep", "dkeep has no value here"),
        ("= mul d dKeep", "= mul d 1.5", "operand '1.5' is neither a name nor a whole number"),
        ("rtz d1 12", "rtz d1 32", r"a shift by \(32, 32\) is outside 0..31"),
        ("sel s bStep 0", "sel d bStep 0", "d is not one bit"),
        ("d = sat24 d4", "d u23 = sat24 d4", "a register has the width of its declaration"),
        ("d = sat24 d4", "e u23 = sat24 d4", "register d is never assigned"),
        ("v = sat24 v7", "d = sat24 v7", "d is assigned twice"),
        ("3: d3", "4: d3", "line .*: operation 3 is numbered 4"),
        ("rtz d1 12", "rtz d 12", "d1 is never used"),
        ("add vTh b1", "add vTh vTh", "b1 is never used"),
        ("register s u1", "register s u2", "s is not one bit"),
        ("spike s", "spike v", "the spike v is not a register of u1|s is never used"),
        ("counts add 4", "counts add 5", "counts .*'add': 5.*its step has .*'add': 4"),
        ("constant bExp u4", "constant bExp u6", r"shr: a shift by \(0, 63\)"),
        ("constant bExp u4", "", "bExp has no value here"),
        ("constant bExp u4", "constant bExp u4\n constant bExp u4", "bExp is declared twice"),
        ("constant bExp u4", "constant bExp u4\n constant x u4", "x is never used"),
        ("dKeep 0..15", "dKeep 0..14", "16 values as 0..14 of 20 after 0"),
        ("dKeep 16..19", "dKeep 15..18", "4 values as 15..18 of 20 after 16"),
        ("s all 0", "s all 2", r"layer l0: s: 2 is outside 0..1 \(u1\)"),
        ("s all 0", "s all 0 0", "'all' stands alone"),
        ("s all 0", "s all 99999999999999999999", "s: a value beyond 62 bits"),
        ("s all 0", "", "layer l0: s: missing, or not in program SRNN_ALIF"),
        ('"l0" SRNN_ALIF 20', '"l0" SRNN_ALIF 21', "20 values of .* for 21 neurons"),
        ('"l0" SRNN_ALIF 20', '"l0" OTHER 20', "layer l0: program OTHER is not listed"),
        ('"l0" SRNN_ALIF 20', '"l0" SRNN_ALIF 0', "size 0 is outside 1"),
        ("\nend", "", "ends where 'program', 'layer' or 'end' is expected"),
        ("\nend", "\nend\nmore", "comes after the end"),
    ],
)
def test_the_parser_refuses_what_is_not_right(right: str, wrong: str, message: str) -> None:
    text = small()
    assert right in text
    with pytest.raises(InputError, match=message):
        microcode_text.parse(text.replace(right, wrong, 1), "a.txt")


@settings(max_examples=40)
@given(data=st.data())
def test_a_damaged_listing_is_refused_or_still_one(data: st.DataObject) -> None:
    lines = small().splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        how = data.draw(st.sampled_from(["drop", "double", "swap", "cut", "word"]))
        if how == "drop":
            del lines[at]
        elif how == "double":
            lines.insert(at, lines[at])
        elif how == "swap":
            lines[at], lines[at - 1] = lines[at - 1], lines[at]
        elif how == "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
        else:
            lines[at] += data.draw(st.sampled_from([" 7", " d", " -1", '"', " all", " s3", "é"]))
    try:
        listed = microcode_text.parse("\n".join(lines))
    except InputError:
        return
    again = microcode_text.parse(microcode_text.write(listed))
    assert again.programs == listed.programs


def test_values_beyond_their_width_are_errors_and_not_wrapped() -> None:
    rng = np.random.default_rng(10)
    listed = read_back(adaptive(rng, 3), Width("s", 8))
    made, bank = listed.programs["SRNN_ALIF"], listed.banks[0]
    registers = microcode.start(made, bank, 1)
    with pytest.raises(InputError, match=r"layer one, program SRNN_ALIF: a: 128 is outside -128"):
        microcode.step(made, bank, registers, np.full((1, 3), 128))
    runaway = ThresholdRefractoryLIF(
        1, i_decay=1, v_decay=0, th_decay=0, r_decay=0, th_init=0, th_step=(1 << 23) - 1
    )
    listed = read_back(runaway, Width("s", 18))
    made, bank = listed.programs["ATRLIF"], listed.banks[0]
    registers = microcode.start(made, bank, 1)
    # A spike in this step takes r to v + th, beyond 32 bits.
    v, th = 1 << 22, (1 << 31) - (1 << 20)
    registers["v"][:], registers["th"][:], registers["r"][:] = v, th, v - th
    message = rf"r = fit r5: {v + th} is outside -2147483648\.\.2147483647 \(s32\)"
    with pytest.raises(InputError, match=message):
        microcode.step(made, bank, registers, np.zeros((1, 1), np.int64))


def test_sums_that_a_wrap_cannot_take_are_refused_by_layer() -> None:
    rng = np.random.default_rng(11)
    neurons = [threshold_refractory(rng, 4), integrator(rng, 2)]
    network = stack(rng, 40, neurons, exp=7, message_bits=8)
    with pytest.raises(
        InputError, match=r"layer l0: ATRLIF: sums up to \d+, the program takes 131071"
    ):
        listing(network, CHIP)


def write(path: Path, network: Network) -> str:
    rng = np.random.default_rng(12)
    inputs = spikes(rng, 2, 20, network.input_size)
    lengths = np.array([20, 20])
    output = reference.run(network, inputs, lengths).output
    write_net(path, network, Samples(inputs, lengths, None, None, output))
    return str(path)


def test_the_command_writes_a_file_or_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, _ = mixed()
    model, target = write(tmp_path / "m.net", network), tmp_path / "program.txt"
    assert main([model, "--emit-program", str(target)]) == 0
    out = capsys.readouterr().out
    # 40 steps: spikes and 2 states of 20 and 3 neurons, and so on.
    compared = 40 * (3 * 20 + 5 * 7 + 3 * 4 + 3 * 3 + 2)
    assert f"gives the reference's {compared:,} spikes and states on bundled samples" in out
    listed = microcode_text.parse(target.read_text(encoding="utf-8"))
    assert [bank.size for bank in listed.banks] == [20, 7, 3]
    assert main([model, "--emit-program"]) == 0
    out, err = capsys.readouterr()
    assert out == target.read_text(encoding="utf-8")
    assert err.startswith("the listing, read back and executed, gives")
    assert main([model, "--json", "--emit-program", "-", "--target", "hala-point"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["listing"] == out
    assert (found["match"], found["compared"], found["mismatches"]) == (True, compared, 0)
    assert found["programs"][0] == {
        "program": "SRNN_ALIF",
        "layers": ["l0", "l3"],
        "neurons": 23,
        "register_bits": 48,
        "constant_bits": 98,
        "widest_intermediate_bits": 36,
        "operations": listed.programs["SRNN_ALIF"].counts,
    }


def test_without_samples_random_ones_are_executed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(13)
    path, target = tmp_path / "bare.net", tmp_path / "p.txt"
    write_net(path, stack(rng, 3, [adaptive(rng, 5), integrator(rng, 2)], message_bits=6))
    assert main([str(path), "--emit-program", str(target), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["source"], found["compared"]) == ("a random sample", 64 * 17)
    assert target.exists()


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
    ],
)
def test_bad_arguments_are_one_line_and_leave_no_file(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    network, _ = mixed()
    model, target = write(tmp_path / "m.net", network), tmp_path / "p.txt"
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


def test_the_page_shows_the_programs_as_they_are_written() -> None:
    page = (ROOT / "docs" / "MICROCODE.md").read_text(encoding="utf-8")
    for kind in SOURCES:
        lines = microcode_text.write_program(program(kind, Width("s", 18)), notes(kind))
        assert "\n".join(lines) in page
    for name in microcode.KINDS:
        assert f"`{name}" in page
