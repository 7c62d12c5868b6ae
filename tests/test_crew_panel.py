"""The assignment's panel: every click is the run that `execute` makes of it, beside the algorithms."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from parlib import Plan, Simulated, Task, by_assignment, earliest_finish, execute, explore_assignment, greedy, optimum
from parlib.panels.crew_board import HEIGHT, WIDTH

CREW = ["baker", "oven"]
ROWS = {"knead": (2, 4), "roll": (1, 3), "bake": (9, 3), "wash": (2, 5), "serve": (1, 2)}
NEEDS = {"roll": {"knead": 100}, "bake": {"roll": 100}, "serve": {"bake": 100}}
MEAL = Plan([Task(name, None, NEEDS.get(name, {}), cost=row) for name, row in ROWS.items()])
FAR = Simulated(latency=0.5, bandwidth=100.0)


def panel_of(plan=MEAL, machine=FAR, names=CREW, **more):
    return explore_assignment(plan, machine, names=names, **more)


def ways(times):
    return Simulated(latency=0.5 * times, bandwidth=100.0 / times)


@settings(max_examples=40, deadline=None)
@given(some.lists(some.integers(0, 1), min_size=5, max_size=5), some.sampled_from([0.1, 1.0, 10.0]))
def test_every_assignment_takes_as_long_as_execute_says(slots, times):
    chosen = dict(zip(ROWS, slots))
    panel = panel_of(start=chosen, distance=times)
    run = execute(MEAL, 2, ways(times), order=by_assignment(chosen))
    assert panel.run.elapsed == run.elapsed
    assert panel.assignment == chosen


def test_a_click_moves_one_task_and_the_rest_stays():
    panel = panel_of(start={"bake": 1})
    before = panel.run.elapsed
    panel.choose(roll=1)
    assert panel.assignment == dict.fromkeys(ROWS, 0) | {"bake": 1, "roll": 1}
    assert panel.run.elapsed != before
    assert panel.choose(roll=0).run.elapsed == before


def test_the_algorithms_are_those_of_parlib_and_are_shown_when_asked_for():
    panel = panel_of()
    assert [*panel.model.ends(panel.choice)] == ["yours"]
    panel.choose()  # as if shown
    panel.move(compare=True)
    orders = {"greedy": greedy, "earliest finish": earliest_finish, "optimum": optimum}
    expected = {name: execute(MEAL, 2, FAR, order=order).elapsed for name, order in orders.items()}
    ends = panel.model.ends(panel.choice)
    assert {name: ends[name] for name in orders} == expected
    assert all(f"{name} " in panel.status.text for name in orders)


def test_longer_ways_change_what_is_best():
    panel = panel_of(start={"bake": 1})
    panel.choose()
    panel.move(distance=0.0)
    near = panel.run.elapsed
    panel.move(distance=20.0)
    assert panel.run.elapsed > near + 2 * 20  # there and back
    alone = panel.choose(bake=0).run.elapsed
    assert alone == 15
    assert panel.model.others(20.0)["optimum"] == 12  # one worker bakes bread, the other washes up: no way at all


def test_eleven_tasks_are_compared_without_the_optimum():
    many = Plan([Task(f"t{number}", None, cost=1) for number in range(11)])
    panel = panel_of(many, compare=True)
    assert [*panel.model.ends(panel.choice)] == ["yours", "greedy", "earliest finish"]


def test_where_nothing_takes_a_way_there_is_no_slider_for_it():
    assert len(panel_of(machine=Simulated())._rows()[-1]) == 1
    assert len(panel_of()._rows()[-1]) == 2


def test_the_picture_is_a_png_of_fixed_size_and_its_words_say_the_same():
    panel = panel_of(start={"bake": 1}, compare=True)
    assert Image.open(io.BytesIO(panel.board.draw(panel.choice, True))).size == (WIDTH, HEIGHT)
    alt = panel._alt()
    assert "bake from 4.5 to 7.5 s" in alt
    assert alt.startswith(panel.model.sentence(panel.choice))


def test_functions_are_not_called():
    def burn():
        raise AssertionError("a panel only plans")

    assert panel_of(Plan([Task("burn", burn, cost=(1, 2))])).run.elapsed == 1


def test_shown_in_a_notebook_it_leaves_a_picture(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda forms, **options: shown.append(forms))
    panel_of()._ipython_display_()
    assert "application/vnd.jupyter.widget-view+json" in shown[0]
    assert "image/png" in shown[1]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"plan": print}, TypeError, "needs a Plan"),
        ({"machine": "threads"}, TypeError, "needs a Simulated machine"),
        ({"plan": Plan([])}, ValueError, "1 to 12 tasks, not for 0"),
        ({"names": "ab"}, TypeError, "list of texts"),
        ({"names": ["a", "a"]}, ValueError, "different names"),
        ({"names": []}, ValueError, "1 to 8 different names"),
        ({"start": {"bak": 1}}, ValueError, "did you mean 'bake'"),
        ({"start": {"bake": 2}}, ValueError, "one of 2 workers"),
        ({"distance": 3}, ValueError, "distance must be one of"),
    ],
)
def test_bad_input_gets_one_clear_sentence(change, error, words):
    with pytest.raises(error) as caught:
        panel_of(**change)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_task_without_a_cost_for_each_worker_is_named():
    with pytest.raises(ValueError, match="'knead' has costs for 1 worker, but there are 2"):
        panel_of(Plan([Task("knead", None, cost=(1,))]))
