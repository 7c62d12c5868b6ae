"""A diagnosis names the cause that was built into a run, and its shares add up to what the run lost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlib import Plan, Simulated, Span, Task, Trace, data_parallel, diagnose, execute, record, recorded, sweep
from parlib.host import machine
from parlib.metrics import spent
from parlib.timing import Sample, Sweep
from parlib.timing.diagnosis import CAUSES

QUIET = replace(machine(watch=0), busy=0.0)
COUNTS = (1, 2, 4, 8)


def swept(run, baseline=64.0, counts=COUNTS):
    """A sweep of simulated runs; the serial code takes so many seconds."""
    serial = execute(Plan([Task("serial", None, cost=baseline)], keep=()), 1, Simulated())
    settings = {"baseline": lambda size: serial, "look": lambda: QUIET, "progress": False}
    return sweep(lambda workers, size: run(workers), counts, repeats=2, **settings)


def bag(costs, workers, **machine):
    tasks = [Task(f"t{n}", None, cost=cost) for n, cost in enumerate(costs)]
    return execute(Plan(tasks, keep=()), workers, Simulated(**machine))


def with_serial_task(workers):
    others = [Task(f"t{n}", None, after=["mix"], cost=6.0) for n in range(8)]
    return execute(Plan([Task("mix", None, cost=16.0), *others], keep=()), workers, Simulated())


CASES = {
    "nothing": lambda workers: bag([8.0] * 8, workers),
    "serial part": with_serial_task,
    "imbalance": lambda workers: bag([32.0, *[32 / 7] * 7], workers),
    "growing overhead": lambda workers: bag([64 / workers] * workers, workers, dispatch=2.0),
}


@pytest.mark.parametrize("cause", CASES)
def test_the_cause_that_was_built_in_is_found(cause):
    diagnosis = diagnose(swept(CASES[cause]))
    assert diagnosis.cause == cause
    assert diagnosis.startswith(CAUSES[cause])
    assert diagnosis.endswith(".")
    assert "8 workers are" in diagnosis


def test_a_serial_part_comes_with_its_seconds():
    diagnosis = diagnose(swept(with_serial_task))
    assert repr(diagnosis) == (
        "A serial part holds it back: 8 workers are 2.91 times as fast as serial code, and for 14 s of 22 s, one worker"
        " works or nobody does, as on fewer workers."
    )
    assert diagnosis.evidence["serial part"] == 14.0  # 16 s alone, of which a fair share would be 2 s


def measured(seconds, spends="CPU, releasing the GIL", backend="processes", cores=8, baseline=8.0, cpu=None, work=None):
    """A sweep as if measured: seconds by workers; work and CPU seconds too, if somebody looked."""
    raw = [Sample(None, 1, baseline)]
    for workers, one in seconds.items():
        account = None
        if work is not None:
            account = spent(_trace(workers, work[workers], (cpu or work)[workers]))
        raw.append(Sample(workers, 1, one, account))
    facts = {"workload": "bread", "source": "measured", "machine": "a stove", "versions": "", "when": ""}
    return Sweep(spends=spends, backend=backend, cores=cores, raw=tuple(raw), **facts)


def _trace(workers, work, cpu):
    """Every worker occupied at the same time, for its share."""
    each, used = work / workers, cpu / workers
    spans = [Span(f"t{n}", "", n, 0.0, 0.0, each, each, used, None) for n in range(workers)]
    return Trace.of(spans, workers=workers, source="measured")


def test_work_that_takes_longer_side_by_side_tells_of_memory():
    sweep = measured({1: 8.0, 2: 7.0, 4: 6.8}, work={1: 8.0, 2: 14.0, 4: 27.2})
    assert diagnose(sweep).cause == "saturated memory"


def test_work_that_takes_longer_even_alone_is_extra_work():
    assert diagnose(measured({1: 16.0, 2: 8.0}, work={1: 16.0, 2: 16.0})).cause == "extra work"


def test_threads_that_are_occupied_and_do_not_compute_wait_for_the_interpreter():
    facts = {"work": {1: 8.0, 2: 16.0}, "cpu": {1: 8.0, 2: 8.0}, "spends": "CPU, holding the GIL"}
    assert diagnose(measured({1: 8.0, 2: 8.0}, backend="threads", **facts)).cause == "interpreter lock"
    assert diagnose(measured({1: 8.0, 2: 8.0}, backend="processes", **facts)).cause == "too few cores"


def test_a_curve_that_is_good_as_far_as_there_are_cores_has_too_few_of_them():
    sweep = measured({1: 8.0, 2: 4.1, 4: 4.1}, cores=2, work={1: 8.0, 2: 8.2, 4: 16.4}, cpu={1: 8.0, 2: 8.2, 4: 8.2})
    assert diagnose(sweep).cause == "too few cores"
    assert "4 are 1.95 times, on 2 usable cores" in diagnose(sweep)
    assert diagnose(measured({1: 8.0, 2: 4.1, 4: 4.1}, cores=2)).cause == "too few cores"


def test_those_who_only_wait_need_no_cores():
    assert diagnose(measured({1: 8.0, 2: 4.0, 4: 2.1}, spends="waiting", cores=1)).cause == "nothing"


def test_without_an_account_the_serial_fraction_tells():
    amdahl = {workers: 8.0 * (0.2 + 0.8 / workers) for workers in COUNTS}
    assert diagnose(measured(amdahl)).cause == "serial part"
    assert "0.20 on 2, 0.20 on 4, 0.20 on 8 workers" in diagnose(measured(amdahl))
    growing = {workers: 8.0 / workers + 0.3 * workers for workers in COUNTS}
    assert diagnose(measured(growing)).cause == "growing overhead"
    flat = dict.fromkeys(COUNTS, 7.0)
    assert diagnose(measured(flat, spends="memory bandwidth")).cause == "saturated memory"
    assert diagnose(measured(flat, spends="CPU, holding the GIL", backend="threads")).cause == "interpreter lock"


@given(st.lists(st.floats(0.1, 5), min_size=1, max_size=20), st.integers(2, 6), st.floats(0, 1), st.floats(0, 1))
def test_the_shares_add_up_to_all_that_was_lost(costs, workers, dispatch, overhead):
    serial = sum(costs)
    sweep = swept(lambda count: bag(costs, count, dispatch=dispatch, overhead=overhead), serial, (1, workers))
    evidence = diagnose(sweep).evidence
    if "imbalance" in evidence:
        shares = [evidence.get(cause, 0.0) for cause in CAUSES]
        assert sum(shares) == pytest.approx(serial / evidence["speedup"] - serial / workers, rel=1e-6, abs=1e-6)


def test_an_account_is_kept_with_the_record(tmp_path):
    def run(workers, size):
        return data_parallel(abs, range(4), workers=workers, backend="threads")

    found = sweep(run, (1, 2), repeats=1, baseline=lambda size: [0, 1, 2, 3], progress=False, look=lambda: QUIET)
    record(found, tmp_path / "a.json")
    again = recorded(tmp_path / "a.json")
    assert again.raw == found.raw
    assert again.raw[1].spent is not None


def test_a_moment_alone_counts_only_if_nobody_else_works_at_any_moment_of_it():
    spans = [("a", 0, 0, 1), ("b", 0, 1, 3), ("c", 1, 1, 2), ("d", 1, 3, 5)]
    trace = Trace.of([Span(n, "", w, b, b, e, e, e - b, None) for n, w, b, e in spans], workers=2, source="measured")
    assert spent(trace) == (6.0, 6.0, 3.0, 2.0)
    assert spent(Trace.of([], workers=2, source="measured")) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: diagnose(3), TypeError, "needs a Sweep"),
        (lambda: diagnose(measured({1: 8.0})), ValueError, "runs on 2 or more workers"),
        (lambda: diagnose(measured({})), ValueError, "runs on 2 or more workers"),
        (lambda: diagnose(measured({2: 8.0}), size=7), ValueError, "size 7 was not measured"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


@pytest.mark.parametrize("name", ["bakery.busy", "bakery.waiting", "text.words.threads", "text.words.processes"])
def test_what_was_recorded_can_be_diagnosed(name):
    diagnosis = diagnose(recorded(name))
    assert diagnosis.cause in CAUSES
    assert np.isfinite(list(diagnosis.evidence.values())).all()
