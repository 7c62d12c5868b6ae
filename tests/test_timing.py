"""How does it scale: fair contests on a made-up clock, sweeps that keep every sample, a process that always ends.

No test looks at real seconds: runs say what they took, and the clock is moved by hand.
"""

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

import parlib
from parlib import Plan, Run, Simulated, Trace, Workload, data_parallel, data_plan, record, recorded, sweep
from parlib.host import machine
from parlib.timing import Measurement, Sample, Sweep, records
from parlib.timing.progress import NotebookBar
from parlib.workloads import bakery

QUIET = replace(machine(watch=0), busy=0.0)
BUSY = replace(machine(watch=0), busy=1.0)


class Kitchen:
    """A made-up job on a made-up clock: its serial code takes 8 seconds, and w workers take 8/w + 1."""

    def __init__(self, answer=42):
        self.now, self.calls, self.answer = 0.0, [], answer

    def clock(self):
        return self.now

    def serial(self, size):
        self.calls.append("serial")
        self.now += 8.0
        return 42

    def run(self, workers, size):
        self.calls.append(workers)
        self.now += (seconds := 8.0 / workers + 1)
        return made_up_run(self.answer, workers, seconds)

    def sweep(self, workers=(1, 2), repeats=3, budget=1000, **more):
        settings = {"baseline": self.serial, "clock": self.clock, "look": lambda: QUIET, "progress": False} | more
        return sweep(self.run, workers, [10], repeats, budget, **settings)


def made_up_run(result, workers, elapsed, source="measured"):
    return Run(result, Trace.of([], workers=workers, source=source), Plan([]), "kitchen", elapsed, workers)


def made_up_sweep(*raw, **more):
    facts = {"workload": "bread", "spends": "waiting", "backend": "threads", "source": "measured"}
    facts |= {"machine": "a stove", "cores": 2, "versions": "Python 3", "when": "2025-01-02 03:04"}
    return Sweep(**facts | more, raw=tuple(Sample(*one) for one in raw))


BREAD = made_up_sweep((None, 5, 8.0), (1, 5, 9.0), (2, 5, 4.0), (None, 5, 8.0), (1, 5, 11.0), (2, 5, 6.0))


# ---- A fair contest -------------------------------------------------------------------------------------------------


def test_everyone_is_warmed_up_and_then_has_a_turn_in_every_round():
    kitchen = Kitchen()
    found = kitchen.sweep(workers=(1, 2), repeats=3)
    assert kitchen.calls == ["serial", 1, 2] * 4
    assert [sample.workers for sample in found.raw] == [None, 1, 2] * 3


def test_a_speedup_is_the_median_of_the_baseline_over_the_median_of_the_runs():
    assert Kitchen().sweep(workers=(1, 2, 4)).speedups() == {1: (8 / 9,) * 3, 2: (8 / 5,) * 3, 4: (8 / 3,) * 3}


def test_no_further_round_starts_when_it_would_end_after_the_budget():
    kitchen = Kitchen()  # a round of serial, 1 and 2 takes 8 + 9 + 5 = 22 seconds
    assert len(kitchen.sweep(repeats=5, budget=22 * 4 - 0.1).baseline()) == 2  # and the warm-up
    assert len(kitchen.sweep(repeats=5, budget=22 * 4).baseline()) == 3


def test_one_round_is_always_run_whatever_the_budget():
    assert len(Kitchen().sweep(budget=0).samples(2)) == 1


def test_another_answer_than_that_of_the_serial_code_is_refused():
    with pytest.raises(ValueError, match="run of size 10 on 1 worker has another answer"):
        Kitchen(answer=41).sweep()


def test_answers_of_arrays_in_lists_are_compared():
    kitchen = Kitchen(answer=[np.arange(3)])
    right = kitchen.sweep(baseline=lambda size: [np.arange(3)])
    assert len(right.raw) == 9
    with pytest.raises(ValueError, match="another answer"):
        kitchen.sweep(baseline=lambda size: [np.arange(4)])


def test_a_baseline_that_is_a_run_counts_with_its_elapsed_time():
    found = Kitchen().sweep(baseline=lambda size: made_up_run(42, 1, 20.0))
    assert found.baseline().tolist() == [20.0] * 3


def test_two_clocks_are_not_mixed():
    with pytest.raises(ValueError, match="the baseline is measured and the runs are simulated"):
        sweep(bakery.busy, (1,), [4], backend=Simulated(cost=1.0), progress=False)


def test_runs_that_are_simulated_make_a_sweep_that_says_so():
    def run(workers, size):
        return data_parallel(abs, range(size), workers=workers, backend=Simulated(cost=1.0))

    found = sweep(run, (1, 4), [8], baseline=lambda size: run(1, size), look=lambda: BUSY, progress=False)
    assert found.source == "simulated"
    assert found.speedups()[4] == (4.0, 4.0, 4.0)
    assert found.warning == ""


def test_the_baseline_is_held_at_one_arithmetic_thread():
    from threadpoolctl import threadpool_info

    seen = []

    def serial(size):
        seen.extend(pool["num_threads"] for pool in threadpool_info())
        return 42

    Kitchen().sweep(baseline=serial)
    assert set(seen) == {1}


def test_a_busy_machine_is_mentioned_and_a_quiet_one_is_not():
    assert Kitchen().sweep().warning == ""
    found = Kitchen().sweep(look=lambda: BUSY)
    assert found.warning == BUSY.advice
    assert BUSY.advice in repr(found)


def test_others_that_begin_during_the_contest_are_noticed():
    looks = iter([QUIET, BUSY])
    assert Kitchen().sweep(look=lambda: next(looks)).warning == BUSY.advice


def test_where_nothing_can_be_measured_the_way_out_is_a_recorded_run():
    with pytest.raises(RuntimeError, match="recorded"):
        Kitchen().sweep(look=lambda: replace(QUIET, can_measure=False))


# ---- Ending early ---------------------------------------------------------------------------------------------------


def test_cancelling_returns_what_is_there():
    kitchen = Kitchen()
    found = kitchen.sweep(cancel=lambda: len(kitchen.calls) == 7)  # warm-up, a round, and the serial code once more
    assert [sample.workers for sample in found.raw] == [None, 1, 2, None]


def test_an_event_cancels_too():
    event = threading.Event()
    event.set()
    assert Kitchen().sweep(cancel=event).raw == ()


def test_stop_returns_what_is_there():
    kitchen = Kitchen()

    def serial(size):
        if len(kitchen.calls) == 6:
            raise KeyboardInterrupt
        return kitchen.serial(size)

    assert kitchen.sweep(baseline=serial).speedups() == {1: (8 / 9,) * 3, 2: (8 / 5,) * 3}


def test_a_sweep_without_samples_says_so():
    found = Kitchen().sweep(cancel=lambda: True)
    assert repr(found) == "<Sweep: run, nothing measured yet>"
    assert found.workers == found.sizes == ()
    assert found.speedups() == {}


# ---- Mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"workers": 4}, TypeError, r"workers must be a row of numbers: write \(4,\)"),
        ({"workers": (0,)}, ValueError, "workers must be at least 1"),
        ({"workers": (True,)}, TypeError, "workers must be a whole number"),
        ({"workers": ()}, ValueError, "at least one number of workers"),
        ({"repeats": 0}, ValueError, "repeats must be at least 1"),
        ({"budget": -1}, ValueError, "budget must be a finite number of seconds"),
        ({"baseline": None}, TypeError, "a speedup needs a baseline"),
        ({"cancel": 3}, TypeError, "cancel must be a function without parameters or an event"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(settings, error, words):
    kitchen = Kitchen()
    with pytest.raises(error, match=words):
        kitchen.sweep(**settings)
    assert kitchen.calls == []


@pytest.mark.parametrize(
    ("workload", "settings", "error", "words"),
    [
        (3, {}, TypeError, "a sweep needs a Workload or a function"),
        (bakery.busy, {"baseline": len}, TypeError, "brings its own baseline"),
        (bakery.busy, {"backend": "proceses"}, ValueError, "did you mean 'processes'"),
        (lambda workers, size: 3, {"baseline": lambda size: 3}, TypeError, "returns a Run, not 3"),
    ],
)
def test_a_workload_is_checked_too(workload, settings, error, words):
    with pytest.raises(error, match=words):
        sweep(workload, progress=False, **settings)


# ---- A sweep --------------------------------------------------------------------------------------------------------


def test_a_sweep_tells_its_story():
    assert repr(BREAD) == (
        "<Sweep: bread on threads, measured: at best 1.60 times the serial speed, on 2 workers>\n"
        "       size  workers     runs  seconds  speedup     from       to  efficiency\n"
        "          5   serial        2    8.000                                       \n"
        "          5        1        2   10.000     0.80     0.76     0.84         80%\n"
        "          5        2        2    5.000     1.60     1.45     1.78         80%\n"
        "  measured 2025-01-02 03:04, a stove"
    )


def test_its_table_has_a_caption_and_headings_and_no_markup_of_others():
    table = replace(BREAD, machine="<b>stove</b>", warning="Too <busy>.")._repr_html_()
    assert "<caption>bread on threads, measured: at best 1.60" in table
    assert table.count('<th scope="col">') == 8
    assert "&lt;b&gt;stove" in table
    assert "<p>Too &lt;busy&gt;.</p>" in table


def test_every_raw_sample_is_kept():
    assert BREAD.samples(1, 5).tolist() == [9.0, 11.0]
    assert BREAD.samples(2).tolist() == [4.0, 6.0]
    assert BREAD.baseline(5).tolist() == [8.0, 8.0]
    assert BREAD.workers == (1, 2)
    assert BREAD.sizes == (5,)


def test_the_band_lies_around_the_median_and_is_as_wide_as_the_quartiles():
    middle, low, high = BREAD.speedups()[2]
    assert (low, middle, high) == (8 / 5.5, 8 / 5, 8 / 4.5)


def test_an_unknown_size_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="size 7 was not measured; these were: 5"):
        BREAD.speedups(7)
    with pytest.raises(ValueError, match="size None was not measured"):
        (BREAD | made_up_sweep((None, 6, 1.0))).speedups()


def test_joined_sweeps_have_the_samples_of_both():
    more = made_up_sweep((None, 5, 8.0), (4, 5, 2.0), when="2025-02-02 00:00", warning="Busy.")
    both = BREAD | more
    assert both.workers == (1, 2, 4)
    assert both.baseline().tolist() == [8.0] * 3
    assert both.when == "2025-02-02 00:00"
    assert both.warning == "Busy."


@pytest.mark.parametrize("what", ["workload", "backend", "machine", "source", "versions"])
def test_sweeps_of_different_things_are_not_joined(what):
    with pytest.raises(ValueError, match=f"the {what} of these sweeps differ"):
        BREAD | replace(BREAD, **{what: "another"})


# ---- What is kept ---------------------------------------------------------------------------------------------------


def test_a_recorded_sweep_comes_back_with_every_sample_and_its_label(tmp_path):
    record(BREAD, tmp_path / "bread.json")
    assert recorded(tmp_path / "bread.json") == replace(BREAD, source="recorded")


def test_sizes_of_any_plain_kind_survive_the_file(tmp_path):
    found = made_up_sweep((None, (2, 3), 1.0), (1, np.int64(4), 2.0))
    record(found, tmp_path / "bread.json")
    assert recorded(tmp_path / "bread.json").sizes == ((2, 3), 4)


def test_a_simulated_sweep_cannot_be_passed_off_as_a_record(tmp_path):
    with pytest.raises(ValueError, match="a simulated sweep cannot be recorded"):
        record(replace(BREAD, source="simulated"), tmp_path / "bread.json")


def test_an_unknown_record_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"did you mean 'bakery\.busy\.processes'"):
        recorded("bakery.bussy.processes")


def test_a_workload_recorded_twice_needs_its_backend():
    with pytest.raises(ValueError, match=r"'text\.words\.processes' or 'text\.words\.threads'"):
        recorded("text.words")
    assert recorded("bakery.busy").backend == recorded("bakery_busy").backend == "processes"


@pytest.mark.parametrize("file", sorted(records.SHIPPED.glob("*.json")), ids=lambda file: file.stem)
def test_every_shipped_record_says_where_when_and_with_what_it_was_measured(file):
    found = recorded(file.stem)
    assert found.source == "recorded"
    assert f"{found.workload}.{found.backend}" == file.stem
    assert f"{found.cores} usable core" in found.machine
    assert found.when[:2] == "20"
    assert "Python 3" in found.versions
    assert found.warning == ""
    assert all(len(found.samples(workers, size)) >= 5 for size in found.sizes for workers in (None, *found.workers))
    assert json.loads(file.read_text(encoding="utf-8"))["source"] == "measured"


def counting(calls):
    """A job that counts how often its serial code is called."""
    return Workload("count", plan_of_numbers, lambda size: calls.append(size) or list(range(size)), (4,), "waiting")


def plan_of_numbers(size, chunks):
    return data_plan(abs, range(size), chunks=chunks)


def measure(workload, workers=(1, 2), repeats=2, **more):
    settings = {"backend": "serial", "progress": False, "look": lambda: QUIET} | more
    return sweep(workload, workers, repeats=repeats, **settings)


def test_what_was_measured_is_not_measured_again(notes):
    job = counting(calls := [])
    first = measure(job)
    assert len(calls) == 3
    assert measure(job) == first
    assert len(calls) == 3


@pytest.mark.parametrize(
    "more",
    [{"again": True}, {"backend": "threads"}, {"chunks": 3}, {"workers": (1, 3)}, {"sizes": [5]}, {"repeats": 3}],
    ids=str,
)
def test_what_was_not_measured_is(notes, more):
    job = counting(calls := [])
    measure(job)
    measure(job, **more)
    assert len(calls) > 3


def test_only_what_is_missing_is_measured(notes):
    job = counting([])
    first = measure(job, workers=(1, 2))
    both = measure(job, workers=(1, 2, 3))
    assert both.raw[: len(first.raw)] == first.raw
    assert [sample.workers for sample in both.raw[len(first.raw) :]] == [None, 3] * 2


def test_what_was_asked_for_is_all_that_comes_back(notes):
    job = counting([])
    measure(job, workers=(1, 2, 3), sizes=[4, 5])
    assert measure(job, workers=(2,)).workers == (2,)
    assert measure(job, workers=(2,)).sizes == (4,)


def test_what_a_busy_machine_measured_is_not_kept(notes):
    job = counting(calls := [])
    measure(job, look=lambda: BUSY)
    measure(job)
    assert len(calls) == 6


def test_a_shipped_workload_is_kept_for_the_next_kernel(notes):
    first = measure(bakery.busy, sizes=[1], repeats=1)
    records._kept.clear()
    assert measure(bakery.busy, sizes=[1], repeats=1, look=None) == first  # nobody looked at the machine


def test_what_a_learner_wrote_is_not_kept_under_a_name_that_may_change_its_meaning(notes):
    measure(counting([]))
    assert notes.section("sweeps") == {}


# ---- A process of its own -------------------------------------------------------------------------------------------

endless = Workload("endless", plan_of_numbers, lambda size: threading.Event().wait(), (4,), "waiting")


def sleepy(item):
    threading.Event().wait()


def relatives():
    """Processes started from here that still run, by number."""
    return {process.pid for process in psutil.Process().children(recursive=True) if alive(process)}


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # one that has ended, and nobody looked at yet
    except psutil.NoSuchProcess:
        return False


def until(true):
    """Wait; what never comes true ends the test by its time limit."""
    while not true():
        time.sleep(0.02)


def test_a_measurement_gives_the_same_table_as_a_sweep(notes):
    job = counting([])
    found = Measurement(job, (1, 2), repeats=2, backend="serial").wait()
    assert [sample[:2] for sample in found.raw] == [(None, 4), (1, 4), (2, 4)] * 2
    assert (found.workload, found.backend, found.source) == ("count", "serial", "measured")


def test_its_samples_arrive_one_after_the_other_and_each_once(notes):
    measurement, seen, shares = Measurement(counting([]), (1, 2), repeats=2, backend="serial"), [], [0.0]
    while measurement.running:
        seen += measurement.poll()
        shares.append(measurement.progress)
    assert tuple(seen) == measurement.sweep.raw
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_functions_of_a_notebook_travel_with_what_they_remember(notes):
    remembered = [3, 1, 2]

    def plan(size, chunks):
        return data_plan(lambda number: number, remembered, chunks=chunks)

    job = Workload("remembering", plan, lambda size: remembered, (3,), "waiting")
    assert len(Measurement(job, (2,), repeats=1, backend="processes").wait().raw) == 2


def test_whatever_a_workload_prints_does_not_come_between(notes):
    job = Workload("chatty", plan_of_numbers, lambda size: print("flour " * 9999) or list(range(size)), (4,), "waiting")
    assert len(Measurement(job, (1,), repeats=1, backend="serial").wait().raw) == 2


def test_what_was_measured_here_before_needs_no_process(notes):
    job = counting([])
    first = measure(job)
    measurement = Measurement(job, (1, 2), repeats=2, backend="serial")
    assert not measurement.running
    assert measurement.wait() == first
    assert repr(measurement) == "<Measurement: count, over, 0 samples>"


def test_a_mistake_in_a_workload_is_raised_by_wait(notes):
    job = Workload("wrong", plan_of_numbers, lambda size: 1 / 0, (4,), "waiting")
    measurement = Measurement(job, (1,), backend="serial")
    with pytest.raises(ZeroDivisionError):
        measurement.wait()
    assert repr(measurement) == "<Measurement: wrong, failed: division by zero, 0 samples>"


def test_a_process_that_dies_is_noticed(notes):
    measurement = Measurement(endless, (1,), backend="serial")
    measurement._process.kill()
    with pytest.raises(RuntimeError, match="ended before its contest was over"):
        measurement.wait()


def test_what_cannot_travel_is_refused_with_the_way_out(notes):
    lock = threading.Lock()
    job = Workload("locked", plan_of_numbers, lambda size: lock, (4,), "waiting")
    with pytest.raises(TypeError, match="locked cannot be sent to a process of its own"):
        Measurement(job)


def test_waiting_can_be_limited(notes):
    before = relatives()
    measurement = Measurement(endless, (1,), backend="serial")
    assert measurement.wait(timeout=0.01).raw == ()
    assert measurement.running
    measurement.cancel()
    until(lambda: relatives() <= before)


@pytest.mark.parametrize("how", ["cancel", "forget"])
def test_no_process_is_left_when_a_measurement_ends_early(notes, how):
    before = relatives()
    job = Workload("sleepy", lambda size, chunks: data_plan(sleepy, range(4), chunks=chunks), list, ((),), "waiting")
    measurement = Measurement(job, (2,), backend="processes")
    until(lambda: len(relatives() - before) >= 3)  # it, and its two workers
    if how == "cancel":
        measurement.cancel()
        assert not measurement.running
    measurement = None
    until(lambda: relatives() <= before)


def test_no_process_is_left_at_the_normal_end(notes):
    before = relatives()
    Measurement(counting([]), (2,), repeats=1, backend="processes").wait()
    until(lambda: relatives() <= before)


def test_cancelling_twice_or_after_the_end_does_nothing(notes):
    measurement = Measurement(counting([]), (1,), repeats=1, backend="serial")
    whole = measurement.wait()
    measurement.cancel()
    measurement.cancel()
    assert measurement.sweep == whole


NOTEBOOK = """
import os, signal, threading, time, psutil
from parlib import Workload, data_plan
from parlib.timing import Measurement

def sleepy(item):
    threading.Event().wait()

job = Workload("sleepy", lambda size, chunks: data_plan(sleepy, range(4), chunks=chunks), list, ((),), "waiting")
measurement = Measurement(job, (2,), backend="processes")
while len(family := psutil.Process().children(recursive=True)) < 3:
    time.sleep(0.02)
print(*(member.pid for member in family), flush=True)
os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
"""


def test_no_process_is_left_when_the_kernel_is_killed():
    killed = subprocess.run([sys.executable, "-c", NOTEBOOK], capture_output=True, text=True)
    assert killed.returncode != 0, killed.stderr
    family = [int(number) for number in killed.stdout.split()]
    assert len(family) >= 3
    until(lambda: not any(psutil.pid_exists(number) and alive(psutil.Process(number)) for number in family))


def test_nothing_of_this_is_loaded_before_it_is_used():
    code = "import sys, parlib; print('parlib.timing' in sys.modules, 'parlib.workloads' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]
    assert parlib.sweep is sweep


# ---- The bar --------------------------------------------------------------------------------------------------------


def test_a_notebook_sees_one_bar_redrawn_that_ends_as_a_sentence():
    shown = []
    with NotebookBar(total=2, desc="bread", unit="run", mininterval=0, shown=shown.append) as line:
        line.update()
        line.update()
    assert [text.split("|")[0] for text in shown] == ["bread:   0%", "bread:  50%", "bread: 100%", "bread: 2 of 2 runs"]


def test_outside_a_notebook_the_bar_is_gone_at_the_end(capsys):
    Kitchen().sweep(progress=True)
    assert capsys.readouterr().err.split("\r")[-1].strip() == ""


def test_without_progress_nothing_is_written(capsys):
    Kitchen().sweep(progress=False)
    assert capsys.readouterr() == ("", "")
