"""What do a million workers do? The rules of `Simulated`, for tasks that come as an array.

    bag         a bag of tasks, each to the worker that is free first      (simulate)
    line        every item through every stage, as on a factory line       (simulate_pipeline)
    training    all compute, then all agree on the average                 (simulate_training)
    columns     what the three have in common: checked numbers, and traces of many spans

No task is an object here, and nothing is run: a task is a place in an array, and so is its span.
The answers are those of `execute` on `Simulated`, in a hundredth of the time.
"""

from .bag import simulate
from .columns import MOST
from .line import simulate_pipeline
from .training import simulate_training

__all__ = ["MOST", "simulate", "simulate_pipeline", "simulate_training"]
