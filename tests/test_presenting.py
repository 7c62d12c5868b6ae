"""Slides need no kernel and no network, the run sheets fit their lessons, and on a projector the type is large."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from browser import FLAGS, MISSING, chromium

from parlib import __main__ as command
from parlib.presenting import make_slides, projector_settings, run_sheet
from parlib.presenting.projector import LARGE, THEME
from parlib.presenting.slides import heading, prepare

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SHEETS = sorted(NOTEBOOKS.glob("aids/*_run_sheet.md"))


def lesson_of(sheet):
    return next(NOTEBOOKS.glob(f"{sheet.name[:2]}_*.ipynb"))


def headings(lesson):
    """The lesson's own title, its sections, and the first heading of its close."""
    cells = nbformat.read(lesson, as_version=4).cells
    found = [heading(cell.source) for cell in cells if cell.cell_type == "markdown" and heading(cell.source)]
    return found[: found.index("In one picture") + 1]


# ---- Run sheets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name[:2])
def test_a_run_sheet_has_a_row_for_each_section_and_notes_for_each_question(sheet):
    text, expected = sheet.read_text(encoding="utf-8"), headings(lesson_of(sheet))
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| ([^|]*)\|$", text, re.MULTILINE)
    assert [title for title, _, _ in rows] == expected
    assert list(run_sheet(text)) == [title for title in expected if title.endswith("?") and title != expected[0]]
    assert any(cut.strip() for _, _, cut in rows)  # where to cut


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name[:2])
def test_the_minutes_of_a_run_sheet_are_those_of_the_lesson_and_it_fits_on_a_page(sheet):
    text = sheet.read_text(encoding="utf-8")
    opening = nbformat.read(lesson_of(sheet), as_version=4).cells[0].source
    minutes = int(re.search(r"It takes about\*\* (\d+) minutes", opening)[1])
    assert sum(map(int, re.findall(r"^\| [^|]+ \| (\d+) \|", text, re.MULTILINE))) == minutes
    assert f"About {minutes} minutes." in text
    assert len(text.splitlines()) <= 50


def test_the_first_lessons_have_a_run_sheet():
    assert {sheet.name[:2] for sheet in SHEETS} >= {"00", "01", "02"}


# ---- Slides ---------------------------------------------------------------------------------------------------------


def test_notes_stand_behind_the_heading_they_belong_to():
    cells = [nbformat.v4.new_markdown_cell(text) for text in ("# Title", "## How long?\n\nIt depends.", "More.")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    prepare(notebook, {"How long?": "Ask the room."})
    assert [cell.source for cell in notebook.cells] == [
        "# Title",
        "## How long?\n\nIt depends.",
        "Ask the room.",
        "More.",
    ]
    assert notebook.cells[2].metadata.slideshow.slide_type == "notes"


@pytest.mark.parametrize(
    ("text", "formulas"),
    [("It takes $n/p$ seconds.", 1), ("$$T_p = 1$$", 1), ("It costs $5 or $6.", 0), ("`$HOME` and `$x$`", 0)],
)
def test_formulas_become_mathml_and_prices_do_not(text, formulas):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    prepare(notebook, {})
    assert notebook.cells[0].source.count("<math") == formulas


def test_without_the_converter_the_pip_line_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    with pytest.raises(ImportError, match="pip install latex2mathml"):
        make_slides([lesson_of(SHEETS[1])], tmp_path)


def test_a_lesson_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"There is no lesson 77: there are 00, 01, "):
        command.main(["slides", "77", "--out", str(tmp_path)])


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    out = tmp_path_factory.mktemp("slides")
    said = subprocess.run(
        [sys.executable, "-m", "parlib", "slides", "01", "02", "--out", str(out)],
        cwd=NOTEBOOKS.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "S the speaker's notes" in said.stdout
    return [out / f"{lesson_of(sheet).stem}.html" for sheet in SHEETS[1:3]]


@pytest.fixture(scope="module")
def stage():
    """A page of a browser that is cut off from every network."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if not chromium():
        pytest.fail(MISSING) if os.environ.get("CI") == "true" else pytest.skip(MISSING)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True, reduced_motion="reduce")
        yield context.new_page()
        browser.close()


@pytest.mark.browser
def test_slides_open_from_a_file_without_a_network(slides, stage):
    asked, errors = [], []
    stage.on("request", lambda request: asked.append(request.url))
    stage.on("pageerror", lambda error: errors.append(error))
    for page in slides:
        stage.goto(page.as_uri())
        stage.wait_for_function("window.Reveal && Reveal.isReady()")
        assert stage.evaluate("Reveal.getTotalSlides()") > 20
    assert not errors
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.browser
def test_the_room_sees_formulas_and_pictures_and_no_notes(slides, stage):
    stage.goto(slides[0].as_uri())
    stage.wait_for_function("window.Reveal && Reveal.isReady()")
    notes = stage.locator("aside.notes")
    assert notes.count() == 4
    assert "show of hands" not in stage.locator("section.present").first.inner_text()
    assert not any(notes.nth(number).is_visible() for number in range(notes.count()))
    assert stage.locator("math").count() > 5
    assert stage.evaluate("[...document.images].every(image => image.alt)")


@pytest.mark.browser
def test_c_hides_the_code_and_shows_it_again(slides, stage):
    stage.goto(slides[0].as_uri())
    stage.wait_for_function("window.Reveal && Reveal.isReady()")
    code = stage.locator("section.present .jp-CodeCell .jp-Cell-inputWrapper").first
    for _ in range(20):
        if code.count() and code.is_visible():
            break
        stage.keyboard.press("Space")
    assert code.is_visible()
    stage.keyboard.press("c")
    assert not code.is_visible()
    stage.keyboard.press("c")
    assert code.is_visible()


@pytest.mark.browser
def test_scenes_play_inside_their_slides_and_nothing_of_them_is_cut_off(slides, stage):
    for page in slides:
        stage.goto(page.as_uri())
        stage.wait_for_function("window.Reveal && Reveal.isReady()")
        frames = stage.locator("iframe[title^='Replay']")
        assert frames.count() == stage.locator("details[data-parlib-still]").count() > 0
        for frame in frames.all():
            frame.evaluate("frame => Reveal.slide(...Object.values(Reveal.getIndices(frame.closest('section'))))")
            scene = frame.content_frame
            scene.get_by_role("button", name="Play").click()
            clock = "() => document.querySelector('.parlib-scene').scene.t > 0"
            frame.element_handle().content_frame().wait_for_function(clock)
            below = "root => innerHeight - root.getBoundingClientRect().bottom"
            assert scene.locator(".parlib-scene").evaluate(below) >= 0


# ---- The projector --------------------------------------------------------------------------------------------------


def test_a_projector_keeps_the_learners_theme_and_enlarges_the_type(tmp_path):
    usual = tmp_path / "usual"
    (usual / THEME).parent.mkdir(parents=True)
    (usual / THEME).write_text('{"theme": "JupyterLab Dark"}', encoding="utf-8")
    (usual / "other.jupyterlab-settings").write_text("{}", encoding="utf-8")
    made = projector_settings(tmp_path / "made", usual)
    assert settings_in(made) == {"theme": "JupyterLab Dark", "overrides": LARGE}
    assert (made / "other.jupyterlab-settings").exists()
    assert settings_in(usual) == {"theme": "JupyterLab Dark"}  # left alone


def settings_in(folder):
    return json.loads((folder / THEME).read_text(encoding="utf-8"))


@pytest.mark.parametrize("theme", [None, "// a comment\n{}"])
def test_a_projector_needs_no_settings_to_begin_with(tmp_path, theme):
    usual = tmp_path / "usual"
    if theme:
        (usual / THEME).parent.mkdir(parents=True)
        (usual / THEME).write_text(theme, encoding="utf-8")
    assert settings_in(projector_settings(tmp_path / "made", usual)) == {"overrides": LARGE}


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.parametrize(("words", "place", "size"), [("", "/lab/tree/", "14px"), ("--present", "/doc/tree/", "24px")])
def test_lab_opens_without_news_and_for_a_room_in_large_type(stage, tmp_path, monkeypatch, words, place, size):
    monkeypatch.setenv("JUPYTERLAB_WORKSPACES_DIR", str(tmp_path))  # no tabs that somebody left open
    command = [sys.executable, "-m", "parlib", "lab", "--no-browser", *words.split()]
    stage.context.set_offline(False)
    with subprocess.Popen(command, cwd=NOTEBOOKS.parent, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = next(line.strip() for line in server.stdout if "http://" in line)
            assert f"{place}notebooks/00_" in url
            stage.goto(url, timeout=60_000)
            stage.locator(".jp-RenderedHTMLCommon p").first.wait_for(timeout=60_000)
            paragraph = "getComputedStyle(document.querySelector('.jp-RenderedHTMLCommon p'))"
            stage.wait_for_function(f"{paragraph}.fontSize === '{size}'")
            assert stage.locator("text=Jupyter news").count() == 0
        finally:
            server.terminate()
            stage.context.set_offline(True)
