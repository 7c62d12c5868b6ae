"""The bakery and the restaurant: baking spends CPU and holds the GIL, an oven and a stove spend waiting.

    busy        every cupcake is kneaded by hand       CPU, holding the GIL
    uneven      cakes of different sizes, by hand      CPU, holding the GIL
    waiting     every cupcake sits in its oven         waiting
    restaurant  sauce ──┐
                        ├──► plate                     waiting
                meat  ──┘

The bakery is one function for many data; the restaurant is three functions, two of which can
start at once.
"""

from __future__ import annotations

import time

from ..paradigms import data_plan
from ..plan import Plan, Task
from .workload import Workload

KNEADS = 12_000  # turns of the dough for one cupcake, or for one kilogram of cake
OVEN = 0.01  # seconds in the oven
KITCHEN = {"sauce": 0.06, "meat": 0.08, "plate": 0.02}
"""Seconds that the three functions of the restaurant wait; also the `cost` of `Simulated` for them."""


def bake(cupcake: int) -> int:
    """Knead one cupcake by hand and tell how its crumb came out, 0 … 2³¹ − 1: pure Python, busy all the time.

    >>> bake(1) == bake(1) != bake(2)
    True
    """
    return _knead(cupcake, KNEADS)


def bake_in_oven(cupcake: int) -> int:
    """Put one cupcake into the oven and wait until it is done: the baker has nothing to do meanwhile."""
    time.sleep(OVEN)
    return cupcake


def bake_uneven(cake: float) -> int:
    """Knead a cake of `cake` kilograms: twice the cake is twice the work."""
    return _knead(round(cake * 100), round(KNEADS * cake))


def cakes(size: int) -> list[float]:
    """An order of `size` cakes, the largest first, of 1 kg each on average.

    >>> cakes(4)
    [1.75, 1.25, 0.75, 0.25]
    """
    return [(2 * (size - place) - 1) / size for place in range(size)]


def sauce(tomatoes: int = 6) -> str:
    """Simmer the tomatoes: the stove does it, the chef waits."""
    time.sleep(KITCHEN["sauce"])
    return f"sauce of {tomatoes} tomatoes"


def meat(steaks: int = 2) -> str:
    """Grill the steaks: the grill does it, the chef waits."""
    time.sleep(KITCHEN["meat"])
    return f"{steaks} steaks"


def plate(sauce: str, meat: str) -> str:
    """Bring sauce and meat together; it cannot begin before both are there."""
    time.sleep(KITCHEN["plate"])
    return f"{meat} with {sauce}"


def _knead(dough: int, turns: int) -> int:
    """A linear congruential generator (Lehmer 1951): every turn needs the one before."""
    for _ in range(turns):
        dough = (dough * 1103515245 + 12345) % 2**31
    return dough


def _busy_plan(size: int, chunks: int) -> Plan:
    return data_plan(bake, range(size), chunks=chunks)


def _waiting_plan(size: int, chunks: int) -> Plan:
    return data_plan(bake_in_oven, range(size), chunks=chunks)


def _uneven_plan(size: int, chunks: int) -> Plan:
    return data_plan(bake_uneven, cakes(size), chunks=chunks)


def _busy_serial(size: int) -> list[int]:
    return [bake(cupcake) for cupcake in range(size)]


def _waiting_serial(size: int) -> list[int]:
    return [bake_in_oven(cupcake) for cupcake in range(size)]


def _uneven_serial(size: int) -> list[int]:
    return [bake_uneven(cake) for cake in cakes(size)]


def _busy_costs(size: int) -> float:
    return 0.0025


def _dish_plan(dishes: int, chunks: int) -> Plan:
    tasks = [task for dish in range(dishes) for task in _dish(dish)]
    return Plan(tasks, keep=[task.name for task in tasks if task.kind == "plate"], finish=_plates)


def _dish(number: int) -> list[Task]:
    made = [f"sauce[{number}]", f"meat[{number}]"]
    first = [Task(name, fn, kind=fn.__name__, item=number) for name, fn in zip(made, (sauce, meat))]
    return [*first, Task(f"plate[{number}]", plate, made, kind="plate", item=number)]


def _plates(values: dict[str, str]) -> list[str]:
    return list(values.values())


def _dish_serial(dishes: int) -> list[str]:
    return [plate(sauce(), meat()) for _ in range(dishes)]


def _dish_costs(dishes: int) -> dict[str, float]:
    return KITCHEN


def _waiting_costs(size: int) -> float:
    return OVEN


def _uneven_costs(size: int) -> list[float]:
    return [0.0025 * cake for cake in cakes(size)]


busy = Workload("bakery.busy", _busy_plan, _busy_serial, (24, 100, 400), "CPU, holding the GIL", _busy_costs)
"""`size` cupcakes, each kneaded by hand."""

waiting = Workload("bakery.waiting", _waiting_plan, _waiting_serial, (8, 32, 128), "waiting", _waiting_costs)
"""`size` cupcakes, each alone in its oven."""

uneven = Workload("bakery.uneven", _uneven_plan, _uneven_serial, (24, 100, 400), "CPU, holding the GIL", _uneven_costs)
"""`size` cakes of different weight, the heaviest first."""

restaurant = Workload("bakery.restaurant", _dish_plan, _dish_serial, (1, 3, 10), "waiting", _dish_costs)
"""`size` dishes, each of sauce, meat and plate; the chunks are what they are."""
