"""Who does what: a box in the line of the task and the column of its worker, before and after a run."""

import pytest
from matplotlib import pyplot

from parlib import Plan, Schedule, Simulated, Task, assignment, by_assignment, data_parallel, execute, greedy

PLATE = Task("plate", None, ["sauce", "meat"], cost=1.0)
PLAN = Plan([Task("sauce", None, cost=3.0), Task("meat", None, cost=4.0), PLATE])


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


def boxes(ax):
    """(line, column, words) of every box."""
    lines = [label.get_text() for label in ax.get_yticklabels()]
    return [(lines[round(text.get_position()[1])], round(text.get_position()[0]), text.get_text()) for text in ax.texts]


def test_a_run_shows_who_did_what_and_when():
    ax = assignment(execute(PLAN, 2, Simulated()))
    assert boxes(ax) == [("sauce", 0, "0–3 s"), ("meat", 1, "0–4 s"), ("plate", 0, "4–5 s")]
    assert ax.get_title(loc="left") == "Simulated: 3 tasks on 2 workers"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["worker 0", "worker 1"]


def test_a_schedule_shows_who_will_do_what_and_in_which_place():
    ax = assignment(greedy(PLAN, 2, Simulated()), plan=PLAN, names=["CPU", "accelerator"])
    assert boxes(ax) == [("sauce", 0, "no. 1"), ("meat", 1, "no. 1"), ("plate", 0, "no. 2")]
    assert ax.source == "planned"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["CPU", "accelerator"]


def test_what_a_schedule_leaves_open_may_go_to_anybody():
    ax = assignment(by_assignment({"meat": 1})(PLAN, 2, None), plan=PLAN, workers=2)
    assert [box for box in boxes(ax) if box[2] == "any"] == [
        *(("sauce", 0, "any"), ("sauce", 1, "any")),
        *(("plate", 0, "any"), ("plate", 1, "any")),
    ]


def test_many_tasks_are_drawn_by_kind():
    run = data_parallel(abs, range(40), workers=2, chunks=40, backend=Simulated(0.5))
    assert boxes(assignment(run)) == [("abs", 0, "20 in 10 s"), ("abs", 1, "20 in 10 s")]
    slots = {name: place % 2 for name, place in run.plan.position.items()}
    assert boxes(assignment(Schedule(worker=slots), plan=run.plan)) == [("abs", 0, "20"), ("abs", 1, "20")]
    assert boxes(assignment(Schedule(), plan=run.plan)) == [("abs", 0, "up to 40")]


def test_an_empty_run_and_an_idle_worker_are_drawn_too():
    assert boxes(assignment(execute(Plan([]), 2, Simulated()))) == []
    assert len(assignment(execute(PLAN, 5, Simulated())).get_xticklabels()) == 5


def test_what_is_neither_run_nor_schedule_is_refused():
    with pytest.raises(TypeError, match="assignment draws a Run"):
        assignment(3)
    with pytest.raises(TypeError, match="needs the plan it is for: pass plan="):
        assignment(Schedule())
