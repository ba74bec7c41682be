"""Properties of the fused kernels, on a CUDA device or interpreted on the CPU.

Every check takes the device and raises AssertionError. ``test_interpreted.py`` runs them
under Triton's interpreter, ``test_device.py`` on a GPU. The reference is the plain loop
in float64 on the CPU.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_reference import Case, draw, error, objective, run_engine, run_loop
from srnn.export.config import Init, LayerConfig, ModelConfig
from srnn.export.errors import InputError
from srnn.tasks import Task
from srnn.train.cuda.events import dense_events
from srnn.train.cuda.plan import LAYOUTS, MAX_WIDTH
from srnn.train.engine import Events
from srnn.train.engine.stack import StackLayer, StackResult
from srnn.train.engine.surrogates import encode
from srnn.train.loop import fit
from srnn.train.network import SRNN
from srnn.train.run import MODEL
from srnn.train.surrogate import SURROGATES, MultiGaussian
from torch import Tensor
from train_helpers import recipe, split

LIMIT = 1e-4
SMALL = {"batch": 3, "steps": 7, "channels": 9, "n": 6}

Outputs = tuple[Tensor, Tensor, tuple[Tensor, ...]]


def stack(case: Case, inputs: Any = None, **wanted: Any) -> StackResult:
    """The layer's run by the kernels; Triton is imported only here."""
    from srnn.train.cuda.stack import spiking_stack

    encoded = encode(case.surrogate)
    assert encoded is not None
    layer = StackLayer(
        case.neuron, case.weight, case.recurrent_weight, case.bias, case.coefficients, case.state
    )
    return spiking_stack((layer,), case.inputs if inputs is None else inputs, encoded, **wanted)


def fused(case: Case, inputs: Any = None) -> Outputs:
    """Membranes, spikes and the last state from the kernels."""
    made = stack(case, inputs)
    assert made.membranes is not None
    assert made.spikes[0] is not None
    return made.membranes, made.spikes[0], made.states[0]


def on(case: Case, device: str) -> Case:
    return case.to(device)  # type: ignore[arg-type]


def agreeing(make: Callable[[int], Case], device: str) -> tuple[Case, Case, Outputs, Outputs]:
    """The first drawn layer whose spikes agree, on the device and in float64, and its outputs."""
    for seed in range(30):
        single = make(seed).to(torch.float32)
        case, exact = on(single, device), single.to(torch.float64)
        mine, theirs = fused(case), run_loop(exact)
        if ((mine[1].cpu() != 0) == (theirs[1] != 0)).all():
            return case, exact, mine, theirs
    raise AssertionError("the spikes of none of 30 drawn layers agree with the loop's")


def compare(mine: Outputs, theirs: Outputs, case: Case, exact: Case, *leaves: str) -> None:
    """Run both backward and compare outputs, last states and gradients."""
    for a, b in zip((*mine[:2], *mine[2]), (*theirs[:2], *theirs[2]), strict=True):
        assert error(a.cpu(), b.cpu()) < LIMIT
    objective(mine).backward()
    objective(theirs).backward()
    compare_gradients(case, exact, *leaves)


def compare_gradients(case: Case, exact: Case, *leaves: str) -> None:
    other, errors = exact.leaves(), {}
    for name, leaf in case.leaves().items():
        if leaves and name not in leaves:
            continue
        assert leaf.grad is not None, name
        expected = other[name].grad
        expected = torch.zeros_like(other[name]) if expected is None else expected
        errors[name] = error(leaf.grad.cpu(), expected)
    assert {name: e for name, e in errors.items() if not e < LIMIT} == {}


def equals_the_loop(device: str, **drawn: Any) -> None:
    sizes = {**SMALL, **drawn}
    case, exact, mine, theirs = agreeing(lambda seed: draw(**{"seed": seed, **sizes}), device)
    compare(mine, theirs, case, exact)
    if case.neuron != "li" and sizes["steps"] > 3:
        assert 0.02 < float((mine[1] != 0).float().mean()) < 0.7


def equals_the_cpu_engine(device: str, **drawn: Any) -> None:
    """The engine in float32, with another order of summation."""
    case, _, mine, _ = agreeing(lambda seed: draw(**{"seed": seed, **SMALL, **drawn}), device)
    other = on(case, "cpu")
    compare(mine, run_engine(other), case, other)


def surrogates_have_settings(device: str) -> None:
    """The multi-Gaussian has two forms, for wide and for narrow side lobes."""
    assert encode(MultiGaussian()).kind != encode(MultiGaussian(scale=2.0)).kind  # type: ignore[union-attr]
    for kind in SURROGATES.values():
        fields = list(kind.__dataclass_fields__)
        surrogate = kind(**{name: 0.3 + 0.2 * place for place, name in enumerate(fields)})

        def make(seed: int, surrogate: Any = surrogate) -> Case:
            return replace(draw("alif", seed, **SMALL), surrogate=surrogate)

        case, exact, mine, theirs = agreeing(make, device)
        compare(mine, theirs, case, exact)


def silent_and_saturated(device: str, neuron: str) -> None:
    for bias, low, high in ((-50.0, 0.0, 0.0), (50.0, 0.99, 1.0)):
        graded = neuron == "alif_relu" and bias > 0
        case, exact, mine, theirs = agreeing(
            lambda seed, bias=3.0 if graded else bias: draw(
                neuron, seed, **SMALL, bias=bias, surrogate="fast_sigmoid"
            ),
            device,
        )
        # The first step may follow the drawn state.
        rate = float((mine[1][:, 1:] != 0).float().mean())
        assert (0.4 if graded else low) <= rate <= high
        compare(mine, theirs, case, exact)


def chunks_equal_the_whole(device: str, neuron: str) -> None:
    """Truncated sequences that pass on their state, with the gradient through it."""
    recurrent = neuron != "li"
    case, exact, _, theirs = agreeing(
        lambda seed: draw(neuron, seed, **SMALL, recurrent=recurrent), device
    )
    parts, state = [], case.state
    for piece in case.inputs.split([3, 1, 3], dim=1):
        part = fused(replace(case, inputs=piece, state=state))
        parts.append(part)
        state = part[2]
    joined = tuple(torch.cat([part[k] for part in parts], 1) for k in range(2))
    compare((joined[0], joined[1], state), theirs, case, exact)


def each_output_alone_has_its_gradient(device: str) -> None:
    case, exact, _, _ = agreeing(lambda seed: draw("alif", seed, **SMALL), device)
    for pick in range(5):
        mine, theirs = on(case, device), exact.to(torch.float64)
        for run, one in ((fused, mine), (run_loop, theirs)):
            membranes, spikes, state = run(one)
            chosen = (membranes, spikes, *state)[pick]
            (chosen * torch.arange(chosen.shape[-1]).to(chosen)).sum().backward()
        compare_gradients(mine, theirs)


def only_some_leaves_need_a_gradient(device: str) -> None:
    """Outputs that are not requested are None, the others have the same bits."""
    case, _, mine, _ = agreeing(lambda seed: draw("alif", seed, **SMALL), device)
    objective(mine).backward()
    for frozen in ("inputs", "weight", "recurrent_weight"):
        other = on(case, device)
        other.leaves()[frozen].requires_grad_(False)
        objective(fused(other)).backward()
        for name, leaf in other.leaves().items():
            if name == frozen:
                assert leaf.grad is None
            else:
                assert torch.equal(leaf.grad, case.leaves()[name].grad), name


def event_lists_equal_the_dense_input(device: str) -> None:
    for graded in (False, True):
        case, exact, mine, theirs = agreeing(
            lambda seed, graded=graded: draw("alif", seed, **SMALL, graded=graded), device
        )
        events = Events.from_dense(case.inputs.detach().cpu().numpy())
        assert (events.values is not None) == graded
        rest = [name for name in case.leaves() if name != "inputs"]
        listed = fused(case, events)
        assert all(torch.equal(a, b) for a, b in zip(mine[:2], listed[:2], strict=True))
        compare(listed, theirs, case, exact, *rest)
    # Samples in any order, a sample without events, two events at one place.
    events = Events(
        np.array([[2, 4, 4], [0, 0, 0], [0, 1, 2]]), np.array([1, 0, 2, 2]), 3, np.ones(4)
    )
    dense = dense_events(events, torch.device(device)).cpu().numpy()
    assert np.array_equal(dense, events.to_dense())
    assert dense[0, 0, 2] == 2


def a_second_run_gives_the_same_bits(device: str) -> None:
    for n in (6, 130):
        case = on(
            draw("alif", 0, **{**SMALL, "batch": 2, "n": n, "steps": 3}).to(torch.float32), device
        )
        runs = []
        for _ in range(2):
            one = on(case, device)
            objective(fused(one)).backward()
            runs.append([leaf.grad for leaf in one.leaves().values()])
        assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def a_graph_can_be_walked_twice(device: str) -> None:
    """The backward pass does not change what was kept."""
    case, _, mine, _ = agreeing(lambda seed: draw("alif", seed, **SMALL), device)
    total = objective(mine)
    leaves = list(case.leaves().values())
    first = torch.autograd.grad(total, leaves, retain_graph=True)
    second = torch.autograd.grad(total, leaves)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def weights_changed_before_the_way_back_are_refused(device: str) -> None:
    case, _, mine, _ = agreeing(lambda seed: draw("alif", seed, **SMALL), device)
    total = objective(mine)
    with torch.no_grad():
        case.recurrent_weight.mul_(2)  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


def nothing_is_kept_without_a_gradient(device: str) -> None:
    case, _, wanted, _ = agreeing(lambda seed: draw("alif", seed, **SMALL), device)
    with torch.no_grad():
        plain = fused(case)
    assert plain[0].grad_fn is None
    assert all(torch.equal(a, b) for a, b in zip(wanted[:2], plain[:2], strict=True))
    bare = stack(case, membranes=False, spikes=False, counts=True)
    assert bare.membranes is None
    assert bare.spikes == (None,)
    assert torch.equal(bare.counts[0], plain[1].sum(1))  # type: ignore[arg-type]


def counts_stop_at_the_sample_s_end(device: str) -> None:
    case, _, mine, _ = agreeing(lambda seed: draw("alif", seed, **SMALL), device)
    counts = stack(case, counts=True, lengths=torch.tensor([7, 1, 4])).counts[0]
    assert counts is not None
    expected = [mine[1][k, :end].sum(0) for k, end in enumerate((7, 1, 4))]
    assert torch.equal(counts, torch.stack(expected))
    # The gradient of a count is that of its spikes.
    leaves = list(case.leaves().values())
    weights = torch.arange(6).to(counts)
    found = torch.autograd.grad((counts * weights).sum(), leaves)
    wanted = torch.autograd.grad((torch.stack(expected) * weights).sum(), leaves)
    assert all(error(a, b) < LIMIT for a, b in zip(found, wanted, strict=True))


def layouts_in_memory_do_not_matter(device: str) -> None:
    """Tensors and gradients that are views with other strides."""
    case, exact, _, theirs = agreeing(lambda seed: draw("alif", seed, **SMALL), device)
    turned = replace(
        case,
        inputs=case.inputs.transpose(0, 1).contiguous().transpose(0, 1),
        recurrent_weight=case.recurrent_weight.t().contiguous().t(),  # type: ignore[union-attr]
        state=tuple(x.t().contiguous().t() for x in case.state),
    )
    mine = fused(turned)
    for run in (mine, theirs):
        # sum's gradient is one number, expanded.
        (run[0].sum() + run[1].transpose(0, 1).contiguous().pow(2).sum()).backward()
    compare_gradients(case, exact)


def autocast_does_not_round(device: str) -> None:
    case, exact, _, theirs = agreeing(lambda seed: draw("alif", seed, **SMALL), device)
    with torch.autocast(device, torch.bfloat16):
        mine = fused(case)
    assert mine[0].dtype == torch.float32
    compare(mine, theirs, case, exact)


def mistakes_are_named(device: str) -> None:
    case = on(draw("alif", 0, **SMALL).to(torch.float32), device)
    wide = torch.zeros(MAX_WIDTH + 1, device=device)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("unknown neuron 'glif'; did you mean", {"neuron": "glif"}),
        ("has 4 coefficients, given 3", {"coefficients": case.coefficients[1:]}),
        ("has 3 states, given 2", {"state": case.state[1:]}),
        (r"weight is \(6, 9\), not \(6, 8\)", {"inputs": case.inputs[:, :, 1:]}),
        ("at least one sample and one step", {"inputs": case.inputs[:, :0]}),
        ("recurrent_weight is .*, not", {"recurrent_weight": case.weight}),
        ("second is .*, not", {"state": (case.state[0], case.state[1][1:], case.state[2])}),
        ("inputs is torch.float64", {"inputs": case.inputs.double()}),
        ("bias is torch.float16", {"bias": case.bias.half()}),
        (f"{MAX_WIDTH + 1} recurrent neurons", {"bias": wide}),
        (
            "li does not spike",
            {"neuron": "li", "coefficients": case.coefficients[:1], "state": case.state[:1]},
        ),
    ]
    for message, change in cases:
        with pytest.raises(InputError, match=message):
            fused(replace(case, **change))


def a_network_equals_the_loop(device: str, readout: str, bidirectional: bool) -> None:
    """Gain, bias, directions and states of whole networks, through ``SRNN``."""
    tau = Init(kind="uniform", low=3, high=20)
    hidden: dict[str, Any] = {"threshold": 0.05, "tau_mem": tau, "weight_gain": 3.0}
    config = ModelConfig(
        9,
        (
            LayerConfig("alif", 7, recurrent=True, bidirectional=bidirectional, **hidden),
            LayerConfig("cuba_lif", 5, recurrent=True, **hidden),
            LayerConfig("alif" if readout == "spike_count" else "li", 4, **hidden),
        ),
        readout,
    )
    for seed in range(30):
        torch.manual_seed(seed)
        inputs = (torch.rand(3, 8, 9) < 0.3).float()
        lengths = torch.tensor([8, 5, 1])
        exact = SRNN(config, engine="loop")
        mine = SRNN(config, engine="events")
        mine.load_state_dict(exact.state_dict())
        mine, exact = mine.to(device), exact.double()
        a = mine(inputs.to(device), lengths.to(device))
        b = exact(inputs.double(), lengths)
        fires = all(float((x != 0).float().mean()) > 0.01 for x in a.spikes)
        if fires and all(
            error(x.cpu(), y) < LIMIT for x, y in zip(a.spikes, b.spikes, strict=True)
        ):
            break
    else:
        raise AssertionError("no seed whose layers fire and whose spikes agree")
    weights = torch.arange(4)
    (a.output * weights.to(a.output)).pow(2).sum().backward()
    (b.output * weights).pow(2).sum().backward()
    other = dict(exact.named_parameters())
    for name, parameter in mine.named_parameters():
        assert error(parameter.grad.cpu(), other[name].grad) < LIMIT, name


def a_training_run_equals_the_loop(device: str) -> None:
    """Two epochs of a small task through ``fit``, with optimizer, validation and ``model.pt``."""
    train, validation, test = (split(seed, size, steps=6) for seed, size in enumerate((12, 4, 2)))
    small = Task("tiny", train=train, validation=validation, test=test, classes=("a", "b", "c"))
    histories = []
    for engine, where in (("events", device), ("loop", "cpu")):
        with tempfile.TemporaryDirectory() as folder:
            settings = recipe(engine=engine, device=where, learning_rate=0.01, bundle_samples=2)
            _, state = fit(settings, small, Path(folder))
            assert (Path(folder) / MODEL).exists()
        histories.append(state.history)
    for mine, theirs in zip(*histories, strict=True):
        for name in ("train_loss", "validation_loss"):
            assert abs(mine[name] - theirs[name]) < 1e-4 * abs(theirs[name]), (name, mine, theirs)


WIDE = {"batch": 2, "steps": 4, "channels": 5}
SIZES = (
    {"batch": 1, "steps": 1, "channels": 1, "n": 1},
    {"batch": 1, "steps": 2, "channels": 3, "n": 5},
    {"batch": 4, "steps": 5, "channels": 17, "n": 33},
    {"batch": 2, "steps": 3, "channels": 5, "n": 128},
    {**WIDE, "n": 129},
)


def cases() -> dict[str, tuple[Callable[..., None], dict[str, Any]]]:
    """Checks and their arguments, by name."""
    found: dict[str, tuple[Callable[..., None], dict[str, Any]]] = {}
    for neuron in LAYOUTS:
        drawn: dict[str, Any] = {"neuron": neuron}
        found[f"{neuron}-feed_forward"] = (equals_the_loop, {**drawn, "recurrent": False})
        found[f"{neuron}-chunks"] = (chunks_equal_the_whole, drawn)
        if neuron == "li":
            continue
        found[f"{neuron}-recurrent"] = (equals_the_loop, drawn)
        found[f"{neuron}-cpu_engine"] = (equals_the_cpu_engine, drawn)
        found[f"{neuron}-extremes"] = (silent_and_saturated, drawn)
        for size in SIZES:
            name = "x".join(map(str, size.values()))
            found[f"{neuron}-{name}"] = (equals_the_loop, {**drawn, **size})
    for neuron in ("alif", "cuba_lif"):
        for surrogate in SURROGATES:
            drawn = {"neuron": neuron, "surrogate": surrogate, "batch": 2, "steps": 4}
            found[f"{neuron}-{surrogate}"] = (equals_the_loop, drawn)
    for n in (256, 300):
        found[f"alif-{n}"] = (equals_the_loop, {"neuron": "alif", **WIDE, "n": n})
    blocks = {"neuron": "alif", **WIDE, "recurrent": False, "n": 300}
    found["alif-several_blocks"] = (equals_the_loop, blocks)
    for check in (
        surrogates_have_settings,
        each_output_alone_has_its_gradient,
        only_some_leaves_need_a_gradient,
        event_lists_equal_the_dense_input,
        a_second_run_gives_the_same_bits,
        a_graph_can_be_walked_twice,
        weights_changed_before_the_way_back_are_refused,
        nothing_is_kept_without_a_gradient,
        counts_stop_at_the_sample_s_end,
        layouts_in_memory_do_not_matter,
        autocast_does_not_round,
        mistakes_are_named,
        a_training_run_equals_the_loop,
    ):
        found[check.__name__] = (check, {})
    for readout in ("mean_softmax", "spike_count"):
        for bidirectional in (False, True):
            settings = {"readout": readout, "bidirectional": bidirectional}
            name = f"network-{readout}{'-bidirectional' * bidirectional}"
            found[name] = (a_network_equals_the_loop, settings)
    return found
