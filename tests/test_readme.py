"""The README tells the truth: its programs run, its commands are those that CI runs, its links lead somewhere."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", ".github/CONTRIBUTING.md"]


def blocks(language, text=README):
    """The fenced blocks of one language, "" for those without."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(text=README):
    return [line for block in blocks("", text) for line in block.splitlines() if line.startswith("python3 -m venv")]


def promised(program):
    """What a program says it prints: the comments behind its calls of print."""
    return re.findall(r"^print\(.*\)  # (.*)$", program, flags=re.MULTILINE)


@pytest.mark.parametrize("program", blocks("python"), ids=lambda program: program.split("import ")[1].split()[0])
def test_every_program_runs_and_prints_what_it_says(program):
    assert promised(program)
    printed = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert printed.splitlines() == promised(program)


def test_both_paradigms_are_shown():
    shown = "".join(blocks("python"))
    assert "data_parallel(" in shown
    assert "task_parallel(" in shown


def test_the_commands_are_two_and_ci_runs_them_from_the_readme():
    lab, test = commands()
    assert lab.endswith("&& .venv/bin/python -m parlib lab")
    assert test.endswith("-e '.[test]' && .venv/bin/pytest")
    assert "README.md" in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")


def test_contributors_are_told_the_same_test_command():
    assert commands((REPOSITORY / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")) == commands()[1:]


def test_the_workflow_runs_the_same_test_command_on_the_other_systems():
    workflow = (REPOSITORY / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    test = commands()[1]
    assert f"run: {test}\n" in workflow
    assert f"run: {test.replace('python3', 'python').replace('/bin/', '/Scripts/')}\n" in workflow


def links(text):
    """Where the links and pictures of a page lead, those to other sites left out."""
    return [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link]


def broken_links(page):
    text = page.read_text(encoding="utf-8")
    return [link for link in links(text) if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page):
    assert broken_links(REPOSITORY / page) == []


def test_a_broken_link_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("[here](page.md) [nowhere](missing.md#part) ![picture](missing.png) [site](https://example.org)")
    assert broken_links(page) == ["missing.md", "missing.png"]


def test_the_table_lists_exactly_the_lessons_that_exist_with_their_titles_and_minutes():
    listed = re.findall(r"^\| (\d\d) \| \[(.*?)\]\(notebooks/(.*?)\) \| .* \| (\d+) \|$", README, flags=re.MULTILINE)
    assert listed == [told_by(lesson) for lesson in sorted((REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"))]


def told_by(lesson):
    """(number, title, file, minutes) as the opening of a lesson tells them."""
    opening = "".join(json.loads(lesson.read_text(encoding="utf-8"))["cells"][0]["source"])
    minutes = re.search(r"\*\*It takes about\*\* (\d+) minutes", opening).group(1)
    return lesson.name[:2], opening.partition("\n")[0].removeprefix("# "), lesson.name, minutes


def test_the_picture_has_alternative_text():
    assert all(len(text) > 40 for text in re.findall(r"!\[(.*?)\]", README))
    assert "![" in README


def test_the_picture_is_drawn_by_its_script(tmp_path):
    subprocess.run([sys.executable, REPOSITORY / ".github" / "picture.py", tmp_path / "picture.png"], check=True)
    drawn, kept = (folder / "picture.png" for folder in (tmp_path, REPOSITORY / ".github"))
    assert drawn.read_bytes()[:24] == kept.read_bytes()[:24]  # a PNG of the same width and height; fonts may differ


def requirement_names(lines):
    named = [line for line in lines if line.strip() and line[0] not in "#-"]
    return {re.split(r"[\s>=<!;\[]", line, maxsplit=1)[0].lower() for line in named}


def test_every_requirement_has_a_reason_a_range_and_the_library_comes_last():
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and line[0] not in "#-" and not re.search(r">=\d.*  # \w", line)] == []
    assert lines[-1] == "-e ."


def test_what_parlib_imports_is_what_a_student_installs():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = requirement_names((REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines())
    # JupyterLab is where lessons are read; the library works without it.
    assert requirement_names(project["dependencies"]) == required - {"jupyterlab"}
