"""Every lesson keeps the rules, and runs: in order, from a fresh kernel, to the outputs that are stored in it.

Two lists of rules: those of the page (`lesson_rules`), and the kernel's own, which nbval compares. Each rule has an
offender here: the first lesson with one thing spoiled, which that rule must see.
"""

import copy
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest
from lesson_rules import BEATS, RULES, Lesson, headings, is_a, pictures
from measured_values import shows_measured_values, unclear_simulations

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SECONDS = 240  # in one lesson; an honest one needs thirty on two quiet cores

SANITIZE = r"""
[pictures]
regex: data:image/[^"')\s]+
replace: PICTURE

[replays]
regex: srcdoc="[^"]+"
replace: REPLAY
"""


def module_at(path):
    """A script as a module, without putting its folder on the path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = module_at(NOTEBOOKS / "make.py")
LESSONS = make.lessons()

every_lesson = pytest.mark.parametrize("path", LESSONS, ids=[path.name[:2] for path in LESSONS])


@cache
def lesson_at(path):
    return Lesson(nbformat.read(path, as_version=4), path)


def test_there_are_lessons():
    assert [path.name[:2] for path in LESSONS][:1] == ["00"]


# ---- The page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@every_lesson
def test_a_lesson_keeps_the_rule(path, rule):
    assert list(RULES[rule](lesson_at(path))) == []


@every_lesson
def test_the_committed_file_is_what_cleaning_makes_of_it(path):
    assert path.read_text(encoding="utf-8") == make.written(make.cleaned(nbformat.read(path, as_version=4)))


def dirty():
    """A notebook as an editor leaves it behind: times, states, widgets, a progress bar, the frames of a library."""
    view = {"text/plain": "A slider.", "application/vnd.jupyter.widget-view+json": {"model_id": "f00"}}
    frames = ["\x1b[31mCell In[3], line 1\x1b[39m", "\x1b[32mFile /home/someone/library.py:7\x1b[39m", "KeyError: 1"]
    cell = nbformat.v4.new_code_cell("explore()\n\n", execution_count=41)
    cell.metadata = {"tags": ["run"], "execution": {"iopub.execute_input": "now"}, "slideshow": {"slide_type": "-"}}
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="\r 10%|█"),
        nbformat.v4.new_output("stream", name="stderr", text="\r100%|██\r"),
        nbformat.v4.new_output("stream", name="stdout", text="one\n"),
        nbformat.v4.new_output("stream", name="stdout", text="two\n"),
        nbformat.v4.new_output("execute_result", view, metadata={"isolated": True}, execution_count=41),
        nbformat.v4.new_output("error", ename="KeyError", evalue="1", traceback=frames),
    ]
    return nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}, "toc": 1})


def test_cleaning_keeps_what_a_reader_needs_and_nothing_else():
    clean = make.cleaned(dirty())
    cell = clean.cells[0]
    assert set(clean.metadata) == {"kernelspec", "language_info"}
    assert (cell.source, cell.metadata, cell.execution_count) == ("explore()", {"tags": ["run"]}, 1)
    printed, widget, error = cell.outputs
    assert (printed.name, printed.text) == ("stdout", "one\ntwo\n")
    assert (widget.data, widget.metadata) == ({"text/plain": "A slider."}, {})
    assert error.traceback == ["Cell In[3], line 1", "KeyError: 1"]


def test_cleaning_twice_is_cleaning_once():
    once = make.cleaned(dirty())
    assert make.written(make.cleaned(nbformat.reads(make.written(once), as_version=4))) == make.written(once)


def test_an_example_learner_has_predicted_before_the_lesson_begins(tmp_path):
    make.commit_examples("00", tmp_path)
    kept = json.loads((tmp_path / ".parlib" / "state.json").read_text(encoding="utf-8"))["predictions"]
    assert {label: entry["value"] for label, entry in kept.items()} == make.example("00")


# ---- The kernel -----------------------------------------------------------------------------------------------------


@pytest.mark.notebook
@every_lesson
def test_a_lesson_runs_to_its_stored_outputs(path, tmp_path):
    said = through_nbval(path, tmp_path)
    assert said.returncode == 0, said.stdout


def through_nbval(path, folder):
    """Run a lesson in a copy of its folder, as the example learner does; compare its outputs with the stored ones."""
    room = folder / "notebooks"
    shutil.copytree(NOTEBOOKS / "aids", room / "aids")
    shutil.copy(path, room)
    make.commit_examples(path.name[:2], room)
    (folder / "sanitize.cfg").write_text(SANITIZE, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # the library's own settings are not for cells
    options = ["--nbval", "--nbval-current-env", f"--nbval-cell-timeout={make.CELL_SECONDS}"]
    settings = ["-c", str(folder / "pytest.ini"), "--nbval-sanitize-with", str(folder / "sanitize.cfg")]
    plugins = ["-p", "nbval.plugin", "-p", "no:cacheprovider"]
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "IPYTHONDIR": str(folder / "ipython"), "PYTHONIOENCODING": "utf-8"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    asked = {"cwd": room, "env": kept | alone, "capture_output": True, "encoding": "utf-8", "timeout": SECONDS}
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *plugins, *options, *settings, path.name], **asked)


def small(*sources, outputs=()):
    """A notebook of code cells as if it had been run, the last of them with the given outputs."""
    cells = [nbformat.v4.new_code_cell(source, execution_count=1) for source in sources]
    cells[-1].outputs = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in outputs]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.mark.notebook
@pytest.mark.parametrize(("stored", "verdict"), [("2\n", 0), ("3\n", 1)])
def test_a_stored_output_that_differs_is_seen(tmp_path, stored, verdict):
    path = tmp_path / "99_small.ipynb"
    nbformat.write(small("print(1 + 1)", outputs=[stored]), path)
    assert through_nbval(path, tmp_path / "room").returncode == verdict


# ---- An offender for each rule --------------------------------------------------------------------------------------


def first(lesson, tag, kind=None):
    return next(cell for cell in lesson.cells if is_a(cell, tag) and kind in (None, cell.cell_type))


def titled(lesson, heading):
    return next(cell for cell in lesson.prose if heading in headings(cell))


def replace(cell, old, new):
    assert old in cell.source
    cell.source = cell.source.replace(old, new)


def untag(cell, tag):
    cell.metadata["tags"] = [other for other in cell.metadata["tags"] if other != tag]


def prose(text):
    return nbformat.v4.new_markdown_cell(text)


def code(text, *texts):
    outputs = [nbformat.v4.new_output("execute_result", {"text/plain": text}) for text in texts]
    return nbformat.v4.new_code_cell(text, outputs=outputs)


def rewrite(cell, old, new):
    """Change the stored outputs of a cell."""
    before = json.dumps(cell.outputs)
    assert re.search(old, before)
    cell.outputs = [nbformat.from_dict(output) for output in json.loads(re.sub(old, new, before))]


def outputs(cell, kind, **content):
    cell.outputs = [nbformat.v4.new_output(kind, **content)]


def pictured(cell):
    return cell.cell_type == "code" and pictures(cell)


def swap(lesson, one, other):
    cells = lesson.cells
    a, b = cells.index(first(lesson, one)), cells.index(first(lesson, other))
    cells[a], cells[b] = cells[b], cells[a]


SPOIL = {
    "opens_with_a_promise_and_imports": [
        lambda lesson: lesson.cells.pop(0),
        lambda lesson: replace(lesson.cells[0], "**You need**", "You need"),
        lambda lesson: lesson.cells[0].update(source=lesson.cells[0].source + "\n\n# Another title"),
        lambda lesson: first(lesson, "setup").update(source="import time\nbegan = time.time()"),
    ],
    "sections_have_their_seven_beats_in_order": [
        lambda lesson: swap(lesson, "predict", "see"),
        lambda lesson: swap(lesson, "name", "carry-on"),
        *(lambda lesson, beat=beat: untag(first(lesson, beat), beat) for beat in BEATS[1:]),
        lambda lesson: [untag(cell, "question") for cell in lesson.cells if is_a(cell, "question")],
    ],
    "questions_are_headings_that_ask": [
        lambda lesson: replace(first(lesson, "question"), "?", "."),
        lambda lesson: first(lesson, "name").update(source="### A heading too deep\n\n" + first(lesson, "name").source),
        lambda lesson: first(lesson, "carry-on").update(source="# A second title"),
    ],
    "predictions_are_drawn_in_the_outcome": [
        lambda lesson: first(lesson, "see").update(source=re.sub(r"\.reveal\(", ".hide(", first(lesson, "see").source)),
        lambda lesson: first(lesson, "see").update(source="guess.reveal(lambda guess: show(picture))"),
        lambda lesson: rewrite(first(lesson, "see"), "predict", "expect"),
        lambda lesson: first(lesson, "see").update(outputs=[]),
    ],
    "predictions_are_numbered_and_have_an_example": [
        lambda lesson: replace(first(lesson, "predict"), '"0.1"', '"0.7"'),
        lambda lesson: first(lesson, "see").update(source="show(picture)"),
    ],
    "terms_are_named_with_a_source": [
        lambda lesson: replace(first(lesson, "name"), "**", ""),
        lambda lesson: first(lesson, "name").update(source=re.sub(r"\d{4}", "long ago", first(lesson, "name").source)),
    ],
    "what_was_broken_is_shown_and_explained": [
        lambda lesson: first(lesson, "break").update(outputs=[]),
        lambda lesson: lesson.cells.insert(lesson.cells.index(first(lesson, "break")) + 1, prose("So it is.")),
    ],
    "carrying_on_takes_one_line": [lambda lesson: first(lesson, "carry-on").update(source="and so on " * 20)],
    "closes_with_a_picture_three_sentences_exercises_and_the_next": [
        lambda lesson: lesson.cells.pop(),
        lambda lesson: replace(titled(lesson, "## In three sentences"), ".\n", ",\n"),
        lambda lesson: rewrite(next(filter(pictured, lesson.close)), "[Tt]ask parallel", "another way"),
        lambda lesson: [cell.update(source="1 + 1") for cell in lesson.close if "quiz(" in cell.source],
        lambda lesson: [cell.update(source="Try some.") for cell in lesson.close if "../exercises/" in cell.source],
    ],
    "has_the_right_size": [
        lambda lesson: lesson.cells.__delitem__(slice(10, None)),
        lambda lesson: lesson.cells.append(prose("word " * 2000)),
    ],
    "cells_are_short": [
        lambda lesson: lesson.cells.append(code("x = 1\n" * 21)),
        lambda lesson: lesson.cells.extend(code("x = 1\n" * 11) for _ in range(5)),
        lambda lesson: lesson.cells.extend(code("x = 1\n" * 4) for _ in range(50)),
        lambda lesson: lesson.cells.append(prose("word " * 121)),
        lambda lesson: lesson.cells.append(code(f"a = {'1' * 100}")),
    ],
    "a_sentence_stands_between_two_code_cells": [
        lambda lesson: lesson.cells.extend([code("x = 1"), code("y = 1")]),
    ],
    "learners_act_at_least_every_six_cells": [
        lambda lesson: lesson.cells.extend(prose("Read on.") for _ in range(8)),
    ],
    "avoids_words_that_belittle": [
        *(lambda lesson, word=word: lesson.cells.append(prose(f"It is {word} fast."))
          for word in ("simply", "Just", "obviously", "of course", "trivially")),
        lambda lesson: lesson.cells.append(code("x = 1  # just one")),
    ],
    "prose_quotes_no_measured_number": [
        *(lambda lesson, text=text: lesson.cells.append(prose(text))
          for text in ("It took 1.734 s.", "It was 1.93 times faster.", "It was 1.93× faster.", "It is 93.7 % of it.")),
    ],
    "links_lead_somewhere": [lambda lesson: lesson.cells.append(prose("See [there](99_nowhere.ipynb)."))],
    "was_run_in_order_and_keeps_its_outputs": [
        lambda lesson: lesson.code[1].update(execution_count=7),
        lambda lesson: first(lesson, "predict").update(outputs=[]),
    ],
    "nothing_went_wrong_unless_it_is_the_lesson": [
        lambda lesson: outputs(lesson.code[1], "error", ename="E", evalue="", traceback=[]),
        lambda lesson: lesson.code[1].update(metadata={"tags": ["raises-exception"]}),
        lambda lesson: outputs(lesson.code[1], "stream", name="stderr", text="DeprecationWarning: old"),
    ],
    "pictures_have_words_and_say_where_they_come_from": [
        lambda lesson: rewrite(first(lesson, "see"), r'alt=\\"[^"]*\\"', ""),
        lambda lesson: rewrite(first(lesson, "see"), r'alt=\\"[^"]*\\"', 'alt=\\\\"picture\\\\"'),
        lambda lesson: rewrite(first(lesson, "break"), "Measured|Simulated|Recorded|Calculated", "Imagined"),
        lambda lesson: outputs(lesson.code[1], "display_data", data={"image/png": "iVBOR"}),
    ],
    "widgets_have_a_still_picture": [lambda lesson: lesson.cells.append(code("explore(bakery)"))],
    "what_is_compared_is_the_same_everywhere": [
        lambda lesson: lesson.cells.append(code("data_parallel(abs, data, workers=2, backend=Simulated())", "a run")),
        lambda lesson: lesson.cells.append(code("perf_counter()", "12.3")),
    ],
    "carries_no_other_tags": [lambda lesson: lesson.code[1].metadata.update(tags=["remove-input"])],
}  # fmt: skip

OFFENDERS = [(rule, number) for rule, spoils in SPOIL.items() for number in range(len(spoils))]


def test_every_rule_has_an_offender():
    assert set(SPOIL) == set(RULES)


@pytest.mark.parametrize(("rule", "number"), OFFENDERS)
def test_an_offender_is_seen(rule, number):
    good = lesson_at(LESSONS[0])
    bad = Lesson(copy.deepcopy(good.notebook), good.path)
    SPOIL[rule][number](bad)
    assert list(RULES[rule](good)) == []
    assert list(RULES[rule](bad)) != []


# ---- Which values are measured --------------------------------------------------------------------------------------

CLOCK = "began = perf_counter()\nseconds = perf_counter() - began"


@pytest.mark.parametrize(
    "cells",
    [
        ["perf_counter()"],
        [CLOCK, "seconds"],
        [CLOCK, "twice = 2 * seconds", "print(f'{twice:.1f} s')"],
        ["times = []\nfor _ in range(3):\n    times.append(perf_counter())", "median(times)"],
        ["def timed(work):\n    began = perf_counter()\n    work()\n    return perf_counter() - began", "timed(bake)"],
        ["run = data_parallel(abs, data, workers=2)", "run"],
        ["run = data_parallel(abs, data, workers=2, backend='processes')", "run.trace.utilization"],
        ["run = execute(plan, 2, 'threads')", "show(gantt(run), 'words')"],
        ["run = task_parallel(sauce, meat)", "guess.reveal(lambda guess: show(gantt(run), 'words'))"],
        ["panel = machine()", "panel.cores"],
        ["x = 1", "x = perf_counter()", "x"],
    ],
)
def test_a_measured_value_is_followed_to_where_it_is_shown(cells):
    cells = ran(cells)
    assert list(shows_measured_values(cells, lambda cell: True))[-1] is cells[-1]
    assert list(shows_measured_values(cells, lambda cell: False)) == []


@pytest.mark.parametrize(
    "cells",
    [
        [CLOCK, "seconds = 1", "seconds"],
        ["run = data_parallel(abs, data, workers=2)", "run.result"],
        ["run = data_parallel(abs, data, workers=2, backend=Simulated(cost=1))", "run"],
        ["kitchen = Simulated(cost=1)", "run = execute(plan, 2, kitchen)", "run.elapsed"],
        ["def bake(tray):\n    time.sleep(1)", "bake(1)"],
    ],
)
def test_what_is_certain_is_not_called_measured(cells):
    assert list(shows_measured_values(ran(cells), lambda cell: True)) == []


@pytest.mark.parametrize(
    ("source", "complaints"),
    [
        ("data_parallel(f, data, workers=2, backend=Simulated(cost=1))", 0),
        ("data_parallel(f, data, workers=2, backend=Simulated(1.0))", 0),
        ("kitchen = Simulated(cost=1)\nexecute(plan, 2, kitchen)", 0),
        ("data_parallel(f, data)", 0),
        ("data_parallel(f, data, workers=2, backend=Simulated())", 1),
        ("data_parallel(f, data, backend=Simulated(cost=1))", 1),
        ("kitchen = Simulated(overhead=1)\nexecute(plan, backend=kitchen)", 2),
        ("data_parallel(f, data, workers=2, backend='simulated')", 1),
        ("execute(Plan([Task('bake', f, cost=(1, 2))]), 2, Simulated())", 0),
        ("execute(Plan([Task('bake', f, cost=1), Task('box', f)]), 2, Simulated())", 1),
    ],
)
def test_a_simulation_with_something_left_open_is_seen(source, complaints):
    assert len(list(unclear_simulations(ran([source]), lambda cell: True))) == complaints
    assert list(unclear_simulations(ran([source]), lambda cell: False)) == []


def ran(sources):
    return [code(source, "an output") for source in sources]
