"""Writes reference_gradients.json: what PyTorch's autograd says about two small networks and six digits.

Run by hand, with PyTorch installed (it is needed for nothing else), from the root of the repository:

    python tests/make_reference_gradients.py

The file holds all inputs too, so that the test that reads it depends on no generator and no data set.
"""

import json
from pathlib import Path

import torch
from torch.nn import functional

from parlib.workloads.digits import digits
from parlib.workloads.network import classifier, convolutional

FILE = Path(__file__).parent / "reference_gradients.json"


def dense(pieces, images):
    """The scores of `classifier(hidden=(5,))`."""
    first, offset, second, other = pieces
    return torch.relu(images.reshape(len(images), -1) @ first + offset) @ second + other


def sliding(pieces, images):
    """The scores of `convolutional(filters=2)`; PyTorch has colors before places, so axes are exchanged twice."""
    kernel, offset, matrix, other = pieces
    answers = functional.conv2d(images.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), offset)
    answers = functional.max_pool2d(torch.relu(answers), 2).permute(0, 2, 3, 1)
    return answers.reshape(len(images), -1) @ matrix + other


def reference(network, scores):
    """Inputs, and what autograd makes of them."""
    weights, images, labels = network.start(7), digits().images[:6], digits().labels[:6]
    pieces = [torch.tensor(piece, requires_grad=True) for layer in network.cut(weights) for piece in layer]
    loss = functional.cross_entropy(scores(pieces, torch.tensor(images)), torch.tensor(labels))
    loss.backward()
    gradient = torch.cat([piece.grad.reshape(-1) for piece in pieces])
    arrays = {"weights": weights, "images": images, "labels": labels, "gradient": gradient}
    return {"loss": loss.item()} | {name: array.tolist() for name, array in arrays.items()}


if __name__ == "__main__":
    found = {
        "torch": torch.__version__,
        "classifier": reference(classifier(hidden=(5,)), dense),
        "convolutional": reference(convolutional(filters=2), sliding),
    }
    FILE.write_text(json.dumps(found) + "\n", encoding="utf-8")
