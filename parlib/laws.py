"""How well could it ever go? The laws that bound every parallel run, each one line of arithmetic.

    fixed work ......... amdahl, karp_flatt, usl          growing work ... gustafson
    any task graph ..... brent, graham_bound              messages ....... point_to_point, ring_ and tree_all_reduce
    a factory line ..... pipeline_time, johnson           chance ......... straggler_probability, expected_maximum

Numbers in, a float out; arrays in, an array out (NumPy broadcasting), so that a law draws its own curve. Times are in
seconds, sizes in bytes, speedups and fractions without unit. A law knows nothing of plans, runs or machines: `fit` is
the one place where a law meets measured numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Numbers = Any  # a float where numbers went in, an array where arrays did


# ---- Speedup: what p workers make of work that one could do ---------------------------------------------------------


def amdahl(workers: ArrayLike, serial_fraction: ArrayLike) -> Numbers:
    """Speedup of a job of fixed size of which `serial_fraction` (0 to 1) cannot be shared (Amdahl, 1967).

    >>> amdahl(4, 0.1)
    3.0769230769230766
    """
    p, s = _workers(workers), _fraction("serial_fraction", serial_fraction)
    return _plain(1 / (s + (1 - s) / p))


def gustafson(workers: ArrayLike, serial_fraction: ArrayLike) -> Numbers:
    """Speedup of a job that grows with its workers, `serial_fraction` (0 to 1) of its time unshared (Gustafson, 1988).

    >>> gustafson(4, 0.1)
    3.7
    """
    p, s = _workers(workers), _fraction("serial_fraction", serial_fraction)
    return _plain(s + (1 - s) * p)


def usl(workers: ArrayLike, contention: ArrayLike, coherency: ArrayLike) -> Numbers:
    """Speedup when workers also wait for each other (contention) and must agree (coherency) (Gunther, 1993).

    The universal scalability law; `usl(p, s, 0)` is `amdahl(p, s)`. Contention is 0 to 1, coherency at least 0.

    >>> usl([1, 10, 100], 0.02, 0.001)
    array([1.        , 7.87401575, 7.76397516])
    """
    p, sigma, kappa = _workers(workers), _fraction("contention", contention), _amount("coherency", coherency)
    return _plain(p / (1 + sigma * (p - 1) + kappa * p * (p - 1)))


def usl_peak(contention: ArrayLike, coherency: ArrayLike) -> Numbers:
    """Number of workers beyond which `usl` falls, infinite when coherency costs nothing (Gunther, 1993).

    >>> usl_peak(0.02, 0.001)
    31.304951684997057
    """
    sigma, kappa = _fraction("contention", contention), _amount("coherency", coherency)
    with np.errstate(divide="ignore", invalid="ignore"):  # division by 0 is the second case
        return _plain(np.where(kappa > 0, np.sqrt((1 - sigma) / kappa), np.inf))


def karp_flatt(speedup: ArrayLike, workers: ArrayLike) -> Numbers:
    """Serial fraction that would explain a measured speedup (Karp and Flatt, 1990); below 0 when it is superlinear.

    A fraction that grows with the workers tells of overhead, not of serial code.

    >>> round(karp_flatt(3.0769230769230766, 4), 12)
    0.1
    """
    gain, p = _positive("speedup", speedup), _workers(workers)
    if (p == 1).any():
        raise ValueError("karp_flatt needs at least 2 workers: with 1 worker every serial fraction gives speedup 1.")
    return _plain((1 / gain - 1 / p) / (1 - 1 / p))


def dispatch_limit(cost: ArrayLike, dispatch: ArrayLike) -> Numbers:
    """Speedup that no number of workers exceeds when one coordinator hands out every task (Denning and Buzen, 1978).

    It spends `dispatch` seconds on each, so a task of `cost` seconds on its worker is finished at most every
    `dispatch` seconds: the utilization law. Infinite when handing out costs nothing.

    >>> dispatch_limit(cost=0.5, dispatch=0.01)
    50.0
    """
    seconds, handing = _amount("cost", cost), _amount("dispatch", dispatch)
    with np.errstate(divide="ignore", invalid="ignore"):  # division by 0 is the second case
        return _plain(np.where(handing > 0, seconds / handing, np.inf))


# ---- Time bounds for any task graph ---------------------------------------------------------------------------------


def brent(work: ArrayLike, depth: ArrayLike, workers: ArrayLike) -> tuple[Numbers, Numbers]:
    """(low, high) seconds for any graph of tasks: no schedule is faster, no greedy one slower (Brent, 1974).

    `work` is the time of all tasks, `depth` the time along the critical path, both in seconds.

    >>> brent(work=12, depth=3, workers=4)
    (3.0, 5.25)
    """
    total, path, p = _amount("work", work), _amount("depth", depth), _workers(workers)
    if (path > total * (1 + 1e-9)).any():  # a chain's two sums may differ in their last digits
        raise ValueError(f"depth must not exceed work, got depth={depth!r} and work={work!r}: the path is part of it.")
    return _plain(np.maximum(total / p, path)), _plain((total - path) / p + path)


def graham_bound(workers: ArrayLike) -> Numbers:
    """How many times slower than the best a greedy schedule can be, tasks taken in any order (Graham, 1966).

    >>> graham_bound(4)
    1.75
    """
    return _plain(2 - 1 / _workers(workers))


def longest_first_bound(workers: ArrayLike) -> Numbers:
    """How many times slower than the best a greedy schedule can be, independent tasks longest first (Graham, 1969).

    >>> longest_first_bound(4)
    1.25
    """
    return _plain(4 / 3 - 1 / (3 * _workers(workers)))


# ---- Communication: what it costs to send, and to agree -------------------------------------------------------------


def point_to_point(nbytes: ArrayLike, latency: ArrayLike, bandwidth: ArrayLike) -> Numbers:
    """Seconds for one message of `nbytes`: a fixed latency, then bytes per second (Hockney, 1994).

    >>> point_to_point(1e6, latency=0.001, bandwidth=1e9)
    0.002
    """
    size, alpha, beta = _amount("nbytes", nbytes), _amount("latency", latency), _bandwidth(bandwidth)
    return _plain(alpha + size / beta)


def ring_all_reduce(nbytes: ArrayLike, workers: ArrayLike, latency: ArrayLike, bandwidth: ArrayLike) -> Numbers:
    """Seconds until all workers hold the sum of `nbytes` each, passed round a ring in pieces (Patarasuk, Yuan, 2009).

    >>> ring_all_reduce(1e9, workers=4, latency=0.0, bandwidth=1e9)
    1.5
    """
    size, alpha, beta = _amount("nbytes", nbytes), _amount("latency", latency), _bandwidth(bandwidth)
    p = _workers(workers)
    return _plain(2 * (p - 1) * (alpha + size / (p * beta)))


def tree_all_reduce(nbytes: ArrayLike, workers: ArrayLike, latency: ArrayLike, bandwidth: ArrayLike) -> Numbers:
    """Seconds until all workers hold the sum of `nbytes` each, summed up a tree and sent down (Thakur et al., 2005).

    >>> tree_all_reduce(1e9, workers=4, latency=0.0, bandwidth=1e9)
    4.0
    """
    size, alpha, beta = _amount("nbytes", nbytes), _amount("latency", latency), _bandwidth(bandwidth)
    levels = np.frexp(np.ceil(_workers(workers)) - 1)[1]  # log2 rounded up, exact where a logarithm may be off by one
    return _plain(2 * levels * (alpha + size / beta))


# ---- A factory line -------------------------------------------------------------------------------------------------


def pipeline_time(stage_costs: ArrayLike, items: ArrayLike) -> Numbers:
    """Seconds for `items` through stages of one worker each: fill the line once, then wait for the slowest stage.

    `stage_costs` are seconds per item, one number per stage (Ramamoorthy and Li, 1977).

    >>> pipeline_time([1, 3, 2], items=10)
    33.0
    """
    costs, count = _row("stage_costs", _amount("stage_costs", stage_costs)), _whole("items", items, least=0)
    return _plain(np.where(count > 0, costs.sum() + (count - 1) * costs.max(), 0.0))


def pipeline_bubble(stages: ArrayLike, microbatches: ArrayLike) -> Numbers:
    """Share of the total time (0 to 1) that a pipeline of equal stages stands idle (Huang et al., 2019).

    >>> pipeline_bubble(stages=4, microbatches=13)
    0.1875
    """
    s, m = _whole("stages", stages), _whole("microbatches", microbatches)
    return _plain((s - 1) / (m + s - 1))


def johnson(two_stage_times: ArrayLike) -> tuple[list[int], float]:
    """(order, makespan) of the fastest order of jobs through two stages, one worker each (Johnson, 1954).

    `two_stage_times` has one row per job and two columns, in seconds. Jobs quicker at the first stage come first,
    quickest ahead; the others follow, those quickest at the second stage last.

    >>> johnson([[5, 2], [1, 6], [9, 7], [3, 8], [10, 4]])
    ([1, 3, 2, 4, 0], 30.0)
    """
    times = _table("two_stage_times", two_stage_times, columns=2)
    first, second = times.T
    early = first <= second
    rank = np.where(early, first, -second)
    order = np.lexsort((rank, ~early)).tolist()
    return order, flow_shop_makespan(times, order)


def flow_shop_makespan(times: ArrayLike, order: Sequence[int]) -> float:
    """Seconds until the last job leaves the last stage, every stage taking the jobs in `order` (Johnson, 1954).

    `times` has one row per job and one column per stage; a stage has one worker and begins a job when the stage
    before has finished it and its own worker is free.

    >>> flow_shop_makespan([[5, 2], [1, 6], [9, 7], [3, 8], [10, 4]], order=[0, 1, 2, 3, 4])
    34.0
    """
    table = _table("times", times)
    if sorted(order) != list(range(len(table))):
        raise ValueError(f"order must name each of the {len(table)} jobs once, 0 to {len(table) - 1}, got {order!r}.")
    left = np.zeros(len(table))  # when each job leaves the stage before
    for costs in table[list(order)].T:
        finished = np.cumsum(costs)  # as if the stage never waited; then wait for the latest arrival so far
        left = finished + np.maximum.accumulate(left - (finished - costs))
    return float(left[-1]) if len(left) else 0.0


# ---- Chance: the more workers, the surer that one is late -----------------------------------------------------------


def straggler_probability(p: ArrayLike, workers: ArrayLike) -> Numbers:
    """Probability that at least one worker is late when each is late with probability `p` (Dean and Barroso, 2013).

    >>> round(straggler_probability(0.01, 100), 3)
    0.634
    """
    late, count = _fraction("p", p), _whole("workers", workers)
    with np.errstate(divide="ignore"):  # p = 1: the logarithm is minus infinity, which is what is meant
        return _plain(-np.expm1(count * np.log1p(-late)))  # 1 - (1 - p)**n, right also for tiny p


def expected_maximum(workers: ArrayLike, mean: ArrayLike) -> Numbers:
    """Mean time of the slowest worker when times are exponential with this `mean`: mean times H_p (Rényi, 1953).

    H_p = 1 + 1/2 + ... + 1/p grows like ln p. Seconds in, seconds out.

    >>> expected_maximum(2, mean=10.0)
    15.0
    """
    count, seconds = _whole("workers", workers), _amount("mean", mean)
    small = np.cumsum(1 / np.arange(1, 1001))[np.minimum(count, 1000).astype(int) - 1]
    large = np.log(count) + np.euler_gamma + 1 / (2 * count) - 1 / (12 * count**2)  # Euler, 1735; exact to 1e-14 there
    return _plain(seconds * np.where(count <= 1000, small, large))


# ---- Fitting a law to measured speedups -----------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Fit:
    """A law with the parameters that bring it closest to measured speedups.

    `parameters` and `errors` (one standard error each, nan when there are no points to spare) go by name; `residual`
    is the root mean square distance between law and points, in units of speedup.
    """

    parameters: Mapping[str, float]
    errors: Mapping[str, float]
    residual: float
    law: str
    superlinear: bool = False  # whether a point lies above the ideal line

    def speedup(self, workers: ArrayLike) -> Numbers:
        """The fitted law at these numbers of workers; unlike the law itself it also takes a superlinear fit."""
        return _plain(_FITTED[self.law].curve(_workers(workers), *self.parameters.values()))

    def __repr__(self) -> str:
        found = ", ".join(f"{name} {self.parameters[name]:.3g} ± {self.errors[name]:.1g}" for name in self.parameters)
        said = ", superlinear: more than n times as fast on n workers" if self.superlinear else ""
        return f"<Fit: {self.law}, {found}, residual {self.residual:.2g}{said}>"


def fit(law: str | Callable[..., Numbers], workers: ArrayLike, speedups: ArrayLike) -> Fit:
    """The parameters of `law` (amdahl, gustafson or usl, itself or its name) that fit best, by least squares.

    Needs as many different worker counts above 1 as the law has parameters. Superlinear speedups are welcome and
    give parameters below 0.

    >>> fit(amdahl, [1, 2, 4, 8], [1.0, 1.82, 3.08, 4.71])
    <Fit: amdahl, serial_fraction 0.0998 ± 6e-05, residual 0.001>
    """
    name, chosen = _law(law)
    p, gains = _workers(workers), _positive("speedups", speedups)
    _check_points(name, chosen, p, gains)
    found = _least_squares(chosen, p, gains)
    distance = gains - chosen.curve(p, *found)
    errors = _standard_errors(chosen.slopes(p, *found), distance)
    by_name, doubts = (dict(zip(chosen.parameters, row.tolist())) for row in (found, errors))
    return Fit(by_name, doubts, _root_mean_square(distance), name, bool((gains > p).any()))


@dataclass(frozen=True)
class _Fitted:
    """What fitting needs to know of a law: its curve, and how the curve answers to each parameter."""

    parameters: tuple[str, ...]
    curve: Callable[..., np.ndarray]
    slopes: Callable[..., np.ndarray]  # (points, parameters): derivative of the curve


def _usl_terms(p: np.ndarray, parameters: int) -> np.ndarray:
    return np.stack([p - 1, p * (p - 1)][:parameters], axis=1)


def _usl_curve(p: np.ndarray, *found: float) -> np.ndarray:
    """USL, and with one parameter Amdahl: p / (1 + terms)."""
    return p / (1 + _usl_terms(p.ravel(), len(found)) @ np.asarray(found)).reshape(p.shape)


def _usl_slopes(p: np.ndarray, *found: float) -> np.ndarray:
    return -_usl_terms(p, len(found)) * (_usl_curve(p, *found) ** 2 / p)[:, None]


_FITTED = {
    "amdahl": _Fitted(("serial_fraction",), _usl_curve, _usl_slopes),
    "gustafson": _Fitted(("serial_fraction",), lambda p, s: s + (1 - s) * p, lambda p, s: (1 - p)[:, None]),
    "usl": _Fitted(("contention", "coherency"), _usl_curve, _usl_slopes),
}


def _law(law: str | Callable[..., Numbers]) -> tuple[str, _Fitted]:
    name = law if isinstance(law, str) else getattr(law, "__name__", repr(law))
    if name not in _FITTED:
        raise ValueError(f"fit knows {', '.join(_FITTED)}, not {name!r}: pass one of them, or its name.")
    return name, _FITTED[name]


def _check_points(name: str, chosen: _Fitted, p: np.ndarray, gains: np.ndarray) -> None:
    if p.ndim != 1 or p.shape != gains.shape:
        raise ValueError(f"workers and speedups must be lists of one length, got shapes {p.shape} and {gains.shape}.")
    needed, distinct = len(chosen.parameters), len(set(p[p > 1].tolist()))
    if distinct < needed:
        raise ValueError(
            f"fitting {name} needs speedups at {needed} or more different worker counts above 1 "
            f"(one for each of {', '.join(chosen.parameters)}), got {distinct}: measure more points."
        )


def _least_squares(chosen: _Fitted, p: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Parameters of the smallest squared distance (Levenberg, 1944; Marquardt, 1963), starting from perfect scaling."""
    found, damping = np.zeros(len(chosen.parameters)), 1e-3
    distance = gains - chosen.curve(p, *found)
    for _ in range(200):
        slopes = chosen.slopes(p, *found)
        square = slopes.T @ slopes
        step = np.linalg.solve(square + damping * np.diag(np.diag(square)), slopes.T @ distance)
        tried = chosen.curve(p, *(found + step))
        # Past its pole the curve is negative: such a step is as bad as one away from the points.
        if (tried > 0).all() and np.sum((gains - tried) ** 2) <= np.sum(distance**2):
            found, distance, damping = found + step, gains - tried, damping / 10
            if np.all(np.abs(step) <= 1e-14 + 1e-12 * np.abs(found)):
                break
        else:
            damping *= 10
            if damping > 1e12:  # steps too small to matter: this is as close as floating point gets
                break
    return found


def _standard_errors(slopes: np.ndarray, distance: np.ndarray) -> np.ndarray:
    points, parameters = slopes.shape
    if points == parameters:  # the law goes through every point, so nothing tells how far off it may be
        return np.full(parameters, np.nan)
    variance = np.sum(distance**2) / (points - parameters)
    return np.sqrt(variance * np.diag(np.linalg.inv(slopes.T @ slopes)))


def _root_mean_square(distance: np.ndarray) -> float:
    return float(np.sqrt(np.mean(distance**2)))


# ---- Checked numbers ------------------------------------------------------------------------------------------------


def _numbers(name: str, value: ArrayLike) -> np.ndarray:
    """`value` as floats; refuses what is no number, and what is not a number."""
    array = np.asarray(value)
    if array.size and (array.dtype.kind not in "iuf"):
        raise TypeError(f"{name} must be a number or an array of numbers, got {value!r}.")
    if np.isnan(array := array.astype(float)).any():
        raise ValueError(f"{name} must not contain nan, got {value!r}.")
    return array


def _checked(name: str, value: ArrayLike, rule: str, holds: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    array = _numbers(name, value)
    if not holds(array).all():
        raise ValueError(f"{name} must be {rule}, got {value!r}.")
    return array


def _workers(value: ArrayLike) -> np.ndarray:
    return _checked("workers", value, "at least 1 and finite", lambda x: (x >= 1) & (x < np.inf))


def _whole(name: str, value: ArrayLike, least: int = 1) -> np.ndarray:
    rule = f"a whole number, at least {least}"
    return _checked(name, value, rule, lambda x: (x >= least) & (x < np.inf) & (x == np.floor(x)))


def _fraction(name: str, value: ArrayLike) -> np.ndarray:
    return _checked(name, value, "between 0 and 1", lambda x: (x >= 0) & (x <= 1))


def _amount(name: str, value: ArrayLike) -> np.ndarray:
    return _checked(name, value, "0 or more and finite", lambda x: (x >= 0) & (x < np.inf))


def _positive(name: str, value: ArrayLike) -> np.ndarray:
    return _checked(name, value, "greater than 0 and finite", lambda x: (x > 0) & (x < np.inf))


def _bandwidth(value: ArrayLike) -> np.ndarray:
    return _checked("bandwidth", value, "greater than 0 (bytes per second; inf is allowed)", lambda x: x > 0)


def _row(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must be a list of one or more numbers, one per stage, got shape {array.shape}.")
    return array


def _table(name: str, value: ArrayLike, columns: int | None = None) -> np.ndarray:
    """`value` as a table with one row per job; no jobs at all are a table too."""
    array = _amount(name, value)
    if not array.size:
        return array.reshape(0, columns or 1)
    if array.ndim != 2 or columns not in (None, array.shape[1]):
        wanted = "one column per stage" if columns is None else f"{columns} columns"
        raise ValueError(f"{name} must be a table with one row per job and {wanted}, got shape {array.shape}.")
    return array


def _plain(array: np.ndarray) -> Numbers:
    return float(array) if np.ndim(array) == 0 else array
