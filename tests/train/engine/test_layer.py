"""The engine's public face: the module, its errors, threads, processes, repeated use."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
from engine_reference import agreeing, draw, objective, run_engine
from small_layer import layer, rasters, spike_sum
from srnn.export.config import LayerConfig, ModelConfig, SurrogateConfig
from srnn.export.errors import InputError
from srnn.train.engine import spiking_sequence
from srnn.train.engine.threads import run_shares, shares
from srnn.train.network import SRNN
from torch.utils.data import DataLoader, TensorDataset


@pytest.fixture(autouse=True)
def _keep_thread_count():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def gradients(module: torch.nn.Module) -> list[torch.Tensor]:
    found = [p.grad for p in module.parameters()]
    assert all(g is not None for g in found)
    return found  # type: ignore[return-value]


def test_the_module_returns_membranes_spikes_and_state():
    module = layer()
    result = module(rasters())
    assert result.membranes is not None
    assert result.membranes.shape == result.spikes.shape == (4, 12, 24)
    assert set(result.spikes.unique().tolist()) == {0.0, 1.0}
    assert [part.shape for part in result.state] == [(4, 24)] * 3
    assert torch.equal(result.state[0], result.membranes[:, -1])
    assert torch.equal(result.state[2], result.spikes[:, -1])
    result.spikes.sum().backward()
    assert {n for n, p in module.named_parameters() if p.grad is None} == set()


def test_membranes_that_nobody_wants_are_left_out():
    module = layer()
    with_them, without = module(rasters()), module(rasters(), membranes=False)
    assert without.membranes is None
    assert torch.equal(with_them.spikes, without.spikes)


def test_no_gradient_gives_the_same_bits():
    module = layer()
    x = rasters()
    trained = module(x)
    with torch.no_grad():
        run = module(x)
    assert torch.equal(trained.spikes, run.spikes)
    assert torch.equal(trained.membranes, run.membranes)
    assert not run.spikes.requires_grad


def test_state_continues_a_sequence_to_the_bit():
    module = layer()
    x = rasters()
    whole = module(x)
    first = module(x[:, :5])
    second = module(x[:, 5:], state=tuple(part.detach() for part in first.state))
    assert torch.equal(whole.spikes, torch.cat((first.spikes, second.spikes), 1))
    assert all(torch.equal(a, b) for a, b in zip(whole.state, second.state, strict=True))


@pytest.mark.parametrize("batch", [1, 3, 5, 12, 29])
def test_threads_and_neighbours_in_the_batch_do_not_change_a_sample(batch):
    module = layer()
    x = rasters(batch=batch)
    alone = torch.cat([module(x[b : b + 1]).membranes for b in range(batch)])
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        assert torch.equal(module(x).membranes, alone)


def test_gradients_are_the_same_bits_for_the_same_threads_and_near_for_others():
    module = layer()
    x = rasters(batch=29)
    found = {}
    for threads in (1, 2, 2, 3):
        torch.set_num_threads(threads)
        module.zero_grad()
        module(x).membranes.pow(2).sum().backward()
        mine = [g.clone() for g in gradients(module)]
        for other in found.get(threads, []) and [found[threads]]:
            assert all(torch.equal(a, b) for a, b in zip(mine, other, strict=True))
        for other in found.values():
            for a, b in zip(mine, other, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * float(b.abs().max()))
        found[threads] = mine


def test_a_graph_can_be_walked_twice_but_not_differentiated_twice():
    case, _ = agreeing(lambda seed: draw("alif", seed))
    value = objective(run_engine(case))
    value.backward(retain_graph=True)
    first = case.weight.grad.clone()  # type: ignore[union-attr]
    case.weight.grad = None
    value.backward()
    assert torch.equal(first, case.weight.grad)  # type: ignore[arg-type]
    other = objective(run_engine(case))
    (slope,) = torch.autograd.grad(other, case.weight, create_graph=True)
    with pytest.raises(RuntimeError, match=r"does not require grad|once_differentiable"):
        slope.sum().backward()


def test_inputs_changed_before_the_way_back_are_an_error():
    module = layer()
    x = rasters()
    result = module(x)
    x.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.spikes.sum().backward()


def test_strided_inputs_and_expanded_gradients():
    module = layer()
    x = rasters()
    turned = x.transpose(0, 1).contiguous().transpose(0, 1)
    assert not turned.is_contiguous()
    assert torch.equal(module(turned).spikes, module(x).spikes)
    module(x).spikes.sum().backward()
    summed = [g.clone() for g in gradients(module)]
    module.zero_grad()
    (module(x).spikes * torch.ones(4, 12, 24)).sum().backward()
    assert all(torch.equal(a, b) for a, b in zip(summed, gradients(module), strict=True))


def test_a_module_of_ones_own_trains():
    torch.manual_seed(1)
    hidden, out = layer(), torch.nn.Linear(24, 2)
    x, y = rasters(batch=16), torch.arange(16) % 2
    x[y == 1, :, :10] = 1
    optimizer = torch.optim.Adam([*hidden.parameters(), *out.parameters()], 0.02)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(out(hidden(x).spikes.mean(1)), y)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.timeout(500)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_processes_may_fork_and_spawn_after_the_engine_ran(start):
    expected = spike_sum(2)
    assert expected[1] == [0, 1, 2]
    context = multiprocessing.get_context(start)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        # A forked child of a process that used torch's OpenMP threads must not use them again:
        # torch's own rule, which its DataLoader workers follow with one thread each.
        assert pool.submit(spike_sum, 1).result(timeout=300) == expected


@pytest.mark.timeout(500)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_data_loader_workers_feed_it():
    module = layer()
    module(rasters())
    loader = DataLoader(TensorDataset(rasters(batch=8)), batch_size=4, num_workers=1)
    spikes = torch.cat([module(x).spikes for (x,) in loader])
    assert torch.equal(spikes, module(rasters(batch=8)).spikes)


@pytest.mark.parametrize(("blocks", "threads"), [(1, 1), (1, 4), (5, 2), (7, 3), (2, 2)])
def test_shares_cover_every_block_once(blocks, threads):
    parts = shares(blocks, threads)
    assert [b for low, high in parts for b in range(low, high)] == list(range(blocks))
    assert len(parts) == min(blocks, threads)


def test_an_error_in_a_share_is_raised():
    def fail(number: int, low: int, high: int) -> None:
        if number == 1:
            raise ValueError(f"share {low} to {high}")

    with pytest.raises(ValueError, match="share 1 to 2"):
        run_shares(fail, [(0, 1), (1, 2)])


def test_errors_say_what_does_not_fit():
    case = draw("alif", 0)
    good = (
        case.inputs,
        case.weight,
        case.recurrent_weight,
        case.bias,
        case.coefficients,
        case.state,
    )
    cases = [
        ("elif", good, "unknown neuron 'elif'"),
        ("alif", (case.inputs[0], *good[1:]), r"inputs \(11, 21\) for weights \(13, 21\)"),
        ("alif", (case.inputs[:, :0], *good[1:]), "at least one sample and one step"),
        ("alif", (case.inputs[..., :3], *good[1:]), r"are \(batch, time, 21\)"),
        ("alif", (case.inputs.double(), *good[1:]), "inputs is torch.float64 on cpu"),
        ("alif", (*good[:2], case.weight[:, :5], *good[3:]), r"recurrent_weight is \(13, 5\)"),
        ("alif", (*good[:3], case.bias[:4], *good[4:]), r"bias is \(4,\), not \(13,\)"),
        ("alif", (*good[:4], case.coefficients[:2], good[5]), "has 4 coefficients, given 2"),
        ("alif", (*good[:5], case.state[:1]), "has 3 states, given 1"),
        ("alif", (*good[:5], tuple(s[:2] for s in case.state)), r"v is \(2, 13\), not \(5, 13\)"),
    ]
    for neuron, arguments, message in cases:
        with pytest.raises(InputError, match=message):
            spiking_sequence(neuron, *arguments)


def test_errors_of_the_module_and_the_network():
    with pytest.raises(InputError, match="one direction of time"):
        layer(bidirectional=True)
    with pytest.raises(InputError, match="unknown surrogate 'cosine'"):
        SurrogateConfig("cosine")
    config = ModelConfig(3, (LayerConfig("li", 2),), "membrane")
    with pytest.raises(InputError, match=r"unknown engine 'fast' \(known: events, loop"):
        SRNN(config, engine="fast")


def test_weights_that_are_not_finite_do_not_hang_it():
    module = layer()
    with torch.no_grad():
        module.weight[3] = torch.nan
    result = module(rasters())
    assert result.membranes is not None
    assert torch.isnan(result.membranes[..., 3]).any()
    result.membranes.sum().backward()
