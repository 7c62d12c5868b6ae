"""In a real JupyterLab: a learner moves a slider by keyboard, and the curve that appears was measured on this machine.

The one place where real seconds are judged: a workload of known ratio must be measured as what it is, within 25 %.
"""

import json
import re
import shutil
from pathlib import Path
from symtable import symtable

import nbformat
import pytest

from parlib import machine

pytest.importorskip("playwright", reason="pip install playwright")
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SIMULATED = re.compile("^Simulated")
NOT_YET = re.compile("^(Simulated|Measuring)")
PATIENCE = 120_000  # milliseconds: a sweep takes seconds, but not on a machine that runs six other things
expect.set_options(timeout=30_000)

SLEEPER = """
import time
from parlib import Plan, Task, Workload, explore

SECONDS = {seconds}

def nap(seconds):
    time.sleep(seconds)

def plan(size, chunks):
    share = SECONDS * size / chunks if {divides} else SECONDS * size
    naps = [Task(f"nap {{n}}", nap, ["share"]) for n in range(chunks)]
    return Plan(naps, {{"share": share}}, finish=lambda naps: None)

def serial(size):
    nap(SECONDS * size)

naps = Workload("nap", plan, serial, (1, 2), "waiting", lambda size: SECONDS * size / 4, default=1)
explore(naps, workers=1, most=4, backend="threads")
"""


@pytest.fixture
def notebook(lab, page, request):
    """A notebook made of some cells in a folder of its own, opened and run."""
    folder = Path(lab.root) / re.sub(r"\W", "-", request.node.name)

    def opened(*sources):
        folder.mkdir()
        cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
        kernel = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "try.ipynb")
        page.open(f"{folder.name}/try.ipynb")
        page.run_all()
        assert page.errors() == []
        return page

    return opened


def status(page):
    return page.page.locator(".parlib-status")


def picture(page):
    return page.page.locator("img[alt*='a simulated timeline of']")


def slider(page, name):
    return handle(page.page, name)


def handle(place, name):
    """A slider in one place of a page: a cell of a lesson that has several."""
    return place.get_by_role("slider", name=name, exact=True)


def press(page, handle, *keys):
    """Press keys on a control, and wait for the new picture that the last of them must bring."""
    handle.focus()
    for key in keys:
        before = picture(page).get_attribute("src")
        page.page.keyboard.press(key)
        expect(picture(page)).not_to_have_attribute("src", before)


def measured(page, who):
    """The speedup of `who` that the page says it measured, once it does."""
    expect(status(page)).to_have_text(re.compile(f"^Measured on this machine: {who} "), timeout=PATIENCE)
    return float(re.search(r"([\d.]+) times as fast", status(page).inner_text())[1])


# ---- Lessons --------------------------------------------------------------------------------------------------------


CURVE = "a simulated timeline of"
WORKERS = "workers", "ArrowRight", r"timeline of (\d+) workers"
SIZE = "data size", "ArrowLeft", r"of size (\S+)"
PANELS = [  # lesson, call of the panel, words of its picture, and moves: slider, key, and which words follow it
    ("03", "explore(", CURVE, [WORKERS, SIZE]),
    pytest.param("04", "explore(", CURVE, [WORKERS, SIZE], marks=pytest.mark.long),
    pytest.param("05", "explore(", CURVE, [WORKERS, SIZE], marks=pytest.mark.long),
    pytest.param(
        "06",
        "explore_assignment(plan, Simulated(latency",
        "Simulated: yours",
        [("ways take", "ArrowRight", r"yours (\S+) s")],
        marks=pytest.mark.long,
    ),
]


def panel_of(number, call, lab, page):
    """The cell of a lesson that opens a panel with `call`, after it ran, and before it all that it needs."""
    (lesson,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    folder = Path(lab.root) / f"lesson-{number}"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".parlib", ".ipynb_checkpoints"))
    page.open(f"{folder.name}/{lesson.name}")
    for source in cells_needed(lesson, call):
        run_cell(page, source)
    return page.page.locator(".jp-Cell.jp-mod-active")


@pytest.mark.parametrize(("number", "call", "words", "moves"), PANELS, ids=["03", "04", "05", "06"])
def test_in_a_lesson_every_slider_moves_by_keyboard_and_the_picture_follows(number, call, words, moves, lab, page):
    cell = panel_of(number, call, lab, page)
    shown = cell.locator(f"img[alt*='{words}']")
    expect(cell.locator(".parlib-status")).to_have_text(SIMULATED)
    for name, key, follows in moves:
        before = re.search(follows, shown.get_attribute("alt"))[0]
        handle(cell, name).press(key)
        expect(shown).not_to_have_attribute("alt", re.compile(re.escape(before) + r"(?!\d)"))
        assert re.search(follows, shown.get_attribute("alt"))
    assert page.page.page_errors == page.page.offsite == []


@pytest.mark.long
def test_in_lesson_01_both_sliders_move_by_keyboard_and_each_time_a_measured_curve_appears(lab, page):
    cell = panel_of("01", "explore(", lab, page)
    expect(status(page)).to_have_text(SIMULATED)
    keys, chosen = (2, "2 workers") if machine().cores > 1 else (3, "1 worker")  # one core measures one worker
    press(page, handle(cell, "workers"), *["ArrowLeft"] * keys)
    expect(picture(page)).to_have_attribute("alt", re.compile(f"timeline of {chosen}"))
    assert measured(page, chosen) > 0
    press(page, handle(cell, "data size"), "ArrowLeft")
    expect(status(page)).to_have_text(NOT_YET)
    assert measured(page, chosen) > 0
    expect(picture(page)).to_have_attribute("alt", re.compile("of size (?!100 ).* solid is measured on this machine"))
    assert page.page.page_errors == page.page.offsite == []


def cells_needed(lesson, call):
    """The cell of a lesson that calls the panel, after the cells that make what it needs."""
    code = [cell.source for cell in nbformat.read(lesson, 4).cells if cell.cell_type == "code"]
    panel = next(source for source in code if call in source)
    needed, missing = [panel], names_read(symtable(panel, "panel", "exec"))
    for source in reversed(code[: code.index(panel)]):
        cell = symtable(source, "cell", "exec")
        made = {name.get_name() for name in cell.get_symbols() if name.is_assigned() or name.is_imported()}
        if made & missing:
            needed.insert(0, source)
            missing = missing - made | names_read(cell)
    return needed


def names_read(scope):
    """The names that a cell reads, and those that the functions in it take from outside."""
    whole = scope.get_type() == "module"
    read = {name.get_name() for name in scope.get_symbols() if name.is_referenced() and (whole or name.is_global())}
    return read.union(*map(names_read, scope.get_children()))


def run_cell(page, source):
    script = """source => { const notebook = window.jupyterapp.shell.currentWidget.content;
        notebook.activeCellIndex = notebook.widgets.findIndex(cell => cell.model.sharedModel.source === source); }"""
    page.page.evaluate(script, source)
    page.command("notebook:run-cell")
    page.wait_idle()


# ---- Work of known ratio --------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    ("divides", "ratio"), [(True, 4.0), (False, 1.0)], ids=["divided by n", "the same however many"]
)
def test_the_measured_points_follow_a_workload_of_known_ratio_within_a_quarter(notebook, divides, ratio):
    page = notebook(SLEEPER.format(seconds=1.0, divides=divides))
    press(page, slider(page, "workers"), "ArrowRight", "ArrowRight", "ArrowRight")
    assert measured(page, "4 workers") == pytest.approx(ratio, rel=0.25)
    press(page, slider(page, "workers"), "ArrowLeft", "ArrowLeft")
    assert measured(page, "2 workers") == pytest.approx(2.0 if divides else 1.0, rel=0.25)


# ---- While it measures ----------------------------------------------------------------------------------------------


def test_opening_measures_nothing_and_a_move_ends_a_measurement_with_its_processes(notebook):
    family = "[child.pid for child in psutil.Process().children() if 'serve' in str(child.cmdline())]"
    count = f"import psutil\nprint('children', {family})"
    page = notebook(SLEEPER.format(seconds=30.0, divides=True), count)
    children = page.cell(1).locator(".jp-OutputArea-output")
    expect(children).to_have_text("children []")
    page.page.get_by_role("button", name="Measure").press("Enter")
    expect(page.page.get_by_role("progressbar", name="measuring")).to_be_visible()
    run_cell(page, count)
    expect(children).to_have_text(re.compile(r"children \[\d+\]"))
    slider(page, "workers").press("ArrowRight")
    expect(page.page.get_by_role("progressbar", name="measuring")).to_be_hidden()
    expect(status(page)).to_have_text(re.compile("^Simulated: 2 workers"))


def test_the_kernel_stays_free_while_the_panel_measures(notebook):
    page = notebook(SLEEPER.format(seconds=30.0, divides=True), "print(6 * 7)")
    page.page.get_by_role("button", name="Measure").press("Enter")
    expect(page.page.get_by_role("button", name="Stop")).to_be_visible()
    run_cell(page, "print(6 * 7)")
    expect(page.cell(1).locator(".jp-OutputArea-output")).to_have_text("42")
    page.page.get_by_role("button", name="Stop").press("Enter")
    expect(page.page.get_by_role("button", name="Measure")).to_be_visible()
    expect(status(page)).to_have_text(SIMULATED)


# ---- The laws -------------------------------------------------------------------------------------------------------

LAWS = "from parlib import explore_laws, recorded\nexplore_laws([recorded('bakery.waiting'), recorded('bakery.busy')])"


@pytest.mark.long
def test_the_laws_move_by_keyboard_to_a_million_workers_and_exact_points_follow_and_are_kept(notebook):
    page = notebook(LAWS)
    shown = page.page.locator("img[alt*='strong scaling']")
    for name in ("workers", "data size (items)", "serial fraction", "overhead per task", "latency", "bandwidth"):
        expect(slider(page, name)).to_have_attribute("aria-valuetext", re.compile(r"\d"))
    expect(page.page.get_by_role("combobox", name="measured points")).to_be_visible()
    slider(page, "workers").press("End")
    expect(slider(page, "workers")).to_have_attribute("aria-valuetext", "1 million")
    expect(shown).to_have_attribute("alt", re.compile("1,000,000 workers marked"))
    expect(status(page)).to_have_text(re.compile("^Calculated: 1,000,000 workers .* simulated, "))
    expect(shown).to_have_attribute("src", re.compile("^data:image/webp"))  # at rest: the one that is kept
    before = status(page).inner_text()
    slider(page, "latency").press("ArrowRight")
    expect(status(page)).not_to_have_text(before)
    expect(status(page)).to_have_text(re.compile("simulated"))
    expect(shown).to_have_attribute("src", re.compile("^data:image/webp"))
    (data,) = saved(page)
    assert "1,000,000 workers marked" in "".join(data["text/html"])
    assert page.page.page_errors == page.page.offsite == []


def saved(page):
    """The pictures of the only cell, as they are in the saved notebook."""
    page.save()
    path = page.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")
    (cell,) = json.loads((Path(page.lab.root) / path).read_text("utf-8"))["cells"]
    return [output["data"] for output in cell["outputs"] if "image/png" in output["data"]]


# ---- For everybody, and for later -----------------------------------------------------------------------------------

NOW = "document.activeElement"
PANEL = "from parlib import explore\nfrom parlib.workloads import bakery\nexplore(bakery.busy)"


def test_every_control_has_a_name_can_be_reached_by_keyboard_and_is_large_enough_to_read(notebook):
    page = notebook(PANEL)
    slider(page, "workers").focus()
    seen = []
    for _ in range(12):
        seen.append(page.page.evaluate(f"() => {NOW}.getAttribute('aria-label') || {NOW}.textContent"))
        page.page.keyboard.press("Tab")
    for name in ("workers", "data size", "chunks", "backend", "Measure"):
        assert any(name in words for words in seen), f"{name} is not among {seen}"
    for control in page.page.locator(".parlib-control, .parlib-status").all():
        assert float(control.evaluate("node => parseFloat(getComputedStyle(node).fontSize)")) >= 16


def test_the_sentence_is_a_live_region_and_the_picture_has_words(notebook):
    page = notebook(PANEL)
    sentence = page.page.get_by_role("status").filter(has_text="Simulated: 4 workers")
    expect(sentence).to_have_attribute("aria-live", "polite")
    expect(page.page.get_by_role("img", name="bakery.busy of size 100 on processes.")).to_be_visible()


@pytest.mark.long
def test_the_last_picture_survives_in_the_saved_notebook_and_is_there_without_a_kernel(notebook):
    page = notebook(PANEL)
    press(page, slider(page, "workers"), "ArrowRight")
    expect(picture(page)).to_have_attribute("src", re.compile("^data:image/webp"))  # at rest: the one that is kept
    assert ["timeline of 5 workers" in "".join(data["text/html"]) for data in saved(page)] == [True]
    path = page.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")
    page.shut_down()
    page.open(path)
    expect(picture(page)).to_have_attribute("alt", re.compile("timeline of 5 workers"))
    assert picture(page).evaluate("image => image.naturalWidth") == 1100
