"""A panel answers at once with what is simulated and known, and measures only when its controls have rested."""

import base64
import html
import io
import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from parlib import Plan, Sweep, Task, Workload, data_plan, explore, explore_laws, machine, recorded
from parlib.panels import view
from parlib.panels.board import HEIGHT, MEASURED, WIDTH, Board
from parlib.panels.measuring import Measuring
from parlib.panels.model import Choice, Model
from parlib.panels.turns import take_turns
from parlib.timing import Sample

HERE = replace(machine(watch=0), cores=4, gil=True)
PATIENCE = 10.0  # seconds until a test gives up on another thread; none of them needs one


def job(spends="CPU, holding the GIL", cost=0.1):
    """A hundred items that nobody may run."""

    def never(item):
        raise AssertionError("a simulation runs nothing")

    def plan(size, chunks):
        return data_plan(never, range(size), chunks=chunks)

    return Workload("job", plan, never, (10, 100, 1000), spends, lambda size: cost)


def model_of(spends="CPU, holding the GIL", **settings):
    return Model(job(spends), host=HERE, **settings)


def at(workers=4, size=100, chunks=None, backend="processes"):
    return Choice(workers, size, chunks, backend)


def sweep_of(seconds, size=100, backend="processes", warning=""):
    """A sweep with these raw seconds: {None: [...], 1: [...], …}."""
    raw = tuple(Sample(workers, size, one) for workers, all_ in seconds.items() for one in all_)
    return Sweep("job", "", backend, "measured", "here", 4, "", "today", raw, warning=warning)


TIMES = {None: [20.0, 20.0, 22.0], 1: [20.0, 21.0, 22.0], 2: [10.0, 10.0, 11.0]}


# ---- Simulated ------------------------------------------------------------------------------------------------------


def test_a_simulation_runs_no_task():
    model_of().curve(at())


def test_workers_that_only_wait_help_without_limit_and_compute_nothing():
    model = model_of("waiting")
    curve = model.curve(at(backend="threads"))
    assert curve[16] == pytest.approx(100 / 7, rel=0.01), "the largest of 16 chunks has 7 items"
    assert not model.timeline(at()).cpu.any()


def test_threads_that_hold_the_gil_are_no_faster_however_many_and_compute_in_turn():
    model = model_of()
    assert set(np.round([*model.curve(at(backend="threads")).values()], 9)) == {1.0}
    trace = model.timeline(at(4, backend="threads"))
    assert trace.cpu == pytest.approx((trace.finished - trace.started) / 4)


def test_without_a_gil_threads_are_as_good_as_processes():
    free = Model(job(), host=replace(HERE, gil=False))
    assert free.curve(at(backend="threads"))[4] > 3.9


def test_processes_stay_below_the_ideal_and_tiny_work_makes_them_slower_than_serial():
    model, tiny = model_of(), Model(job(cost=1e-6), host=HERE)
    assert all(speedup < workers for workers, speedup in model.curve(at()).items())
    assert tiny.curve(at())[16] < 1


def test_memory_bandwidth_is_used_up_by_a_few():
    curve = model_of("memory bandwidth").curve(at(backend="threads"))
    assert curve[2] == pytest.approx(2) == curve[16]


@pytest.mark.parametrize("chunks", [1, 3, 64])
def test_the_chosen_chunks_are_the_tasks_of_the_timeline(chunks):
    assert len(model_of().timeline(at(chunks=chunks))) == chunks


def test_a_workload_of_unknown_cost_is_taken_to_last_a_second_until_it_is_measured():
    model = Model(replace(job(), costs=lambda size: None), host=HERE)
    assert model.serial(at()) == pytest.approx(1.0)
    assert model.curve(at())[4] == pytest.approx(4, rel=0.01)


def test_those_who_share_finish_when_a_small_step_simulation_says_so():
    costs, workers, capacity = [3.0, 1.0, 2.0, 2.0, 0.5], 3, 1.5
    plan = Plan([Task(f"t{n}", None, cost=cost) for n, cost in enumerate(costs)])
    left, going, ends, now, step = dict(enumerate(costs)), [], {}, 0.0, 1e-4
    while left:
        going = [n for n in left if n in going or n not in ends][:workers]
        for n in going:
            left[n] -= step * min(1.0, capacity / len(going))
        now += step
        for n in [n for n in going if left[n] <= 0]:
            ends[n] = now
            del left[n]
    trace = take_turns(plan, workers, capacity)
    assert dict(zip(trace.tasks, trace.finished, strict=True)) == pytest.approx(
        {f"t{n}": end for n, end in ends.items()}, abs=0.01
    )


def test_sharing_respects_what_waits_for_what():
    plan = Plan([Task("a", None, cost=1.0), Task("b", None, ["a"], cost=1.0)])
    assert take_turns(plan, 2, 1).finished.tolist() == [1.0, 2.0]


# ---- Measured -------------------------------------------------------------------------------------------------------


def test_the_measured_serial_time_scales_the_simulation_and_its_label_says_so():
    model = model_of()
    before = model.timeline(at())
    assert before.source == "simulated"
    model.learn(at(), sweep_of(TIMES))
    after = model.timeline(at())
    assert after.source == "simulated from a measured cost"
    assert after.work / before.work == pytest.approx(2.0, rel=0.01)  # 20 s where 10 s were estimated
    assert model.serial(at(size=1000)) == pytest.approx(200), "other sizes are scaled too"


def test_points_are_those_of_the_sweep_with_every_sample():
    model = model_of()
    assert model.points(at()) == {}
    model.learn(at(), sweep_of(TIMES))
    assert model.points(at()) == sweep_of(TIMES).speedups()
    assert model.samples(at())[2] == pytest.approx([2.0, 2.0, 20 / 11])
    assert model.medians(at()) == {1: 21.0, 2: 10.0}


def test_points_belong_to_their_size_backend_and_chunks():
    model = model_of()
    model.learn(at(), sweep_of(TIMES))
    assert model.points(at(size=10)) == model.points(at(backend="threads")) == model.points(at(chunks=8)) == {}


def test_what_was_measured_before_is_known_at_once():
    known = Model(job(), host=HERE, known=lambda workload, backend, chunks: sweep_of(TIMES))
    assert set(known.points(at())) == {1, 2}


def test_new_samples_replace_old_ones_of_the_same_kind_only():
    model = model_of()
    model.learn(at(), sweep_of(TIMES))
    model.learn(at(), sweep_of({None: [30.0], 4: [10.0]}))
    assert model.medians(at()) == {1: 21.0, 2: 10.0, 4: 10.0}
    assert model.points(at())[4][0] == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("spends", "workers", "wanted"),
    [
        ("CPU, holding the GIL", 3, (1, 2, 3, 4)),
        ("CPU, holding the GIL", 9, (1, 2, 4)),
        ("waiting", 9, (1, 2, 4, 8, 9, 16)),
    ],
    ids=["chosen too", "not beyond the cores", "waiting needs no cores"],
)
def test_wanted_are_1_2_4_and_the_chosen_workers_as_far_as_there_are_cores(spends, workers, wanted):
    assert model_of(spends).wanted(at(workers)) == wanted


def test_missing_is_what_was_not_measured_yet():
    model = model_of()
    model.learn(at(), sweep_of(TIMES))
    assert model.missing(at()) == (4,)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (at(2), "Measured on this machine: 2 workers are 2.00 times as fast as serial code"),
        (at(2), "(3 runs, the middle half 1.90 to 2.10)."),
        (at(4), "Simulated from a measured cost: 4 workers are 4.00 times as fast as serial code."),
        (at(16), "That many cannot be measured here: this machine has 4 usable cores."),
        (at(1, backend="threads"), "Simulated: 1 worker is 1.00 times as fast as serial code."),
    ],
    ids=["measured", "spread", "simulated", "beyond", "estimated"],
)
def test_the_sentence_says_what_the_choice_comes_to_and_how_that_is_known(choice, words):
    model = model_of()
    model.learn(at(), sweep_of(TIMES))
    assert words in model.sentence(choice)


def test_a_machine_too_busy_is_admitted_in_the_sentence():
    model = model_of()
    model.learn(at(), sweep_of(TIMES, warning="Other programs were busy."))
    assert model.sentence(at(2)).endswith("Other programs were busy.")


def test_the_words_of_the_picture_are_the_same_on_every_machine():
    large = Model(job(), host=replace(HERE, cores=64), known=lambda *job: sweep_of(TIMES))
    assert large.alt(at()) == model_of().alt(at())


# ---- When to measure ------------------------------------------------------------------------------------------------


class Fake:
    """A measurement that goes on until it is told to be over, or cancelled."""

    def __init__(self, log, wish):
        self.log, self.wish, self.running, self.cancelled = log, wish, True, threading.Event()

    def poll(self):
        return ["a sample"] if self.running else []

    def cancel(self):
        self.running = False
        self.cancelled.set()


class Bench:
    """A Measuring under test: what it started and told, with a condition to wait on."""

    def __init__(self, rest=0.02, start=None):
        self.events, self.changed = [], threading.Condition()
        self.measuring = Measuring(start or self.start, self.tell, self.fail, rest)

    def note(self, *event):
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def start(self, wish):
        fake = Fake(self, wish)
        self.note("start", wish.choice, fake)
        return fake

    def tell(self, wish, measurement, over):
        self.note("over" if over else "rest" if measurement is None else "told", wish.choice)

    def fail(self, error):
        self.note("fail", error)

    def wait(self, what):
        """The first event of this kind, when it has come."""

        def found():
            return next((event for event in self.events if event[0] == what), None)

        with self.changed:
            assert self.changed.wait_for(found, PATIENCE), f"no {what} in {self.events}"
            return found()

    def names(self):
        return [event[0] for event in self.events]


def test_only_the_last_of_many_moves_is_measured_and_only_after_a_rest():
    bench = Bench(rest=0.2)
    for choice in range(5):
        bench.measuring.moved(choice)
    assert bench.events == [], "nothing happens while a control is moving"
    assert bench.wait("start")[1] == 4
    assert [event for event in bench.events if event[0] == "rest"] == [("rest", 4)]
    bench.measuring.stop()


def test_samples_are_told_as_they_come_and_the_end_is_told():
    bench = Bench()
    bench.measuring.press("a")
    fake = bench.wait("start")[2]
    bench.wait("told")
    fake.running = False
    assert bench.wait("over") == ("over", "a")


def test_a_move_ends_the_measurement_and_the_new_choice_is_measured_next():
    bench = Bench()
    bench.measuring.press("a")
    fake = bench.wait("start")[2]
    bench.measuring.moved("b")
    assert fake.cancelled.wait(PATIENCE)
    bench.wait("over")
    bench.events.clear()
    assert bench.wait("start")[1] == "b"
    bench.measuring.stop()


def test_stop_ends_the_measurement_and_nothing_follows():
    bench = Bench()
    bench.measuring.press("a")
    fake = bench.wait("start")[2]
    bench.measuring.stop()
    assert fake.cancelled.wait(PATIENCE)
    bench.wait("over")
    assert bench.names().count("start") == 1


def test_a_failure_is_told_and_the_next_move_is_measured_all_the_same():
    def start(wish):
        if wish.choice == "bad":
            raise ValueError("burnt")
        return bench.start(wish)

    bench = Bench(start=start)
    bench.measuring.press("bad")
    assert str(bench.wait("fail")[1]) == "burnt"
    bench.measuring.press("good")
    assert bench.wait("start")[1] == "good"
    bench.measuring.stop()


def test_two_panels_never_measure_at_the_same_time():
    one, other = Bench(), Bench()
    one.measuring.press("a")
    first = one.wait("start")[2]
    other.measuring.press("b")
    other.wait("rest")
    assert "start" not in other.names()
    first.running = False
    assert other.wait("start")[1] == "b"
    other.measuring.stop()


# ---- The picture ----------------------------------------------------------------------------------------------------


def pixels(png):
    return Image.open(io.BytesIO(png)).convert("RGB")


def count(png, color):
    """How many pixels have this color."""
    wanted = tuple(int(color[place : place + 2], 16) for place in (1, 3, 5))
    return {color: times for times, color in pixels(png).getcolors(WIDTH * HEIGHT)}.get(wanted, 0)


def test_the_picture_is_small_and_of_one_size():
    board = Board(model_of())
    for choice in (at(1), at(16, chunks=64), at(backend="threads")):
        png = board.draw(choice)
        assert pixels(png).size == (WIDTH, HEIGHT)
        assert len(png) < 60_000


OTHERS = {"workers": at(5), "size": at(size=10), "chunks": at(chunks=8), "backend": at(backend="threads")}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_every_control_changes_the_picture(other):
    board = Board(model_of())
    assert board.draw(at()) != board.draw(other)


def test_a_picture_does_not_depend_on_what_was_shown_before():
    first, second = Board(model_of()), Board(model_of())
    for choice in (at(16, 1000), at(2, 10, 8), at(9, backend="threads")):
        second.draw(choice)
    assert first.draw(at()) == second.draw(at())


def test_what_was_measured_appears_in_the_picture():
    model = model_of()
    board = Board(model)
    before = count(board.draw(at()), MEASURED)
    model.learn(at(), sweep_of(TIMES))
    assert count(board.draw(at()), MEASURED) > before + 100


# ---- The panel ------------------------------------------------------------------------------------------------------


@pytest.fixture
def panel(monkeypatch):
    """A panel on a page that only notes what it is sent; a measurement fails the test."""

    def refuse(*_, **__):
        raise AssertionError("this must not measure")

    class Page:
        def __init__(self):
            self.forms = []

        def update(self, forms, raw):
            self.forms.append(forms)

    monkeypatch.setattr(view, "Measurement", refuse)
    panel = explore(job(), workers=2)
    panel._measuring._rest = 1e6
    panel._layout()
    panel._handle = Page()
    yield panel
    panel._measuring.stop()


def test_opening_a_panel_measures_nothing(panel):
    panel._draw()
    assert panel._measuring._thread is None
    assert panel.status.text.startswith("Simulated: 2 workers are")
    assert panel.status.done == -1


def test_a_move_is_answered_before_it_returns(panel):
    panel.move(workers=7)
    assert len(panel._handle.forms) == 1
    assert "timeline of 7 workers" in panel._handle.forms[0]["text/html"]
    assert panel.status.text.startswith("Simulated: 7 workers are")


def test_every_move_changes_the_choice(panel):
    panel.move(workers=3, size=1000, chunks=8, backend="threads")
    assert panel.choice == at(3, 1000, 8, "threads")
    panel.move(chunks=0)
    assert panel.choice.chunks is None


@pytest.mark.parametrize(
    ("opened", "room"),
    [(lambda: explore(job()), 55_000), (lambda: explore_laws(recorded("bakery.waiting")), 100_000)],
    ids=["explore", "explore_laws"],
)
def test_a_picture_that_lasts_comes_in_every_form_with_the_same_words(opened, room):
    forms = opened()._forms(lasting=True)
    assert set(forms) == {"text/plain", "text/html", "image/png"}
    alt, caption = forms["text/plain"].split("\n")
    assert f'alt="{html.escape(alt)}"' in forms["text/html"]
    assert caption in forms["text/html"]
    assert base64.b64decode(forms["image/png"])[:4] == b"\x89PNG"
    assert sum(map(len, forms.values())) < room, "it stays in the notebook"


def test_a_picture_in_motion_is_sent_once(panel):
    assert set(panel._forms(lasting=False)) == {"text/plain", "text/html"}


def test_samples_that_come_in_are_drawn_and_said(panel):
    class Coming:
        sweep, error, progress = sweep_of(TIMES), None, 0.5

    panel._tell(view.Wish(panel.choice, True), Coming, over=False)
    assert panel.status.done == 0.5
    assert len(panel._handle.forms) == 1
    panel._tell(view.Wish(panel.choice, True), Coming, over=True)
    assert panel.status.text.startswith("Measured on this machine: 2 workers are 2.00 times as fast")
    assert panel.status.done == -1
    assert repr(panel) == "<Panel: job, 2 workers, size 100, on processes, measured on 1, 2>"


def test_what_cannot_be_measured_is_said(panel):
    class Failed:
        sweep, error, progress = sweep_of({}), RuntimeError("the oven is cold"), 1.0

    panel._tell(view.Wish(panel.choice, True), Failed, over=True)
    assert panel.status.text == "This could not be measured: the oven is cold"


def test_the_button_stops_what_it_started(panel):
    panel._say("Measuring …", 0.0)
    assert panel.controls["measure"].description == "Stop"
    panel._say("Done.", -1.0)
    assert panel.controls["measure"].description == "Measure"


def test_the_button_measures_what_is_missing_and_once_that_is_there_all_of_it_again(panel, monkeypatch):
    asked = []
    monkeypatch.setattr(view, "Measurement", lambda *what, **how: asked.append((what[1], how["again"])))
    monkeypatch.setattr(panel.model, "limit", lambda: 2)
    panel._start(view.Wish(panel.choice, False))
    panel.model.learn(panel.choice, sweep_of(TIMES))
    assert panel._start(view.Wish(panel.choice, False)) is None, "resting asks for nothing that is known"
    panel._start(view.Wish(panel.choice, True))
    assert asked == [((1, 2), False), ((1, 2), True)]


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ({"backend": "thread"}, ValueError, "did you mean 'threads'"),
        ({"size": 11}, ValueError, "no size 11"),
        ({"workers": 0}, ValueError, "at least 1"),
        ({"workers": True}, TypeError, "whole number"),
        ({"chunks": 0}, ValueError, "at least 1"),
        ({"most": 65}, ValueError, "at most 64"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_explored_is_refused_in_one_sentence(given, error, why):
    with pytest.raises(error, match=why):
        explore(job(), **given)


def test_only_a_workload_can_be_explored():
    with pytest.raises(TypeError, match="needs a Workload"):
        explore(abs)
