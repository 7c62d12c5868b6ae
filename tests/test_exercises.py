"""The exercises are what their masters make of them, and each can be solved, missed and broken alone."""

import ast
import contextlib
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
from parlib.grading.referee import AT_HOME
from parlib.grading.values import MIME, plain

MASTERS = sorted((HOME / "solutions").glob("*_solutions.ipynb"))
QUICK = "02"  # the lesson that stands for all where a test takes long
LESSONS = [path.name[:2] for path in MASTERS]
EXERCISES = [(lesson, number) for lesson, path in zip(LESSONS, MASTERS) for number in exercises_of(read_json(path))]

every_lesson = pytest.mark.parametrize("lesson", LESSONS)
in_its_time = [one if one == QUICK else pytest.param(one, marks=pytest.mark.long) for one in LESSONS]
every_lesson_in_its_time = pytest.mark.parametrize("lesson", in_its_time)
every_exercise = pytest.mark.parametrize(("lesson", "number"), EXERCISES, ids=[number for _, number in EXERCISES])


MODIFY = [one for one in EXERCISES if one[1].endswith(".2")]
every_modify = pytest.mark.parametrize(("lesson", "number"), MODIFY, ids=[number for _, number in MODIFY])


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
        above, _, kept_back = source_of(cell).partition("# solution\n")
        kept_back = "\n".join(set(kept_back.splitlines()) - set(above.splitlines()))  # a line to modify is shown
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


@every_lesson
def test_nbgrader_opens_our_notebooks(lesson):
    """Where it is installed: its own reader and its own rules say so."""
    rules = pytest.importorskip("nbgrader.nbgraderformat", reason="nbgrader is not installed: pip install nbgrader")
    for path in (course.master_of(lesson), HOME / f"{lesson}_exercises.ipynb"):
        with path.open(encoding="utf-8") as file:
            notebook = rules.read(file, as_version=4)
        rules.MetadataValidator().validate_nb(notebook)
        points = [cell.metadata.nbgrader.get("points", 0) for cell in notebook.cells if "nbgrader" in cell.metadata]
        assert sum(points) == sum(one.points for one in exercises_of(master_of(lesson)).values())


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
    to_change = "  # change this " in stub and "*Modify.*" in source_of(part(lesson, "task", number))
    assert to_change or "def " not in stub or f'raise NotImplementedError("Exercise {number}")' in stub
    assert source_of(part(lesson, "think", number)).startswith("**Think.** ")
    assert part(lesson, "why", number) is not None


LENGTHS = {
    "Predict": r"One line\.",
    "Modify": r"[Cc]hange (one|its) (argument|line|number)",
    "Write": r"About \d lines?\.",
    "Explain": r"[Ww]rite two sentences",
    "Stretch": r"About \d lines?\.",
}
"""How every task says what is expected."""


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
    task = source_of(part(lesson, "task", number))
    rung = re.search(r"^\*(\w+)\.?\*", task, re.MULTILINE)[1]
    assert re.search(LENGTHS[rung], task)
    assert ("```python\n" in task) == (rung in ("Write", "Stretch"))


@every_exercise
def test_the_example_of_a_task_is_true_of_the_model_answer_and_of_no_stub(lesson, number, in_place):
    example = "\n".join(re.findall(r"```python\n(.*?)```", source_of(part(lesson, "task", number)), re.DOTALL))
    for notebook, holds in ((master_of(lesson), True), (student_of(lesson), False)):
        names = {}
        for cell in notebook["cells"]:
            mine = slot_of(cell) == "setup" or number_of(slot_of(cell)) == number
            if mine and cell["cell_type"] == "code" and role_of(slot_of(cell)) not in ("check", "hidden"):
                exec(source_of(cell), names)
        with contextlib.nullcontext() if holds or not example else pytest.raises(NotImplementedError):
            exec(example, names)


# ---- Solving, missing, breaking -------------------------------------------------------------------------------------

BROKEN = {
    "1.1": ('"task", "task"', '"data", "task"'),
    "1.2": ("2 if", "1 if"),
    "1.3": ("speedup / workers", "speedup * workers"),
    "1.4": ("workers=3", "workers=2"),
    "1.5": ("In both", ""),
    "1.6": ("< other.finished", "<= other.finished"),
    "2.1": ('"d"', '"b"'),
    "2.2": ("range(1, len(seconds) + 1)", "range(1, bakers + 1)"),
    "2.3": ("max(busy)", "min(busy)"),
    "2.4": ("ThreadPoolExecutor(bakers)", "ThreadPoolExecutor(1)"),
    "2.5": ("With large", ""),
    "2.6": ("min(free)", "max(free)"),
    "3.1": ('"blocks", "rows", "columns"', '"blocks", "columns", "rows"'),
    "3.2": ("(first - 1) + (second - 1)", "second - 1"),
    "3.3": ("axis=1", "axis=0"),
    "3.4": ("down.stop + kernel.shape[0] - 1", "down.stop + kernel.shape[0]"),
    "3.5": ("Alone, the BLAS", ""),
    "3.6": ("max(part", "min(part"),
    "4.1": ("16, 40, 9", "48, 40, 9"),
    "4.2": ("math.ceil", "1 + math.ceil"),
    "4.3": ("slope.examples * slope.gradient", "slope.gradient"),
    "4.4": ("if step < ranks - 1 else coming", ""),
    "4.5": ("All four", ""),
    "4.6": ("math.ceil(batch / gpus)", "math.ceil(batch)"),
    "5.1": ('choice = "c"', 'choice = "b"'),
    "5.2": ("math.ceil", "1 + math.floor"),
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
    "8.2": ("sharing(workers) + ", ""),
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
def test_hidden_inputs_stand_in_for_the_given_ones(lesson, number, in_place):
    """The model answer copes with all of them, and what it says is neither one thing nor what the visible ones say."""
    hidden, given = part(lesson, "hidden", number), part(lesson, "given", number)
    visible, values = ast.parse(source_of(given)), []
    for seed in range(12):
        drawn = drawn_inputs(source_of(hidden), seed)
        assert list(bound(ast.parse(drawn))) == list(bound(visible))
        assert all(ast.literal_eval(node.value) is not None for node in ast.parse(drawn).body + visible.body)
        values += published_by(master_of(lesson), number, {slot_of(given): drawn})
    assert len(values) == 12
    assert len(set(map(json.dumps, values))) > 3
    assert values.count(exercises_of(master_of(lesson))[number].expected) < 2


@every_lesson
def test_whatever_is_computed_has_hidden_inputs(lesson):
    """All but choices and explanations; and those are two of ten points."""
    without = [one for one in exercises_of(master_of(lesson)).values() if part(lesson, "hidden", one.number) is None]
    tasks = [source_of(part(lesson, "task", one.number)) for one in without]
    assert all(re.search(r"^\*(Predict|Explain)\.?\*", task, re.MULTILINE) for task in tasks)
    assert sum(one.points for one in without) <= 2


TRIED_OUT = {
    "1.2": ('2 if seconds["sauce"] + seconds["salad"] <= seconds["meat"] else 3', "2"),
    "2.2": ("range(1, len(seconds) + 1)", "[12]"),
    "3.2": ("(first - 1) + (second - 1)", "6"),
    "4.2": ("math.ceil(loading / learning)", "3"),
    "5.2": ('math.ceil(seconds["taste"] / max(seconds["fill"], seconds["salt"], seconds["carry"]))', "2"),
    "6.2": ("limit = 11", "limit = 10"),
    "8.2": ("range(1, most + 1)", "[86]"),
}
"""What somebody writes who has tried numbers until the visible check was content, or nearly so."""


def right_on_hidden_inputs(lesson, number, answer, seeds):
    """For how many seeds an answer says what the model answer says."""
    hidden, given = part(lesson, "hidden", number), part(lesson, "given", number)
    mine, right = master_of(lesson), 0
    of_slot(mine, f"answer-{number.replace('.', '-')}")["source"] = answer
    for seed in range(seeds):
        drawn = {slot_of(given): drawn_inputs(source_of(hidden), seed)}
        values = [published_by(notebook, number, drawn) for notebook in (mine, master_of(lesson))]
        assert len(values[1]) == 1
        right += values[0] == values[1]
    return right


def published_by(notebook, number, given):
    """What a check publishes, with the cells of its exercise and the setup only."""
    values, names = [], {}
    for cell in notebook["cells"]:
        slot = slot_of(cell)
        if cell["cell_type"] == "code" and (slot == "setup" or number_of(slot) == number):
            with contextlib.suppress(Exception):  # then it publishes nothing
                exec(given.get(slot, source_of(cell)), names)
            names["check"] = lambda _, answer: values.append(plain(answer()))
    return values


@every_modify
def test_what_was_tried_out_on_the_visible_inputs_fails_on_hidden_ones(lesson, number, in_place):
    answer = source_of(part(lesson, "answer", number))
    untouched, below = answer.split("# solution\n")
    assert right_on_hidden_inputs(lesson, number, untouched, 6) == 0
    assert right_on_hidden_inputs(lesson, number, below.replace(*TRIED_OUT[number]), 6) <= 1


# ---- What must be done at the same time -----------------------------------------------------------------------------

IDLE = '''
import threading

def idle(meet, unit):
    try:
        meet(unit)
    except RuntimeError:
        pass

def crowd(meet, units):
    for unit in units:
        threading.Thread(target=idle, args=(meet, unit), daemon=True).start()
'''
ROW_OF_DISHES = """
def all_at_once(guests):
    return {"rice": rice(guests), "fish": fish(guests), "peas": peas(guests)}
"""
ROW_OF_SHARES = """
def ice_together(ice_share, cupcakes, bakers):
    return [cupcake for share in split(cupcakes, bakers) for cupcake in ice_share(share)]
"""
TOGETHER = {
    "1.4": """
from concurrent.futures import ThreadPoolExecutor

def all_at_once(guests):
    with ThreadPoolExecutor(5) as pool:
        made = {cook.__name__: pool.submit(cook, guests) for cook in (peas, rice, fish)}
        return {dish: future.result() for dish, future in made.items()}
""",
    "2.4": """
def ice_together(ice_share, cupcakes, bakers):
    shares = split(cupcakes, bakers)
    run = data_parallel(ice_share, shares, workers=bakers, backend="threads", combine=lambda trays: sum(trays, []))
    return run.result
""",
}
"""Other ways to be right than the model answer."""

ONE_BY_ONE = {
    "1.4": {
        "sequential": ROW_OF_DISHES,
        "two workers": ROW_OF_DISHES.replace("return {", "return task_parallel(rice, fish, peas, workers=2, inputs={")
        .replace('"rice": rice(guests), "fish": fish(guests), "peas": peas(guests)', '"guests": guests')
        .replace("}\n", "}).result\n"),
        "idle strangers": IDLE + ROW_OF_DISHES.replace("return", "crowd(flame, range(9))\n    return"),
        "idle doubles": IDLE + ROW_OF_DISHES.replace("return", "crowd(flame, ['rice'] * 9)\n    return"),
    },
    "2.4": {
        "sequential": ROW_OF_SHARES,
        "one thread": ROW_OF_SHARES.replace(
            "return [cupcake for share in split(cupcakes, bakers) for cupcake in ice_share(share)]",
            "return sum(ThreadPoolExecutor(1).map(ice_share, split(cupcakes, bakers)), [])",
        ),
        "idle strangers": IDLE + ROW_OF_SHARES.replace("return", "crowd(oven, range(9))\n    return"),
        "idle doubles": IDLE + ROW_OF_SHARES.replace("return", "crowd(oven, cupcakes[:1] * 9)\n    return"),
    },
}
"""One after the other, with and without threads that only stand around."""


def with_answer(lesson, number, answer):
    notebook = master_of(lesson)
    of_slot(notebook, f"answer-{number.replace('.', '-')}")["source"] = answer
    return notebook


def said_by_check(lesson, number, answer):
    """What the check of one exercise says to an answer: '' where it is content."""
    names = {}
    for cell in with_answer(lesson, number, answer)["cells"]:
        if cell["cell_type"] == "code" and (slot_of(cell) == "setup" or number_of(slot_of(cell)) == number):
            try:
                exec(source_of(cell), names)
            except Exception as error:
                return f"{error}"
    return ""


@pytest.mark.parametrize("number", TOGETHER)
def test_who_works_together_is_right_however_it_is_done(number, in_place):
    assert said_by_check(f"0{number[0]}", number, TOGETHER[number]) == ""


@pytest.mark.parametrize(("number", "way"), [(number, way) for number in ONE_BY_ONE for way in ONE_BY_ONE[number]])
def test_who_works_one_by_one_is_told_so_at_home_and_soon(number, way, in_place):
    said = said_by_check(f"0{number[0]}", number, ONE_BY_ONE[number][way])
    reason = "this unit of work was here before" if way == "idle doubles" else "fewer than 3 were at work together"
    assert said.endswith(f"{reason}. Start all of them before you wait for the first one, and each of them once.")
    assert AT_HOME < 0.5  # so a check answers within a second


def test_one_set_asks_for_the_same_on_different_data_and_one_for_different_functions():
    paradigms = {"1.4": "task_parallel", "2.4": "split"}
    for lesson, number in EXERCISES:
        run = part(lesson, "run", number)
        meets = run is not None and "rendezvous(" in source_of(run)
        assert meets == (number in paradigms)
        assert not meets or paradigms[number] in source_of(part(lesson, "answer", number))


# ---- Through nbval --------------------------------------------------------------------------------------------------


@pytest.mark.notebook
@every_lesson_in_its_time
def test_the_solutions_earn_every_point(lesson, capsys):
    assert check_notebook(course.master_of(lesson)) == 0
    most = sum(exercise.points for exercise in exercises_of(master_of(lesson)).values())
    assert capsys.readouterr().out.splitlines()[-1].split() == ["total", str(most), "of", str(most)]


@pytest.mark.long
@pytest.mark.notebook
def test_an_unsolved_notebook_earns_nothing_and_is_told_so_kindly():
    for one in points_of(HOME / f"{QUICK}_exercises.ipynb"):
        assert one.points == 0
        missing = one.reason.startswith(f"Exercise {one.exercise.number} is not ")
        assert missing or one.reason.startswith("yours ")  # there was something to change, and it is unchanged


@every_exercise
def test_an_unsolved_exercise_is_told_so_kindly(lesson, number, in_place):
    stub = source_of(part(lesson, "answer", number, student_of))
    said = said_by_check(lesson, number, stub)
    assert said.startswith(f"Exercise {number} is not " if "  # change " not in stub else "yours: ")


def test_a_stored_value_is_what_the_check_publishes():
    for path in MASTERS:
        for cell in read_json(path)["cells"]:
            if role_of(slot_of(cell)) == "check":
                values = [output["data"][MIME]["value"] for output in cell["outputs"] if MIME in output.get("data", {})]
                assert len(values) == 1
                assert plain(values[0]) == values[0]
