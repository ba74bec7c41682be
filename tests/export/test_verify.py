from __future__ import annotations

import numpy as np
import pytest
from export_models import config, weights
from srnn.export.checkpoint import FloatModel, LayerConfig
from srnn.export.errors import InputError
from srnn.export.network import CubaLIF as Cuba
from srnn.export.network import Layer, LeakyIntegrator, Network, Readout, Synapses
from srnn.export.trace import LayerTrace, Trace
from srnn.export.verify import compare_with_float

STEPS = 4


def network(readout: Readout) -> Network:
    one = np.full((2, 2), 2, np.int32)
    return Network(
        (
            Layer("hidden", Synapses(one), Cuba(2, 0, 0, 9)),  # type: ignore[arg-type]
            Layer("out", Synapses(one), LeakyIntegrator(2, 9), state_scale=np.array([0.5, 0.25])),  # type: ignore[arg-type]
        ),
        readout,
    )


def model(samples: dict) -> FloatModel:
    made = config(LayerConfig("cuba_lif", 2), LayerConfig("li", 2), inputs=2)
    return FloatModel(made, weights(made), samples=samples)


def one_hot(answers: list[list[int]]) -> np.ndarray:
    return np.eye(2)[np.array(answers)]


FLOAT = one_hot([[0, 1, 0, 1], [1, 1, 0, 0]])
# In units of (1/2, 1/4): 3 beats 1 only after scaling.
WHOLE = np.array(
    [[[3, 4], [0, 4], [4, 0], [4, 0]], [[0, 9], [0, 9], [0, 9], [0, 0]]], dtype=np.int32
)
TARGETS = np.array([[0, 1, 1, 1], [0, 1, 0, 1]])
FLOAT_SPIKES = np.array([[[1, 0], [1, 1], [0, 0], [0, 1]], [[1, 1], [0, 0], [1, 0], [1, 1]]])
WHOLE_SPIKES = np.array([[[1, 0], [0, 1], [1, 0], [0, 1]], [[1, 0], [0, 1], [1, 0], [0, 0]]])


def trace(lengths: list[int]) -> Trace:
    running = (np.arange(STEPS) < np.array(lengths)[:, None])[..., None]
    return Trace(
        (LayerTrace((WHOLE_SPIKES * running).astype(np.uint8)), LayerTrace(None)),
        (WHOLE * running).astype(np.int32),
        np.array(lengths),
    )


def samples(**entries: np.ndarray) -> dict:
    return {
        "inputs": np.zeros((2, STEPS, 2), np.uint8),
        "output": FLOAT.astype(np.float32),
        "spikes.0": np.packbits(FLOAT_SPIKES.astype(np.uint8), axis=1),
        **entries,
    }


def test_labels_at_every_step_are_counted_by_hand() -> None:
    found = compare_with_float(
        model(samples(targets=TARGETS)), network(Readout("membrane")), trace([4, 4])
    )
    # Integer answers: 0 1 0 0 and 1 1 1 0 against float 0 1 0 1 and 1 1 0 0.
    assert (found.samples, found.answers, found.changed_predictions) == (2, 8, 2)
    assert found.float_accuracy == pytest.approx(5 / 8)
    assert found.integer_accuracy == pytest.approx(3 / 8)
    assert found.accuracy_loss == pytest.approx(25.0)
    assert found.equal_spikes == {"hidden": pytest.approx(5 / 11)}
    assert (found.float_spikes, found.integer_spikes) == ({"hidden": 9}, {"hidden": 7})


def test_skipped_steps_and_steps_beyond_the_end_do_not_count() -> None:
    found = compare_with_float(
        model(samples(targets=TARGETS)), network(Readout("membrane", 1)), trace([4, 3])
    )
    # Steps 1 to 3 of the first sample, 1 and 2 of the second.
    assert (found.answers, found.changed_predictions) == (5, 2)
    assert found.float_accuracy == pytest.approx(4 / 5)
    assert found.integer_accuracy == pytest.approx(2 / 5)
    # Spikes count from the first step on; the second sample's last step is padding.
    assert (found.float_spikes, found.integer_spikes) == ({"hidden": 7}, {"hidden": 7})
    assert found.equal_spikes == {"hidden": pytest.approx(5 / 9)}


def test_one_answer_a_sample() -> None:
    targets = np.array([1, 0])
    found = compare_with_float(
        model(samples(targets=targets)), network(Readout("last_membrane")), trace([4, 3])
    )
    # Last steps: float 1 and 0, integers 0 and 1.
    assert (found.answers, found.changed_predictions) == (2, 2)
    assert (found.float_accuracy, found.integer_accuracy) == (1.0, 0.0)
    assert found.accuracy_loss == 100.0


def test_without_targets_or_spikes_there_is_nothing_to_say() -> None:
    bare = samples()
    del bare["spikes.0"]
    found = compare_with_float(model(bare), network(Readout("membrane")), trace([4, 4]))
    assert found.float_accuracy is None
    assert found.accuracy_loss is None
    assert found.equal_spikes == {}
    assert found.changed_predictions == 2


def test_silence_equals_silence() -> None:
    quiet = samples(**{"spikes.0": np.zeros((2, 1, 2), np.uint8)})
    empty = Trace(
        (LayerTrace(np.zeros((2, STEPS, 2), np.uint8)), LayerTrace(None)), WHOLE, np.array([4, 4])
    )
    found = compare_with_float(model(quiet), network(Readout("membrane")), empty)
    assert found.equal_spikes == {"hidden": 1.0}


@pytest.mark.parametrize("samples", [2, 4])
def test_targets_of_another_shape_than_the_answers(samples: int) -> None:
    # With as many samples as steps NumPy would compare answers of steps with those of samples.
    repeats = samples // 2
    held = {
        "inputs": np.zeros((samples, STEPS, 2), np.int64),
        "output": np.tile(FLOAT, (repeats, 1, 1)).astype(np.float32),
        "targets": np.zeros(samples, np.int64),
    }
    ran = trace([STEPS, STEPS])
    doubled = Trace(
        tuple(
            LayerTrace(None if x.spikes is None else np.tile(x.spikes, (repeats, 1, 1)))
            for x in ran.layers
        ),
        np.tile(ran.output, (repeats, 1, 1)),
        np.tile(ran.lengths, repeats),
    )
    with pytest.raises(InputError, match=r"gives one answer per step, .*; give targets of that"):
        compare_with_float(model(held), network(Readout("membrane")), doubled)
