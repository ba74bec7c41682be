"""``srnn-deploy --dry-run``: tables, JSON, exit codes, clustering with its cost, errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from deploy_networks import adaptive, cuba, integrator, spikes, stack
from paths import ROOT
from srnn.deploy.boards import PER_CORE
from srnn.deploy.boards_page import EXAMPLE
from srnn.deploy.cli import main
from srnn.export.network import Network
from srnn.export.netx import read_net, read_samples, write_net
from srnn.export.samples import Samples
from srnn.simulate import reference
from srnn.simulate.cli import main as simulate

ZOO = ROOT / "zoo"
STEPS, LENGTHS = 30, (30, 12, 30, 25)


def network() -> Network:
    rng = np.random.default_rng(1)
    return stack(rng, 4, [cuba(rng, 40), cuba(rng, 20), integrator(rng, 3)], exp=0)


def samples(made: Network, labelled: bool = True) -> Samples:
    inputs = spikes(np.random.default_rng(2), len(LENGTHS), STEPS, 4)
    lengths = np.array(LENGTHS)
    inputs[np.arange(STEPS)[None] >= lengths[:, None]] = 0
    output = reference.run(made, inputs, lengths).output
    targets = np.zeros((len(LENGTHS), STEPS), np.int64) if labelled else None
    return Samples(inputs, lengths, targets, None, output)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.net"
    write_net(path, network(), samples(network()))
    return path


def result(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def test_what_fits_exits_0_and_says_what_was_not_checked(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(model), "--target", "loihi2", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert (
        "target loihi2: Oheo Gulch, 1 chip of Loihi 2, 120 cores. No such board is attached" in out
    )
    assert "fits: 3 of 120 cores; bottleneck: cores, 2% of the board" in out
    assert "limits not known, so not checked: input axons, output axons" in out
    assert "limits not verified: cores per chip, neurons" in out
    assert "spike traffic on bundled samples, 4 samples, 97 steps" in out


def test_what_does_not_fit_exits_1_with_every_violation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    path = tmp_path / "graded.net"
    write_net(path, stack(rng, 4, [adaptive(rng, 6), integrator(rng, 3)], message_bits=4))
    assert main([str(path), "--target", "kapoho-bay", "--dry-run"]) == 1
    out = capsys.readouterr().out
    assert "violation: network: graded payload bits 5, limit 0: encode" in out
    assert "violation: layer l0: neuron model SRNN_ALIF, limit CUBA" in out
    assert "DOES NOT FIT: " in out
    assert "spike traffic: not estimated, the file holds no samples" in out
    assert main([str(path), "--target", "kapoho-bay", "--dry-run", "--json"]) == 1
    found = result(capsys)
    assert found["fits"] is False
    assert found["traffic"] is None
    names = [row["limit_name"] for row in found["violations"]]
    assert names[:2] == ["graded_payload_bits", "neuron_model"]


def test_json_has_every_core_every_neuron_and_every_source(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(model), "--target", "loihi1", "--dry-run", "--json"]) == 0
    found = result(capsys)
    assert (found["fits"], found["target"], found["chip"]) == (True, "nahuku", "Loihi 1")
    assert found["bottleneck"] == "threshold_profiles_per_core"
    cores = found["cores"]
    assert [core["core"] for core in cores] == list(range(len(cores)))
    for layer, made in zip(found["layers"], network().layers, strict=True):
        homes = layer["core_of_neuron"]
        assert len(homes) == made.size
        for core in set(homes):
            assert cores[core]["neurons_per_core"] == homes.count(core)
            assert cores[core]["layer"] == layer["layer"]
    by_name = {row["name"]: row for row in found["resources"]}
    for name in PER_CORE:
        assert by_name[name]["used"] == sum(core[name] for core in cores)
        assert by_name[name]["fullest_core"] == max(core[name] for core in cores)
        assert by_name[name]["fullest_core"] <= by_name[name]["limit"]
    assert all(limit["source"] for limit in found["limits"])


def test_traffic_is_that_of_a_recorded_run(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(model), "--target", "loihi1", "--dry-run", "--json"]) == 0
    found = result(capsys)
    made, given = network(), samples(network())
    trace = reference.run(made, given.inputs, given.lengths)
    homes = [np.array(layer["core_of_neuron"]) for layer in found["layers"]]
    between = within = host = 0
    for index, layer in enumerate(made.layers):
        groups = [(layer.synapses, given.inputs if index == 0 else trace.layers[index - 1].spikes)]
        if layer.recurrent is not None:
            groups.append((layer.recurrent, trace.layers[index].spikes))
        for number, (synapses, messages) in enumerate(groups):
            assert messages is not None
            for source in range(synapses.n_in):
                sent = int((messages[:, :, source] != 0).sum())
                reached = {int(homes[index][n]) for n in np.flatnonzero(synapses.weight[:, source])}
                if index == 0 and number == 0:
                    host += sent * len(reached)
                    continue
                home = int(homes[index if number else index - 1][source])
                within += sent * (home in reached)
                between += sent * len(reached - {home})
    steps = sum(LENGTHS)
    assert found["traffic"]["steps"] == steps
    a_step = found["traffic"]["messages_per_step"]
    assert a_step["between_cores"] == pytest.approx(between / steps)
    assert a_step["within_cores"] == pytest.approx(within / steps)
    assert a_step["from_host"] == pytest.approx(host / steps)
    assert a_step["between_chips"] == 0
    total = sum(core["sent"] for core in found["cores"])
    assert total == pytest.approx(a_step["between_cores"])
    assert total == pytest.approx(sum(core["received"] for core in found["cores"]))


def test_clustering_writes_a_network_and_says_its_cost(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = main([str(model), "--target", "loihi1", "--dry-run", "--json"]), result(capsys)
    arguments = [str(model), "--target", "loihi1", "--dry-run", "--cluster", "8", "--json"]
    assert main(arguments) == before[0] == 0
    found = result(capsys)
    assert len(found["cores"]) < len(before[1]["cores"])
    cost = found["clustered"]
    written = model.with_name("model-8-profiles.net")
    assert cost["written"] == str(written)
    assert [row["profiles_after"] for row in cost["layers"]] == [8, 8, 3]
    assert cost["answers"] == sum(LENGTHS)
    # The samples of the new file hold what the new network answers.
    assert simulate([str(written), "--json"]) == 0
    assert result(capsys)["different"] == 0
    old, new = read_samples(model), read_samples(written)
    assert old is not None
    assert new is not None
    trace = [reference.run(read_net(path), old.inputs, old.lengths) for path in (model, written)]
    scales = [read_net(path).layers[-1].state_scale for path in (model, written)]
    answers = [(t.output * scale).argmax(axis=2) for t, scale in zip(trace, scales, strict=True)]
    ran = np.arange(STEPS)[None] < old.lengths[:, None]
    assert cost["changed_answers"] == int(((answers[0] != answers[1]) & ran).sum())
    for key, answer in zip(("accuracy_before", "accuracy_after"), answers, strict=True):
        assert cost[key] == pytest.approx((answer == 0)[ran].mean())
    spiked = [sum(int(x.spikes.sum()) for x in t.layers if x.spikes is not None) for t in trace]
    assert [cost["spikes_before"], cost["spikes_after"]] == spiked
    assert read_net(written).provenance["clustered"] == {"profiles": 8}


def test_clustering_in_words(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = model.with_name("few.net")
    arguments = [str(model), "--target", "loihi1", "--dry-run", "--cluster", "4", "-o", str(target)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "cost on bundled samples (4): accuracy" in out
    assert "of 97 answers changed" in out
    assert f"Wrote {target}" in out
    write_net(model, network(), samples(network(), labelled=False))
    assert main(arguments) == 0
    assert "they have no labels" in capsys.readouterr().out


def test_a_board_of_the_users_own(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model.with_name("my.toml")
    path.write_text(EXAMPLE)
    assert main([str(model), "--board", str(path), "--dry-run", "--json"]) == 1
    found = result(capsys)
    assert (found["target"], found["chip"]) == ("bench", "A small chip")
    assert {row["limit_name"] for row in found["violations"]} == {"weight_bits"}
    path.write_text(EXAMPLE.replace("value = 256", "value = -1"))
    assert main([str(model), "--board", str(path), "--dry-run"]) == 2
    err = capsys.readouterr().err
    assert f"{path}: chips.small.limits.neurons_per_core: value -1 is outside 0.." in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "loihi1"], "--target: loihi1 is a board; add --dry-run"),
        (["--cluster", "8"], "--cluster: is about placement; add --dry-run"),
        (["--board", "x.toml"], "--board: is about placement; add --dry-run"),
        (["--dry-run"], "name a board with --target: loihi1, loihi2"),
        (["--dry-run", "--target", "loihi3"], "--target: unknown board 'loihi3'; did you mean"),
        (["--dry-run", "--target", "lava"], "--target: unknown board 'lava'"),
        (["--dry-run", "--target", "loihi1", "-o", "x.net"], "--output: needs --cluster N"),
        (["--dry-run", "--target", "loihi1", "--cluster", "0"], "--cluster: 0 is below 1"),
        (["--dry-run", "--board", "none.toml"], "none.toml: no such file"),
        (["--target", "loihi3"], "--target: unknown target 'loihi3'; did you mean 'loihi2'?"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(
    model: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(model), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_clustering_needs_samples_and_spares_the_model(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare.net"
    write_net(bare, network())
    arguments = ["--target", "loihi1", "--dry-run", "--cluster", "4"]
    assert main([str(bare), *arguments]) == 2
    assert "holds no samples to measure the cost on; name a task" in capsys.readouterr().err
    content = model.read_bytes()
    assert main([str(model), *arguments, "-o", str(model)]) == 2
    assert "is the model itself" in capsys.readouterr().err
    assert model.read_bytes() == content


def test_samples_of_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(ZOO / "digits.net"), "--target", "loihi2", "--dry-run", "--task", "digits"]
    assert main([*arguments, "--samples", "5", "--json"]) == 0
    found = result(capsys)["traffic"]
    assert found["source"] == "digits, test split, 5 samples"
    assert found["steps"] == 5 * 64
    assert main([*arguments, "--samples", "5", "--steps", "7", "--json"]) == 0
    assert result(capsys)["traffic"]["steps"] == 35
