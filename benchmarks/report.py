"""What do the numbers say? Tables in Markdown, put into the README between two marks.

    <!-- arrays: begin -->
    | … |                     written by the program, as a whole, and by nobody else
    <!-- arrays: end -->

This file does not know what was measured: a part of the benchmarks hands it rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .contest import Middle

README = Path(__file__).parent / "README.md"


@dataclass(frozen=True)
class Target:
    """What was to be reached, and what was reached; prints MISSED where the two do not meet.

    >>> print(Target("times ours", 2.5, at_least=2))
    2.5 times ours (at least 2)
    >>> print(Target("times ours", 1.5, at_least=2))
    **MISSED** 1.5 times ours (at least 2)
    """

    what: str
    reached: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def missed(self) -> bool:
        below = self.at_least is not None and self.reached < self.at_least
        return below or (self.at_most is not None and self.reached > self.at_most)

    def __str__(self) -> str:
        bound = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        return f"{'**MISSED** ' * self.missed}{self.reached:.3g} {self.what} ({bound})"


def seconds_of(times: Sequence[float]) -> str:
    """A time with the quartiles around it, in the unit that suits it.

    >>> seconds_of([0.5, 0.5, 0.75])
    '0.5 s [0.5 – 0.625]'
    """
    middle = Middle.of(times)
    units = (1, "s"), (1e3, "ms"), (1e6, "µs")
    factor, unit = next((f, u) for f, u in units if middle.median * f >= 0.1 or f == 1e6)
    median, low, high = (f"{value * factor:.3g}" for value in middle)
    return f"{median} {unit} [{low} – {high}]"


def times_of(middle: Middle) -> str:
    """A ratio with the quartiles around it.

    >>> times_of(Middle(1.9, 1.85, 1.94))
    '1.90 × [1.85 – 1.94]'
    """
    return f"{middle.median:.2f} × [{middle.low:.2f} – {middle.high:.2f}]"


def best_of_ours(shares: Mapping[str, float]) -> str:
    """The better of ours: threads or processes may reach a target.

    >>> best_of_ours({"parlib, threads": 0.7, "parlib, processes": 0.9, "joblib": 0.95})
    'parlib, processes'
    """
    return max((name for name in shares if name.startswith("parlib")), key=shares.__getitem__)


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def table(title: str, record: dict[str, Any], heads: Sequence[str], lines: Sequence[str]) -> str:
    """One table under its title, with the conditions under which it was measured."""
    rounds = len(record["busy"])
    busy = Middle.of(record["busy"])
    conditions = (
        f"{rounds} interleaved rounds, medians and quartiles; others kept "
        f"{busy.median:.0%} [{busy.low:.0%} – {busy.high:.0%}] of the CPUs busy; "
        f"load {record['load']}; {record['when']}."
    )
    return "\n".join([f"#### {title}", "", conditions, "", row(*heads), row(*["---"] * len(heads)), *lines])


def write(part: str, text: str, readme: Path = README) -> None:
    """Put `text` between the marks of `part`. ValueError if the README has no such marks."""
    page = readme.read_text(encoding="utf-8")
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"{readme} has no lines {begin} and {end}: add them where the tables of this part belong")
    page = pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page)
    readme.write_text(page, encoding="utf-8", newline="\n")
