"""Public names for the Python reference: what a package's ``__init__.pyi`` lists.

The packages load those names lazily, so that their ``__all__`` is known only once they run; the
reference is made without importing them.
"""

from __future__ import annotations

import ast
from typing import Any

import griffe


class StubNames(griffe.Extension):
    """Exports every package's names as its stub has them."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Go through a package and those below it."""
        modules = [pkg]
        while modules:
            module = modules.pop()
            modules += [m for m in module.modules.values() if not m.is_alias]
            if isinstance(module.filepath, list) or module.filepath.stem != "__init__":
                continue
            stub = module.filepath.with_suffix(".pyi")
            if stub.exists():
                statements = ast.parse(stub.read_text(encoding="utf-8")).body
                imported = [s for s in statements if isinstance(s, ast.ImportFrom)]
                module.exports = [name.asname or name.name for s in imported for name in s.names]
