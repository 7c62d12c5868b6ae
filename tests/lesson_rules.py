"""What makes a lesson good enough to publish? Rules: each a function from a lesson to the list of what breaks it.

    opening    promise, box of three lines, imports
    section    question, predict, run, see, name, break, carry on         (4 to 6 times)
    close      one picture, three sentences, exercises, next

`RULES` has them all by name. They read the committed file only; `test_notebooks.py` also runs it. What no rule can see
(a good analogy, a surprise) is not here: that is what readers are for.
"""

from __future__ import annotations

import ast
import html
import json
import re
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from measured_values import shows_measured_values, unclear_simulations

BEATS = ("question", "predict", "run", "see", "name", "break", "carry-on")
TAGS = {*BEATS, "opening", "setup", "close", "try", "nbval-ignore-output", "raises-exception"}
SHORT = {"00"}  # twenty minutes instead of forty-five to sixty: two to four sections, and from half as many words on
SOURCES = ("Measured", "Simulated", "Recorded", "Calculated", "A plan")  # how the line below a picture begins
WIDEST = 100  # letters of code that fit on half a screen
FORBIDDEN = ("simply", "just", "obviously", "of course", "trivially")
SCENES = {"Bakery", "Kitchen", "Race"}
ACTIONS = {"predict", "reveal", "explore", "quiz", "cards", "hint", *SCENES}
WIDGETS = {"explore", *SCENES}

Rule = Callable[["Lesson"], Iterator[str]]
RULES: dict[str, Rule] = {}


def rule(check: Rule) -> Rule:
    """Add a rule to `RULES`."""
    RULES[check.__name__] = check
    return check


@dataclass(frozen=True)
class Lesson:
    """One notebook as its rules read it."""

    notebook: Any
    path: Path

    @property
    def number(self) -> str:
        return self.path.name[:2]

    @property
    def cells(self) -> list[Any]:
        return self.notebook.cells

    @property
    def code(self) -> list[Any]:
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @property
    def prose(self) -> list[Any]:
        return [cell for cell in self.cells if cell.cell_type == "markdown"]

    @cached_property
    def sections(self) -> list[list[Any]]:
        """The cells of each section, from its question to the next question or the close."""
        sections: list[list[Any]] = []
        for cell in self.body:
            if is_a(cell, "question"):
                sections.append([])
            sections[-1].append(cell)
        return sections

    @property
    def body(self) -> list[Any]:
        start = self._first("question")
        return self.cells[start : self._first("close", after=start)]

    @property
    def opening(self) -> list[Any]:
        return self.cells[: self._first("question")]

    @property
    def close(self) -> list[Any]:
        return self.cells[self._first("close") :]

    def _first(self, tag: str, after: int = 0) -> int:
        found = (place for place, cell in enumerate(self.cells) if place >= after and is_a(cell, tag))
        return next(found, len(self.cells))

    @property
    def predictions(self) -> dict[str, str]:
        """The variable that holds each prediction, by label."""
        return {label: name for cell in self.code for label, name in predictions_in(cell).items()}

    @property
    def example(self) -> dict[str, Any]:
        path = self.path.parent / "aids" / f"{self.number}_example.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


# ---- Reading a cell -------------------------------------------------------------------------------------------------


def tags(cell: Any) -> list[str]:
    return cell.metadata.get("tags", [])


def is_a(cell: Any, tag: str) -> bool:
    return tag in tags(cell)


def title(cell: Any) -> str:
    """How a complaint calls a cell: its name and how it begins."""
    return f"{cell.id} ({cell.source.strip().splitlines()[0][:40] if cell.source.strip() else 'empty'})"


def tree(cell: Any) -> ast.Module:
    return ast.parse(cell.source)


def called(cell: Any) -> set[str]:
    """The names of all functions and methods that a code cell calls."""
    functions = (node.func for node in ast.walk(tree(cell)) if isinstance(node, ast.Call))
    return {f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "") for f in functions}


def headings(cell: Any) -> list[str]:
    """The headings of a prose cell, with their number signs."""
    return re.findall(r"^#+ .+$", without_code(cell.source), flags=re.MULTILINE)


def without_code(text: str) -> str:
    """Prose only: no code, formulas, or addresses of links."""
    text = re.sub(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]+\$", " ", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)|<[^>]+>", "] ", text)


def words(cell: Any) -> int:
    return len(re.findall(r"\w[\w'’-]*", without_code(cell.source)))


def lines(cell: Any) -> int:
    """Lines of code, empty ones and whole comments not counted."""
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in cell.source.splitlines())


def shown(cell: Any) -> str:
    """Everything that stands below a cell, as text."""
    texts = [output.get("text", "") + "".join(output.get("data", {}).get("text/plain", "")) for output in cell.outputs]
    return "\n".join(texts)


def pictures(cell: Any) -> list[dict[str, str]]:
    """The outputs of a cell that are or hold a picture."""
    found = (output.data for output in cell.outputs if "data" in output)
    return [data for data in found if {"image/png", "image/svg+xml"} & set(data) or "<img" in data.get("text/html", "")]


def alternatives(data: dict[str, str]) -> list[str]:
    """The alternative texts of an output, "" for a picture without one."""
    tagged = re.findall(r"<img\b[^>]*>", data.get("text/html", ""))
    texts = [re.search(r'\balt="([^"]*)"', tag) for tag in tagged]
    return [html.unescape(text[1]) if text else "" for text in texts] or [""]


def predictions_in(cell: Any) -> dict[str, str]:
    """{label: variable} of the predictions that a code cell asks for."""
    made = [node for node in ast.walk(tree(cell)) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)]
    asked = [node for node in made if getattr(node.value.func, "id", "") == "predict"]
    return {ast.literal_eval(node.value.args[0]): node.targets[0].id for node in asked}


# ---- The three parts ------------------------------------------------------------------------------------------------


@rule
def opens_with_a_promise_and_imports(lesson: Lesson) -> Iterator[str]:
    """One cell of prose (title, promise, what you will be able to do, what you need, how long it takes), imports."""
    if not lesson.opening or not is_a(lesson.opening[0], "opening"):
        yield "the first cell is not the opening"
        return
    first = lesson.opening[0]
    if [heading.count("#") for heading in headings(first)] != [1]:
        yield "the opening has no title, or other headings too"
    for promise in ("**You will be able to**", "**You need**", "**It takes about**"):
        if promise not in first.source:
            yield f"the opening does not say {promise}"
    setups = [cell for cell in lesson.opening if cell.cell_type == "code"]
    if len(setups) != 1 or not is_a(setups[0], "setup") or lines(setups[0]) > 4:
        yield "there is not exactly one code cell of at most four lines, tagged setup, before the first question"
    for cell in setups:
        if not all(isinstance(node, ast.Import | ast.ImportFrom) for node in tree(cell).body):
            yield f"{title(cell)} does more than import"


@rule
def sections_have_their_seven_beats_in_order(lesson: Lesson) -> Iterator[str]:
    """Question, predict, run, see, name, break, carry on; a cell may be two of them."""
    low, high = (2, 4) if lesson.number in SHORT else (4, 6)
    if not low <= len(lesson.sections) <= high:
        yield f"there are {len(lesson.sections)} sections, not {low} to {high}"
    for section in lesson.sections:
        beats = [beat for cell in section for beat in BEATS if is_a(cell, beat)]
        if list(dict.fromkeys(beats)) != list(BEATS) or beats != sorted(beats, key=BEATS.index):
            yield f"{title(section[0])} has the beats {', '.join(beats)}, not {', '.join(BEATS)}"


@rule
def questions_are_headings_that_ask(lesson: Lesson) -> Iterator[str]:
    """Each heading of the second level is the question of a section or belongs to the close; one title, none deeper."""
    for part in (lesson.opening, lesson.body, lesson.close):
        for cell in (cell for cell in part if cell.cell_type == "markdown"):
            for heading in headings(cell):
                asks = is_a(cell, "question") and heading.endswith("?") and heading.startswith("## ")
                closes = part == lesson.close and heading.startswith("## ")
                if not (asks or closes or cell is lesson.cells[0]):
                    yield f"{title(cell)} has the heading {heading!r}"
    for cell in lesson.prose:
        if is_a(cell, "question") and not headings(cell):
            yield f"{title(cell)} is a question without a heading"


@rule
def predictions_are_drawn_in_the_outcome(lesson: Lesson) -> Iterator[str]:
    """What the learner committed reaches the picture, and the picture's words speak of it."""
    nodes = [node for cell in lesson.code for node in ast.walk(tree(cell))]
    drawn_by = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
    for section in lesson.sections:
        code = [cell for cell in section if cell.cell_type == "code"]
        asked = {name for cell in code if is_a(cell, "predict") for name in predictions_in(cell).values()}
        seen = [cell for cell in code if is_a(cell, "see")]
        if not asked:
            yield f"{title(section[0])} assigns no prediction in its predict cell"
        if not any(draws_a_prediction(cell, asked, drawn_by) for cell in seen):
            yield f"{title(section[0])} reveals nothing that uses its prediction"
        told = [text for cell in seen for data in pictures(cell) for text in alternatives(data)]
        if "You predicted" not in "\n".join(map(shown, seen)) or not any("predict" in text.lower() for text in told):
            yield f"{title(section[0])} shows no stored picture that speaks of the prediction"


def draws_a_prediction(cell: Any, asked: set[str], drawn_by: dict[str, ast.FunctionDef]) -> bool:
    """Whether a cell reveals one of the predictions with a function that uses it, or opens a scene with it."""
    if asked & told_to_a_scene(cell):
        return True
    for call in (node for node in ast.walk(tree(cell)) if isinstance(node, ast.Call) and node.args):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "reveal":
            draw: Any = call.args[0]
            draw = drawn_by.get(draw.id) if isinstance(draw, ast.Name) else draw
            if getattr(call.func.value, "id", None) in asked and draw is not None and uses_its_parameter(draw):
                return True
    return False


def told_to_a_scene(cell: Any) -> set[str]:
    """The names that a cell gives to scenes as `prediction`: a scene stays shut until it is committed."""
    calls = [node for node in ast.walk(tree(cell)) if isinstance(node, ast.Call)]
    scenes = [call for call in calls if getattr(call.func, "id", None) in SCENES]
    told = [word.value for call in scenes for word in call.keywords if word.arg == "prediction"]
    return {value.id for value in told if isinstance(value, ast.Name)}


def uses_its_parameter(function: ast.Lambda | ast.FunctionDef) -> bool:
    body = function.body if isinstance(function.body, list) else [function.body]
    used = {node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)}
    return bool(function.args.args) and function.args.args[0].arg in used


@rule
def predictions_are_numbered_and_have_an_example(lesson: Lesson) -> Iterator[str]:
    """Labels count up (1.1, 1.2, ...); the example learner and the quiz know them, and each is revealed."""
    labels = list(lesson.predictions)
    wanted = [f"{int(lesson.number)}.{count}" for count in range(1, len(labels) + 1)]
    if labels != wanted:
        yield f"predictions are labelled {labels}, not {wanted}"
    if sorted(lesson.example) != sorted(labels):
        yield f"the example learner predicts {sorted(lesson.example)}, and the lesson asks {sorted(labels)}"
    yield from (f"prediction {label} is never revealed" for label in never_revealed(lesson))
    quiz = lesson.path.parent / "aids" / f"{lesson.number}_quiz.json"
    questions = json.loads(quiz.read_text(encoding="utf-8")) if quiz.exists() else []
    refuted = {answer["refuted"] for question in questions for answer in question["answers"] if "refuted" in answer}
    yield from (f"the quiz refers to prediction {label}, which is not asked" for label in sorted(refuted - set(labels)))


def never_revealed(lesson: Lesson) -> list[str]:
    """The labels of predictions whose variable is taken for the next one, or left, before it revealed anything."""
    waiting: dict[str, str] = {}
    forgotten = []
    for cell in lesson.code:
        for label, name in predictions_in(cell).items():
            forgotten += [waiting[name]] if name in waiting else []
            waiting[name] = label
        for name in [*re.findall(r"(\w+)\.reveal\(", cell.source), *told_to_a_scene(cell)]:
            waiting.pop(name, None)
    return [*forgotten, *waiting.values()]


@rule
def terms_are_named_with_a_source(lesson: Lesson) -> Iterator[str]:
    """The term in bold, and the year of whoever said it."""
    for cell in (cell for cell in lesson.cells if is_a(cell, "name")):
        if cell.cell_type != "markdown" or not re.search(r"\*\*[^*]+\*\*", cell.source):
            yield f"{title(cell)} names no term in bold"
        if not re.search(r"\b(18|19|20)\d\d\b", cell.source):
            yield f"{title(cell)} has no source with a year"


@rule
def what_was_broken_is_shown_and_explained(lesson: Lesson) -> Iterator[str]:
    """A break is code with a picture, and prose follows that says why."""
    for place, cell in enumerate(lesson.cells):
        if is_a(cell, "break"):
            reason = [after for after in lesson.cells[place + 1 : place + 2] if after.cell_type == "markdown"]
            if cell.cell_type != "code" or not pictures(cell):
                yield f"{title(cell)} breaks nothing that can be seen"
            if not reason or words(reason[0]) < 8:
                yield f"{title(cell)} is not followed by a reason"


@rule
def carrying_on_takes_one_line(lesson: Lesson) -> Iterator[str]:
    """At most 40 words open the next question."""
    for cell in (cell for cell in lesson.cells if is_a(cell, "carry-on")):
        if cell.cell_type != "markdown" or not 3 <= words(cell) <= 40:
            yield f"{title(cell)} does not carry on in 3 to 40 words"


@rule
def closes_with_a_picture_three_sentences_exercises_and_the_next(lesson: Lesson) -> Iterator[str]:
    """In one picture (both paradigms), in three sentences, exercises with quiz and cards, next."""
    titles = [heading for cell in lesson.close if cell.cell_type == "markdown" for heading in headings(cell)]
    if titles != ["## In one picture", "## In three sentences", "## Exercises", "## Next"]:
        yield f"the close has the headings {titles}"
        return
    parts = parts_of_the_close(lesson)
    drawings = [data for cell in parts["In one picture"] if cell.cell_type == "code" for data in pictures(cell)]
    drawn = "\n".join(text for data in drawings for text in alternatives(data))
    if not all(paradigm in drawn.lower() for paradigm in ("data parallel", "task parallel")):
        yield "the last picture does not show both paradigms"
    told = " ".join(without_code(cell.source.partition("\n")[2]) for cell in parts["In three sentences"][:1])
    if len(re.findall(r"(?<!\d)[.!?]\**(?=\s|$)", told)) != 3:  # the numbers of a list end no sentence
        yield "the sentences under 'In three sentences' are not three"
    exercises = parts["Exercises"]
    linked = f"../exercises/{'01' if lesson.number in SHORT else lesson.number}_exercises.ipynb"
    if not any(linked in cell.source for cell in exercises):
        yield f"the exercises are not linked: {linked}"
    calls = {name for cell in exercises if cell.cell_type == "code" for name in called(cell)}
    yield from (f"there is no {aid} under 'Exercises'" for aid in ("quiz", "cards") if aid not in calls)


def parts_of_the_close(lesson: Lesson) -> dict[str, list[Any]]:
    """The cells of the close by their heading."""
    parts: dict[str, list[Any]] = {}
    for cell in lesson.close:
        found = headings(cell) if cell.cell_type == "markdown" else []
        if found:
            parts[found[0].lstrip("# ")] = []
        parts[list(parts)[-1]].append(cell)
    return parts


# ---- Sizes and rhythm -----------------------------------------------------------------------------------------------


@rule
def has_the_right_size(lesson: Lesson) -> Iterator[str]:
    """45 to 80 cells and 900 to 1,600 words, under 300 kB; a short lesson 30 to 65 cells and 450 to 1,200 words.

    Words are runs of letters and digits in prose cells: in code, formulas and addresses, too.
    """
    (fewest, most), (least, longest) = ((30, 65), (450, 1200)) if lesson.number in SHORT else ((45, 80), (900, 1600))
    count, prose = len(lesson.cells), sum(len(re.findall(r"\w+", cell.source)) for cell in lesson.prose)
    if not fewest <= count <= most:
        yield f"{count} cells, not {fewest} to {most}"
    if not least <= prose <= longest:
        yield f"{prose} words, not {least} to {longest}"
    if (size := lesson.path.stat().st_size) >= 300_000:
        yield f"{size} bytes, not under 300,000"


@rule
def cells_are_short(lesson: Lesson) -> Iterator[str]:
    """Code: 3 lines typical, 10 the exception, 20 the ceiling; none is cut off. Prose: no passage over 120 words."""
    lengths = [lines(cell) for cell in lesson.code]
    if lengths and statistics.median(lengths) > 3:
        yield f"half of the code cells have {statistics.median(lengths)} lines or more, not 3"
    if sum(length > 10 for length in lengths) > len(lengths) / 10:
        yield "more than a tenth of the code cells have more than 10 lines"
    yield from (f"{title(cell)} has {lines(cell)} lines, more than 20" for cell in lesson.code if lines(cell) > 20)
    yield from (f"{title(cell)} has {words(cell)} words, more than 120" for cell in lesson.prose if words(cell) > 120)
    wide = [cell for cell in lesson.code if any(len(line) > WIDEST for line in cell.source.splitlines())]
    yield from (f"{title(cell)} has a line of more than {WIDEST} letters" for cell in wide)


@rule
def a_sentence_stands_between_two_code_cells(lesson: Lesson) -> Iterator[str]:
    for one, other in zip(lesson.cells, lesson.cells[1:]):
        if one.cell_type == other.cell_type == "code":
            yield f"{title(other)} follows code without a sentence between"


@rule
def learners_act_at_least_every_six_cells(lesson: Lesson) -> Iterator[str]:
    """Predict, reveal, break, try, a panel, exercises, a quiz, cards: never more than six cells without one of them."""
    idle = 0
    for cell in lesson.cells:
        invited = is_a(cell, "break") or is_a(cell, "try") or "](../exercises/" in cell.source
        idle = 0 if invited or (cell.cell_type == "code" and called(cell) & ACTIONS) else idle + 1
        if idle == 7:
            yield f"{title(cell)} is the seventh cell in which the learner only reads"


# ---- Words ----------------------------------------------------------------------------------------------------------


@rule
def avoids_words_that_belittle(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.cells:
        text = cell.source if cell.cell_type == "markdown" else "\n".join(re.findall(r"#.*|\"[^\"]*\"", cell.source))
        found = [word for word in FORBIDDEN if re.search(rf"\b{word}\b", text, flags=re.IGNORECASE)]
        yield from (f"{title(cell)} says {word!r}" for word in found)


NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
UNIT = r"(?:\s?(?:×|%|µs\b|ms\b|s\b)|[\s-](?:times|percent|(?:milli|micro)?seconds?)\b)"


@rule
def prose_quotes_no_measured_number(lesson: Lesson) -> Iterator[str]:
    """A number with a unit is a range, or stands in a compared cell, where a test would see it change."""
    compared = [cell for cell in lesson.code if not is_a(cell, "nbval-ignore-output")]
    certain = {value for cell in compared for value in numbers(cell.source + "\n" + shown(cell))}
    for cell in lesson.prose:
        text = re.sub(rf"{NUMBER}{UNIT}?\s?(?:to|and|or|–|-)\s?{NUMBER}{UNIT}", " ", without_code(cell.source))
        quoted = re.findall(rf"(?<![\w.])({NUMBER}){UNIT}", text)
        unknown = [number for number in quoted if not numbers(number) <= certain]
        yield from (f"{title(cell)} quotes {number}, which no compared cell shows" for number in unknown)


def numbers(text: str) -> set[float]:
    return {float(number.replace(",", "")) for number in re.findall(NUMBER, text)}


@rule
def links_lead_somewhere(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.prose:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", cell.source):
            if "://" not in link and not (lesson.path.parent / link).exists():
                yield f"{title(cell)} links to {link}, which does not exist"


# ---- Outputs --------------------------------------------------------------------------------------------------------


@rule
def was_run_in_order_and_keeps_its_outputs(lesson: Lesson) -> Iterator[str]:
    if [cell.execution_count for cell in lesson.code] != list(range(1, len(lesson.code) + 1)):
        yield "the cells were not run in order"
    for cell in lesson.code:
        last = tree(cell).body[-1:]
        if last and isinstance(last[0], ast.Expr) and not cell.outputs and not cell.source.rstrip().endswith(";"):
            yield f"{title(cell)} ends with something to see, and shows nothing"


@rule
def nothing_went_wrong_unless_it_is_the_lesson(lesson: Lesson) -> Iterator[str]:
    """No error without the tag that expects it, no tag without an error, no warning."""
    for cell in lesson.code:
        if is_a(cell, "raises-exception") != any(output.output_type == "error" for output in cell.outputs):
            yield f"{title(cell)} fails and should not, or should and does not"
        warned = [output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stderr"]
        yield from (f"{title(cell)} warns: {text.strip()[:60]}" for text in warned if not re.search(r"%\|", text))


@rule
def pictures_have_words_and_say_where_they_come_from(lesson: Lesson) -> Iterator[str]:
    """Alternative text of at least 40 letters, and a line below: measured, simulated, recorded, or not even that."""
    for cell in lesson.code:
        for data in pictures(cell):
            silent = [text for text in alternatives(data) if len(text) < 40]
            yield from (f"{title(cell)} has a picture without words worth reading: {text!r}" for text in silent)
            visible = re.sub(r"<[^>]*>", " ", data.get("text/html", ""))
            if not any(source in visible for source in SOURCES):
                yield f"{title(cell)} has a picture that does not say where its numbers come from"


@rule
def widgets_have_a_still_picture(lesson: Lesson) -> Iterator[str]:
    """A widget is gone when the notebook is reopened: a picture stands in the same cell or the next code cell."""
    for cell, following in zip(lesson.code, [*lesson.code[1:], None]):
        if called(cell) & WIDGETS and not pictures(cell) and not (following and pictures(following)):
            yield f"{title(cell)} has a widget and no still picture"


@rule
def what_is_compared_is_the_same_everywhere(lesson: Lesson) -> Iterator[str]:
    """Simulations with all costs and workers said; times measured here only where the checker does not look."""
    yield from (f"{cell.id}: {problem}" for cell, problem in unclear_simulations(lesson.code, is_compared))
    shows = shows_measured_values(lesson.code, is_compared)
    yield from (f"{title(cell)} shows measured values: tag it nbval-ignore-output" for cell in shows)


def is_compared(cell: Any) -> bool:
    return not is_a(cell, "nbval-ignore-output")


@rule
def carries_no_other_tags(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.cells:
        yield from (f"{title(cell)} has the tag {tag!r}" for tag in tags(cell) if tag not in TAGS)
