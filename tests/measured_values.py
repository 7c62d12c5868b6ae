"""Which cells show a value that differs at each run? Those that a measured time can reach.

    began = perf_counter()          `began` is measured
    seconds = perf_counter() - began        so is `seconds`
    seconds                         shown: the checker must not compare this cell
    run.result                      not measured, even where `run` is

A reading of the source, from the first cell to the last, without running it. It errs on the side of caution.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

CLOCKS = {"perf_counter", "perf_counter_ns", "process_time", "monotonic", "timeit", "repeat"}
MEASURERS = {*CLOCKS, "machine", "sweep", "calibrate", "explore"}
RUNNERS = {"data_parallel": 0, "task_parallel": 0, "pipeline_parallel": 0, "execute": 3}  # where a backend may stand
CERTAIN = {"result", "plan", "source", "workers", "backend", "sizes", "spends", "value"}  # the same at each run

Compared = Callable[[Any], bool]


def shows_measured_values(cells: list[Any], compared: Compared) -> Iterator[Any]:
    """The cells among those compared that show something measured."""
    reader = Reader()
    for cell in cells:
        tree = ast.parse(cell.source)
        reader.read(tree)
        shown = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
        if compared(cell) and cell.outputs and any(reader.measures(value) for value in shown):
            yield cell


def unclear_simulations(cells: list[Any], compared: Compared) -> Iterator[tuple[Any, str]]:
    """(cell, what is missing) for simulations among the compared cells that leave a cost or the workers open.

    A cost may also stand in the tasks: where every `Task(...)` of the cells has one, `Simulated()` needs none.
    """
    reader, stated = Reader(), costs_stand_in_the_tasks(filter(compared, cells))
    for cell in cells:
        tree = ast.parse(cell.source)
        reader.read(tree)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and compared(cell)):
            if name_of(call) == "Simulated" and not (stated or call.args or "cost" in keywords(call)):
                yield cell, "Simulated() has no cost"
            if name_of(call) in RUNNERS and reader.is_simulated(call):
                if isinstance(backend_of(call), ast.Constant):
                    yield cell, 'backend="simulated" has no cost: say Simulated(cost=...)'
                if "workers" not in keywords(call) and not (name_of(call) == "execute" and len(call.args) > 1):
                    yield cell, f"{name_of(call)} on a simulated backend has no workers="


def costs_stand_in_the_tasks(cells: Iterable[Any]) -> bool:
    """Whether tasks are made by hand in these cells, each with its cost."""
    calls = [node for cell in cells for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    tasks = [keywords(call) for call in calls if name_of(call) == "Task"]
    return bool(tasks) and all("cost" in named for named in tasks)


class Reader:
    """What is known of each name: whether it holds something measured, and whether it is a simulated backend."""

    def __init__(self) -> None:
        self.measured: set[str] = set()
        self.simulated: set[str] = set()

    def read(self, tree: ast.Module) -> None:
        """Follow the assignments of one cell."""
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and any(self.measures(part) for part in node.body):
                self.measured.add(node.name)
            for names, value in bindings(node):
                self._bind(names, value)

    def _bind(self, names: set[str], value: ast.expr) -> None:
        self.measured = self.measured | names if self.measures(value) else self.measured - names
        made_here = isinstance(value, ast.Call) and name_of(value) == "Simulated"
        self.simulated = self.simulated | names if made_here else self.simulated - names

    def measures(self, node: ast.AST) -> bool:
        """Whether a measured time can reach the value of an expression."""
        if isinstance(node, ast.Attribute) and node.attr in CERTAIN:
            return False
        if isinstance(node, ast.Name):
            return node.id in self.measured
        if isinstance(node, ast.Call) and name_of(node) in RUNNERS and not self.is_simulated(node):
            return True
        if isinstance(node, ast.Call) and name_of(node) in MEASURERS:
            return True
        return any(self.measures(child) for child in ast.iter_child_nodes(node))

    def is_simulated(self, call: ast.Call) -> bool:
        """Whether one of the paradigms is called on a backend whose clock jumps."""
        backend = backend_of(call)
        if isinstance(backend, ast.Constant):
            return backend.value == "simulated"
        return (isinstance(backend, ast.Name) and backend.id in self.simulated) or (
            isinstance(backend, ast.Call) and name_of(backend) == "Simulated"
        )


def bindings(node: ast.AST) -> Iterator[tuple[set[str], ast.expr]]:
    """(names, value) wherever a statement gives names a value; a list that something is appended to counts."""
    if isinstance(node, ast.Assign):
        yield {name for target in node.targets for name in names_in(target)}, node.value
    if isinstance(node, ast.For | ast.comprehension):
        yield names_in(node.target), node.iter
    if isinstance(node, ast.AugAssign):
        yield names_in(node.target), ast.BinOp(node.target, node.op, node.value)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        owner = node.value.func.value
        if isinstance(owner, ast.Name) and node.value.func.attr in ("append", "extend", "add", "update"):
            yield {owner.id}, ast.Tuple([owner, *node.value.args])


def names_in(target: ast.expr) -> set[str]:
    if isinstance(target, ast.Subscript):
        return names_in(target.value)
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def keywords(call: ast.Call) -> set[str]:
    return {keyword.arg for keyword in call.keywords if keyword.arg}


def backend_of(call: ast.Call) -> ast.expr | None:
    """The backend that a paradigm is called with, or None for the default."""
    named = [keyword.value for keyword in call.keywords if keyword.arg == "backend"]
    place = RUNNERS[name_of(call)]
    return named[0] if named else call.args[place - 1] if place and len(call.args) >= place else None
