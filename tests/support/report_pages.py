"""Reports of small networks for the tests, and what a reader of their pages sees."""

from __future__ import annotations

import html
import json
import subprocess
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from needs import chromium
from simulate_networks import random_inputs, random_network
from srnn.export.network import Network, Readout
from srnn.export.netx import write_net
from srnn.export.samples import Samples
from srnn.simulate import reference
from srnn.simulate.report.values import shown

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "$\\frac{1}{$\x00\u202eT")
STEPS = 40


def network_of(readout: str = "membrane", classes: tuple[str, ...] = ("P", "QRS", "T")) -> Network:
    made = random_network(9, ["SRNN_ALIF", "SRNN_LI"], [25, 3], 12)
    return replace(made, readout=Readout(readout, classes=classes))


def samples_of(network: Network, change: int = 0) -> Samples:
    inputs = random_inputs(9, network, 6, STEPS).astype(np.int32)
    lengths = np.array([STEPS, STEPS, 14, STEPS, STEPS, 29])
    inputs[np.arange(STEPS) >= lengths[:, None]] = 0
    output = reference.run(network, inputs, lengths).output.copy()
    output[4, 7, 1] += change
    rng = np.random.default_rng(3)
    shape = (6, STEPS) if network.readout.per_step else (6,)
    return Samples(inputs, lengths, rng.integers(0, 3, shape), None, output)


def write_network(path: Path, readout: str = "membrane", **options: Any) -> Path:
    network = network_of(readout, **options)
    write_net(path, network, samples_of(network))
    return path


@dataclass
class Page(HTMLParser):
    """The facts, tables and texts of a page: raw values next to what is shown."""

    facts: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    tables: dict[str, list[list[tuple[str, str]]]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    svgs: int = 0
    sections: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._into: list[tuple[str, str]] | None = None
        self._text: str | None = None
        self._name = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        kind = (found.get("class") or "").split()
        if tag == "section":
            self.sections.append(found["id"] or "")
        elif tag == "svg":
            self.svgs += 1
        elif "table" in kind:
            self._name = found["id"] or ""
            self.tables[self._name] = []
        elif "facts" in kind:
            self.facts[found["id"] or ""] = self._into = []
        elif tag == "tr" and self._name and "tbody" in self._open:
            self._into = []
            self.tables[self._name].append(self._into)
        elif tag == "p" and "text" in kind:
            self._text = found["id"]
            self.texts[found["id"] or ""] = ""
        elif "data-value" in found:
            assert self._into is not None
            self._into.append((found["data-value"] or "", ""))
            self._cell = True
        if tag in {"tbody", "td"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"tbody", "td"}:
            self._open.remove(tag)
        if tag in {"td", "div"}:
            self._cell = False
        if tag == "p":
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._cell and self._into:
            raw, text = self._into[-1]
            self._into[-1] = (raw, text + data)
        elif self._text is not None:
            self.texts[self._text] += data

    _open: list[str] = field(default_factory=list)
    _cell: bool = False


def read_page(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    return page


FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--virtual-time-budget=3000",
)


def browse(
    page: str, script: str, folder: Path, *, width: int, dark: bool
) -> tuple[Any, list[str]]:
    """Open a page in a frame of so many pixels and return what a script answers there.

    ``script`` is the body of a function of ``document``, whose value must be plain. The second
    result is what the console said.
    """
    folder.mkdir(parents=True)
    probe = (
        f"<script>addEventListener('load', () => {{ parent.document.title = JSON.stringify((() => "
        f"{{ {script} }})()); }});</script>"
    )
    inside = html.escape(page.replace("</body>", f"{probe}</body>"), quote=True)
    frame = folder / "frame.html"
    frame.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><iframe width="{width}" height="900" '
        f'style="border: 0" srcdoc="{inside}"></iframe>',
        encoding="utf-8",
    )
    ran = subprocess.run(
        [
            chromium(),
            *FLAGS,
            f"--user-data-dir={folder / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--window-size={max(width, 500)},900",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    console = [line for line in ran.stderr.splitlines() if ":CONSOLE" in line]
    title = ran.stdout.split("<title>", 1)
    assert len(title) == 2, ran.stderr
    return json.loads(html.unescape(title[1].split("</title>", 1)[0])), console


def check_numbers(page: Any, content: dict[str, Any], in_order: bool = True) -> None:
    """Compare every fact, cell, text and figure of a page with the JSON."""
    figures = 0
    for section in content["sections"]:
        for item in section["items"]:
            if item["kind"] == "facts":
                wanted = [
                    (raw(f["value"]), shown(f["value"], f["format"], f["unit"]))
                    for f in item["facts"]
                ]
                assert page.facts.pop(item["id"]) == wanted
            elif item["kind"] == "table":
                forms = [
                    (c["format"], c["unit"] if c["format"] == "si" else "") for c in item["columns"]
                ]
                wanted = [
                    [(raw(v), shown(v, *form)) for v, form in zip(row, forms, strict=True)]
                    for row in item["rows"]
                ]
                found = page.tables.pop(item["id"])
                assert (found if in_order else sorted(found)) == (
                    wanted if in_order else sorted(wanted)
                )
            elif item["kind"] == "text":
                assert page.texts.pop(item["id"]) == item["text"]
            else:
                figures += 1
    assert (page.facts, page.tables, page.texts) == ({}, {}, {})
    assert page.svgs == figures > 0


def raw(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)
