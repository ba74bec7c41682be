"""What ``mkdocs build`` does beside its own work: pages outside ``docs``, links, the notebook.

Pages of the repository's other folders become pages of the site. A link to a file that is no page
(source code) stays as its text. The notebook is run, and shown with what it printed.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "zoo/README.md")
"""Pages of the site that lie outside ``docs``, by their path in the repository."""

NOTEBOOK = "notebooks/quickstart"

_LINK = re.compile(r"(?P<text>\[[^\]]*\])\((?P<target>[^()\s#]+)(?P<anchor>#[^()\s]*)?\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages outside ``docs``, and the notebook as a page."""
    from mkdocs.structure.files import File

    for name in OUTSIDE:
        if (ROOT / name).exists():
            files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    page = as_markdown(run_notebook(ROOT / "docs" / f"{NOTEBOOK}.ipynb"))
    files.append(File.generated(config, f"{NOTEBOOK}.md", content=page))
    return files


def run_notebook(path: Path) -> Any:
    """Return the notebook with what its cells printed; a cell that fails ends it."""
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config

    notebook = nbformat.read(path, as_version=4)
    # The kernel is spoken to by files, not by network sockets that others could read.
    config = Config(KernelManager={"transport": "ipc"})
    # With colorama, which mkdocs brings, numba resets the colours of a terminal at every exit.
    environment = os.environ | {"NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING": "1"}
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", config=config)
    client.execute(env=environment)
    return notebook


def as_markdown(notebook: Any) -> str:
    """Return an executed notebook as a page: text, code, printed text and images."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        printed = ""
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                image = data["image/png"].strip()
                parts.append(f"![What the cell above draws](data:image/png;base64,{image})")
            else:
                printed += output.get("text") or data["text/plain"] + "\n"
        if printed:
            parts.append(f"```text\n{printed.rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links of the repository into links of the site."""
    del config
    uri = page.file.src_uri
    path = uri if uri in OUTSIDE else f"docs/{uri}"
    return "".join(
        part if part.startswith("```") else _LINK.sub(lambda m: _link(m, path, uri, files), part)
        for part in re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    )


def _link(found: re.Match[str], path: str, uri: str, files: Files) -> str:
    if ":" in found["target"]:
        return found[0]
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found["target"]))
    target = {"README.md": "docs/index.md", f"docs/{NOTEBOOK}.ipynb": f"docs/{NOTEBOOK}.md"}.get(
        target, target
    )
    page = target if target in OUTSIDE else target.removeprefix("docs/")
    if files.get_file_from_path(page) is not None:
        to = posixpath.relpath(page, posixpath.dirname(uri) or ".")
        return f"{found['text']}({to}{found['anchor'] or ''})"
    # A file or folder of the repository that is no page; mkdocs reports what does not exist.
    return found["text"][1:-1] if (ROOT / target).exists() else found[0]
