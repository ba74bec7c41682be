"""Code blocks of the pages, and the commands in them.

A block says by its info string what it is. ``python`` and ``sh`` run, ``console`` shows commands
after ``$`` and what they print; ``toml`` and ``json`` are parsed; ``text`` is no code. A comment
``<!-- not run: REASON -->`` before a block keeps it, and on a line before the first heading's text
``<!-- no block of this page is run: REASON -->`` all of a page, from being run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest

from paths import ROOT

KINDS = {"python", "sh", "console", "toml", "json", "text"}
COMMANDS = {"srnn-train", "srnn-export", "srnn-simulate", "srnn-deploy"}

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^>]+?) -->\n)?```(?P<kind>[^\n]*)\n(?P<code>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)
_PAGE_REASON = re.compile(r"^<!-- no block of this page is run: ([^>]+?) -->$", flags=re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, ``line`` its fence; ``printed``: the text block right after it."""

    page: str
    line: int
    kind: str
    code: str
    reason: str | None
    printed: str | None

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Command lines of ``sh`` and ``console``, joined where they end in a backslash."""
        code = self.code.replace("\\\n", " ")
        if self.kind == "console":
            return re.findall(r"^\$ (.+)$", code, flags=re.MULTILINE)
        lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in code.splitlines())
        return [line for line in lines if line] if self.kind == "sh" else []


def pages() -> list[str]:
    """Every page that a reader sees, by its path in the repository."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "zoo" / "README.md"]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def blocks(page: str, text: str | None = None) -> list[Block]:
    """Return the blocks of a page (or of ``text`` in its place)."""
    text = (ROOT / page).read_text(encoding="utf-8") if text is None else text
    whole = _PAGE_REASON.search(text)
    found: list[Block] = []
    matches = list(_BLOCK.finditer(text))
    for match, after in zip_longest(matches, matches[1:]):
        follows = after is not None and text[match.end() : after.start()] == "\n\n"
        printed = after["code"] if follows and after["kind"] == "text" else None
        line = text.count("\n", 0, match.start("kind")) + 1
        reason = match["reason"] or (whole[1] if whole else None)
        found.append(Block(page, line, match["kind"], match["code"], reason, printed))
    return found


def every_block() -> list[Block]:
    """Return the blocks of all pages."""
    return [block for page in pages() for block in blocks(page)]
