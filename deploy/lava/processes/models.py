"""Floating-point models of the neurons that have one, for plain Lava scripts, written by hand.

With ``Loihi2SimCfg(select_tag="floating_pt")`` parameters are real numbers, in the units of ``v``
or of what their state is added to, and decays are fractions of the state that are lost each step,
as in Lava's own processes. They are not the steps of integers on real numbers: the input of
``AdaptiveLIF`` and ``LeakyIntegrator`` is weighted by ``v_decay``, which integers hold in their
weights. The models in integers, ``Py...ModelFixed``, come from process.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# Absolute, because Lava executes this file outside of its package when it looks for models.
from srnn.deploy.lava.processes import process as own  # pyright: ignore[reportMissingImports]


def __getattr__(name: str) -> Any:
    return getattr(own, name)


def _floating(neuron: str) -> Callable[[Any], None]:
    def keep(step: Any) -> None:
        model = own.model_of(
            getattr(own, neuron), step, float, "Float", "floating_pt", module=__name__
        )
        globals()[model.__name__] = model

    return keep


@_floating("AdaptiveLIF")
def _alif(p: Any, s: Any, a: Any) -> dict[str, Any]:
    """The neuron of arXiv 2103.12593, with ``d`` the paper's ``beta b`` and a the input current.

    ``v_decay`` is 1 - alpha, ``b_decay`` 1 - rho and ``b_step`` beta (1 - rho); no ``b_exp``.
    """
    d = (1 - p.b_decay) * s.d + p.b_step * s.spiked
    threshold = p.v_threshold + d
    v = (1 - p.v_decay) * s.v + p.v_decay * (a + p.bias) - threshold * s.spiked
    return {"d": d, "v": v, "spiked": v > threshold}


@_floating("LeakyIntegrator")
def _li(p: Any, s: Any, a: Any) -> dict[str, Any]:
    """The membrane; ``bias`` is added to the input current."""
    return {"v": (1 - p.v_decay) * s.v + p.v_decay * (a + p.bias)}


@_floating("CubaLIF")
def _cuba_lif(p: Any, s: Any, a: Any) -> dict[str, Any]:
    """Lava's LIF, with a threshold in units of ``v``."""
    u = (1 - p.i_decay) * s.u + a
    v = (1 - p.v_decay) * s.v + u + p.bias
    spiked = v > p.v_threshold
    return {"u": u, "v": np.where(spiked, 0, v), "spiked": spiked}


@_floating("ThresholdRefractoryLIF")
def _atrlif(p: Any, s: Any, a: Any) -> dict[str, Any]:
    """Lava's ATRLIF."""
    i = (1 - p.i_decay) * s.i + a
    v = (1 - p.v_decay) * s.v + i + p.bias
    th = (1 - p.th_decay) * (s.th - p.th_init) + p.th_init
    r = (1 - p.r_decay) * s.r
    spiked = v - r >= th
    return {
        "i": i,
        "v": v,
        "th": th + p.th_step * spiked,
        "r": r + 2 * th * spiked,
        "spiked": spiked,
    }
