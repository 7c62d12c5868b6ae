"""In a real JupyterLab: no outcome before a commitment, all of it by keyboard, and the saved file tells the story."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from parlib.state import State

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")

AIDS = Path(__file__).parent.parent / "notebooks" / "aids"
IMPORTS = "from parlib.study import cards, predict, quiz"
ASK = 'guess = predict("2.1", "How many times faster?", low=1, high=4, step=0.1, unit="×")\nguess'
REVEAL = 'guess.reveal(lambda guess: f"The outcome is 1.9×, {guess.told} was predicted.")'
OUTCOME = "The outcome is 1.9×, 1.3× was predicted."
BROKEN = "Error displaying widget"


@pytest.fixture
def lesson(lab, page, request):
    """Open a lesson made of some cells in a folder of its own, run it, and return (page, its state)."""
    folder = Path(lab.root) / request.node.name.replace("[", "-").rstrip("]")

    def opened(*sources, commit=None):
        shutil.copytree(AIDS, folder / "aids")
        state = State(folder / ".parlib")
        if commit:
            state.put("predictions", "2.1", {"value": commit})
        cells = [nbformat.v4.new_code_cell(source) for source in (IMPORTS, *sources)]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "lesson.ipynb")
        page.open(f"{folder.name}/lesson.ipynb")
        page.run_all()
        return page, state

    return opened


def reopened(page, path="lesson.ipynb"):
    """Save, stop the kernel, load the page anew."""
    page.save()
    page.shut_down()
    folder = page.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path").rsplit("/", 1)[0]
    page.open(f"{folder}/{path}")
    page.page.wait_for_timeout(2500)  # the widget manager searches two seconds before it says that a model is gone
    return json.loads((Path(page.lab.root) / folder / path).read_text("utf-8"))


def press(page, *keys):
    for key in keys:
        page.page.keyboard.press(key)
        page.page.wait_for_timeout(50)


expect = playwright.expect  # patient assertions: the page follows the kernel a moment later
expect.set_options(timeout=20_000)


def test_a_prediction_is_made_and_its_outcome_shown_by_keyboard_alone_and_both_survive(lesson):
    page, state = lesson(ASK, REVEAL)
    button = page.cell(2).get_by_role("button", name="Show what happens")
    expect(button).to_be_disabled()
    expect(page.cell(2).get_by_text("Commit prediction 2.1 first")).to_be_visible()
    page.cell(1).get_by_role("slider").focus()
    press(page, "ArrowRight", "ArrowRight", "ArrowRight", "Tab", "Tab")
    expect(page.cell(1).get_by_role("button", name="Commit")).to_be_focused()
    expect(button).to_be_disabled()  # moving the slider is not committing
    press(page, "Enter")
    expect(page.cell(1).get_by_text("You predict 1.3×. You may change your mind until you look.")).to_be_visible()
    expect(button).to_be_enabled()
    assert state.get("predictions", "2.1")["value"] == 1.3
    press(page, "Tab")
    expect(page.cell(1).get_by_role("button", name="Change my mind")).to_be_focused()
    button.focus()
    press(page, "Enter")
    expect(page.cell(2).get_by_text(OUTCOME)).to_be_visible()
    expect(page.page.locator("#parlib-voice")).to_have_text("You predicted 1.3×. The outcome is shown below.")
    expect(page.page.get_by_role("slider")).to_have_count(0)  # what is locked has no controls
    notebook = reopened(page)
    expect(page.cell(1).get_by_text("You predicted 1.3×.")).to_be_visible()
    expect(page.cell(2).get_by_text(OUTCOME)).to_be_visible()
    expect(page.page.get_by_text(BROKEN)).to_have_count(0)
    assert "widget-view" not in json.dumps([cell["outputs"] for cell in notebook["cells"]])
    assert page.page.page_errors == page.page.offsite == []


@pytest.mark.long
def test_a_mind_can_be_changed_until_the_outcome_is_shown(lesson):
    page, state = lesson(ASK, REVEAL)
    page.cell(1).get_by_role("button", name="Commit").click()
    page.cell(1).get_by_role("button", name="Change my mind").click()
    expect(page.cell(1).get_by_text("Not committed yet.")).to_be_visible()
    expect(page.cell(2).get_by_role("button", name="Show what happens")).to_be_disabled()
    assert state.section("predictions") == {}


@pytest.mark.long
def test_a_predict_cell_that_is_run_again_still_opens_the_button_below(lesson):
    page, _ = lesson(ASK, REVEAL)
    page.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1; }")
    page.command("notebook:run-cell")
    page.wait_idle()
    page.cell(1).get_by_role("button", name="Commit").click()
    expect(page.cell(2).get_by_role("button", name="Show what happens")).to_be_enabled()


@pytest.mark.long
def test_a_prediction_of_an_earlier_visit_shows_its_outcome_at_once(lesson):
    page, _ = lesson(ASK, REVEAL, commit=1.3)
    expect(page.cell(2).get_by_text(OUTCOME)).to_be_visible()
    expect(page.cell(1).get_by_text("You predicted 1.3×.")).to_be_visible()
    expect(page.page.locator(".jupyter-widgets")).to_have_count(0)


@pytest.mark.long
def test_an_outcome_that_fails_is_told_where_it_is_missed(lesson):
    page, _ = lesson(ASK, "guess.reveal(lambda guess: 1 / 0)")
    page.cell(1).get_by_role("button", name="Commit").click()
    button = page.cell(2).get_by_role("button", name="Show what happens")
    button.click()
    expect(page.cell(2).get_by_text("ZeroDivisionError: division by zero")).to_be_visible()
    expect(button).to_be_enabled()


def test_controls_have_names_and_speak_what_they_show(lesson):
    page, _ = lesson(
        ASK,
        'predict("2.2", "Which finishes first?", choices=["block", "cyclic"])',
        "import ipywidgets\nipywidgets.IntSlider(description='bare')",
    )
    slider = page.cell(1).get_by_role("slider", name="Prediction 2.1: How many times faster?")
    slider.focus()
    press(page, "ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "1.1")
    expect(page.cell(1).locator(".widget-readout")).to_have_text("1.1")
    assert slider.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    assert float(slider.evaluate("e => parseFloat(getComputedStyle(e.closest('.parlib-control')).fontSize)")) >= 16
    choices = page.cell(2).get_by_role("radiogroup", name="Prediction 2.2: Which finishes first?")
    expect(choices.get_by_role("radio")).to_have_count(2)
    expect(page.cell(2).get_by_role("button", name="Commit")).to_be_disabled()
    choices.get_by_role("radio").first.focus()
    press(page, "ArrowDown")
    expect(choices.get_by_role("radio").nth(1)).to_be_checked()  # JupyterLab does not take the arrow for itself
    expect(page.cell(2).get_by_role("button", name="Commit")).to_be_enabled()
    bare = page.cell(3).get_by_role("slider")
    assert bare.get_attribute("aria-label") is None, "ipywidgets names its sliders now: accessibility.py may go"


@pytest.mark.long
def test_a_quiz_replies_by_keyboard_is_kept_and_works_without_a_kernel(lesson):
    page, state = lesson('quiz("01")')
    answers = page.cell(1).locator("summary")
    expect(page.cell(1).get_by_text("0 of ")).to_be_visible()
    answers.first.focus()
    press(page, "Enter", "Tab", "Space")
    expect(page.cell(1).get_by_text("1 of ")).to_be_visible()
    opened = page.cell(1).locator("details[open]")
    expect(opened).to_have_count(2)
    assert {opened.nth(n).locator("p").inner_text()[0] for n in range(2)} <= {"✓", "✗"}
    assert [entry["first"] for entry in state.section("quiz").values()] == [answers.first.inner_text()]
    reopened(page)
    page.cell(1).locator("summary").nth(2).focus()
    press(page, "Space")
    assert page.cell(1).locator("details[open] p").inner_text()[0] in "✓✗"
    assert not any(text.is_visible() for text in page.page.get_by_text(BROKEN).all())
    assert page.page.page_errors == page.page.offsite == []


@pytest.mark.long
def test_a_card_returns_later_when_it_was_known(lesson):
    page, state = lesson('cards("02")')
    expect(page.cell(1).get_by_text("to review today")).to_be_visible()
    page.cell(1).locator("summary").first.focus()
    press(page, "Enter", "Tab", "Enter")
    expect(page.cell(1).get_by_text("again on")).to_be_visible()
    assert [entry["box"] for entry in state.section("cards").values()] == [0]
    expect(page.cell(1).locator("summary").first).to_be_focused()  # the keyboard goes on where it was


@pytest.mark.long
def test_an_untrusted_copy_still_holds_the_quiz_and_the_outcome(lesson):
    page, _ = lesson('quiz("01")', ASK, REVEAL, commit=1.3)
    questions = page.cell(1).locator("details").count()
    page.save()
    folder = page.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path").rsplit("/", 1)[0]
    notebook = json.loads((Path(page.lab.root) / folder / "lesson.ipynb").read_text("utf-8"))
    for cell in notebook["cells"]:
        cell["metadata"].pop("trusted", None)
        for output in cell["outputs"]:
            output["data"].get("text/html", []).append("<!-- not signed by anybody here -->")
    (Path(page.lab.root) / folder / "copy.ipynb").write_text(json.dumps(notebook), "utf-8")
    page.open(f"{folder}/copy.ipynb")
    assert page.cell(1).locator(".jp-mod-trusted").count() == 0
    assert page.cell(1).locator("details").count() == questions > 10
    expect(page.cell(3).get_by_text(OUTCOME)).to_be_visible()
