"""Energy models as data: the bundled ones, users' files, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from srnn.export.errors import InputError
from srnn.simulate.energy import Range, Reference, read_energy_models
from srnn.simulate.operations import KINDS, Operations

MODEL = """\
[models.ours]
title = "our chip"
technology = "7 nm"
runs = "events"
includes = "synapses"
excludes = "the rest"
[models.ours.joules.synaptic_acs]
value = 2e-12
low = 1e-12
high = 4e-12
source = "our laboratory"
verified = true
"""


def test_every_bundled_constant_has_a_source() -> None:
    found = read_energy_models()
    assert {"cmos-45nm", "cmos-45nm-int8", "loihi1", "cpu", "gpu"} <= set(found.models)
    for model in found.models.values():
        assert model.includes
        assert model.excludes
        assert set(model.joules) <= set(KINDS)
        assert all(cost.source for cost in model.joules.values())
        assert not model.verified
    assert all(one.conditions and one.source for one in found.references)
    assert any("Loihi 2" in one.title for one in found.references)


def test_the_papers_constants() -> None:
    model = read_energy_models().find("cmos-45nm")
    operations = Operations(synaptic_acs=10, synaptic_macs=1, neuron_macs=2, messages=99)
    assert model.joules_of(operations).value == pytest.approx((10 * 0.9 + 3 * 4.6) * 1e-12)
    assert "messages" not in model.parts(operations)


def test_a_range_carries_through() -> None:
    loihi = read_energy_models().find("loihi1")
    found = loihi.joules_of(Operations(synaptic_acs=100, neuron_updates=10, messages=3))
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(1e-12 * (100 * 23.6 + 10 * 81 + 3 * 5.2))
    assert (found * 2 + found).high == pytest.approx(3 * found.high)
    assert (found / 4).low == pytest.approx(found.low / 4)
    assert Range(2.0, 1.0, 4.0).inverse(8.0) == Range(4.0, 2.0, 8.0)
    assert Range(2.0, 0.0, 4.0).inverse(8.0) is None
    with pytest.raises(InputError, match="outside its range"):
        Range(1.0, 2.0, 3.0)


def test_users_add_their_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MODEL + MODEL.replace("ours", "loihi1").replace("our chip", "Loihi, ours"))
    found = read_energy_models([file])
    assert found.find("ours").joules_of(Operations(synaptic_acs=5)) == Range(1e-11, 5e-12, 2e-11)
    assert found.find("ours").verified
    assert found.find("loihi1").title == "Loihi, ours"
    assert len(found.references) == len(read_energy_models().references)
    with pytest.raises(InputError, match=r"unknown energy model 'our'; did you mean 'ours'\?"):
        found.find("our")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            "synaptic_acs",
            "synaptic_ac",
            "unknown kind of operation 'synaptic_ac'; did you mean",
        ),
        ('"our laboratory"', '" "', "source: is empty; name the source"),
        ("value = 2e-12", "value = 9e-12", "outside its range"),
        ("low = 1e-12", "low = -1e-12", "a cost is not negative"),
        ("value = 2e-12", "value = nan", "is not a finite number"),
        (
            'runs = "events"',
            'runs = "spikes"',
            "runs: unknown value 'spikes' .known: any, events, dense",
        ),
        ('excludes = "the rest"', 'excludes = ""', "excludes: is empty"),
        ("technology", "tech", "models.ours: unknown setting 'tech'"),
        ("[models.ours]", "[model.ours]", "unknown table 'model'; did you mean 'models'"),
        ("[models.ours]", "[models.ours", "is not TOML"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, old: str, new: str, text: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MODEL.replace(old, new, 1))
    with pytest.raises(InputError, match=text) as refused:
        read_energy_models([file])
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "describes no model and no reference"),
        ("models = 3", "is not a table"),
        ("references = 3", "is not a list of tables"),
        ("[models]\nx = 3", "models.x: 3 is not a table"),
        ("[models.x]\njoules = 3", "models.x.joules: 3 is not a table"),
    ],
)
def test_files_of_another_shape(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_energy_models([file])
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="save it as UTF-8"):
        read_energy_models([file])


def test_a_reference_is_sourced_and_positive() -> None:
    words = {"name": "a", "title": "t", "task": "t", "conditions": "c", "source": "s"}
    assert Reference(**words, joules_per_inference=1.0, high=2.0).range == Range(1.0, 1.0, 2.0)
    with pytest.raises(InputError, match="is not positive"):
        Reference(**words, joules_per_inference=0.0)
    with pytest.raises(InputError, match="conditions: is empty"):
        Reference(**{**words, "conditions": " "}, joules_per_inference=1.0)
