"""A scene says what a trace says: every moment of every tray, who waits for whom, and how it ended.

What the page does with it is tested in a browser: tests/test_scenes_browser.py.
"""

import io
import json
import time
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from parlib import (
    Bakery,
    Kitchen,
    Plan,
    Race,
    Simulated,
    Span,
    Task,
    Trace,
    data_parallel,
    data_plan,
    execute,
    pipeline_parallel,
    predict,
    simulate,
    task_parallel,
)
from parlib.scenes import page, still
from parlib.scenes.kitchens import Choice, simulated
from parlib.scenes.scene import Scene
from parlib.scenes.score import MOST_TASKS, MOST_WORKERS, score, seats_needed
from parlib.workloads import bakery


def order(count=8, workers=4, **machine):
    return data_parallel(abs, range(count), workers=workers, chunks=count, backend=Simulated(cost=1.0, **machine))


def sauce(): ...
def meat(): ...
def plate(sauce, meat): ...


def dinner(workers=2):
    times = {"sauce": 3.0, "meat": 5.0, "plate": 1.0}
    return task_parallel(sauce, meat, plate, workers=workers, backend=Simulated(cost=times))


def failing(number):
    if number == 5:
        raise ValueError("the oven is off")
    return number


def broken_run():
    with pytest.raises(ValueError, match="oven") as caught:
        data_parallel(failing, range(8), workers=2, chunks=8, backend=Simulated(cost=1.0))
    return caught.value.run


# ---- The score is the trace ------------------------------------------------------------------------------------------


def test_a_trays_time_on_the_bench_is_its_span():
    run = order(dispatch=0.1)
    tasks, spans = score(run, "bakery")["tasks"], {span.task: span for span in run.trace.spans}
    assert len(tasks["name"]) == len(spans)
    for row, name in enumerate(tasks["name"]):
        span = spans[name]
        assert tasks["worker"][row] == tasks["seat"][row] == span.worker
        for moment in ("submitted", "started", "finished", "received"):
            assert tasks[moment][row] == pytest.approx(getattr(span, moment), abs=1e-5)


def test_a_glide_lies_outside_of_the_span_and_is_never_counted():
    run = order()
    told = score(run, "bakery")
    tasks = told["tasks"]
    assert told["hop"] > 0
    for row in range(8):
        assert tasks["left"][row] <= tasks["started"][row] < tasks["finished"][row] <= tasks["home"][row]
    assert [walking for _, _, walking, _ in told["bakers"]] == [0.0] * 4


def test_busy_walking_and_idle_seconds_of_every_worker_add_up_to_the_whole_time():
    run = order(10, 4, dispatch=0.25, overhead=0.1)
    told = score(run, "bakery")
    for _, busy, walking, idle in told["bakers"]:
        assert busy + walking + idle == pytest.approx(told["finish"])
    assert sum(busy for _, busy, *_ in told["bakers"]) == pytest.approx(run.trace.work)


def test_no_two_chefs_ever_stand_on_one_seat():
    run = pipeline_parallel(abs, float, str, data=range(12), workers=5, backend=Simulated(cost=[0.3] * 36))
    told = score(run, "kitchen")
    tasks, spans = told["tasks"], {}
    for row in range(told["seen"]):
        spans.setdefault(tasks["seat"][row], []).append((tasks["started"][row], tasks["finished"][row]))
    for rows in spans.values():
        rows.sort()
        assert all(stop <= start for (_, stop), (start, _) in pairwise(rows))


def test_seats_are_as_few_as_the_most_that_overlap():
    rng = np.random.default_rng(0)
    starts = rng.random(60)
    spans = [(start, start + rng.random() / 4) for start in starts]
    most = max(sum(a <= start < b for a, b in spans) for start, _ in spans)
    assert seats_needed(spans)[1] == most


def test_a_dish_stands_on_the_pass_from_its_first_ingredient_and_is_complete_with_its_last():
    told = score(dinner(), "kitchen")
    row = told["tasks"]["name"].index("plate")
    assert told["scene"] == "kitchen"
    assert [told["tasks"][name][row] for name in ("opens", "started")] == [3.0, 5.0]
    assert [told["tasks"]["name"][need] for need in told["tasks"]["needs"][row]] == ["sauce", "meat"]
    assert [one["level"] for one in told["stations"]] == [0, 0, 1]


def test_the_station_before_which_most_is_waited_is_named_and_only_where_anybody_waits():
    costs = {"abs": 0.5, "float": 1.0, "str": 0.1}
    slow = Kitchen(pipeline_parallel(abs, float, str, data=range(9), backend=Simulated(cost=costs)))
    named = [kind["name"] for kind, one in zip(slow.score["kinds"], slow.score["stations"]) if one["bottleneck"]]
    assert named == ["float"]
    assert "The longest queue stands before float." in slow.score["said"]
    assert not any(one["bottleneck"] for one in Kitchen(dinner()).score["stations"])


def test_the_mixed_bakery_has_two_kinds_of_work_each_with_its_color_and_its_sign():
    mixed = data_plan(abs, range(8), chunks=4) | data_plan(float, range(6), chunks=3)
    told = Bakery(execute(mixed, 3, Simulated(cost=1.0))).score
    assert [kind["name"] for kind in told["kinds"]] == ["abs", "float"]
    assert len({kind["color"] for kind in told["kinds"]}) == len({kind["sign"] for kind in told["kinds"]}) == 2


def test_the_same_run_gives_the_same_score_to_the_last_byte():
    first, second = (json.dumps(Bakery(order(dispatch=0.1)).score) for _ in range(2))
    assert first == second
    assert json.dumps(Bakery(order(dispatch=0.2)).score) != first


# ---- Whatever comes --------------------------------------------------------------------------------------------------

SPANS = [Span("a", "", 0, 0.0, 0.0, 0.0, 0.0, 0.0, None), Span("b", "", 1, 0.0, 0.0, 0.0, 0.0, 0.0, None)]
ODD = {
    "empty": (lambda: simulate([], 3), "Nothing was ordered: the trace is empty."),
    "one task": (lambda: simulate([2.0], 4), "1 tray done by 4 bakers after 2 s."),
    "one worker": (lambda: simulate([1.0, 1.0], 1), "2 trays done by 1 baker after 2 s."),
    "no length": (lambda: Trace.of(SPANS, workers=2, source="simulated"), "2 trays, done in no time at all."),
    "a crowd": (
        lambda: simulate(np.ones(20_000), 10_000),
        "20,000 trays done by 10,000 bakers after 2 s. Too many to draw one by one: each figure stands for about "
        "156 workers, and its bar for the share that is busy.",
    ),
    "failed": (
        broken_run,
        "Failed at failing[5:6] after 3 s: 5 of 8 trays were done (ValueError: the oven is off).",
    ),
}


@pytest.mark.parametrize(("make", "said"), ODD.values(), ids=ODD)
def test_odd_runs_have_a_story_and_a_picture(make, said):
    scene = Bakery(make())
    assert scene.score["said"] == said
    large, small = still.still(scene.score)
    assert Image.open(io.BytesIO(large)).width == still.PIXELS
    assert len(small) < len(large)


def test_skipped_tasks_stay_where_they_wait_and_are_said_to_have_never_started():
    plan = Plan([Task("dough", failing_always), Task("bread", len, ["dough"]), Task("jam", tuple)])
    run = execute(plan, 1, "serial", on_error="skip")
    told = Kitchen(run).score
    row = told["tasks"]["name"].index("bread")
    assert told["tasks"]["started"][row] is None
    assert "2 of 3 trays were made" in told["said"]


def failing_always():
    raise ValueError("no flour")


def test_more_than_64_workers_or_2000_trays_are_drawn_as_groups_and_no_fewer_are():
    assert "groups" not in score(simulate(np.ones(MOST_TASKS), MOST_WORKERS), "bakery")
    assert score(simulate(np.ones(100), MOST_WORKERS + 1), "bakery")["groups"] == MOST_WORKERS
    assert score(simulate(np.ones(MOST_TASKS + 1), 3), "bakery")["groups"] == 3


def test_the_groups_of_a_crowd_work_as_much_as_the_trace():
    trace = simulate(np.random.default_rng(1).exponential(1.0, 30_000), 500, dispatch=1e-3)
    told = score(trace, "bakery")
    busy = np.array(told["busy"]) / 100 * np.array(told["sizes"])[:, None]
    assert busy.sum() * told["finish"] / busy.shape[1] == pytest.approx(trace.work, rel=0.02)
    assert told["done"][-1] == told["gone"][-1] == len(trace)


# ---- Workloads, predictions, races -----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _fresh_notes(tmp_path, monkeypatch):
    """Notes of its own for each test, and none of the reader's."""
    (tmp_path / "aids").mkdir()
    monkeypatch.chdir(tmp_path)


def test_the_sliders_show_what_the_simulator_says():
    scene = Bakery(bakery.busy, workers=2, size=24)
    for workers, size in ((1, 24), (3, 24), (4, 400)):
        scene.move(workers=workers, size=size)
        expected = simulated(bakery.busy, Choice(workers, size, 12)).trace.elapsed
        assert scene.score["finish"] == pytest.approx(expected)
        assert scene.trace.source == "simulated"
        assert f"by {workers} baker" in repr(scene)


def test_baking_for_real_replays_a_measured_trace_and_leaves_the_kernel_free():
    scene = Bakery(bakery.waiting, workers=2, size=8, chunks=4, backend="threads")
    began = time.monotonic()
    scene.bake_for_real()
    assert time.monotonic() - began < 1.0 or scene.trace.source == "simulated"  # it did not wait for the oven
    deadline = time.monotonic() + 60
    while scene.trace.source != "measured" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert scene.trace.source == scene.score["source"] == "measured"
    assert len(scene.trace) == 4
    scene.move(workers=3)
    assert scene.trace.source == "simulated"


def test_a_guess_on_the_scene_is_kept_beside_the_other_predictions():
    scene = Bakery(bakery.busy)
    assert scene.guess is None
    assert scene.question["high"] > scene.score["finish"]
    scene.widget.guess = 0.05
    assert Bakery(bakery.busy).guess == 0.05
    assert Bakery(order(), title="another order").guess is None


def test_a_prediction_made_elsewhere_is_shown_and_not_asked_again():
    guess = predict("9.1", "When is it done?", low=1.0, high=10.0, unit="s")
    scene = Bakery(order(), prediction=guess)
    assert scene.question["text"] == "commit prediction 9.1 first."
    guess.commit(4.0)
    assert scene.guess == 4.0
    assert "You predicted 4 s." in scene._spare()["still"]["text/plain"]
    scene.widget.looked = True  # somebody pressed play
    assert guess.revealed
    assert scene.question == {}  # the outcome was shown: nothing is covered any more
    assert Bakery(order(), prediction=False).question == {}
    assert Bakery(order(), prediction=3.5).guess == 3.5


def test_a_race_asks_who_is_done_last_and_knows_it():
    race = Race(order(8, 1), order(8, 4), titles=("alone", "together"))
    assert race.question["choices"] == ["alone", "together", "both at the same time"]
    assert race.question["outcome"] == "alone"
    assert Race(order(), order()).question["outcome"] == "both at the same time"
    assert [side["scene"] for side in Race(order(), dinner()).score["sides"]] == ["bakery", "kitchen"]


def test_both_rows_of_a_races_still_picture_say_whose_they_are_and_show_the_same_moments(monkeypatch):
    drawn = []
    monkeypatch.setattr(still._Panel, "draw", lambda panel, moment, whose: drawn.append((whose, moment)))
    still.still(Race(order(8, 1), order(8, 4), titles=("alone", "together")).score)
    assert [whose for whose, _ in drawn] == 3 * ["alone: "] + 3 * ["together: "]
    assert drawn[0][1] == 0.0
    assert drawn[2][1] >= 8.0
    assert [moment for _, moment in drawn[:3]] == [moment for _, moment in drawn[3:]]


# ---- What is left in the file ----------------------------------------------------------------------------------------


def test_a_stored_scene_is_small_and_plays_without_a_kernel():
    forms = Bakery(bakery.busy, workers=3)._spare()
    assert sum(len(text) for one in forms.values() for text in one.values()) < page.LIMIT
    assert "srcdoc=" in forms["twin"]["text/html"]
    assert "<img alt=" in forms["still"]["text/html"]
    assert "12 trays done by 3 bakers" in forms["still"]["text/plain"]


def test_a_scene_too_large_for_a_twin_keeps_its_picture():
    forms = Bakery(simulate(np.ones(MOST_TASKS), 64))._spare()
    assert forms["twin"] == {"text/plain": ""}
    assert sum(len(text) for text in forms["still"].values()) < page.LIMIT


def test_the_first_scene_of_a_notebook_brings_the_script_along_for_all(monkeypatch):
    monkeypatch.setattr(Scene, "_carrier", "")
    first, second = Bakery(bakery.busy), Kitchen(dinner())
    for scene in (first, second, first):
        scene._ipython_display_()
    first.move(workers=3)  # another score, and the same place on the page
    large, small = (len(scene._spare()["twin"]["text/html"]) for scene in (first, second))
    assert small < large / 4


def test_nothing_of_a_scene_comes_from_the_network():
    sources = page.ESM + page.CSS + (page.HERE / "twin.html").read_text()
    assert "http" not in sources.replace("http://www.w3.org/2000/svg", "")


def test_the_still_picture_has_every_color_that_art_and_css_name():
    used = {name for symbol in still._symbols() for _, fill, edge, _ in still.drawing(symbol) for name in (fill, edge)}
    assert used - {""} <= set(still.colors())


# ---- Mistakes --------------------------------------------------------------------------------------------------------

MISTAKES = {
    "no run": (lambda: Bakery(7), TypeError, "Bakery shows a Run, a Trace or a Workload, not 7"),
    "no run in a kitchen": (lambda: Kitchen([1]), TypeError, "Kitchen shows a Run, a Trace or a Workload"),
    "workers": (lambda: Bakery(bakery.busy, workers=0), ValueError, "workers must be at least 1"),
    "size": (lambda: Bakery(bakery.busy, size=25), ValueError, "has no size 25"),
    "backend": (lambda: Bakery(bakery.busy, backend="procesess"), ValueError, "did you mean 'processes'"),
    "chunks": (lambda: Bakery(bakery.busy, chunks=1.5), TypeError, "chunks must be a whole number"),
    "title": (lambda: Bakery(order(), title=3), TypeError, "the title of a scene is a text"),
    "prediction": (lambda: Bakery(order(), prediction=[1]), TypeError, "prediction is a Prediction, a number"),
    "race of none": (lambda: Race(order(), 3), TypeError, "Race shows two Runs, Traces or scenes, not 3"),
    "titles": (lambda: Race(order(), order(), titles=("a", "a")), ValueError, "two different titles"),
    "no sliders": (lambda: Bakery(order()).move(workers=2), RuntimeError, "give it a workload"),
    "no oven": (lambda: Bakery(order()).bake_for_real(), RuntimeError, "give it a workload"),
}


@pytest.mark.parametrize(("do", "kind", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_clear_sentence(do, kind, words):
    with pytest.raises(kind, match=words) as caught:
        do()
    assert "\n" not in str(caught.value)
