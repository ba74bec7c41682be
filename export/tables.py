"""Tables as lines of text, of any width: a number is never broken.

Where a table is wider than the lines may be, its headers and its columns of prose wrap at words;
then its columns move into further blocks, each with the first columns repeated; then the table
turns, one block per row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

GAP = 2
PROSE = 32
"""A cell of more characters than this, with spaces, is prose, and may wrap at words."""
PROSE_MIN = 20
"""Width below which a column of prose is not pressed."""
KEYS_MAX = 3

_NUMBER = re.compile(r"[-+~<>]?\.?\d")


@dataclass(frozen=True)
class _Column:
    """A column's cells and header, the least and the natural width, and whether it is of numbers.

    Headers wrap at words, cells where they are prose.
    """

    header: str
    cells: tuple[str, ...]
    least: int
    natural: int
    numbers: bool


def table_lines(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, rule: str = "─"
) -> list[str]:
    """Lay a table out in lines of at most ``width`` characters.

    A line is longer only where one word alone is. ``rule``: what the line below headers is made of.
    """
    made = [
        _column(header, tuple(row[i] for row in rows), first=i == 0)
        for i, header in enumerate(columns)
    ]
    keys = _keys(made, len(rows))
    for count in dict.fromkeys((keys, 1)):
        blocks = _blocks(made, count, width)
        if blocks is not None:
            lines: list[str] = []
            for block in blocks:
                lines += ([""] if lines else []) + _block_lines(block, width, rule)
            return lines
    return _turned(made, len(rows), width)


def _column(header: str, cells: tuple[str, ...], first: bool) -> _Column:
    prose = any(len(cell) > PROSE and " " in cell for cell in cells)
    longest = max(map(_length, cells), default=0)
    word = max((_length(part) for cell in cells for part in cell.split()), default=0)
    least = max(word, min(longest, PROSE_MIN)) if prose else longest
    shown = [cell for cell in cells if cell not in {"", "-", "?"}]
    return _Column(
        header,
        cells,
        least=max(least, *(_length(part) for part in header.split() or [""])),
        natural=max(longest, _length(header)),
        numbers=not first and not prose and all(map(_NUMBER.match, shown)),
    )


def _keys(columns: Sequence[_Column], rows: int) -> int:
    """Return how many first columns tell the rows apart; 1 where none do."""
    for count in range(1, min(KEYS_MAX, len(columns) - 1) + 1):
        if len(set(zip(*(column.cells for column in columns[:count]), strict=True))) == rows:
            return count
    return 1


def _blocks(columns: Sequence[_Column], keys: int, width: int) -> list[list[_Column]] | None:
    """Share the columns out to blocks, or None where one does not fit beside the first ones."""
    head, rest = list(columns[:keys]), list(columns[keys:])
    blocks = [head]
    for column in rest:
        if _total([*blocks[-1], column]) <= width:
            blocks[-1] = [*blocks[-1], column]
        elif _total([*head, column]) <= width and len(blocks[-1]) > keys:
            blocks.append([*head, column])
        else:
            return None
    return blocks if _total(blocks[0]) <= width else None


def _total(columns: Sequence[_Column]) -> int:
    return sum(column.least for column in columns) + GAP * (len(columns) - 1)


def _block_lines(columns: Sequence[_Column], width: int, rule: str) -> list[str]:
    widths = [column.least for column in columns]
    spare = width - _total(columns)
    # Narrow columns first: they come to one line, and what is left goes to prose.
    for index in sorted(range(len(columns)), key=lambda i: columns[i].natural - widths[i]):
        more = min(spare, columns[index].natural - widths[index])
        widths[index] += more
        spare -= more
    lines = _row_lines([column.header for column in columns], columns, widths, bottom=True)
    lines.append(rule * (sum(widths) + GAP * (len(widths) - 1)))
    for row in zip(*(column.cells for column in columns), strict=True):
        lines += _row_lines(row, columns, widths)
    return lines


def _row_lines(
    cells: Sequence[str], columns: Sequence[_Column], widths: Sequence[int], bottom: bool = False
) -> list[str]:
    parts = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(map(len, parts))
    lines = []
    for at in range(height):
        line = ""
        for column, width, part in zip(columns, widths, parts, strict=True):
            index = at - (height - len(part) if bottom else 0)
            text = part[index] if 0 <= index < len(part) else ""
            space = " " * (width - _length(text))
            line += (space + text if column.numbers else text + space) + " " * GAP
        lines.append(line.rstrip())
    return lines


def _turned(columns: Sequence[_Column], rows: int, width: int) -> list[str]:
    lines: list[str] = []
    label = max(_length(column.header) for column in columns) + GAP
    for row in range(rows):
        lines += [""] if lines else []
        for column in columns:
            cell = column.cells[row]
            parts = cell.split() if len(cell) > PROSE else [cell]
            if label + max(map(_length, parts), default=0) <= width:
                first, *more = wrapped(cell, width - label)
                lines.append((column.header.ljust(label) + first).rstrip())
                lines += [" " * label + text for text in more]
            else:
                lines += wrapped(column.header, width)
                lines += [" " * GAP + text for text in wrapped(cell, width - GAP)]
    return lines


def wrapped(text: str, width: int) -> list[str]:
    """Break a text at spaces into lines of at most ``width``, all indented like the first.

    Words stay whole, hyphens and all.
    """
    words = text.split()
    if _length(text) <= width or not words:
        return [text]
    indent = text[: len(text) - len(text.lstrip())]
    lines = [indent + words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if _length(longer) > width:
            lines.append(indent + word)
        else:
            lines[-1] = longer
    return lines


def _length(text: str) -> int:
    """Return the cells of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
