"""The benchmarks run, and their README is what they print: no second is asserted here."""

import re
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import report

README = Path(__file__).parents[1] / "benchmarks" / "README.md"

SCENES = pytest.param("scenes", marks=pytest.mark.browser)


@pytest.fixture
def page(tmp_path):
    """A README of the same marks with nothing between them."""
    page = tmp_path / "README.md"
    page.write_text(
        "".join(f"<!-- {part}: begin -->\n<!-- {part}: end -->\n" for part in program.PARTS), encoding="utf-8"
    )
    return page


def between(part, text):
    """What stands between the marks of a part."""
    return re.search(f"<!-- {part}: begin -->\n(.*)<!-- {part}: end -->", text, re.DOTALL)[1]


@pytest.mark.long
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    "part",
    [*("tiny", "graph", "simulator", "calibration", "learning", "streams", "arrays"), SCENES],
)
def test_every_contest_runs_and_writes_its_tables(part, page, tmp_path, capsys):
    program.main([part, "--mini", f"--readme={page}", f"--results={tmp_path / 'results.json'}"])
    text = between(part, page.read_text(encoding="utf-8"))
    assert text.strip() in capsys.readouterr().out
    tables = text.count("\n#### ") or text.startswith("####")
    assert tables == len(program.load(tmp_path / "results.json")[part])
    assert "interleaved rounds" in text


@pytest.mark.parametrize("part", program.load(program.RESULTS))
def test_the_readme_holds_what_the_program_makes_of_the_raw_times(part):
    module = program.import_module(f"benchmarks.{part}")
    tables = module.report(program.load(program.RESULTS)[part])
    assert tables in between(part, README.read_text(encoding="utf-8"))


def test_a_target_that_is_not_reached_is_marked_missed():
    assert "MISSED" in str(report.Target("of theirs", 1.4, at_most=1.3))
    assert "MISSED" not in str(report.Target("of theirs", 1.2, at_most=1.3))


def test_a_page_without_marks_is_refused(tmp_path):
    (tmp_path / "README.md").write_text("nothing here", encoding="utf-8")
    with pytest.raises(ValueError, match="has no lines"):
        report.write("tiny", "text", tmp_path / "README.md")
