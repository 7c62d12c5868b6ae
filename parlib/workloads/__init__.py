"""What is worth doing in parallel? Jobs from a bakery, a restaurant, and from the making of AI.

    bakery       cupcakes by hand, in the oven; a restaurant's dishes   waiting, or the GIL
    matmul       the product of two matrices; scaling and adding        CPU, or memory bandwidth
    convolution  photographs through filters                            CPU
    splits       who makes which part of an array, and what it needs
    digits       handwritten digits, to learn from; network, training   CPU, releasing the GIL
    loading      image files, decoded while the network learns          CPU, releasing the GIL
    dishes       three tasks of AI, each for several kinds of workers
    stragglers   one slow worker, and copies of what it has not finished
    streaming    a model that learns, and answers requests meanwhile    CPU, releasing the GIL
    updates      workers that wait for each other, and workers that do not
    text         words of Python's documentation; sentiment: feelings   the GIL
    serving      requests of both kinds, images and sentences, at once  the GIL, and CPU beside it

Each module has plain functions to call by hand, and ready-made workloads of several sizes: the
smallest takes about a twentieth of a second on one ordinary core, the largest a second or two.
"""

from . import (
    bakery,
    convolution,
    digits,
    dishes,
    loading,
    matmul,
    network,
    sentiment,
    serving,
    splits,
    stragglers,
    streaming,
    text,
    training,
    updates,
)
from .workload import SPENDS, Workload, block_plan, equal

# fmt: off
__all__ = [
    "ALL", "SPENDS", "Workload", "block_plan", "equal",
    "bakery", "convolution", "digits", "dishes", "loading", "matmul", "network",
    "sentiment", "serving", "splits", "stragglers", "streaming", "text", "training", "updates",
]
# fmt: on

ALL = (
    *(bakery.busy, bakery.uneven, bakery.waiting, bakery.restaurant),
    *(matmul.by_rows, matmul.by_columns, matmul.by_blocks, matmul.adding),
    *(convolution.photos, convolution.by_images, convolution.by_tiles, convolution.by_filters),
    *(training.step, loading.feeding, streaming.kitchen, text.words, serving.mixed),
)
"""Every workload that comes with parlib."""
