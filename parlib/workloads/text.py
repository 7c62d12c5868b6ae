"""Word statistics of Python's own documentation: pure Python, so it spends CPU and holds the GIL.

    documents ──► count the words of each ──► one table of all words

The documents are the help topics that come with Python (`help("LAMBDA")` shows one). They differ
in length, so equal numbers of them are not equal work. Joining the tables is left to one worker:
the part of the job that stays serial.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache

from ..paradigms import data_plan
from ..plan import Plan
from .workload import Workload

BETWEEN = str.maketrans(dict.fromkeys("\"'`*()[]{}<>.,:;!?=+-/\\|@#%^&~_0123456789", " "))


@cache
def topics() -> tuple[str, ...]:
    """The help topics of this Python, some eighty texts of some hundred to some ten thousand words."""
    from pydoc_data.topics import topics as texts

    return tuple(texts[name] for name in sorted(texts))


@cache
def documents(size: int) -> tuple[str, ...]:
    """`size` documents: the help topics in turn, from the first again after the last; made once."""
    return tuple(topics()[number % len(topics())] for number in range(size))


def count_words(document: str) -> Counter[str]:
    """How often each word occurs, its ending and its capitals taken off.

    >>> count_words("Bakers bake; a baker baked.")
    Counter({'baker': 2, 'bak': 2, 'a': 1})
    """
    words: Counter[str] = Counter()
    for word in document.lower().translate(BETWEEN).split():
        words[stem(word)] += 1
    return words


def stem(word: str) -> str:
    """A word without its ending, if at least three letters stay (the idea of Lovins 1968, in five endings).

    >>> stem("waiting"), stem("sing")
    ('wait', 'sing')
    """
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def join(tables: Iterable[Counter[str]]) -> Counter[str]:
    """One table of all.

    >>> join([Counter("aab"), Counter("b")])
    Counter({'a': 2, 'b': 2})
    """
    whole: Counter[str] = Counter()
    for table in tables:
        whole.update(table)
    return whole


def _plan(size: int, chunks: int) -> Plan:
    return data_plan(count_words, documents(size), chunks=chunks, combine=join)


def _serial(size: int) -> Counter[str]:
    return join(map(count_words, documents(size)))


def _costs(size: int) -> list[float]:
    return [2e-7 * len(document) for document in documents(size)]


words = Workload("text.words", _plan, _serial, (60, 240, 1000), "CPU, holding the GIL", _costs)
"""How often each word occurs in `size` documents."""
