from __future__ import annotations

from pathlib import Path

import pytest
from paths import ROOT
from srnn.tasks import TASKS, task_options
from srnn.tasks.options_page import BEGIN, END, main, options_section, with_options


def test_the_page_has_the_options_of_the_code() -> None:
    page = (ROOT / "docs" / "TASKS.md").read_text("utf-8")
    assert with_options(page) == page, "run: python -m srnn.tasks.options_page docs/TASKS.md"


def test_every_option_of_every_task_has_a_row() -> None:
    tables = options_section().split("### Options of ")[1:]
    assert [table.split("\n", 1)[0] for table in tables] == list(TASKS)
    for name, table in zip(TASKS, tables, strict=True):
        rows = [line for line in table.splitlines() if line.startswith("| `")]
        assert [row.split("`")[1] for row in rows] == list(task_options(name))


def test_the_section_is_made_anew_in_its_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nformer\n{END}\nafter\n", "utf-8")
    assert main([str(page)]) == 0
    text = page.read_text("utf-8")
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "former" not in text
    assert "| `threshold_unit` | `std` |" in text
    with pytest.raises(ValueError, match="no section between"):
        with_options("nothing")
