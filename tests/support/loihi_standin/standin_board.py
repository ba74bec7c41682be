"""The board behind the stand-in for Intel's lava-loihi extension: steps, callbacks, a log.

It replaces compiler and runtime for a graph of real Lava processes, and steps their integers in
NumPy from what the processes hold (facts of lava-nc 0.10.0's models). It logs its calls, one JSON
object per line, in the file LOIHI_STANDIN_LOG, and misbehaves as LOIHI_STANDIN_DO says.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import numpy as np

VARIABLES = ("SLURM", "NOSLURM", "PARTITION", "BOARD", "LOIHI_GEN", "NXSDKHOST", "HOST_BINARY")


def note(event: str, **details: Any) -> None:
    with open(os.environ["LOIHI_STANDIN_LOG"], "a", encoding="utf-8") as log:
        log.write(json.dumps({"event": event, **details}) + "\n")


def misbehaves(how: str) -> bool:
    """Whether the run with this number, counted from 1, is to fail in this way: ``hang 2``."""
    wanted = os.environ.get("LOIHI_STANDIN_DO", "")
    return wanted in {how, f"{how} {Board.made}"}


def graph_of(first: Any) -> list[Any]:
    """Every process that is connected to one, in the order in which they are found."""
    found, left = [], [first]
    while left:
        process = left.pop(0)
        if process not in found:
            found.append(process)
            for port in [*process.in_ports, *process.out_ports]:
                left += [other.process for other in port.in_connections + port.out_connections]
    return found


class Board:
    """What ``process.runtime`` is: allocated when the processes are, free once it is stopped."""

    made = 0

    def __init__(self, first: Any, configuration: Any) -> None:
        Board.made += 1
        self.processes = graph_of(first)
        self.callbacks = configuration.callback_fxs
        self.values: dict[Any, dict[str, np.ndarray]] = {process: {} for process in self.processes}
        self.syn_ops = self.spikes = self.steps = 0
        models = configuration.exception_proc_model_map
        note(
            "allocate",
            environment={k: os.environ[k] for k in VARIABLES if k in os.environ},
            configuration=type(configuration).__name__,
            tag=configuration.select_tag,
            models=sorted(f"{k.__module__}: {v.__name__}" for k, v in models.items()),
            callbacks=[type(callback).__name__ for callback in self.callbacks],
            processes=sorted(type(process).__name__ for process in self.processes),
        )
        for process in self.processes:
            process.runtime = self

    def start(self, condition: Any) -> None:
        for callback in self.callbacks:
            callback.pre_run_callback(self, {})
        note("run", steps=condition.num_steps)
        outputs: dict[Any, np.ndarray] = {}
        for step in range(1, condition.num_steps + 1):
            if misbehaves("fail") and step == 3:
                raise RuntimeError("the stand-in board failed as asked")
            while misbehaves("hang") and step == 3:
                time.sleep(0.05)
            outputs = self._step(step, outputs)
        for callback in self.callbacks:
            callback.post_run_callback(self, {})

    def _step(self, step: int, before: dict[Any, np.ndarray]) -> dict[Any, np.ndarray]:
        """One step: what was received a step ago is sent, then neurons and sinks are updated."""
        now: dict[Any, np.ndarray] = {}
        for process in self.processes:
            kind = type(process).__name__
            if kind == "RingBuffer" and "s_out" in process.out_ports.member_names:
                now[process] = process.data.init[:, (step - 1) % process.data.init.shape[1]]
            elif kind in {"PyToNxAdapter", "NxToPyAdapter", "Dense"}:
                now[process] = self._late(process, before)
        for process in self.processes:
            if type(process).__name__ in {"LIF", "LIFReset"}:
                now[process] = self._neurons(process, step, now)
        for process in self.processes:
            if type(process).__name__ == "RingBuffer" and process not in now:
                data = self.values[process].setdefault("data", process.data.init.copy())
                data[:, (step - 1) % data.shape[1]] = now[self._sources(process.a_in)[0]]
        for callback in self.callbacks:
            if hasattr(callback, "record"):
                callback.record(self)
        self.steps += 1
        return now

    def _sources(self, port: Any) -> list[Any]:
        return [source.process for source in port.in_connections]

    def _late(self, process: Any, before: dict[Any, np.ndarray]) -> np.ndarray:
        dense = type(process).__name__ == "Dense"
        port = process.s_in if dense else process.inp
        (source,) = self._sources(port)
        sent = before.get(source, np.zeros(port.shape, dtype=np.int64)).astype(np.int64)
        if not dense:
            return sent
        weight, exponent = (
            process.weights.init.astype(np.int64),
            int(process.proc_params["weight_exp"]),
        )
        binary = int(process.num_message_bits.init) == 0
        self.syn_ops += int((weight[:, sent != 0] != 0).sum())
        self.spikes += int(np.count_nonzero(sent))
        total = weight @ (sent != 0 if binary else sent).astype(np.int64)
        return total << exponent if exponent >= 0 else total >> -exponent

    def _neurons(self, process: Any, step: int, now: dict[Any, np.ndarray]) -> np.ndarray:
        state = self.values[process]
        size = process.u.shape[0]
        for name in ("u", "v"):
            init = np.broadcast_to(getattr(process, name).init, (size,)).astype(np.int64)
            state.setdefault(name, init.copy())
        total = sum(now[source] for source in self._sources(process.a_in))
        if type(process).__name__ == "LIFReset":
            interval = process.proc_params["reset_interval"]
            assert interval & (interval - 1) == 0, "the chip resets by a power of two"
            if step % interval == process.proc_params["reset_offset"] % interval:
                state["u"][:], state["v"][:] = 0, 0
        bias = process.bias_mant.init * 2**process.bias_exp.init
        u = _decayed(state["u"], process.du.init + 1) + (total << 6)
        u = np.where(u > 1 << 23, u - (1 << 24), np.where(u <= -1 << 23, u + (1 << 24), u))
        v = _decayed(state["v"], process.dv.init) + u + bias
        v = np.clip(v, 1 - (1 << 23), (1 << 23) - 1)
        spikes = v > (process.vth.init << 6)
        state["u"], state["v"] = u, np.where(spikes, 0, v)
        return spikes.astype(np.int64)

    def get_var(self, number: int, _index: Any = None) -> np.ndarray:
        for process in self.processes:
            for var in process.vars:
                if var.id == number:
                    return self.values[process].get(var.name, var.init).astype(float)
        raise KeyError(number)

    def stop(self) -> None:
        note("stop")
        while misbehaves("hang at stop"):
            time.sleep(0.05)


def _decayed(state: np.ndarray, code: Any) -> np.ndarray:
    product = state * (4096 - code)
    return np.sign(product) * (np.abs(product) >> 12)
