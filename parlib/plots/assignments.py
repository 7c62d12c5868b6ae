"""Who does what? A line for each task, a column for each worker, and a box where the two meet.

               worker 0     worker 1
      sauce   ┌─────────┐                  in the box: when, for a run; in which place, for a schedule
      meat    └─0 – 3 s─┘  ┌─────────┐     light: the task might also go to that worker
      plate                └─0 – 4 s─┘

A timeline shows how long; this shows to whom, also before anything has run. Many tasks are drawn by
kind: how many of them, and how many seconds together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..orders import Schedule
from ..plan import Plan, counted
from ..trace import Run, Trace
from .look import EDGE, IDLE, STYLE, color, sheet, sign, tell_seconds, tint

__all__ = ["assignment"]

MANY = 24  # lines beyond which no name can be read
ROOM = 0.42  # of a cell, from its middle


class Cell(NamedTuple):
    """One box: in which line and column, what it says, and whether it is settled or only possible."""

    line: str
    column: int
    words: str
    settled: bool = True


@rc_context(STYLE)
def assignment(
    run: Run | Trace | Schedule,
    *,
    plan: Plan | None = None,
    workers: int | None = None,
    names: Sequence[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Which worker does which task, and when: of a run, or of a schedule that has not been run.

    A schedule needs its `plan`, and may need the number of `workers`. `names` says what the
    workers are, in their order, such as ["CPU", "accelerator"]. More than 24 tasks are drawn by kind.

    >>> from parlib import Simulated, task_parallel
    >>> def sauce(): ...
    >>> def plate(sauce): ...
    >>> ax = assignment(task_parallel(sauce, plate, workers=2, backend=Simulated(1.0)), names=["Ann", "Ben"])
    >>> ax.get_title(loc="left"), [text.get_text() for text in ax.texts]
    ('Simulated: 2 tasks on 2 workers', ['0–1 s', '1–2 s'])
    >>> from matplotlib import pyplot; pyplot.close(ax.figure)
    """
    if isinstance(run, Schedule):
        cells, source, tasks = _of_schedule(run, plan, workers), "planned", len(plan or ())
    else:
        cells, source, tasks = _of_trace(run), _trace(run).source, len(_trace(run))
    many = max([workers or 0, len(names), *(1 + cell.column for cell in cells)], default=1)
    many = max(many, 0 if isinstance(run, Schedule) else _trace(run).workers)
    lines = _lines(run, plan, cells)
    ax = sheet(ax, height=float(np.clip(1.6 + 0.4 * len(lines), 2.6, 8.0)))
    for cell in cells:
        _draw(ax, cell, lines.index(cell.line))
    shown = [*names, *(f"worker {number}" for number in range(len(names), many))]
    ax.set(xlim=(-0.5, many - 0.5), ylim=(max(len(lines), 1) - 0.5, -0.5))
    ax.set_xticks(range(many), shown)
    ax.set_yticks(range(len(lines)), lines)
    ax.tick_params(length=0)
    ax.set_axisbelow(True)
    ax.grid(color=IDLE)
    return sign(ax, source, f": {counted(tasks, 'task')} on {counted(many, 'worker')}")


def _of_trace(run: Run | Trace) -> list[Cell]:
    trace = _trace(run)
    if len(trace) <= MANY:
        return [Cell(span.task, span.worker, _when(span.started, span.finished)) for span in trace.spans]
    seconds: dict[tuple[str, int], list[float]] = {}
    for span in trace.spans:
        seconds.setdefault((span.kind or "task", span.worker), []).append(span.seconds)
    return [Cell(*place, f"{len(all_)} in {tell_seconds(sum(all_))}") for place, all_ in seconds.items()]


def _of_schedule(schedule: Schedule, plan: Plan | None, workers: int | None) -> list[Cell]:
    if not isinstance(plan, Plan):
        raise TypeError("the assignment of a schedule needs the plan it is for: pass plan=…")
    order = sorted(plan.position, key=lambda name: (schedule.rank.get(name, 0.0), plan.position[name]))
    crew = range(max([workers or 0, *(1 + slot for slot in schedule.worker.values())], default=0) or 1)
    counts, cells = dict.fromkeys(crew, 0), []
    for name in order:
        if name in schedule.worker:
            counts[slot := schedule.worker[name]] += 1
            cells.append(Cell(name, slot, f"no. {counts[slot]}"))
        else:
            cells += [Cell(name, slot, "any", settled=False) for slot in crew]
    return _by_kind(cells, plan) if len(plan) > MANY else cells


def _by_kind(cells: list[Cell], plan: Plan) -> list[Cell]:
    numbers: dict[tuple[str, int, bool], int] = {}
    for cell in cells:
        place = plan.tasks[plan.position[cell.line]].kind or "task", cell.column, cell.settled
        numbers[place] = numbers.get(place, 0) + 1
    told = {True: "{}", False: "up to {}"}
    return [Cell(kind, slot, told[own].format(count), own) for (kind, slot, own), count in numbers.items()]


def _lines(run: Any, plan: Plan | None, cells: list[Cell]) -> list[str]:
    """What stands at the left, in plan order where there is a plan."""
    known = run.plan if isinstance(run, Run) else plan
    tasks = [name for task in known.tasks for name in (task.name, task.kind)] if known else []
    seen = {cell.line for cell in cells}
    return list(dict.fromkeys([*(name for name in tasks if name in seen), *(cell.line for cell in cells)]))


def _draw(ax: Axes, cell: Cell, row: int) -> None:
    fill = color(cell.column) if cell.settled else tint(color(cell.column))
    style: Any = {"facecolor": fill, "edgecolor": EDGE, "linestyle": "-" if cell.settled else ":"}
    ax.add_patch(Rectangle((cell.column - ROOM, row - ROOM), 2 * ROOM, 2 * ROOM, **style))
    ax.text(cell.column, row, cell.words, ha="center", va="center", fontsize=11)


def _when(start: float, end: float) -> str:
    """From when to when, in one unit.

    >>> _when(0.0, 3.0), _when(0.0012, 0.05)
    ('0–3 s', '1.2–50 ms')
    """
    factor, unit = (1000, "ms") if end < 0.1 else (1, "s")
    return f"{start * factor:.3g}–{end * factor:.3g} {unit}"


def _trace(run: Any) -> Trace:
    trace = run.trace if isinstance(run, Run) else run
    if not isinstance(trace, Trace):
        raise TypeError(f"assignment draws a Run, its trace, or a Schedule with plan=…, not {run!r}")
    return trace
