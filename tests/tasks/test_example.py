"""The numbers of ``docs/EXAMPLE_SENSORS.md``; ``tests/test_docs_code.py`` runs its commands."""

from __future__ import annotations

from paths import ROOT

PAGE = ROOT / "docs" / "EXAMPLE_SENSORS.md"


def test_the_operations_of_the_page_are_counted() -> None:
    from srnn.export.dense import dense_operations

    macs = dense_operations("lstm", 64, 6).macs + dense_operations("linear", 4, 64).macs
    assert f"{macs:,}".replace(",", " ") + " multiply-accumulates" in PAGE.read_text("utf-8")
