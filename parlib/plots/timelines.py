"""Who did what, and when? A lane for each worker, a bar for each task, filled as far as the worker computed.

    worker 0  ▐███▌ grey ▐▄▄▄▄▌      a full bar: it computed all the time
    worker 1  ▐▄▄▄▄▄▄▄▌ grey         half full: occupied, but half of the time it had to wait
                                     grey: nothing to do

Two threads that take turns at one lock are both busy, and each bar is half full: that is how
the GIL looks. Color is the kind of task, or the chunk where all tasks are of one kind; a
letter or a number in the bar says the same.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from ..plan import counted
from ..trace import Run, Trace
from .crowds import crowd
from .look import ALARM, EDGE, FILLS, IDLE, INKS, STYLE, color, sheet, sign, tell_seconds, tint

__all__ = ["Bars", "gantt", "lanes", "queue_depth"]

MANY = 400  # bars beyond which no eye tells them apart
HALF = 0.4  # of a lane's height
DASHES = ("-", "--", "-.", ":")


@rc_context(STYLE)
def gantt(run: Run | Trace, *, prediction: Any = None, ax: Axes | None = None) -> Axes:
    """The timeline of a run: a lane for each worker, a bar for each task; seconds on the x-axis.

    A bar's outline is the time its worker was occupied, its fill the share of that time in
    which it computed. Grey is waiting. A failed task is hatched and ends in a cross. More than
    400 tasks are drawn together, as the share of workers that were busy. `prediction` is the
    moment, in seconds (or a Prediction of it), at which somebody said the run would end.

    >>> from parlib import Simulated, data_parallel
    >>> ax = gantt(data_parallel(abs, [-1, 2, -3, 4], workers=2, backend=Simulated(cost=1.0)))
    >>> ax.get_title(loc="left")
    'Simulated: 2 s on 2 workers'
    >>> from matplotlib import pyplot; pyplot.close(ax.figure)
    """
    trace = trace_of(run, "gantt")
    end = run.elapsed if isinstance(run, Run) else float(trace.received.max(initial=0.0))
    ax = sheet(ax, height=float(np.clip(1.9 + 0.45 * trace.workers, 2.8, 6.5)))
    lanes(ax, trace.workers, max(end, trace.received.max(initial=0.0)) or 1.0)
    if len(trace) > MANY:
        named = crowd(ax, trace, HALF)
        ax.set_xlabel(f"seconds ({len(trace):,} tasks, drawn as the share of workers that were busy)")
    else:
        bars = Bars(run)
        bars.draw(ax)
        named = bars.named
    _legend(ax, named, failed=bool(trace.errors))
    if getattr(prediction, "value", prediction) is not None:
        _predicted_end(ax, prediction)
    return sign(ax, trace.source, f": {tell_seconds(end)} on {counted(trace.workers, 'worker')}")


@rc_context(STYLE)
def queue_depth(run: Run, *, ax: Axes | None = None) -> Axes:
    """How many items wait before each stage of a pipeline, over time; the first stage takes its items from the data.

    An item waits from the moment one stage has finished it until the next starts on it. The
    stage before which the line grows is the bottleneck.

    >>> from parlib import Simulated, pipeline_parallel
    >>> ax = queue_depth(pipeline_parallel(abs, float, data=range(4), backend=Simulated({"abs": 1.0, "float": 2.0})))
    >>> ax.lines[0].get_ydata().max()
    np.int64(2)
    >>> from matplotlib import pyplot; pyplot.close(ax.figure)
    """
    trace, stages = trace_of(run, "queue_depth"), _stages(run)
    ax = sheet(ax, height=3.6)
    for number, (before, stage) in enumerate(pairwise(stages), start=1):
        times, waiting = queue(trace, before, stage)
        style: Any = {"color": color(number, INKS), "linestyle": DASHES[(number - 1) % len(DASHES)]}
        ax.step(times, waiting, where="post", label=f"before {stage}", linewidth=2.5, **style)
    ax.set(xlabel="seconds", ylabel="items waiting", xlim=(0, run.elapsed or 1.0))
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="upper left")
    return sign(ax, trace.source, f": {counted(len(stages), 'stage')}, {tell_seconds(run.elapsed)}")


def queue(trace: Trace, before: str, stage: str) -> tuple[np.ndarray, np.ndarray]:
    """When the number of items between two stages changes (seconds), and how many wait from then on."""
    kinds = np.asarray(trace.kinds)
    arrivals, departures = trace.finished[kinds == before], trace.started[kinds == stage]
    moments = np.concatenate([[0.0], arrivals, departures])
    steps = np.concatenate([[0], np.ones(len(arrivals), int), -np.ones(len(departures), int)])
    order = np.argsort(moments, kind="stable")
    times, depth = moments[order], np.cumsum(steps[order])
    last = np.append(np.diff(times) > 0, True)  # of what happens at one moment, only the end counts
    return times[last], depth[last]


def lanes(ax: Axes, workers: int, seconds: float) -> None:
    """The empty timeline: a grey lane for each worker, worker 0 at the top."""
    grey = [box(0, seconds, worker - HALF, worker + HALF) for worker in range(workers)]
    ax.add_collection(PolyCollection(grey, facecolors=IDLE, zorder=0))
    ax.set(xlabel="seconds", ylabel="worker", xlim=(0, seconds), ylim=(workers - 0.45, -0.55))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=12, min_n_ticks=1))
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)


class Bars:
    """The bars of a run that is small enough to show every task: made once, drawn on any axes.

    `named` maps what each color stands for to that color. It is empty where all tasks are of one kind, and after
    `letters` found room for every bar's full name.
    """

    def __init__(self, run: Run | Trace) -> None:
        self.trace = trace_of(run, "Bars")
        kinds = self._kinds(run)
        self.several = len(kinds) > 1
        self.marks = dict(zip(kinds, _marks(list(kinds)), strict=True))
        named = {f"{self.marks[kind]}: {kind}": color(number) for kind, number in kinds.items()}
        self.named = named if self.several else {}
        place = self._places(run)
        numbers = [kinds[span.kind] if self.several else place[span.task] for span in self.trace.spans]
        self.fills = [color(number) for number in numbers]
        self.words = [self._words(span.task, span.kind) for span in self.trace.spans]

    def draw(self, ax: Axes) -> list[Artist]:
        """Add the bars to `ax`, whose limits are set; returns what was added."""
        areas = self.areas()
        for area in areas:
            ax.add_collection(area, autolim=False)
        letters = self.letters(ax)
        crosses = self._crosses()
        for artist in (*letters, *crosses):
            ax.add_artist(artist)
        return [*areas, *letters, *crosses]

    def areas(self) -> list[PolyCollection | LineCollection]:
        """Occupied, computing, outline, on the way, and the hatch of what failed: five collections at most."""
        trace, seconds = self.trace, self.trace.finished - self.trace.started
        share = np.divide(trace.cpu, seconds, out=np.zeros(len(trace)), where=seconds > 0).clip(0, 1)
        low, high = trace.worker - HALF, trace.worker + HALF
        whole = boxes(trace.started, trace.finished, low, high)
        filled = boxes(trace.started, trace.finished, high - 2 * HALF * share, high)
        failed, line = whole[sorted(trace.errors)], 1.0 if len(trace) < 100 else 0.5
        return [
            LineCollection(self._travels(), colors="#999999", linewidths=2, zorder=1),
            PolyCollection(whole, facecolors=[tint(fill) for fill in self.fills], zorder=2),
            PolyCollection(filled, facecolors=self.fills, zorder=3),
            PolyCollection(whole, facecolors="none", edgecolors=EDGE, linewidths=line, zorder=4),
            PolyCollection(failed, facecolors="none", edgecolors=ALARM, hatch="xx", zorder=5),
        ]

    def letters(self, ax: Axes) -> list[Text]:
        """In each bar the longest of its words that fits, if one does."""
        pixels = ax.figure.dpi / 72
        lane = ax.bbox.height / abs(float(np.diff(ax.get_ylim())[0]))
        size = min(12.0, 0.7 * lane / pixels)
        if size < 6:
            return []
        seconds = 0.62 * size * pixels / ax.bbox.width * float(np.diff(ax.get_xlim())[0])  # that one letter takes
        letters = ((self.trace.finished - self.trace.started) / seconds - 0.5).astype(int)  # that fit into each bar
        fits = zip(self.words, letters, strict=True)
        chosen = [next((word for word in words if len(word) <= room), "") for words, room in fits]
        if all(word == words[0] for word, words in zip(chosen, self.words, strict=True)):
            self.named = {}
        return [self._letter(number, word, size) for number, word in enumerate(chosen) if word]

    def _letter(self, number: int, word: str, size: float) -> Text:
        trace = self.trace
        middle = (trace.started[number] + trace.finished[number]) / 2, trace.worker[number]
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 2}  # over a hatch, nothing else can be read
        style: Any = {"ha": "center", "va": "center", "fontsize": size, "zorder": 6, "clip_on": True}
        return Text(*middle, word, bbox=paper if number in trace.errors else None, **style)

    def _travels(self) -> list[list[tuple[float, float]]]:
        """The times in which a task was on its way to a worker, or its result on the way back."""
        t = self.trace
        out = zip(t.submitted, t.started, t.worker, strict=True)
        back = zip(t.finished, t.received, t.worker, strict=True)
        return [[(start, row), (stop, row)] for start, stop, row in (*out, *back)]

    def _crosses(self) -> list[Line2D]:
        failed = sorted(self.trace.errors)
        ends, rows = self.trace.finished[failed], self.trace.worker[failed]
        style: Any = {"marker": "X", "markersize": 13, "color": ALARM, "markeredgecolor": "white", "linestyle": "none"}
        return [Line2D(ends, rows, zorder=7, clip_on=False, **style)] if failed else []

    def _kinds(self, run: Run | Trace) -> dict[str, int]:
        """Every kind of task with its number, in plan order where there is a plan."""
        tasks = [task.kind or task.name for task in run.plan.tasks] if isinstance(run, Run) else []
        seen = [span.kind for span in sorted(self.trace.spans, key=lambda span: span.started)]
        return {kind: number for number, kind in enumerate(dict.fromkeys((*(k for k in tasks if k in seen), *seen)))}

    def _places(self, run: Run | Trace) -> dict[str, int]:
        if isinstance(run, Run):
            return run.plan.position
        names = [span.task for span in sorted(self.trace.spans, key=lambda span: (span.started, span.worker))]
        return {name: number for number, name in enumerate(names)}

    def _words(self, task: str, kind: str) -> list[str]:
        """What a bar may be called, longest first: its items where all tasks are of one kind, else its kind too."""
        rest = re.sub(r"^\[(.*?)\]", r"\1", task.removeprefix(kind))  # "add[0] 1→0" of the kind "add": "0 1→0"
        if not self.several:
            return [rest or task]
        mark = self.marks[kind]
        return [f"{kind} {rest}".strip(), f"{mark}{rest}", mark]


def box(left: float, right: float, low: float, high: float) -> list[tuple[float, float]]:
    """The corners of a rectangle."""
    return [(left, low), (right, low), (right, high), (left, high)]


def boxes(left: np.ndarray, right: np.ndarray, low: np.ndarray, high: np.ndarray) -> Any:
    """The corners of many rectangles: an array of shape (rectangles, 4, 2)."""
    return np.stack([np.stack([left, right, right, left], 1), np.stack([low, low, high, high], 1)], axis=2)


def trace_of(run: Any, caller: str) -> Trace:
    """The trace of a run, or the trace itself; TypeError for anything else."""
    trace = run.trace if isinstance(run, Run) else run
    if not isinstance(trace, Trace):
        way_out = "pass what data_parallel, task_parallel or execute gave you"
        raise TypeError(f"{caller} draws a Run or its trace, not {run!r}: {way_out}")
    return trace


def _stages(run: Any) -> list[str]:
    items = [task for task in run.plan.tasks if task.item is not None] if isinstance(run, Run) else []
    stages = list(dict.fromkeys(task.kind for task in items))
    if len(stages) < 2:
        way_out = "pass what pipeline_parallel gave you"
        raise ValueError(f"queue_depth needs the run of a pipeline with two stages or more: {way_out}")
    return stages


def _marks(kinds: list[str]) -> list[str]:
    """For each kind a letter: the first of its name that is still free, else a number.

    >>> _marks(["decode", "detect", "save"])
    ['d', 'e', 's']
    """
    marks: list[str] = []
    for number, kind in enumerate(kinds):
        letters = (letter for letter in kind if letter.isalpha() and letter not in marks)
        marks.append(next(letters, str(number)))
    return marks


def _predicted_end(ax: Axes, prediction: Any) -> None:
    """A line at the moment the run was expected to end, and room to see it; its words keep free of the title."""
    moment = float(prediction)
    told = getattr(prediction, "told", "") or tell_seconds(moment)
    right = max(ax.get_xlim()[1], moment * 1.02)
    ax.set_xlim(0, right)
    ax.axvline(moment, color="#B3400F", linestyle="--", linewidth=2.5, zorder=6)
    free = {"ha": "left", "xytext": (6, 22)} if moment < 0.8 * right else {"ha": "right", "xytext": (-6, 0)}
    style: Any = {"textcoords": "offset points", "va": "bottom", "color": "#B3400F", "weight": "bold"} | free
    place: Any = ("data", "axes fraction")
    ax.annotate(f"you said {told}", (moment, 1.0), xycoords=place, annotation_clip=False, **style)


def _legend(ax: Axes, named: dict[str, str], failed: bool) -> None:
    example = next(iter(named.values()), FILLS[0])
    keys = [Patch(facecolor=fill, edgecolor=EDGE, label=name) for name, fill in named.items()]
    keys += [
        Patch(facecolor=example, edgecolor=EDGE, label="computing"),
        Patch(facecolor=tint(example), edgecolor=EDGE, label="occupied, not computing"),
        Patch(facecolor=IDLE, label="waiting"),
    ]
    if failed:
        keys.append(Patch(facecolor="white", edgecolor=ALARM, hatch="xx", label="failed"))
    below = ax.transAxes + ScaledTranslation(0, -0.6, ax.figure.dpi_scale_trans)  # 0.6 inches: ticks and label
    ax.legend(handles=keys, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, ncols=4)
