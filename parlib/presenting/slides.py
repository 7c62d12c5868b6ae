"""How does a lesson become slides? A page for each, with the speaker's notes, that needs no kernel and no network.

    notebooks/NN_words.ipynb             its slide types say where a slide begins, its stored pictures are shown
    notebooks/aids/NN_run_sheet.md       what to say, section by section; seen by the speaker only
    out/NN_words.html, out/reveal/       what to open, and what it needs beside it

nbconvert makes the page and reveal.js (MIT license, in `reveal/`) turns it. Formulas become MathML, because what
usually draws them comes from the network. Scenes play in their slides; widgets are seen as their still pictures.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["make_slides", "run_sheet"]

HERE = Path(__file__).parent
FORMULA = re.compile(r"(?<![\\$`\w])(\$\$?)(?!\s)([^$`]+?)(?<!\s)\1(?![\w$])")


def make_slides(lessons: Sequence[Path], out: Path) -> list[Path]:
    """Write the slides of these lessons into the folder `out`; the pages, in order.

    Raises ImportError with the pip line if what turns formulas into MathML is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    shutil.copytree(HERE / "reveal", out / "reveal", dirs_exist_ok=True)
    return [_page(lesson, out) for lesson in lessons]


def _page(lesson: Path, out: Path) -> Path:
    import nbformat
    from nbconvert import SlidesExporter

    notebook = nbformat.read(lesson, as_version=4)
    sheet = lesson.parent / "aids" / f"{lesson.name[:2]}_run_sheet.md"
    prepare(notebook, run_sheet(sheet.read_text(encoding="utf-8")) if sheet.exists() else {})
    folders = {"extra_template_basedirs": [str(HERE)], "template_name": "template"}
    exporter = SlidesExporter(**folders, reveal_url_prefix="reveal", reveal_theme="kitchen", exclude_anchor_links=True)
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": lesson.stem}})
    path = out / f"{lesson.stem}.html"
    path.write_text(page, encoding="utf-8", newline="\n")
    return path


def prepare(notebook: Any, notes: dict[str, str]) -> None:
    """Turn formulas into MathML, and put the notes of each section behind its first cell."""
    from nbformat.v4 import new_markdown_cell

    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            said = notes.get(heading(cell.source), "")
            cell.source = FORMULA.sub(_mathml, cell.source)
            if said:
                cells.append(new_markdown_cell(said, metadata={"slideshow": {"slide_type": "notes"}}))
    notebook.cells = cells


def heading(text: str) -> str:
    """The heading that a text begins with, without its marks; empty if it begins with none.

    >>> heading("## How long?\\n\\nIt depends.")
    'How long?'
    """
    first = text.partition("\n")[0]
    return first.lstrip("#").strip() if first.startswith("#") else ""


def run_sheet(text: str) -> dict[str, str]:
    """What a run sheet says about each section of its lesson, by heading.

    >>> run_sheet("# Lesson\\n\\n| a | b |\\n\\n## How long?\\n\\nAsk the room first.\\n")
    {'How long?': 'Ask the room first.'}
    """
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {title.strip(): said.strip() for title, _, said in (section.partition("\n") for section in sections)}


def _mathml(found: re.Match[str]) -> str:
    try:
        from latex2mathml.converter import convert
    except ImportError:
        raise ImportError("slides need what turns formulas into MathML: pip install latex2mathml") from None
    return convert(found[2], display="block" if found[1] == "$$" else "inline")
