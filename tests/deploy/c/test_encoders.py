"""Encoders as C: the streaming encoders' rows, and the labels of ``srnn-simulate --stream``."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from c_cases import SANITIZED
from paths import ROOT
from simulate_networks import random_network
from srnn.deploy.c.project import project
from srnn.deploy.c.runner import printed_program
from srnn.deploy.c.toolchain import STRICT
from srnn.export.netx import read_net
from srnn.tasks.encoders import (
    Encoder,
    Graded,
    LevelCrossing,
    MelLevels,
    SlidingWindow,
    Slope,
    Unencoded,
)
from srnn.tasks.stream_encoders import stream_encoder

ROWS = """
#include "srnn_case_encoder.h"
#include <stdio.h>
static srnn_case_encoder e;
static srnn_case_input rows[SRNN_CASE_ROWS * SRNN_CASE_INPUTS];
static void put(int32_t count)
{
    int32_t i;
    for (i = 0; i < count * SRNN_CASE_INPUTS; i++) {
        printf("%d%c", (int)rows[i], i % SRNN_CASE_INPUTS == SRNN_CASE_INPUTS - 1 ? '\\n' : ' ');
    }
}
int main(void)
{
    double sample[SRNN_CASE_CHANNELS];
    int channel = 0;
    srnn_case_encoder_reset(&e);
    while (scanf("%lf", &sample[channel]) == 1) {
        if (++channel == SRNN_CASE_CHANNELS) {
            channel = 0;
            put(srnn_case_encode(&e, sample, rows));
        }
    }
    put(srnn_case_encode_end(&e, rows));
    return 0;
}
"""
CASES: list[tuple[Encoder, int]] = [
    (Unencoded(0), 3),
    (Unencoded(6), 2),
    (Graded((0.1, -2.0), (0.3, 7.0), 8), 2),
    (Graded((0.5,), (0.01,), 12), 1),
    (LevelCrossing((0.2, 0.7)), 2),
    (LevelCrossing((0.3,)), 3),
    (Slope((0.1,)), 2),
    (Slope((0.05, 0.2), window=9, order=2), 2),
    (Slope((0.1,), window=1, order=0), 1),
    (Slope((0.3,), filter="none"), 2),
    (SlidingWindow(8, 16), 1),
    (SlidingWindow(5, 255, binarise=0.4), 1),
    (SlidingWindow(1, 255), 1),
]


def written(encoder: Encoder, inputs: int, folder: Path) -> dict[str, str | bytes]:
    drawn = random_network(1, ["SRNN_LI"], [2], inputs, message_bits=encoder.message_bits)
    network = replace(drawn, task={"name": "any", "encoder": encoder.plain()})
    files = project(printed_program(network, "case"))
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(str(text))
    return files


def build(folder: Path, *sources: str) -> None:
    command = ["gcc", *STRICT, *SANITIZED, "-o", "run", *sources, "-lm"]
    subprocess.run(command, cwd=folder, check=True)


@pytest.mark.needs("gcc")
@pytest.mark.parametrize(("encoder", "channels"), CASES)
def test_rows(encoder: Encoder, channels: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(channels)
    samples = np.cumsum(rng.normal(0, 0.2, (70, channels)), axis=0)
    if isinstance(encoder, Unencoded):
        samples = rng.integers(0, 2, samples.shape) * (1.0 if encoder.bits == 0 else -37.0)
    if isinstance(encoder, SlidingWindow):
        samples = rng.integers(0, encoder.full + 1, samples.shape).astype(float)
    inputs = encoder.output_channels(channels)
    expected = stream_encoder(encoder, inputs)
    assert expected.channels == channels
    rows = [row for sample in samples for row in expected.push(sample)] + expected.end()
    written(encoder, inputs, tmp_path)
    (tmp_path / "rows.c").write_text(ROWS)
    build(tmp_path, "rows.c", "srnn_case_encoder.c")
    text = "\n".join(" ".join(map(repr, map(float, sample))) for sample in samples)
    done = subprocess.run(
        ["./run"], cwd=tmp_path, input=text, capture_output=True, text=True, check=True
    )
    found = np.array([line.split() for line in done.stdout.splitlines()], np.int64)
    np.testing.assert_array_equal(found, np.array(rows).astype(np.int64))
    assert np.abs(found).max() > 0


def test_what_does_not_stream_has_no_encoder(tmp_path: Path) -> None:
    for encoder, inputs in ((MelLevels(), 800), (SlidingWindow(2, permutation=(1, 0)), 2)):
        files = written(encoder, inputs, tmp_path)
        assert not any("encoder" in name for name in files)


@pytest.mark.needs("gcc")
def test_labels_of_raw_samples_are_those_of_the_stream(tmp_path: Path) -> None:
    t = np.arange(1500)
    beat = np.exp(-(((t % 250) - 60) ** 2) / 40) * 1.2 + 0.15 * np.sin(t / 40)
    noise = np.random.default_rng(2).normal(0, 0.01, (len(t), 2))
    samples = np.stack([beat, -0.7 * np.roll(beat, 6)], axis=1) + noise
    text = "".join(f"{x:.4f},{y:.4f}\n" for x, y in samples)
    path = ROOT / "zoo" / "ecg.net"
    for name, content in project(printed_program(read_net(path), "ecg")).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(str(content))
    build(tmp_path, "srnn_ecg_stream.c", "srnn_ecg_encoder.c", "srnn_ecg.c")
    ours = subprocess.run(
        ["./run"], cwd=tmp_path, input=text, capture_output=True, text=True, check=True
    )
    theirs = subprocess.run(
        [sys.executable, "-m", "srnn.simulate", str(path), "--stream"],
        input=text, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ours.stdout == theirs.stdout
    assert len({line.split("\t")[1] for line in ours.stdout.splitlines()}) > 2
