"""How does a neural network learn? Small parts in NumPy, and no more of them than digits need.

    layers    numbers in, numbers out; and on the way back, whose fault it was    dense, ReLU, flat
    filters   the same for images: sliding filters, and the largest of each four
    loss      how wrong are the scores?
    network   layers in a row; all their weights are one long vector
    descent   a step downhill

A network is only a list of layers. Its weights are an array beside it, so that they can be sent,
added up and averaged like any other; and its gradient is an array of the same length.
"""

from .descent import Descent
from .filters import Filters, Largest
from .layers import Dense, Flat, Positive
from .loss import cross_entropy
from .network import Network, Slope, average, classifier, convolutional

# fmt: off
__all__ = [
    "Dense", "Flat", "Positive", "Filters", "Largest",
    "cross_entropy", "Network", "Slope", "average", "classifier", "convolutional", "Descent",
]
# fmt: on
