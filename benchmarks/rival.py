"""PyTorch's own data parallelism: the same network, the same batch, half of it in each of two processes.

Loaded only where PyTorch is installed, and only in processes of its own.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from parlib.workloads.digits import digits as data
from parlib.workloads.training import HIDDEN


def make(number: int, digits: int, processes: int, folder: str) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """The network and this process's part of the batch; the second of two processes has none where one is enough."""
    torch.set_num_threads(1)
    places = np.arange(digits) % len(data().labels)
    images, labels = (torch.tensor(array[places]) for array in data()[:2])
    sizes = [64, *HIDDEN, 10]
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair, dtype=torch.float64), nn.ReLU())]
    network: Any = nn.Sequential(nn.Flatten(), *layers[:-1])
    if processes == 2:
        distributed.init_process_group("gloo", f"{Path(folder).as_uri()}/meeting", rank=number, world_size=2)
        network = DistributedDataParallel(network)
    part = slice(number, None, 2) if processes == 2 else slice(0, 0 if number else digits)
    return network, images[part], labels[part]


def step(held: tuple[nn.Module, torch.Tensor, torch.Tensor]) -> None:
    """The slope of the batch; two processes average theirs on the way back."""
    network, images, labels = held
    if len(images):
        network.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
