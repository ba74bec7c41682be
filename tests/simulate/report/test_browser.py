"""The report in a browser: no error, all sections, sorting, widths, themes, the JSON's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from report_pages import browse, check_numbers, read_page, write_network
from srnn.simulate.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.extra("report"), pytest.mark.needs("chromium")]

LOOK = """
const root = document.documentElement;
const luminance = text => {
  const parts = text.match(/[\\d.]+/g).slice(0, 3).map(part => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
const contrast = (name, over) => {
  const one = luminance(getComputedStyle(document.querySelector(name)).color);
  const two = luminance(getComputedStyle(document.querySelector(over)).backgroundColor);
  return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
};
const all = (what, of) => Array.from(document.querySelectorAll(what), of);
const order = () => all("#counts tbody tr", row => row.cells[1].dataset.value);
const head = document.querySelectorAll("#counts th button")[1];
const before = order();
head.click();
const ascending = order();
head.click();
const descending = order();
const names = () => all("#classes tbody tr", row => row.cells[0].textContent);
const byName = document.querySelector("#classes th button");
byName.click(); byName.click();
return {
  width: innerWidth,
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  overflow: root.scrollWidth - root.clientWidth,
  page: root.outerHTML,
  before, ascending, descending,
  names: names(),
  sorted: document.querySelectorAll("th[aria-sort=descending]").length,
  contrasts: [
    contrast("td", "section"), contrast(".note", "section"), contrast(".fact .name", ".fact"),
    contrast(".subtitle", "body"), contrast("nav a", "nav"),
  ],
  ink: getComputedStyle(document.querySelector("figure svg text")).fill,
  ground: getComputedStyle(document.querySelector("section")).backgroundColor,
  narrowest: Math.min(...all("figure svg", svg => svg.getBoundingClientRect().width)),
};
"""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    path = folder / "report.html"
    assert main([str(write_network(folder / "model.net")), "--report", str(path)]) == 0
    return path


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_works(target: Path, tmp_path: Path, width: int, dark: bool) -> None:
    text = target.read_text(encoding="utf-8")
    seen, console = browse(text, LOOK, tmp_path / "browser", width=width, dark=dark)
    content = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
    assert console == []
    assert (seen["width"], seen["dark"]) == (width, dark)
    assert seen["overflow"] == 0
    assert seen["narrowest"] > 200
    assert min(seen["contrasts"]) >= 4.5
    assert (luminous(seen["ink"]), luminous(seen["ground"])) == (dark, not dark)
    values = [float(value) for value in seen["before"]]
    assert [float(value) for value in seen["ascending"]] == sorted(values) != values
    assert [float(value) for value in seen["descending"]] == sorted(values)[::-1]
    assert seen["names"] == ["T", "QRS", "P"]
    assert seen["sorted"] == 2
    page = read_page(seen["page"])
    assert page.sections == [section["id"] for section in content["sections"]]
    check_numbers(page, content, in_order=False)


def luminous(colour: str) -> bool:
    numbers = [float(part) for part in colour.strip("rgb()").split(",")]
    return sum(numbers) > 3 * 128


def test_what_a_console_says_is_seen(tmp_path: Path) -> None:
    page = "<html><body><script>console.error('seen')</script><p>text</p></body></html>"
    answer, console = browse(page, "return 1;", tmp_path / "browser", width=390, dark=False)
    assert answer == 1
    assert len(console) == 1
    assert "seen" in console[0]


def test_the_page_may_fetch_nothing(target: Path, tmp_path: Path) -> None:
    text = target.read_text(encoding="utf-8")
    text = text.replace("</main>", '<img src="https://example.invalid/x.png"></main>')
    _, console = browse(text, "return 1;", tmp_path / "browser", width=390, dark=False)
    assert len(console) == 1
    assert "Content Security Policy" in console[0]
