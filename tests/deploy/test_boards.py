"""Boards: the bundled ones, what a user's file may contain, and the page made from them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from paths import ROOT
from srnn.deploy.boards import LABELS, PER_CORE, Limits, read_boards
from srnn.deploy.boards_page import EXAMPLE, main, page
from srnn.deploy.programs import IMPOSSIBLE, MICROCODE, NATIVE, requirements, support
from srnn.export.errors import InputError
from srnn.export.network import NEURONS

PAGE = ROOT / "docs" / "BOARDS.md"


def test_the_named_boards_are_there() -> None:
    boards = read_boards()
    sizes = {name: board.chips.value for name, board in boards.boards.items()}
    assert sizes == {
        "nahuku": 32,
        "kapoho-bay": 2,
        "oheo-gulch": 1,
        "kapoho-point": 8,
        "hala-point": 1152,
    }
    assert boards.find("loihi1") is boards.find("nahuku")
    assert boards.find("loihi2") is boards.find("oheo-gulch")
    assert boards.find("kapoho-bay").cores == 256


def test_every_limit_has_a_source_and_what_is_unknown_is_not_verified() -> None:
    boards = read_boards()
    for chip in boards.chips.values():
        for name, limit in chip.limits.items():
            assert limit.source, name
            assert not (limit.value is None and limit.verified), name
        assert chip.synapse_format.source
    assert all(board.chips.source for board in boards.boards.values())
    names = {name for name, _ in Limits().items()}
    assert set(PER_CORE) < names < set(LABELS)


def test_what_is_not_public_of_loihi_2_has_no_value() -> None:
    limits = read_boards().find("loihi2").chip.limits
    assert limits.input_axons_per_core.value is limits.fan_in.value is None
    assert not limits.neurons_per_core.verified


def write(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_board_on_a_bundled_chip(tmp_path: Path) -> None:
    path = write(tmp_path, '[boards.mine]\ntitle = "x"\nchip = "loihi1"\nchips = { value = 3 }\n')
    boards = read_boards(path)
    assert boards.names() == ["mine"]
    assert boards.find("mine").cores == 384


def test_the_example_of_the_page_is_a_boards_file(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block == EXAMPLE
    board = read_boards(write(tmp_path, block)).find("bench")
    assert (board.cores, board.limit("weight_bits").value) == (64, 4)
    assert board.limit("fan_in").value is None


CHIP = """\
[chips.c]
title = "c"
[chips.c.limits]
cores_per_chip = { value = 4 }
neurons_per_core = { value = 8 }
[boards.b]
title = "b"
chip = "c"
chips = { value = 1 }
"""


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("{ value = 8 }", "{ value = -8 }", ["chips.c.limits.neurons_per_core", "-8", "outside 0"]),
        ("{ value = 8 }", "{ value = 0 }", ["chips.c.limits", "neurons_per_core", "0 is below 1"]),
        ("{ value = 8 }", "{ value = 8.5 }", ["neurons_per_core.value", "8.5", "whole number"]),
        ("{ value = 8 }", "{ value = true }", ["neurons_per_core.value", "True", "whole number"]),
        ("{ value = 8 }", "8", ["chips.c.limits.neurons_per_core", "8", "not a table"]),
        ("{ value = 8 }", '{ source = "x" }', ["chips.c", "neurons_per_core", "has no value"]),
        (
            "neurons_per_core",
            "neurons_per_cor",
            ["unknown setting 'neurons_per_cor'", "did you mean"],
        ),
        ('title = "c"', 'title = "c"\nnative_neurons = ["CUBE"]', ["native_neurons.0", "'CUBA'"]),
        ('title = "c"\n', "", ["chips.c.title", "is missing"]),
        ('chip = "c"', 'chip = "loihi3"', ["boards.b.chip", "loihi3", "loihi"]),
        ("chips = { value = 1 }", "chips = { value = 0 }", ["boards.b", "chips.value"]),
        ("[boards.b]", "[board.b]", ["unknown table 'board'", "'boards'"]),
        ('[boards.b]\ntitle = "b"\nchip = "c"\nchips = { value = 1 }\n', "", ["no board"]),
        ("[chips.c]", "targets = { x = 3 }\n[chips.c]", ["targets.x", "unknown board 3"]),
        ("[chips.c]", "boards = 3\n[chips.c]", ["is not TOML"]),
        (
            "[boards.b]",
            "[chips.c.synapse_format]\nweight_widths = [8, 4]\n[boards.b]",
            ["chips.c.synapse_format", "weight_widths", "[8, 4]", "ascending"],
        ),
        (
            "[boards.b]",
            "[chips.c.synapse_format]\nword_bits = 0\n[boards.b]",
            ["chips.c.synapse_format", "word_bits: 0 is outside 1..65536"],
        ),
    ],
)
def test_a_wrong_file_is_named_with_setting_value_and_limit(
    tmp_path: Path, old: str, new: str, parts: list[str]
) -> None:
    assert old in CHIP
    path = write(tmp_path, CHIP.replace(old, new, 1))
    with pytest.raises(InputError) as refused:
        read_boards(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="save it as UTF-8"):
        read_boards(path)
    with pytest.raises(InputError, match=r"none\.toml: no such file"):
        read_boards(tmp_path / "none.toml")


def test_programs_by_target() -> None:
    boards = read_boards()
    kinds = {
        (chip.title, name): support(chip, record).kind
        for chip in boards.chips.values()
        for name, record in NEURONS.items()
    }
    assert kinds["Loihi 1", "CUBA"] == kinds["Loihi 2", "CUBA"] == NATIVE
    assert kinds["Loihi 1", "SRNN_LI"] == kinds["Loihi 2", "SRNN_LI"] == NATIVE
    assert kinds["Loihi 1", "SRNN_ALIF"] == kinds["Loihi 1", "ATRLIF"] == IMPOSSIBLE
    assert kinds["Loihi 2", "SRNN_ALIF"] == kinds["Loihi 2", "ATRLIF"] == MICROCODE


def test_a_profile_holds_every_parameter_but_bias_and_start() -> None:
    for record in NEURONS.values():
        needs = requirements(record)
        own = {"bias", "u_init", "v_init", "d_init"}
        rest = {parameter.name for parameter in record.PARAMETERS} - own
        assert set(needs.decays) | set(needs.thresholds) == rest
        assert needs.state_bits == 24
    first = {record.TYPE: requirements(record).decays for record in NEURONS.values()}
    assert first == {
        "CUBA": {"i_decay": 1, "v_decay": 0},
        "SRNN_ALIF": {"v_decay": 1, "b_decay": 1},
        "SRNN_LI": {"v_decay": 0},
        "ATRLIF": {"i_decay": 1, "v_decay": 0, "th_decay": 0, "r_decay": 0},
        "SRNN_ADLIF": {"v_decay": 1, "w_decay": 1},
        "SRNN_BRF": {"q_decay": 1},
    }


def test_the_page_is_current(tmp_path: Path) -> None:
    made = tmp_path / "BOARDS.md"
    assert main([str(made)]) == 0
    assert made.read_text(encoding="utf-8") == page(read_boards())
    assert PAGE.read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), (
        "run: python -m srnn.deploy.boards_page docs/BOARDS.md"
    )
    assert "No Loihi board exists here" in page(read_boards())
