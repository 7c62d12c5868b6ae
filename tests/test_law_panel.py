"""The laws' panel: closed forms that agree with exact simulation, beside what was measured, and never an old answer."""

import io
import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from parlib import Simulated, Sweep, amdahl, explore_laws, gustafson, recorded, usl
from parlib.panels import law_model, law_view
from parlib.panels.evidence import evidence_of
from parlib.panels.law_board import HEIGHT, WIDTH, LawBoard
from parlib.panels.law_model import MARKS, MOST, Kitchen, LawModel, Simulating
from parlib.timing import Sample, records

PATIENCE = 10.0  # seconds until a test gives up on another thread; none of them needs one
FREE = Kitchen(1000, 1_000_000, 0.01, 0.0, 0.0, math.inf)  # a kitchen where nothing but the serial part costs anything
BUSY = replace(FREE, overhead=1e-5, latency=1e-6, bandwidth=1e10)


def model_of(*sweeps, nbytes=4e6):
    return LawModel(evidence_of([*sweeps]), 1e-3, nbytes)


def sweep_of(speedups, serial=(10.0,), source="measured", name="job", when="today"):
    """A sweep with these speedups, one run of each: {workers: speedup}."""
    raw = [Sample(None, 100, seconds) for seconds in serial]
    raw += [Sample(workers, 100, serial[0] / speedup) for workers, speedup in speedups.items()]
    return Sweep(name, "", "processes", source, "a laptop", 4, "", when, tuple(raw))


AMDAHL = sweep_of({workers: amdahl(workers, 0.05) for workers in (1, 2, 4, 8)})
SUPERLINEAR = sweep_of({1: 1.0, 2: 2.3, 4: 5.2})

kitchens = some.builds(
    Kitchen,
    workers=some.integers(1, 3000),
    size=some.integers(1, 10_000),
    serial_fraction=some.sampled_from([0.0, 1e-6, 0.01, 0.5, 1.0]),
    overhead=some.sampled_from([0.0, 1e-6, 1e-4, 1e-2]),
    latency=some.sampled_from([0.0, 1e-7, 1e-5, 1e-2]),
    bandwidth=some.sampled_from([1e6, 1e9, 1e12, math.inf]),
)


# ---- Calculated -----------------------------------------------------------------------------------------------------


def test_where_only_the_serial_part_costs_anything_the_model_is_amdahl_and_gustafson():
    model = model_of()
    counts = model.counts
    assert model.strong_speedup(FREE, counts) == pytest.approx(amdahl(counts, 0.01))
    assert model.weak_speedup(FREE, counts) == pytest.approx(gustafson(counts, 0.01))


TOLLS = {"overhead": 1e-4, "latency": 1e-4, "bandwidth": 1e8}


@pytest.mark.parametrize("toll", TOLLS)
def test_every_toll_brings_both_below_their_law(toll):
    model, dear = model_of(), replace(FREE, **{toll: TOLLS[toll]})
    assert model.strong_speedup(dear, 1000) < 0.995 * amdahl(1000, 0.01)
    assert model.weak_speedup(dear, 1000) < 0.99995 * gustafson(1000, 0.01)


def test_the_seconds_of_a_run_are_those_worked_out_by_hand():
    parts = model_of().strong(replace(BUSY, overhead=1e-3), 100)
    assert parts.serial == pytest.approx(0.01 * 1000)
    assert parts.handing == pytest.approx(100 * 1e-3)
    assert parts.shared == pytest.approx(0.99 * 1000 / 100)
    assert parts.agreeing == pytest.approx(2 * 99 * (1e-6 + 4e6 / 100 / 1e10))
    assert parts.seconds == pytest.approx(sum(parts))


def test_one_worker_agrees_with_nobody():
    assert model_of().strong(replace(BUSY, latency=1e-2, bandwidth=1e6), 1).agreeing == 0


def test_workers_without_an_item_change_nothing():
    model, few = model_of(), replace(BUSY, size=1000)
    assert model.strong_speedup(few, 1_000_000) == model.strong_speedup(few, 1000) > model.strong_speedup(few, 10)


@given(kitchens)
@settings(max_examples=60, deadline=None)
def test_no_kitchen_is_faster_than_the_ideal_amdahl_or_its_coordinator_allow(kitchen):
    model = model_of()
    speedups = model.strong_speedup(kitchen, model.counts)
    for limit in (model.counts, model.ceiling(kitchen, model.counts), model.handing_limit(kitchen, model.counts)):
        assert (speedups <= limit * (1 + 1e-12)).all()


@given(kitchens)
@settings(max_examples=60, deadline=None)
def test_the_peak_is_the_best_of_all_numbers_of_workers_and_the_first_of_the_best(kitchen):
    model = model_of()
    every = np.arange(1, min(kitchen.size, MOST) + 1)
    speedups = model.strong_speedup(kitchen, every)
    peak = model.peak(kitchen)
    assert speedups[peak - 1] == pytest.approx(speedups.max(), rel=1e-12)
    if kitchen.overhead and kitchen.serial_fraction < 1:
        assert abs(peak - every[speedups.argmax()]) <= 1


def test_the_peak_is_the_square_root_of_what_is_shared_over_what_each_worker_adds():
    model, kitchen = model_of(nbytes=0), replace(FREE, serial_fraction=0.0, overhead=8e-6, latency=1e-6)
    assert model.peak(kitchen) == 10_000  # √(1000 s / 10 µs)


def test_without_any_toll_there_is_no_peak_but_a_worker_for_every_item():
    assert model_of().peak(replace(FREE, size=5000)) == 5000
    assert model_of().peak(replace(FREE, size=10**9)) == MOST
    assert "a worker for every item" in model_of().sentence(replace(FREE, size=5000))


# ---- Simulated ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 64, 1000, 62_500, 1_000_000])
def test_where_items_divide_and_handing_out_is_free_simulation_and_theory_are_equal(workers):
    model, kitchen = model_of(), replace(BUSY, overhead=0.0)
    strong, weak = model.simulated(kitchen, workers)
    assert strong == pytest.approx(model.strong_speedup(kitchen, workers), rel=1e-12)
    assert weak == pytest.approx(model.weak_speedup(kitchen, workers), rel=1e-12)


@pytest.mark.parametrize("workers", [1, 64, 1000, 62_500])
def test_where_items_divide_and_handing_out_is_cheap_they_agree_within_a_hundredth(workers):
    model = model_of()
    strong, weak = model.simulated(BUSY, workers)
    assert strong == pytest.approx(model.strong_speedup(BUSY, workers), rel=0.01)
    assert weak == pytest.approx(model.weak_speedup(BUSY, workers), rel=0.01)


def test_where_items_do_not_divide_whole_items_are_slower_than_theory():
    model, kitchen = model_of(), replace(FREE, size=1000, serial_fraction=0.0)
    assert model.simulated(kitchen, 600)[0] == pytest.approx(500), "some have two items"
    assert model.strong_speedup(kitchen, 600) == pytest.approx(600)


@given(kitchens)
@settings(max_examples=60, deadline=None)
def test_the_simulation_is_that_of_one_coordinator_who_hands_out_one_chunk_after_the_other(kitchen):
    kitchen = replace(kitchen, size=min(kitchen.size, 400))
    model, parts = model_of(), model_of().strong(kitchen, kitchen.workers)
    busy = min(kitchen.workers, kitchen.size)
    chunks = [len(part) for part in np.array_split(np.arange(kitchen.size), busy)]
    each = (1 - kitchen.serial_fraction) * 1e-3
    last = max((place + 1) * kitchen.overhead + items * each for place, items in enumerate(chunks))
    expected = kitchen.size * 1e-3 / (parts.serial + last + parts.agreeing)
    assert model.simulated(kitchen, kitchen.workers)[0] == pytest.approx(expected, rel=1e-9)


def simulated(model, kitchen):
    """The model, when it has simulated all that is wanted."""
    job = Simulating(model, kitchen)
    while job.running:
        job.poll()
    return model


def test_exact_points_stand_at_eight_marks_and_at_the_chosen_workers():
    model, kitchen = model_of(), replace(BUSY, size=1000)
    assert model.exact(kitchen) == {}
    assert [*simulated(model, kitchen).exact(kitchen)] == sorted({*MARKS, 1000})
    assert len(MARKS) == 8
    assert model.wanted(kitchen) == []
    assert model.wanted(replace(kitchen, workers=5)) == [5], "only what is new"


@pytest.mark.parametrize("other", ["size", "serial_fraction", "overhead", "latency", "bandwidth"])
def test_exact_points_are_shown_for_no_other_conditions(other):
    kitchen = replace(BUSY, size=1000)
    model = simulated(model_of(), kitchen)
    assert model.exact(replace(kitchen, **{other: 2 * getattr(kitchen, other)})) == {}


def test_a_simulation_that_is_cancelled_goes_no_further():
    model = model_of()
    job = Simulating(model, BUSY)
    job.cancel()
    assert not job.running
    assert job.poll() == model.exact(BUSY) == {}


# ---- Said -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kitchen", "words"),
    [
        (replace(BUSY, serial_fraction=0.1), "most is the serial part, 100 s; handing out 10 ms, agreeing 2.8 ms."),
        (replace(BUSY, overhead=1e-2, serial_fraction=0.0), "most is handing out, 10 s; agreeing"),
        (replace(BUSY, latency=1e-2, serial_fraction=0.0), "most is agreeing, 20 s; handing out"),
        (replace(BUSY, serial_fraction=0.0), "most is handing out, 10 ms beside 1 s of shared work;"),
        (replace(FREE, serial_fraction=0.0), "Nothing limits it but the number of workers."),
        (FREE, "Calculated: 1,000 workers are 91.0 times as fast as serial code (11 s instead of 1,000 s)."),
        (replace(BUSY, workers=1), "Calculated: 1 worker is 1.00 times as fast"),
        (BUSY, "The peak is at 9,083 workers: 97.9 times."),
    ],
    ids=["serial", "handing out", "agreeing", "shared", "nothing", "result", "one", "peak"],
)
def test_the_sentence_says_what_it_comes_to_and_what_limits_it_most(kitchen, words):
    assert words in model_of().sentence(kitchen)


def test_the_sentence_says_what_was_simulated_once_it_was():
    kitchen = replace(FREE, size=1000, serial_fraction=0.0, workers=600)
    assert "simulated" not in model_of().sentence(kitchen)
    assert "600 times" in (said := simulated(model_of(), kitchen).sentence(kitchen))
    assert "; simulated, 500 times." in said


def test_the_words_of_the_picture_do_not_depend_on_what_was_measured():
    assert model_of(AMDAHL).alt(BUSY) == model_of().alt(BUSY)


# ---- Measured -------------------------------------------------------------------------------------------------------


def test_the_laws_that_made_the_points_are_found_again():
    (one,) = evidence_of(AMDAHL)
    assert one.serial_fraction == pytest.approx(0.05)
    (other,) = evidence_of(sweep_of({workers: usl(workers, 0.02, 0.001) for workers in (1, 2, 4, 8)}))
    assert [law.law for law in other.fits] == ["amdahl", "usl"]
    assert other.fits[1].parameters == pytest.approx({"contention": 0.02, "coherency": 0.001})


@pytest.mark.parametrize(
    ("speedups", "laws", "words"),
    [
        ({1: 1.0}, [], "Too few points"),
        ({1: 1.0, 2: 1.9}, ["amdahl"], ""),
        ({1: 1.0, 2: 1.9, 4: 3.5, 8: 6.0}, ["amdahl", "usl"], ""),
        ({1: 1.0, 2: 2.3, 4: 5.2}, ["amdahl"], "superlinear, so the fitted serial fraction is below 0"),
        ({1: 1.0, 2: 2.1, 4: 3.1}, ["amdahl"], "Some of the measured points are superlinear"),
    ],
    ids=["too few", "two", "enough", "superlinear", "partly"],
)
def test_too_few_points_or_superlinear_ones_are_said_and_are_no_failure(speedups, laws, words):
    model = model_of(sweep_of(speedups))
    assert [law.law for law in model.evidence[0].fits] == laws
    assert words in model.evidence[0].note
    assert bool(model.evidence[0].note) == bool(words)
    assert model.sentence(BUSY).endswith(model.evidence[0].note)
    assert pixels(LawBoard(model).draw(BUSY)).size == (WIDTH, HEIGHT)


def test_every_size_of_every_sweep_is_shown_if_anything_was_measured_of_it():
    two = replace(AMDAHL, raw=AMDAHL.raw + tuple(one._replace(size=7) for one in AMDAHL.raw))
    empty = replace(AMDAHL, raw=())
    assert [one.size for one in evidence_of([two, empty, SUPERLINEAR])] == [100, 7, 100]


def test_where_points_come_from_is_told_and_simulated_runs_are_not_solid():
    origins = {source: evidence_of(replace(AMDAHL, source=source))[0].origin for source in ("measured", "simulated")}
    assert origins == {"measured": "measured on this machine", "simulated": ""}
    panel = explore_laws(recorded("bakery.waiting"))
    assert "Solid: recorded on" in panel._caption()
    assert "Solid" not in explore_laws([])._caption()


def test_all_that_was_measured_here_before_is_shown_the_latest_first(notes):
    for name, when in (("old", "2026-01-01 10:00"), ("new", "2026-02-02 10:00")):
        one = replace(AMDAHL, workload=name, when=when)
        notes.put("sweeps", f"{name} on processes{records._place()}", records.as_data(one))
    notes.put("sweeps", "another on processes, another machine, other versions", records.as_data(AMDAHL))
    assert [sweep.workload for sweep in records.kept_sweeps()] == ["new", "old"]
    assert explore_laws().model.evidence[0].label == "new on processes, size 100, measured 2026-02-02 10:00"


def test_without_any_earlier_sweep_the_panel_opens_all_the_same(notes):
    assert repr(explore_laws()).endswith("nothing measured>")


# ---- The picture ----------------------------------------------------------------------------------------------------


def pixels(png):
    return Image.open(io.BytesIO(png)).convert("RGB")


def test_the_picture_is_small_and_of_one_size():
    board = LawBoard(model_of(AMDAHL, recorded("bakery.waiting")))
    slow = replace(BUSY, workers=MOST, size=1000, overhead=1e-2, latency=1e-2, bandwidth=1e6)
    for kitchen in (BUSY, replace(BUSY, shown=1), slow, replace(FREE, size=10**9)):
        png = board.draw(kitchen)
        assert pixels(png).size == (WIDTH, HEIGHT)
        assert len(png) < 70_000


MOVES = {"workers": 7, "size": 5000, "serial_fraction": 0.2, "shown": 1}
MOVES |= {"overhead": 1e-3, "latency": 1e-3, "bandwidth": 1e6}


@pytest.mark.parametrize("move", MOVES)
def test_every_control_changes_the_picture(move):
    board = LawBoard(model_of(AMDAHL, SUPERLINEAR))
    assert board.draw(BUSY) != board.draw(replace(BUSY, **{move: MOVES[move]}))


def test_exact_points_appear_in_the_picture_and_only_under_their_conditions():
    kitchen = replace(BUSY, size=1000)
    model, other = model_of(), replace(kitchen, serial_fraction=0.2)
    board = LawBoard(model)
    before, unmoved = board.draw(kitchen), board.draw(other)
    simulated(model, kitchen)
    assert board.draw(kitchen) != before
    assert board.draw(other) == unmoved


def test_a_picture_does_not_depend_on_what_was_shown_before():
    first, second = (LawBoard(model_of(AMDAHL, SUPERLINEAR)) for _ in range(2))
    for kitchen in (replace(BUSY, overhead=1e-2, size=1000), replace(BUSY, shown=1), replace(FREE, workers=3)):
        second.draw(kitchen)
    assert first.draw(BUSY) == second.draw(BUSY)


# ---- The panel ------------------------------------------------------------------------------------------------------


class Screen:
    """A page that only notes what it is sent."""

    def __init__(self):
        self.forms = []

    def update(self, forms, raw):
        self.forms.append(forms)

    def alts(self):
        return [forms["text/plain"] for forms in self.forms]


@pytest.fixture
def opened():
    """Opens panels on such a page; nothing is simulated unless a test says how long to rest."""
    panels = []

    def opened(*given, rest=1e6, **settings):
        panel = explore_laws(*(given or ([],)), **settings)
        panel._simulating._rest, panel._handle = rest, Screen()
        panel._layout()
        panels.append(panel)
        return panel

    yield opened
    for panel in panels:
        panel._simulating.stop()


def test_opening_a_panel_simulates_nothing_and_draws_one_picture(monkeypatch):
    drawn = []
    draw = LawBoard.draw
    monkeypatch.setattr(LawBoard, "draw", lambda *what, **how: drawn.append(1) or draw(*what, **how))
    monkeypatch.setattr(LawModel, "simulated", lambda *_: pytest.fail("this must not simulate"))
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: Screen())
    panel = explore_laws(AMDAHL)
    panel._ipython_display_()
    assert drawn == [1]
    assert panel._simulating._thread is None
    assert panel.status.text.startswith("Calculated: 1,024 workers are")


def test_a_move_is_answered_before_it_returns(opened):
    panel = opened()
    panel.move(workers=MOST)
    assert len(panel._handle.forms) == 1
    assert "1,000,000 workers marked" in panel._handle.forms[0]["text/html"]
    assert panel.status.text.startswith("Calculated: 1,000,000 workers are")


def test_every_control_moves_the_choice_to_its_nearest_stop(opened):
    panel = opened([AMDAHL, SUPERLINEAR])
    panel.move(workers=50, size=7e8, serial_fraction=0.01, overhead=0, latency=1.1e-3, bandwidth=1e12, shown=1)
    assert panel.choice == Kitchen(48, 500_000_000, 0.01, 0.0, 1e-3, 1e12, 1)


def test_sliders_reach_from_end_to_end_and_say_their_units(opened):
    controls = opened([]).controls
    ends = {name: (slider.options[0][0], slider.options[-1][0]) for name, slider in controls.items()}
    assert ends == {
        "workers": ("1", "1 million"),
        "size": ("1,000", "1 billion"),
        "serial_fraction": ("0 %", "50 %"),
        "overhead": ("0 s", "10 ms"),
        "latency": ("0 s", "10 ms"),
        "bandwidth": ("1 MB/s", "1 TB/s"),
    }
    assert {slider.options[1][0] for slider in controls.values()} >= {"1 µs", "0.1 µs", "0.0001 %"}


def test_an_exact_answer_is_drawn_when_the_controls_have_rested(opened):
    panel = opened(size=1000, rest=0.01)
    done = told(panel)
    panel.move(workers=100)
    assert done.wait(PATIENCE)
    assert "; simulated, " in panel.status.text
    assert [*panel.model.exact(panel.choice)] == sorted({*MARKS, 96})
    assert "image/png" in panel._handle.forms[-1], "the last picture is the one that is kept"


def test_an_old_answer_never_lands_after_a_newer_move(opened, monkeypatch):
    """The first simulation is held up until the slider has moved on; then it ends, and nothing of it is seen."""
    begun, go_on, calls = threading.Event(), threading.Event(), []
    original = LawModel.simulated

    def held(model, kitchen, workers):
        calls.append(kitchen.workers)
        begun.set()
        assert go_on.wait(PATIENCE)
        return original(model, kitchen, workers)

    monkeypatch.setattr(LawModel, "simulated", held)
    monkeypatch.setattr(law_model, "BATCH", 0.0)  # one point at a time
    panel = opened(size=1000, rest=0.01)
    panel.move(workers=96)
    assert begun.wait(PATIENCE)
    done = told(panel)
    panel.move(workers=192, latency=1e-3)
    moved = len(panel._handle.forms)
    go_on.set()
    assert done.wait(PATIENCE)
    assert calls.count(96) == 1, "the old one was ended"
    assert all("192 workers marked" in alt for alt in panel._handle.alts()[moved - 1 :])
    assert panel.status.text.startswith("Calculated: 192 workers")


def test_an_answer_for_another_choice_is_not_drawn_and_one_for_this_choice_is(opened):
    panel = opened(size=1000)
    old = panel.choice
    panel.move(workers=96)
    drawn, said = len(panel._handle.forms), panel.status.text
    job = Simulating(panel.model, old)
    job.poll()
    panel._tell(law_view.Wish(old, False), job, over=True)
    assert (len(panel._handle.forms), panel.status.text) == (drawn, said)
    panel._tell(law_view.Wish(panel.choice, False), job, over=True)
    assert len(panel._handle.forms) == drawn + 1


def told(panel):
    """An event that is set when the choice that stands now has been simulated."""
    done, tell = threading.Event(), panel._simulating._tell

    def telling(wish, job, over):
        tell(wish, job, over)
        if over and wish.choice == panel.choice:
            done.set()

    panel._simulating._tell = telling
    return done


def test_the_sliders_begin_at_the_fit_and_at_the_machine(opened):
    assert explore_laws([]).choice.serial_fraction == 1e-3
    assert explore_laws([AMDAHL, SUPERLINEAR]).choice.serial_fraction == pytest.approx(0.05)
    assert explore_laws(SUPERLINEAR).choice.serial_fraction == 0
    assert explore_laws(AMDAHL, serial_fraction=0.3).choice.serial_fraction == 0.3
    machine = Simulated(dispatch=3e-4, overhead=1.0, latency=7e-6, bandwidth=3e9)
    at = opened([], machine=machine).choice
    assert (at.overhead, at.latency, at.bandwidth) == (3e-4, 7e-6, 3e9)
    assert explore_laws([], machine=Simulated(overhead=2e-4)).choice.overhead == 2e-4
    assert explore_laws([], machine=machine, latency=0).choice.latency == 0
    assert opened([], machine=Simulated()).controls["bandwidth"].options[-1] == ("no limit", math.inf)


def test_a_list_of_several_sweeps_is_there_to_choose_from_and_moves_no_slider(opened):
    assert "shown" not in opened(AMDAHL).controls
    panel = opened([AMDAHL, SUPERLINEAR])
    before = panel.choice
    panel.move(shown=1)
    assert panel.choice == replace(before, shown=1)
    assert "superlinear" in panel.status.text


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ({"size": "many"}, TypeError, "whole number"),
        ({"size": 1.5}, TypeError, "whole number"),
        ({"size": 0}, ValueError, "at least 1"),
        ({"size": 2_000_000_000}, ValueError, "up to 1,000,000,000"),
        ({"workers": 2_000_000}, ValueError, "workers up to 1,000,000, not 2,000,000"),
        ({"workers": 1.5}, TypeError, "whole number"),
        ({"serial_fraction": 1.5}, ValueError, "at most 1, not 1.5"),
        ({"serial_fraction": "half"}, TypeError, "must be a number"),
        ({"overhead": -1}, ValueError, "0 or more"),
        ({"latency": math.nan}, ValueError, "0 or more"),
        ({"bandwidth": 0}, ValueError, "more than 0, not 0"),
        ({"seconds_per_item": 0}, ValueError, "more than 0"),
        ({"nbytes": True}, TypeError, "must be a number"),
        ({"machine": "laptop"}, TypeError, "must be a Simulated"),
        ({"sweeps": "bakery.busy"}, TypeError, "draws a Sweep, or a list of them"),
        ({"sweeps": [AMDAHL, 3]}, TypeError, "not 3"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_what_cannot_be_shown_is_refused_in_one_sentence(given, error, why):
    with pytest.raises(error, match=why) as caught:
        explore_laws(**({"sweeps": []} | given))
    assert "\n" not in str(caught.value)
