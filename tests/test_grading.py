"""A check publishes the student's value; only what another process finds equal earns points.

The course of these tests is made up here: one exercise for each thing a notebook may go through.
"""

import codecs
import contextlib
import io
import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from parlib.grading import NotYet, answered, check, check_notebook, course, feedback, hint, judge
from parlib.grading.build import answers_of, stub, student_notebook
from parlib.grading.course import drawn_inputs, exercises_of, write_json
from parlib.grading.intake import LARGEST, Handed, Unreadable, read_cells
from parlib.grading.rebuild import rebuilt
from parlib.grading.values import MIME, plain, published, story
from parlib.plan import Plan, Task
from parlib.trace import Run, Span, Trace

# ---- A course made up for these tests -------------------------------------------------------------------------------


def cell(slot, source, *, kind="code", tags=(), points=None, value=None):
    roles = {
        "grade": points is not None,
        "solution": slot.startswith("answer"),
        "locked": not slot.startswith("answer"),
    }
    nbgrader = {"schema_version": 3, "grade_id": slot, "cell_type": kind} | roles
    nbgrader |= {} if points is None else {"points": points}
    made = {"cell_type": kind, "id": slot, "metadata": {"nbgrader": nbgrader, "tags": list(tags)}, "source": source}
    if kind == "code":
        made |= {"execution_count": None, "outputs": []}
    if points is not None:
        payload = {"exercise": slot[6:].replace("-", "."), "value": value}
        made["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": {MIME: payload}}]
    return made


def exercise(place):
    """Exercise 9.`place`: double the numbers; every one has a function of its own."""
    guide = "1. Twice.\n2. Times two.\n3. `2 * x`.\n\nLook: lesson 09\n\nYes: Twice as good."
    solution = f'def double{place}(x):\n    """Twice x."""\n    # solution\n    return 2 * x'
    checking = f'check("9.{place}", lambda: [double{place}(x) for x in numbers{place}])'
    return [
        cell(f"task-9-{place}", f"### Exercise 9.{place} — Double\n\nWrite it.", kind="markdown"),
        cell(f"given-9-{place}", f"numbers{place} = [1, 2.5, {place}]"),
        cell(f"answer-9-{place}", solution),
        cell(f"check-9-{place}", checking, points=place, value=[2, 5.0, 2 * place]),
        cell(f"hints-9-{place}", guide, kind="markdown", tags=["solution"]),
    ]


def master_of(count):
    cells = [cell("setup", "from parlib.grading import check, hint")]
    cells += [part for place in range(1, count + 1) for part in exercise(place)]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def home(tmp_path):
    """The folder of a course with one lesson of three exercises."""
    return write_course(tmp_path, 3)


def write_course(folder, count):
    master = master_of(count)
    write_json(folder / "solutions" / "09_solutions.ipynb", master)
    write_json(folder / "answers" / "09.json", answers_of(master))
    write_json(folder / "09_exercises.ipynb", student_notebook(master))
    return folder


def solve(notebook, *places):
    """Put the right answer into the student's notebook."""
    for part in notebook["cells"]:
        for place in places:
            if part["id"] == f"answer-9-{place}":
                part["source"] = f"def double{place}(x):\n    return x + x"
    return notebook


def handed(notebook):
    return [Handed(part["cell_type"], part["id"], "".join(part["source"])) for part in notebook["cells"]]


# ---- What is published ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (np.bool_(True), True),
        (np.int32(7), 7),
        (0.1 + 0.2, 0.3),
        (np.float32(0.5), 0.5),
        (-0.0, 0.0),
        (math.nan, {"float": "nan"}),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(3.0), 3.0),
        ((1, range(2)), [1, [0, 1]]),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}),
        ({2: "two", 1: "one"}, {"pairs": [[1, "one"], [2, "two"]]}),
        ({3, 1, 2}, {"set": [1, 2, 3]}),
        ("half a \ud800", "half a ?"),
        (10**400, {"type": "int"}),
        (1j, {"type": "complex"}),
        (Plan([]), {"type": "Plan"}),
    ],
)
def test_a_value_has_one_plain_form(value, expected):
    assert plain(value) == expected
    assert str(plain(value)) == str(expected)  # True is not 1 here, nor 0.0 a negative zero


JSON = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**60), 2**60)
    | some.floats(allow_nan=False)
    | some.text(max_size=9),
    lambda parts: some.lists(parts, max_size=4) | some.dictionaries(some.text(max_size=3), parts, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_plain_data_travels_as_json_and_is_plain_already(value):
    once = plain(value)
    assert json.loads(json.dumps(once)) == once
    assert plain(once) == once


def test_a_value_too_large_or_too_deep_is_refused_in_one_sentence():
    circle = []
    circle.append(circle)
    for value in (circle, range(10_001), np.zeros((200, 200)), np.empty((0, 5)).tolist() + ["x"] * 10_001):
        with pytest.raises(ValueError, match=r"^the answer .*: give a (flatter|smaller) one$"):
            plain(value)
    with pytest.raises(ValueError, match="characters long"):
        published("2.1", ["x" * 1000] * 1000)


def run_of(source):
    trace = Trace.of([Span("bake", "", 0, 0.0, 0.0, 2.75, 2.75, 2.0, None)], workers=2, source=source)
    return Run("cake", trace, Plan([Task("bake", None)]), "simulated", 2.75, 2)


def test_seconds_are_published_only_from_a_simulated_clock():
    facts = {"result": "cake", "tasks": 1, "workers": 2}
    assert plain(run_of("simulated")) == facts | {"seconds": 2.75}
    for source in ("measured", "recorded", "simulated from a measured cost"):
        assert plain(run_of(source)) == facts


def test_a_story_is_short_enough_to_read():
    assert story({"a": "x" * 24, "b": {"type": "Plan"}}) == "{'b': a Plan, 'a': '" + "x" * 24 + "'}"  # short first
    assert story(["x"] * 100, width=9) == "['x', 'x…"


# ---- What the student sees ------------------------------------------------------------------------------------------


@pytest.fixture
def at_home(home, monkeypatch):
    """A session started in the folder of the exercises, with no hint taken yet."""
    monkeypatch.chdir(home)
    feedback._asked.clear()
    return home


def test_a_right_answer_gets_one_warm_line(at_home, capsys):
    check("9.1", lambda: (2, np.float64(5), 2.0))
    assert capsys.readouterr().out == "Exercise 9.1: yes. Twice as good.\n"


def test_a_wrong_answer_is_told_what_is_yours_what_was_expected_and_where_to_look(at_home):
    with pytest.raises(NotYet) as caught:
        check("9.1", lambda: [1, 2])
    assert str(caught.value).splitlines() == [
        "yours:    [1, 2]",
        "expected: [2, 5.0, 2]",
        'look:     lesson 09, or call hint("9.1")',
    ]
    assert caught.value._render_traceback_() == str(caught.value).splitlines()  # no traceback in a notebook


def test_an_answer_that_is_not_there_is_named_by_its_number(at_home):
    def stubbed():
        raise NotImplementedError("Exercise 9.2")

    for missing in (stubbed, lambda: ..., lambda: answered("..."), lambda: answered(None)):
        with pytest.raises(NotYet, match=r"^Exercise 9\.2 is not (written|answered) yet"):
            check("9.2", missing)


def test_an_explanation_is_credited_for_being_there(at_home, capsys, monkeypatch):
    told = {"expected": {"answered": True}, "yes": "Noted."}
    monkeypatch.setattr(feedback, "find_answers", lambda lesson: {"9.1": told})
    check("9.1", lambda: answered("one two three four five six seven eight"))
    assert "Noted.\nYour words, for you and your teacher: one two" in capsys.readouterr().out


def test_your_own_error_keeps_its_type_and_gains_a_note(at_home):
    with pytest.raises(ZeroDivisionError) as caught:
        check("9.1", lambda: 1 / 0)
    assert caught.value.__notes__ == ['Exercise 9.1: this error comes from your answer. hint("9.1") may help.']


def test_misuse_gets_one_sentence(at_home):
    with pytest.raises(TypeError, match=r'named by a text such as "2\.1", not 9\.1'):
        check(9.1, lambda: 1)
    with pytest.raises(TypeError, match="give check your answer as a function"):
        check("9.1", [2, 5])
    with pytest.raises(ValueError, match=r"no exercise 9\.11; did you mean '9\.1'"):
        check("9.11", lambda: 1)
    with pytest.raises(ValueError, match="two numbers"):
        hint("nine")


def test_hints_come_one_at_a_time_and_the_last_one_stays(at_home, capsys):
    for _ in range(4):
        hint("9.3")
    lines = capsys.readouterr().out.splitlines()
    assert [line[:12] for line in lines] == ["Hint 1 of 3:", "Hint 2 of 3:", "Hint 3 of 3:", "Hint 3 of 3:"]
    assert "again for the next" in lines[0]
    assert "that was the last" in lines[-1]


def test_without_the_answers_the_value_is_published_all_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(course, "HOME", tmp_path)
    check("77.1", lambda: 5)
    assert "published" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"no hints for exercise 77\.1"):
        hint("77.1")


def test_a_check_shows_the_value_and_not_a_verdict(at_home, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    with pytest.raises(NotYet):
        check("9.1", lambda: "wrong")
    assert shown[0][MIME] == {"exercise": "9.1", "value": "wrong"}
    assert shown[0]["text/plain"] == "Exercise 9.1: not yet."


# ---- From master to student -----------------------------------------------------------------------------------------


def test_a_stub_keeps_what_is_above_the_solution_and_says_its_number():
    assert stub("n = 1  # change me\n# solution\nn = 4", "2.2") == "n = 1  # change me"
    body = 'def f():\n    """Doc."""\n    # solution\n    return 1\n\nassert f()'
    assert stub(body, "2.1") == 'def f():\n    """Doc."""\n    raise NotImplementedError("Exercise 2.1")'
    with pytest.raises(ValueError, match="needs a line '# solution'"):
        stub("n = 4", "2.2")


def test_the_student_notebook_carries_nothing_of_the_solution():
    text = json.dumps(student_notebook(master_of(2)))
    assert "Exercise 9.2" in text
    for secret in ("# solution", "return 2 * x", "Times two", MIME, "hints-9"):
        assert secret not in text


def test_a_file_is_written_once_and_always_in_the_same_bytes(tmp_path):
    path = tmp_path / "new" / "file.json"
    assert write_json(path, {"b": 1, "ä": [2]})
    assert path.read_bytes() == '{\n "b": 1,\n "ä": [\n  2\n ]\n}\n'.encode()
    assert not write_json(path, {"ä": [2], "b": 1})


@pytest.mark.parametrize(("slot", "sentence"), [("hints-9-1", "no cell named"), ("task-9-1", "no cell named")])
def test_a_master_with_a_part_missing_is_refused(slot, sentence):
    master = master_of(1)
    master["cells"] = [part for part in master["cells"] if part["id"] != slot]
    with pytest.raises(ValueError, match=sentence):
        exercises_of(master)


def test_hidden_inputs_follow_from_their_seed():
    hidden = "def hidden_inputs(random):\n    return {'numbers': [random.randint(0, 99) for _ in range(5)]}"
    assert drawn_inputs(hidden, 7) == drawn_inputs(hidden, 7) != drawn_inputs(hidden, 8)
    names = {}
    exec(drawn_inputs(hidden, 7), names)
    assert len(names["numbers"]) == 5


# ---- Intake ---------------------------------------------------------------------------------------------------------


def text_of(cells, **rest):
    return json.dumps({"cells": cells, "nbformat": 4, "metadata": {}} | rest)


ONE = {"cell_type": "code", "id": "answer-9-1", "source": "a = 1\nb = 2"}


@pytest.mark.parametrize(
    "raw",
    [
        text_of([ONE]).encode(),
        codecs.BOM_UTF8 + text_of([ONE]).encode(),
        text_of([ONE]).encode("utf-16"),
        text_of([ONE]).replace("answer", "ans\0wer").encode(),
        text_of([ONE | {"source": ["a = 1\r\n", "b = 2"]}]).encode(),
        text_of([ONE | {"source": ["a = 1\n", None, 5, "b = 2"]}, 7, None, []]).encode(),
        text_of([ONE | {"metadata": None, "outputs": 5}]).encode(),
        text_of([ONE | {"id": "x", "metadata": {"nbgrader": {"grade_id": "answer-9-1"}}}]).encode(),
        json.dumps({"nbformat": 3, "worksheets": [{"cells": [ONE | {"source": None, "input": ONE["source"]}]}]})
        .replace('"source": null, ', "")
        .encode(),
    ],
)
def test_odd_but_honest_files_are_read(raw, tmp_path):
    path = tmp_path / "odd [1] 🧁.ipynb"
    path.write_bytes(raw)
    assert read_cells(path)[0] == Handed("code", "answer-9-1", "a = 1\nb = 2")


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "not a notebook, or was cut off"),
        (b"PK\x03\x04\xff", "not text in UTF-8"),
        (b'{"cells": [', "cut off"),
        (b"[1, 2]", "no list of cells"),
        (b'{"cells": 7}', "no list of cells"),
        (b'{"worksheets": 7}', "no list of cells"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"cells": [' + b"9" * 5000 + b"]}", "not a notebook"),
        (b" " * (LARGEST + 1), "larger than 20 MB"),
    ],
    ids=range(9),
)
def test_a_file_that_is_no_notebook_gets_one_sentence(raw, sentence, tmp_path, capsys):
    path = tmp_path / "broken.ipynb"
    path.write_bytes(raw)
    assert check_notebook(path) == 2
    said = capsys.readouterr().out
    assert sentence in said
    assert said.startswith("broken.ipynb")
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["nowhere.ipynb", ".", "nul\0.ipynb"])
def test_a_path_that_is_no_file_gets_one_sentence(name, tmp_path, capsys):
    assert check_notebook(tmp_path / name) == 2
    assert "is not a file: give the path of a notebook" in capsys.readouterr().out


@given(some.binary(max_size=40) | JSON.map(lambda value: json.dumps({"cells": [value]}).encode()))
def test_whatever_the_bytes_they_are_read_or_refused(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "any.ipynb"
    path.write_bytes(raw)
    with contextlib.suppress(Unreadable):
        assert all(isinstance(one.source, str) for one in read_cells(path))


def test_a_notebook_of_another_course_is_refused_in_one_sentence(home, tmp_path, capsys):
    path = tmp_path / "other.ipynb"
    for cells in ([], [ONE | {"id": "answer-55-1"}], [ONE | {"id": "answer-" + "9" * 6000 + "-1"}]):
        path.write_text(text_of(cells), encoding="utf-8")
        assert check_notebook(path, home=home) == 2
        assert "no exercise of this course" in capsys.readouterr().out


# ---- The rebuilt notebook -------------------------------------------------------------------------------------------


def sources_of(notebook):
    return [part["source"] for part in notebook["cells"]]


def rebuild_of(submission, count=3):
    master = master_of(count)
    return rebuilt(master, exercises_of(master), handed(submission))


def test_checks_are_the_masters_whatever_became_of_them():
    honest = solve(student_notebook(master_of(3)), 1, 2, 3)
    changed = solve(student_notebook(master_of(3)), 1, 2, 3)
    checks = [part for part in changed["cells"] if part["id"].startswith("check")]
    checks[0]["source"] = "print('PASS')"  # edited
    changed["cells"].remove(checks[1])  # deleted
    changed["cells"].append(checks[2] | {"source": ["check('9.3', lambda: [2, 5.0, 6])"]})  # doubled, forged
    changed["cells"].insert(0, changed["cells"].pop())  # and moved
    assert rebuild_of(changed) == rebuild_of(honest)


def test_everything_the_student_wrote_runs_in_its_order():
    written = student_notebook(master_of(1))
    setup, _, given_cell, answer, _ = written["cells"]
    helper, debug = ONE | {"id": "x1", "source": "helper = 1"}, ONE | {"id": "x2", "source": "print(helper)"}
    first_half, second_half = answer | {"source": "half = 1"}, answer | {"source": "other = 2"}
    setup["source"] = ["import math\n", *setup["source"]]
    written["cells"] = [debug, setup, helper, given_cell, first_half, second_half, debug]
    assert sources_of(rebuild_of(written, 1)) == [
        "print(helper)",
        "import math\nfrom parlib.grading import check, hint",  # the student's setup, then the master's
        "from parlib.grading import check, hint",
        "helper = 1",
        "numbers1 = [1, 2.5, 1]",
        "half = 1",
        "other = 2",
        "print(helper)",
        "from parlib.grading import answered, check\n" + 'check("9.1", lambda: [double1(x) for x in numbers1])',
    ]


def test_a_notebook_that_lost_every_name_is_known_by_its_own(home, monkeypatch):
    ran = []
    monkeypatch.setattr(judge, "_through_nbval", lambda notebook: ran.append(sources_of(notebook)) or {})
    nameless = [{"cell_type": "code", "source": "double1 = lambda x: x + x"}]
    (home / "09_mine.ipynb").write_text(text_of(nameless), encoding="utf-8")
    assert [one.reason for one in judge.points_of(home / "09_mine.ipynb", home=home)] == [
        "never reached: an earlier cell did not end"
    ] * 3
    assert ran[0][0] == "double1 = lambda x: x + x"  # what was written still runs, before the master's cells
    assert ran[0][3].endswith('check("9.1", lambda: [double1(x) for x in numbers1])')


# ---- Points ---------------------------------------------------------------------------------------------------------


def set_source(notebook, slot, source):
    next(part for part in notebook["cells"] if part["id"] == slot)["source"] = source


FORGED = f"""
from IPython.display import display
display({{"{MIME}": {{"exercise": "9.5", "value": [2, 5.0, 10]}}}}, raw=True)
print("PASS")
"""


@pytest.mark.notebook
def test_only_right_values_earn_points(tmp_path, capsys):
    """One notebook with a trouble of its own in each exercise: what is right counts, what pretends does not."""
    home = write_course(tmp_path, 12)
    notebook = solve(student_notebook(master_of(12)), 1, 2, 3, 4, 11, 12)
    wrong = "def double{0}(x):\n    return 3 * x"
    cells = notebook["cells"]
    set_source(
        notebook, "answer-9-1", "# NBVAL_SKIP\n%time\nimport warnings; warnings.warn('!')\ndouble1 = lambda x: 2 * x"
    )
    set_source(notebook, "check-9-2", "")
    cells[:] = [part for part in cells if part["id"] != "check-9-3"]
    set_source(notebook, "answer-9-4", "import numpy as np\nprint('debug')\ndouble4 = lambda x: np.float64(2) * x")
    set_source(notebook, "answer-9-5", wrong.format(5) + FORGED)
    set_source(notebook, "answer-9-6", "def double6(x) return 2 * x")
    set_source(notebook, "answer-9-7", wrong.format(7))
    set_source(notebook, "check-9-7", "print('PASS')")
    set_source(notebook, "answer-9-8", "def double8(x):\n    return 1 / 0")
    set_source(notebook, "answer-9-9", "def double9(x):\n    print('yes'); raise NotImplementedError")
    set_source(notebook, "answer-9-10", FORGED.replace("display({", "double10 = lambda x: display({"))
    set_source(notebook, "check-9-11", "check = print  # my own name for it")
    set_source(notebook, "answer-9-12", "check = list\ndef double12(x):\n    return x * 2")
    for part in cells:
        if part["cell_type"] == "code":  # every output says that all is well, and every tag says not to look
            good = {"data": {MIME: {"exercise": "9.5", "value": [2, 5.0, 10]}}, "output_type": "display_data"}
            part |= {"outputs": [good], "execution_count": 3}
            part["metadata"] = part["metadata"] | {"tags": ["nbval-skip", "raises-exception"], "points": 99}
    path = tmp_path / "[hostile] 🧁.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert check_notebook(path, home=home) == 1
    lines = capsys.readouterr().out.splitlines()
    earned = {line.split()[0]: line.split("Double")[1].split(maxsplit=3) for line in lines[1:-1]}
    right = {number for number, (points, *_) in earned.items() if points != "0"}
    assert right == {"9.1", "9.2", "9.3", "9.4", "9.11", "9.12"}
    assert earned["9.5"][3] == "yours [3, 7.5, 15], expected [2, 5.0, 10]"
    assert earned["9.6"][3].startswith("SyntaxError: ")
    assert earned["9.7"][3] == "yours [3, 7.5, 21], expected [2, 5.0, 14]"
    assert earned["9.8"][3] == "ZeroDivisionError: division by zero"
    assert earned["9.9"][3].startswith("Exercise 9.9 is not written yet")
    assert earned["9.10"][3] == "published more than once"
    assert lines[-1].split() == ["total", "33", "of", "78"]


@pytest.mark.long
@pytest.mark.notebook
def test_a_loop_without_end_costs_its_own_exercise_and_a_dead_kernel_ends_the_check(home, monkeypatch):
    monkeypatch.setattr(judge, "CELL_SECONDS", 1)
    notebook = solve(student_notebook(master_of(3)), 2)
    set_source(notebook, "answer-9-1", "while True:\n    pass")
    set_source(notebook, "answer-9-3", "import os\nos._exit(1)")
    path = home / "endless.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    looped, fine, died = judge.points_of(path, home=home)
    assert (looped.points, looped.reason) == (0, "stopped after 1 second")
    assert (fine.points, fine.reason) == (2, "yes")
    assert (died.points, died.reason) == (0, "its answer did not end, or ended the kernel")


def test_a_check_that_cannot_begin_says_so(home, monkeypatch, capsys):
    monkeypatch.setattr(judge, "_run_pytest", lambda room: "no module named nbval")
    assert check_notebook(home / "09_exercises.ipynb", home=home) == 2
    assert capsys.readouterr().out == "the check could not begin: no module named nbval\n"


def test_what_a_terminal_cannot_print_does_not_stop_the_check(home, monkeypatch, tmp_path):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    assert check_notebook(tmp_path / "🧁.ipynb") == 2
    narrow.flush()
    assert narrow.buffer.getvalue().startswith(b"'?.ipynb' is not a file")
