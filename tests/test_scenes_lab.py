"""In a real JupyterLab: sliders that Python answers, an oven that bakes for real, and what is left without a kernel."""

import re
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("playwright", reason="pip install playwright")
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.long]
expect.set_options(timeout=30_000)

CELL = """from parlib import Bakery
from parlib.workloads import bakery
scene = Bakery(bakery.waiting, workers=2, size=8, chunks=4)
scene"""
ASK = "print(scene.score['finish'], scene.trace.source)"


@pytest.fixture
def notebook(lab, page, request):
    """A notebook with one scene in a folder of its own, opened and run."""
    folder = Path(lab.root) / re.sub(r"\W", "-", request.node.name)
    folder.mkdir()
    (folder / "aids").mkdir()
    kernel = {"name": "python3", "display_name": "Python 3"}
    cells = [nbformat.v4.new_code_cell(source) for source in (CELL, ASK)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "try.ipynb")
    page.open(f"{folder.name}/try.ipynb")
    page.run_all()
    assert page.errors() == []
    return page


def python_says(page):
    page.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1; }")
    page.command("notebook:run-cell")
    page.wait_idle()
    finish, source = page.cell(1).locator(".jp-OutputArea-output").inner_text().split()
    return float(finish), source


def test_in_jupyterlab_sliders_bake_simulated_and_the_oven_bakes_for_real(notebook):
    scene = notebook.page.locator(".parlib-scene")
    scene.get_by_role("button", name="Watch without guessing").click()
    scene.get_by_role("slider", name="workers").press("ArrowRight")
    expect(scene.locator("p.said")).to_contain_text("4 trays done by 3 bakers after")
    assert scene.evaluate("root => root.scene.scores[0].finish") == pytest.approx(python_says(notebook)[0])
    expect(notebook.page.locator("details[open]")).to_have_count(0)  # the live scene closes its spare copies
    scene.get_by_role("button", name="Bake it for real").click()
    expect(scene.locator(".badge")).to_have_text("Measured", timeout=90_000)
    finish, source = python_says(notebook)
    assert source == "measured"
    assert scene.evaluate("root => root.scene.scores[0].finish") == pytest.approx(finish)
    assert notebook.page.page_errors == notebook.page.offsite == []


def test_with_a_dead_kernel_it_plays_on_and_reopened_the_copy_plays_and_the_picture_is_there(notebook):
    scene = notebook.page.locator(".parlib-scene")
    notebook.save()
    notebook.shut_down()
    scene.get_by_role("button", name="Watch without guessing").click()
    scene.get_by_role("button", name="Play").click()
    notebook.page.wait_for_function("() => document.querySelector('.parlib-scene').scene.t > 0")
    path = notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")
    notebook.open(path)
    copy = notebook.page.frame_locator("iframe[title^=Replay]")
    copy.get_by_role("button", name="Play").click()
    expect(copy.locator(".time")).not_to_have_text("0 s")
    expect(notebook.page.locator("details[data-parlib-still]")).not_to_have_attribute("open", "")
    assert notebook.page.locator("img[alt^='A bakery of bakery.waiting']").count() == 1


def test_an_exported_page_plays_offline_and_without_scripts_shows_the_picture(notebook, tmp_path):
    nbconvert = pytest.importorskip("nbconvert")
    notebook.save()
    path = notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")
    body, _ = nbconvert.HTMLExporter().from_filename(str(Path(notebook.lab.root) / path))
    (tmp_path / "lesson.html").write_text(body, encoding="utf-8")
    for scripts in (True, False):
        context = notebook.page.context.browser.new_context(java_script_enabled=scripts, offline=True)
        page = context.new_page()
        page.goto((tmp_path / "lesson.html").as_uri(), wait_until="commit")
        if scripts:
            copy = page.frame_locator("iframe[title^=Replay]")
            copy.get_by_role("button", name="Play").click()
            expect(copy.locator(".time")).not_to_have_text("0 s")
        else:
            expect(page.locator("img[alt^='A bakery of bakery.waiting']")).to_be_visible()
        context.close()
