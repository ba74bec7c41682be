"""A neuron from a user's own file, of which srnn knows nothing, on Lava."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from deploy_networks import integrator, spikes, synapses
from srnn.deploy.lava import runner
from srnn.deploy.lava.choice import describe
from srnn.export.errors import InputError
from srnn.export.network import Layer, LeakyIntegrator, Network
from srnn.export.trace import compare
from srnn.neurons.neuron import initial_state, take_step
from srnn.simulate import reference

pytestmark = pytest.mark.lava

FILE = """
from dataclasses import dataclass
from srnn.neurons.grid import decayed, rtz, sat, where
from srnn.neurons.neuron import Neuron, decay, parameter, state

@dataclass(frozen=True, eq=False)
class Resonator(Neuron):
    # s, phase and start are names that Lava's processes and models have themselves.
    turn: object = parameter("turn", -4096, 4096, "1/4096")
    keep: object = parameter("keep", -4096, 4096, "1/4096")
    q_decay: object = decay("qDecay")
    start: object = decay("sDecay")
    v_threshold: object = state("vTh", None)
    q_step: object = state("qStep", 0)
    q_init: object = state("qInit")
    phase_init: object = state("phaseInit")

    TYPE = "TEST_RESONATOR"
    STATES = ("phase", "q", "s", "v")

    @staticmethod
    def step(p, s, a):
        phase = sat(rtz(s.v * p.turn + s.phase * p.keep, 12))
        q = sat(decayed(s.q - p.q_init, p.q_decay) + p.q_init + where(s.spiked, p.q_step, 0))
        v = sat(rtz(s.v * p.keep - s.phase * p.turn, 12) + (a << 6))
        slow = sat(decayed(s.s, p.start) + (v >> 4))
        spiked = v - (slow >> 2) > p.v_threshold + q
        return {"phase": phase, "q": q, "s": slow, "v": v, "spiked": spiked}
"""

PLAIN = """
import numpy as np
from resonator import Resonator
from srnn.deploy.lava.processes.process import process_of
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer

source = RingBuffer(data=np.ones((1, 20), dtype=int))
dense = Dense(weights=np.full((2, 1), 60))
neuron = process_of(Resonator)(
    shape=(2,), turn=[700, 300], keep=3900, q_decay=40, start_=20, v_threshold=6000, q_step=900,
    phase_=[5, -500], start=2,
)
source.s_out.connect(dense.s_in)
dense.a_out.connect(neuron.a_in)
neuron.run(condition=RunSteps(num_steps=21), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
print(*[getattr(neuron, name).get().astype(int).tolist() for name in ("phase_", "q", "s_", "v")])
neuron.stop()
"""


@pytest.fixture
def resonator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    path = tmp_path / "resonator.py"
    path.write_text(FILE)
    spec = spec_from_file_location("resonator", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "resonator", module)
    spec.loader.exec_module(module)
    return module.Resonator


def test_a_neuron_of_four_states_runs_on_lava_from_its_file_alone(resonator: Any) -> None:
    rng = np.random.default_rng(1)
    n = 9
    neuron = resonator(
        n,
        turn=rng.integers(200, 1500, n),
        keep=rng.integers(3000, 3900, n),
        q_decay=rng.integers(5, 400, n),
        start=rng.integers(5, 400, n),
        v_threshold=rng.integers(500, 9000, n),
        q_step=rng.integers(0, 3000, n),
        q_init=rng.integers(0, 300, n),
        phase_init=rng.integers(-3000, 3000, n),
    )
    first = Layer("own", synapses(rng, n, 5, exp=3), neuron, synapses(rng, n, n))
    network = Network((first, Layer("out", synapses(rng, 3, n), integrator(rng, 3))))
    row = describe(network)[0]
    assert (row.process, row.stock) == ("Resonator", False)
    inputs = spikes(rng, 2, 60, 5)
    expected = reference.run(network, inputs)
    found = runner.run(network, inputs)
    assert set(found.layers[0].states) == {"phase", "q", "s", "v"}
    assert [entry for entry in compare(found, expected) if entry.different] == []
    assert expected.layers[0].spikes is not None
    assert expected.layers[0].spikes.sum() > 50


def test_its_process_runs_in_a_plain_lava_script(resonator: Any, tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(PLAIN)
    done = subprocess.run(
        [sys.executable, "plain.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Cannot import module" not in done.stderr
    neuron = resonator(2, [700, 300], 3900, 40, 20, 6000, 900, 0, [5, -500])
    states, spiked = initial_state(neuron, 1), np.zeros((1, 2), dtype=np.int64)
    for _ in range(20):
        states, spiked = take_step(neuron, states, np.full((1, 2), 60), spiked)
    expected = [states[name][0].tolist() for name in ("phase", "q", "s", "v")]
    assert done.stdout.splitlines()[-1] == " ".join(map(str, expected))


def test_a_neuron_that_the_worker_cannot_import_is_refused() -> None:
    @dataclass(frozen=True, eq=False)
    class Here(LeakyIntegrator):
        TYPE: ClassVar[str] = "TEST_HERE"

    network = Network((Layer("a", synapses(np.random.default_rng(1), 2, 3), Here(2, 10)),))
    with pytest.raises(InputError, match=r"neuron TEST_HERE: .* define it at the top level of a"):
        runner.run(network, np.ones((1, 5, 3), dtype=int))
