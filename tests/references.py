"""Second, dumber ways to compute what the library computes: slow, short, and hard to get wrong.

Tests compare the library with these, on random plans that are made here too. Costs are whole numbers of seconds, so
that sums are exact and "at the same moment" means the same float.
"""

from hypothesis import strategies as st

from parlib import Plan, Task


def evaluate(plan):
    """Every value of a plan, by plain recursion: no workers, no order, no time."""
    tasks, values = {task.name: task for task in plan.tasks}, dict(plan.inputs)

    def value(name):
        if name not in values:
            values[name] = tasks[name].fn(*map(value, tasks[name].needs))
        return values[name]

    return {name: value(name) for name in tasks}


def list_schedule(plan, workers, rank=None):
    """(slot, start, end) of every task, by the rule of the textbooks (Graham, 1966), second by second.

    Whenever a slot is free, the first ready task goes to the lowest free slot. Costs and releases are whole seconds,
    costs at least 1.
    """
    todo = sorted(plan.tasks, key=lambda task: ((rank or {}).get(task.name, 0), plan.position[task.name]))
    spans, free, now = {}, [0] * workers, 0
    while todo:
        ready = [
            task
            for task in todo
            if task.release <= now and all(_ended(spans, need, now) for need in plan.graph[task.name])
        ]
        idle = [slot for slot in range(workers) if free[slot] <= now]
        for task, slot in zip(ready, idle):
            todo.remove(task)
            free[slot] = now + task.cost
            spans[task.name] = slot, now, free[slot]
        now += 1
    return spans


def _ended(spans, name, now):
    return name in spans and spans[name][2] <= now


def spans_of(run):
    """(slot, start, end) of every task of a run."""
    return {span.task: (span.worker, span.started, span.finished) for span in run.trace.spans}


def most_at_once(starts, ends):
    """The largest number of things going on at the same moment; at one moment, ends come before starts."""
    events = sorted([(moment, 1) for moment in starts] + [(moment, -1) for moment in ends])
    level = peak = 0
    for _, change in events:
        level += change
        peak = max(peak, level)
    return peak


def in_flight(trace):
    """The largest number of tasks that were submitted and not yet received, at any moment."""
    return most_at_once(trace.submitted, trace.received)


def note_down(*values):
    """What a task of a random plan makes: its story, so that no mix-up goes unnoticed."""
    return "(" + " ".join(map(str, values)) + ")"


whole_seconds, at_once = st.integers(1, 5), st.just(0)


@st.composite
def plans(draw, most=8, cost=whole_seconds, release=at_once):
    """Random plans: each task needs, or waits for, some of those before it; listed in any order."""
    count = draw(st.integers(0, most))
    tasks = []
    for number in range(count):
        earlier = [f"t{other}" for other in range(number)]
        chosen = st.lists(st.sampled_from(earlier), max_size=3) if earlier else st.just([])
        needs = draw(chosen) + draw(st.lists(st.sampled_from(["salt", "pepper"]), max_size=1))
        tasks.append(Task(f"t{number}", note_down, needs, after=draw(chosen), cost=draw(cost), release=draw(release)))
    return Plan(draw(st.permutations(tasks)), {"salt": "salt", "pepper": "pepper"})
