"""Is a sentence friendly or not? Rules and a lexicon of some 7,500 words: pure Python, so it holds the GIL.

    sentences ──► words ──► each word's feeling, turned round by "not", louder with "very" ──► −1 … 1

The rules and the lexicon are those of VADER (Hutto and Gilbert, 2014); they come with the package
vaderSentiment, and nothing is downloaded. The sentences are those of Python's own documentation,
which has feelings where a word of it has them elsewhere: an "error" is bad, and to "support" is good.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from .text import topics

__all__ = ["feelings", "sentences"]

END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
SHORTEST, LONGEST = 20, 300  # letters: what is shorter is a heading, what is longer a listing


@cache
def sentences() -> tuple[str, ...]:
    """The sentences of Python's help topics, some two thousand, in one line each.

    >>> len(sentences()) > 500
    True
    """
    found = (" ".join(sentence.split()) for topic in topics() for sentence in END.split(topic))
    return tuple(sentence for sentence in found if SHORTEST < len(sentence) < LONGEST)


def feelings(texts: Iterable[str]) -> list[float]:
    """How friendly each text is, from −1 to 1; 0 is neither friendly nor unfriendly.

    >>> feelings(["What a wonderful cake!", "The soup was not good.", "Bread has a crust."])
    [0.6114, -0.3412, 0.0]
    """
    judge = _judge()
    return [judge.polarity_scores(text)["compound"] for text in texts]


@cache
def _judge() -> Any:
    """The rules with their lexicon, read once in each process."""
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError:
        raise ImportError("sentiment needs vaderSentiment: pip install vaderSentiment") from None
    return SentimentIntensityAnalyzer()
