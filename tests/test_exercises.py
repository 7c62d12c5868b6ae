"""The exercises are what their masters make of them, and each can be solved, missed and broken alone."""

import ast
import json
import re

import pytest

from parlib.grading import check_notebook, course
from parlib.grading.build import METADATA, answers_of, student_notebook
from parlib.grading.course import (
    HOME,
    drawn_inputs,
    exercises_of,
    json_bytes,
    number_of,
    read_json,
    role_of,
    slot_of,
    source_of,
)
from parlib.grading.judge import points_of
from parlib.grading.values import MIME, plain

MASTERS = sorted((HOME / "solutions").glob("*_solutions.ipynb"))
LESSONS = [path.name[:2] for path in MASTERS]
EXERCISES = [(lesson, number) for lesson, path in zip(LESSONS, MASTERS) for number in exercises_of(read_json(path))]

every_lesson = pytest.mark.parametrize("lesson", LESSONS)
every_exercise = pytest.mark.parametrize(("lesson", "number"), EXERCISES, ids=[number for _, number in EXERCISES])


def master_of(lesson):
    return read_json(course.master_of(lesson))


def student_of(lesson):
    return read_json(HOME / f"{lesson}_exercises.ipynb")


def part(lesson, role, number, notebook_of=master_of):
    """The cell of an exercise that has this role, or None."""
    return of_slot(notebook_of(lesson), f"{role}-{number.replace('.', '-')}")


def of_slot(notebook, slot):
    return next((cell for cell in notebook["cells"] if slot_of(cell) == slot), None)


def test_there_are_exercises():
    assert {"01", "02"} <= set(LESSONS)


# ---- The files ------------------------------------------------------------------------------------------------------


@every_lesson
def test_the_committed_files_are_what_the_build_makes(lesson):
    master = master_of(lesson)
    assert course.master_of(lesson).read_bytes() == json_bytes(master)
    assert (HOME / f"{lesson}_exercises.ipynb").read_bytes() == json_bytes(student_notebook(master))
    assert (HOME / "answers" / f"{lesson}.json").read_bytes() == json_bytes(answers_of(master))


@every_lesson
def test_a_master_was_run_in_order_and_without_an_error(lesson):
    code = [cell for cell in master_of(lesson)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]


@every_lesson
def test_a_student_notebook_holds_sources_names_and_nothing_else(lesson):
    notebook = student_of(lesson)
    assert notebook["metadata"] == METADATA
    for cell in notebook["cells"]:
        assert set(cell["metadata"]) <= {"nbgrader"}
        assert not cell.get("outputs") or role_of(slot_of(cell)) not in ("answer", "check")
    assert len(json_bytes(notebook)) < 150_000


@every_lesson
def test_no_line_of_a_solution_leaks(lesson):
    shown = {line.strip() for cell in student_of(lesson)["cells"] for line in source_of(cell).splitlines()}
    slots = {slot_of(cell) for cell in student_of(lesson)["cells"]}
    for cell in master_of(lesson)["cells"]:
        kept_back = source_of(cell).partition("# solution\n")[2]
        if "solution" in cell["metadata"].get("tags", ()):
            kept_back = source_of(cell)
            assert slot_of(cell) not in slots
        assert not shown & {line.strip() for line in kept_back.splitlines() if len(line.strip()) > 12}


@every_lesson
def test_what_is_given_does_not_need_an_answer(lesson):
    """So the outputs that a student notebook shows cannot tell what an answer is."""
    trees = trees_of(lesson)
    answered = {name for slot, tree in trees.items() if role_of(slot) == "answer" for name in bound(tree)}
    for slot, tree in trees.items():
        if role_of(slot) in ("setup", "given", "run"):
            assert not answered & {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


@every_lesson
def test_no_name_means_two_things(lesson):
    """So an exercise can be checked again after a later one has been worked on."""
    names = [name for tree in trees_of(lesson, student_of).values() for name in bound(tree)]
    assert len(set(names)) == len(names)


def trees_of(lesson, notebook_of=master_of):
    code = [cell for cell in notebook_of(lesson)["cells"] if cell["cell_type"] == "code"]
    return {slot_of(cell): ast.parse(source_of(cell)) for cell in code}


def bound(tree):
    """The names that a cell gives a meaning to."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        if isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets)


SCHEMA = {
    "schema_version": lambda value: value == 3,
    "grade": lambda value: isinstance(value, bool),
    "locked": lambda value: isinstance(value, bool),
    "solution": lambda value: isinstance(value, bool),
    "task": lambda value: value is False,
    "grade_id": lambda value: re.fullmatch(r"[a-zA-Z0-9_\-]+", value),
    "points": lambda value: isinstance(value, int) and value > 0,
    "cell_type": lambda value: value in ("code", "markdown"),
}


@pytest.mark.parametrize("kind", ["master", "student"])
@every_lesson
def test_the_metadata_is_that_of_nbgrader(lesson, kind):
    """Its schema 3, written down here; a grade_id is also the cell's id, and there are no two alike."""
    cells = (master_of if kind == "master" else student_of)(lesson)["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in (cell for cell in cells if "nbgrader" in cell["metadata"]):
        metadata = cell["metadata"]["nbgrader"]
        role = role_of(cell["id"])
        assert {"schema_version", "grade", "locked", "solution", "grade_id"} <= set(metadata)
        assert all(SCHEMA[name](value) for name, value in metadata.items())
        assert (metadata["grade_id"], metadata["cell_type"]) == (cell["id"], cell["cell_type"])
        assert (metadata["grade"], metadata["solution"]) == (role == "check", role == "answer")
        assert metadata["locked"] == (role != "answer")
        assert ("points" in metadata) == metadata["grade"]


# ---- The shape of an exercise ---------------------------------------------------------------------------------------


@every_lesson
def test_a_notebook_climbs_the_ladder(lesson):
    tasks = [source_of(cell) for cell in master_of(lesson)["cells"] if role_of(slot_of(cell)) == "task"]
    rungs = [re.search(r"^\*(\w+)\.?\*", task, re.MULTILINE)[1] for task in tasks]
    assert 4 <= len(rungs) <= 6
    assert list(dict.fromkeys(rungs)) == ["Predict", "Modify", "Write", "Explain", "Stretch"]


@every_exercise
def test_one_number_names_an_exercise_everywhere(lesson, number):
    exercise = exercises_of(master_of(lesson))[number]
    assert int(lesson) == int(number.split(".")[0])
    assert source_of(part(lesson, "task", number)).startswith(f"### Exercise {number} — {exercise.title}\n")
    assert source_of(part(lesson, "check", number)).startswith(f'check("{number}", lambda: ')
    assert len(source_of(part(lesson, "check", number)).splitlines()) == 1
    stub = source_of(part(lesson, "answer", number, student_of))
    assert "def " not in stub or f'raise NotImplementedError("Exercise {number}")' in stub
    assert source_of(part(lesson, "think", number)).startswith("**Think.** ")
    assert part(lesson, "why", number) is not None


def headings_of(lesson):
    """The sections of the lesson, so that nobody is sent to look where nothing is."""
    path = next(HOME.parent.glob(f"notebooks/{lesson}_*.ipynb"))
    return {line for cell in read_json(path)["cells"] for line in source_of(cell).splitlines() if line.startswith("#")}


@every_exercise
def test_an_exercise_has_three_hints_a_place_to_look_and_a_warm_line(lesson, number):
    exercise = exercises_of(master_of(lesson))[number]
    assert len(set(exercise.hints)) == 3
    section = re.fullmatch(rf'lesson {lesson}, "(.+)"', exercise.look)[1]
    assert f"## {section}" in headings_of(lesson)
    assert exercise.yes
    assert exercise.points in (1, 2, 3)
    if "*Write" in source_of(part(lesson, "task", number)):
        assert re.search(r"About \d lines?\.", source_of(part(lesson, "task", number)))


# ---- Solving, missing, breaking -------------------------------------------------------------------------------------

BROKEN = {
    "1.1": ('"task", "task"', '"data", "task"'),
    "1.2": ("cooks = 2", "cooks = 3"),
    "1.3": ("speedup / workers", "speedup * workers"),
    "1.4": ("[0] * run.workers", "[0] * len(run.trace)"),
    "1.5": ("In both", ""),
    "1.6": ("< other.finished", "<= other.finished"),
    "2.1": ('"d"', '"b"'),
    "2.2": ("trays = 12", "trays = 24"),
    "2.3": ("max(busy)", "min(busy)"),
    "2.4": ("split(cupcakes, bakers)", "split(cupcakes, 1)"),
    "2.5": ("With large", ""),
    "2.6": ("min(free)", "max(free)"),
    "3.1": ('"blocks", "rows", "columns"', '"blocks", "columns", "rows"'),
    "3.2": ("halo = 6", "halo = 4"),
    "3.3": ("axis=1", "axis=0"),
    "3.4": ("down.stop + kernel.shape[0] - 1", "down.stop + kernel.shape[0]"),
    "3.5": ("Alone, the BLAS", ""),
    "3.6": ("max(part", "min(part"),
    "4.1": ("16, 40, 9", "48, 40, 9"),
    "4.2": ("buffer = 3", "buffer = 4"),
    "4.3": ("slope.examples * slope.gradient", "slope.gradient"),
    "4.4": ("if step < ranks - 1 else coming", ""),
    "4.5": ("All four", ""),
    "4.6": ("math.ceil(batch / gpus)", "math.ceil(batch)"),
    "5.1": ('choice = "c"', 'choice = "b"'),
    "5.2": ("tasters = 2", "tasters = 3"),
    "5.3": ("max((done", "min((done"),
    "5.4": ("max(free, arrives)", "free"),
    "5.5": ("The slowest", ""),
    "5.6": ("room = 0", "room = 1"),
    "6.1": ('"c", "a", "b"', '"a", "c", "b"'),
    "6.2": ("limit = 11", "limit = 10"),
    "6.3": ("free.get(chef, 0) + seconds", "seconds"),
    "6.4": ("ready if maker == chef else ", ""),
    "6.5": ("On Monday", ""),
    "6.6": ("busy[chef] += row[chef]", "busy[chef] = row[chef]"),
    "8.1": ("False, False, True, False", "False, True, True, False"),
    "8.2": ("crew = 86", "crew = 85"),
    "8.3": ("s / part - s", "s / part"),
    "8.4": ("1 / speedup - 1 / workers", "1 / speedup"),
    "8.5": ("The fourth", ""),
    "8.6": ("seconds_of[before] + way[dish]", "way[dish]"),
}
"""One small mistake for each exercise. (An explanation is broken by leaving it out.)"""


def broken(lesson, number):
    """The master with one mistake in the solution of one exercise."""
    master = master_of(lesson)
    cell = of_slot(master, f"answer-{number.replace('.', '-')}")
    above, below = source_of(cell).split("# solution\n")
    old, new = BROKEN[number]
    assert old in below
    cell["source"] = above + (below.replace(old, new) if new else "")
    return master


def found_right(notebook, given=None):
    """The exercises whose check is content, when the cells run one after the other in this process."""
    names, right = {}, {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            number, role = number_of(slot_of(cell)), role_of(slot_of(cell))
            source = (given or {}).get(slot_of(cell), source_of(cell))
            try:
                exec(source, names)
                worked = True
            except Exception:
                worked = False
            if role == "check":
                right[number] = worked
    return right


@pytest.fixture
def in_place(monkeypatch):
    """The session of a student: in the folder of the exercises, with pictures that nobody looks at."""
    monkeypatch.chdir(HOME)
    monkeypatch.setattr("parlib.grading.feedback._draw", lambda run: None)
    monkeypatch.setattr("parlib.plots.show", lambda *_, **__: None, raising=False)


@every_exercise
def test_a_mistake_in_one_exercise_costs_exactly_that_exercise(lesson, number, in_place, capsys):
    right = found_right(broken(lesson, number))
    assert [one for one, fine in right.items() if not fine] == [number]
    assert f"Exercise {number}: yes" not in capsys.readouterr().out


@pytest.mark.parametrize(("lesson", "number"), [one for one in EXERCISES if part(one[0], "hidden", one[1])])
def test_hidden_inputs_stand_in_for_the_given_ones(lesson, number, in_place, monkeypatch):
    """The model answer copes with all of them, and what it says depends on them."""
    hidden, given = part(lesson, "hidden", number), part(lesson, "given", number)
    values = []
    monkeypatch.setattr("parlib.grading.feedback._publish", lambda payload, _: values.append(payload))
    visible = ast.parse(source_of(given))
    for seed in range(12):
        drawn = drawn_inputs(source_of(hidden), seed)
        assert list(bound(ast.parse(drawn))) == list(bound(visible))
        assert all(ast.literal_eval(node.value) is not None for node in ast.parse(drawn).body + visible.body)
        found_right(master_of(lesson), {slot_of(given): drawn})
    mine = [json.dumps(payload["value"]) for payload in values if payload["exercise"] == number]
    assert len(mine) == 12
    assert len(set(mine)) > 3


@pytest.mark.notebook
@every_lesson
def test_the_solutions_earn_every_point(lesson, capsys):
    assert check_notebook(course.master_of(lesson)) == 0
    most = sum(exercise.points for exercise in exercises_of(master_of(lesson)).values())
    assert capsys.readouterr().out.splitlines()[-1].split() == ["total", str(most), "of", str(most)]


@pytest.mark.long
@pytest.mark.notebook
@every_lesson
def test_an_unsolved_notebook_earns_nothing_and_is_told_so_kindly(lesson):
    for one in points_of(HOME / f"{lesson}_exercises.ipynb"):
        assert one.points == 0
        missing = one.reason.startswith(f"Exercise {one.exercise.number} is not ")
        assert missing or one.reason.startswith("yours ")  # there was a number to change, and it is unchanged


def test_a_stored_value_is_what_the_check_publishes():
    for path in MASTERS:
        for cell in read_json(path)["cells"]:
            if role_of(slot_of(cell)) == "check":
                values = [output["data"][MIME]["value"] for output in cell["outputs"] if MIME in output.get("data", {})]
                assert len(values) == 1
                assert plain(values[0]) == values[0]
