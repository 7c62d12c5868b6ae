"""A prediction comes before its outcome and stays; an answer replies; a card returns; and every aid is in order."""

import json
import re
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from IPython.testing.globalipapp import start_ipython
from IPython.utils.capture import capture_output

from parlib import study
from parlib.state import State, here
from parlib.study import cards, glossary, predict, progress, quiz
from parlib.study.aids import MISCONCEPTIONS, Card, Choice, QuizQuestion, lessons, read_cards, read_glossary, read_quiz
from parlib.study.asking import _Button, _Controls
from parlib.study.practice import PAUSES, Deck, Quiz
from parlib.study.prediction import Prediction, Question
from parlib.study.recorder import Recorder

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
AIDS = NOTEBOOKS / "aids"
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(autouse=True)
def learner(tmp_path, monkeypatch):
    """A learner who has just come: an empty folder with aids of its own, and no question asked yet."""
    (tmp_path / "aids").mkdir()
    for file in AIDS.iterdir():
        (tmp_path / "aids" / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    study.reset()


@pytest.fixture(scope="module")
def notebook():
    """What a notebook shows: a function from an action to the list of its outputs, each {MIME type: data}."""
    start_ipython()

    def shown(action):
        with capture_output() as caught:
            action()
        return [output.data for output in caught.outputs]

    return shown


def ask(**changes):
    options = {"low": 1, "high": 4, "step": 0.1, "unit": "×"} | changes
    return predict("2.1", "How many times faster will 2 bakers be?", **options)


def choose(choices=("block", "cyclic", "they tie")):
    return predict("2.2", "Which finishes first?", choices=list(choices))


def visit_again():
    """The kernel restarts: what was asked is forgotten, what was kept is not."""
    study.forget()


# ---- Predictions: the rules -----------------------------------------------------------------------------------------


def test_a_prediction_tells_its_story():
    guess = ask()
    assert repr(guess) == "<Prediction 2.1: not committed yet>"
    guess.commit(1.7)
    assert repr(guess) == "<Prediction 2.1: 1.7×, committed>"
    guess.lock()
    assert repr(guess) == "<Prediction 2.1: 1.7×, outcome shown>"
    other = choose()
    other.commit("cyclic")
    assert repr(other) == "<Prediction 2.2: cyclic, committed>"


def test_a_prediction_has_no_value_before_it_is_committed():
    guess = ask()
    assert (guess.value, guess.committed, guess.told) == (None, False, "")
    guess.commit(2)
    assert (guess.value, guess.committed, guess.told) == (2, True, "2×")


def test_one_may_change_ones_mind_before_the_outcome_and_not_after():
    guess = ask()
    guess.commit(2)
    guess.commit(3)
    guess.reconsider()
    assert not guess.committed
    guess.commit(2)
    guess.lock()
    guess.commit(2)  # the same again is no change: the cell may run twice
    with pytest.raises(RuntimeError, match=r"Prediction 2\.1 stays at 2×: its outcome has been shown\."):
        guess.commit(3)
    with pytest.raises(RuntimeError, match="stays at 2×"):
        guess.reconsider()


def test_a_prediction_outlives_its_kernel():
    ask().commit(1.7)
    visit_again()
    assert repr(ask()) == "<Prediction 2.1: 1.7×, committed>"
    ask().lock()
    visit_again()
    assert ask().revealed
    entry = here().get("predictions", "2.1")
    assert set(entry) == {"value", "revealed", "time"}


def test_a_prediction_taken_back_is_forgotten():
    ask().commit(1.7)
    ask().reconsider()
    visit_again()
    assert not ask().committed


def test_a_prediction_goes_on_when_its_file_is_deleted():
    guess = ask()
    guess.commit(1.7)
    here().reset()
    guess.lock()
    assert repr(ask()) == "<Prediction 2.1: 1.7×, outcome shown>"


def test_running_the_cell_again_gives_the_same_prediction():
    assert ask() is ask()
    assert ask() is not ask(high=8)


def test_reset_lets_a_learner_begin_afresh():
    ask().commit(1.7)
    study.reset()
    assert not ask().committed


def test_an_answer_to_an_older_version_of_the_question_does_not_count():
    choose(["block", "cyclic", "dynamic"]).commit("dynamic")
    visit_again()
    assert not choose().committed
    study.commit("2.1", 9)
    assert not ask(high=4).committed
    assert ask(high=10).committed


@pytest.mark.parametrize("entry", [None, 3, [], {}, {"value": None}, {"value": "fast"}, {"value": [1]}])
def test_a_damaged_entry_is_no_prediction(entry):
    here().put("predictions", "2.1", entry)
    assert not ask().committed


def test_a_script_commits_by_label_before_or_after_the_question():
    study.commit("2.1", 1.7)
    assert ask().told == "1.7×"
    other = choose()
    study.commit("2.2", "cyclic")
    assert other.value == "cyclic"


def test_a_number_may_be_drawn():
    guess = ask()
    guess.commit(1.7)
    assert float(guess) == 1.7
    choose().commit("block")
    with pytest.raises(TypeError, match=r"Prediction 2\.2 is no number: block\."):
        float(choose())
    with pytest.raises(TypeError, match="commit one first"):
        float(ask(high=8, unit="s") if study.reset() is None else None)


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [(1.7, "×", "1.7×"), (50, "%", "50%"), (2, "s", "2 s"), (3, "", "3"), (12000, "items", "12,000 items")],
)
def test_an_answer_is_written_with_its_unit(value, unit, told):
    assert Question("1.1", "How many?", unit=unit).told(value) == told


# ---- Predictions: bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (5, ValueError, r"Prediction 2\.1 lies between 1× and 4×, not at 5\."),
        ("fast", TypeError, r"Prediction 2\.1 is a number, not 'fast'\."),
        (True, TypeError, "is a number, not True"),
        (float("nan"), ValueError, "finite"),
        (None, TypeError, "not None"),
    ],
)
def test_an_impossible_number_is_refused(value, error, words):
    guess = ask()
    with pytest.raises(error, match=words):
        guess.commit(value)
    assert not guess.committed


def test_a_misspelt_choice_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"'cylic' is no choice of prediction 2\.2: did you mean 'cyclic'\?"):
        choose().commit("cylic")
    with pytest.raises(ValueError, match=r"choose one of \['block', 'cyclic', 'they tie'\]"):
        choose().commit(7)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"choices": "block"}, TypeError),
        ({"choices": []}, ValueError),
        ({"choices": ["one"]}, ValueError),
        ({"choices": ["one", "one"]}, ValueError),
        ({"choices": [1, 2]}, TypeError),
        ({"choices": ["a", "b"], "low": 1}, ValueError),
        ({"low": 1}, ValueError),
        ({"low": 4, "high": 1}, ValueError),
        ({"low": 1, "high": "4"}, TypeError),
        ({"low": 1, "high": 4, "step": 0}, ValueError),
        ({"low": 1, "high": float("inf")}, ValueError),
        ({"unit": 3}, TypeError),
    ],
)
def test_a_question_without_sense_is_refused(options, error):
    with pytest.raises(error, match=r"\.$"):
        predict("2.1", "How many?", **options)
    with pytest.raises(ValueError, match="needs a label"):
        predict("", "How many?")


def test_reveal_takes_a_function():
    with pytest.raises(TypeError, match=r"reveal\(\) takes a function"):
        ask().reveal("picture")


# ---- Predictions: in a notebook -------------------------------------------------------------------------------------


def test_the_outcome_is_not_even_computed_before_the_prediction(notebook):
    drawn = []
    button, words = notebook(lambda: ask().reveal(drawn.append))
    assert drawn == []
    assert button["text/plain"] == "Button “Show what happens”, shut until prediction 2.1 is committed."
    assert words["text/plain"] == "Commit prediction 2.1 first; then you can see what happens."
    assert "Commit prediction 2.1 first" in words["text/html"]


def test_a_committed_prediction_is_shown_with_its_outcome_and_no_widget(notebook):
    study.commit("2.1", 1.7)
    question, words, outcome = notebook(lambda: (ask()._ipython_display_(), ask().reveal(lambda guess: [guess.value])))
    assert question["text/plain"] == "Prediction 2.1: How many times faster will 2 bakers be? You predicted 1.7×."
    assert words["text/plain"] == "You predicted 1.7×."
    assert outcome["text/plain"] == "[1.7]"
    assert not any(WIDGET in output for output in (question, words, outcome))
    assert ask().revealed


def test_what_is_shown_is_the_same_at_every_visit(notebook):
    study.commit("2.1", 1.7)
    shown = []
    for _ in range(2):
        visit_again()
        shown.append(notebook(lambda: (ask()._ipython_display_(), ask().reveal(lambda guess: guess.told))))
    assert shown[0] == shown[1]


def test_a_choice_is_quoted(notebook):
    study.commit("2.2", "they tie")
    assert notebook(lambda: choose().reveal(lambda guess: None))[0]["text/plain"] == "You predicted “they tie”."


def test_an_error_in_a_committed_outcome_is_an_ordinary_error():
    study.commit("2.1", 1.7)
    with pytest.raises(ZeroDivisionError), capture_output():
        ask().reveal(lambda guess: 1 / 0)
    assert not ask().revealed


def test_the_button_opens_with_the_prediction_and_its_press_shows_and_locks(notebook):
    guess = ask()
    button = _Button(guess, lambda guess: print("baking") or guess.told)
    notebook(button.show)
    assert button.button.disabled
    guess.commit(1.7)
    assert not button.button.disabled
    guess.reconsider()
    assert button.button.disabled
    guess.commit(1.8)
    outputs = notebook(button.press)
    assert [output["text/plain"] for output in outputs[:2]] == ["baking\n'1.8×'", "You predicted 1.8×."]
    assert guess.revealed


def test_a_name_that_a_later_cell_reuses_does_not_change_the_outcome(notebook):
    cells = {"guess": ask()}
    exec("run = 'first run'\nlater = lambda guess: run\nguess.reveal(later)", cells)
    button = cells["guess"]._watchers[-1].__self__
    exec("run = 'another run'", cells)
    cells["guess"].commit(2)
    assert notebook(button.press)[0]["text/plain"] == "'first run'"
    assert cells["later"](None) == "another run", "without the precaution it would"


def test_an_outcome_that_fails_says_so_and_can_be_tried_again(notebook):
    guess = ask()
    button = _Button(guess, lambda guess: {}["<b>"])
    notebook(button.show)
    guess.commit(2)
    outcome = notebook(button.press)[0]
    assert outcome["text/plain"].startswith("KeyError: '<b>'\nPress the button again")
    assert "&lt;b&gt;" in outcome["text/html"]
    assert not button.button.disabled
    assert not guess.revealed


def test_the_controls_commit_what_they_show_and_go_when_it_is_locked(notebook):
    guess = ask()
    controls = _Controls(guess)
    notebook(controls.show)
    controls.field.value = 2.5
    notebook(controls.commit.click)
    assert guess.value == 2.5
    assert controls.field.disabled
    assert controls.commit.disabled
    notebook(controls.change.click)
    assert not controls.field.disabled
    notebook(controls.commit.click)
    outputs = notebook(guess.lock)
    assert {"text/plain": ""}.items() <= outputs[-1].items()
    assert controls.field.comm is None, "the widgets are closed"


@pytest.mark.parametrize(
    ("options", "kind", "value"),
    [
        ({"low": 1, "high": 8}, "IntSlider", 1),
        ({"low": 1, "high": 4, "step": 0.25}, "FloatSlider", 1),
        ({}, "FloatText", 0),
        ({"choices": ["a", "b"]}, "RadioButtons", None),
    ],
)
def test_the_control_suits_the_answers(options, kind, value):
    controls = _Controls(predict("2.1", "How many?", **options))
    assert (type(controls.field).__name__, controls.field.value) == (kind, value)
    assert controls.commit.disabled == (value is None), "nothing chosen, nothing to commit"
    assert getattr(controls.field, "readout_format", ".2f") == {"IntSlider": "d"}.get(kind, ".2f")


def test_markup_in_a_question_is_text(notebook):
    guess = predict("<i>", "Is <script>alert(1)</script> & co. safe?", choices=["<b>yes</b>", "no"])
    guess.commit("<b>yes</b>")
    outputs = notebook(lambda: (guess._ipython_display_(), guess.reveal(lambda guess: None)))
    page = "".join(output.get("text/html", "") for output in outputs)
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page


def test_axes_become_a_picture_once(notebook):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    study.commit("2.1", 2)
    outputs = notebook(lambda: ask().reveal(lambda guess: pyplot.subplots()[1]))
    assert [output for output in outputs if "image/png" in output]
    assert pyplot.get_fignums() == []


def test_a_picture_keeps_its_words_when_a_button_shows_it(notebook):
    from parlib import Simulated, data_parallel, gantt, show

    run = data_parallel(abs, [-1, 2], workers=2, backend=Simulated(cost=1.0))
    guess = ask()
    button = _Button(guess, lambda guess: show(gantt(run), "Two bars of the same length.", run.source))
    notebook(button.show)
    guess.commit(2)
    outcome = notebook(button.press)[0]
    assert outcome["text/plain"] == "Two bars of the same length.\nSimulated: the seconds are virtual."
    assert 'alt="Two bars of the same length."' in outcome["text/html"]
    assert outcome["image/png"]


def test_outside_a_notebook_it_is_text(monkeypatch, capsys):
    monkeypatch.setattr("IPython.core.interactiveshell.InteractiveShell._instance", None)
    monkeypatch.setattr("IPython.core.interactiveshell.InteractiveShell.initialized", lambda *a: False)
    study.commit("2.1", 1.7)
    ask().reveal(lambda guess: "the outcome")
    assert capsys.readouterr().out == "You predicted 1.7×.\nthe outcome\n"


# ---- Practice -------------------------------------------------------------------------------------------------------

QUESTION = QuizQuestion(
    "Is `a < b`?",
    (Choice("yes", True, "Indeed."), Choice("<no>", False, "Look again.", "M1", "1.1")),
)


@pytest.fixture
def one():
    return Quiz("77", [QUESTION], here())


def test_an_answer_replies_and_a_wrong_one_names_its_misconception_and_what_refutes_it(one):
    assert one.answer(1, "a") == "✓ Right. Indeed."
    assert one.answer(1, "b") == (
        "✗ Not so. Look again. Behind it is a common idea (M1): N workers give N times the speed. "
        "Prediction 1.1 puts it to the test."
    )


def test_only_the_first_try_counts_as_known(one):
    assert one.notes == {"1": "", "all": "0 of 1 question answered, 0 right at the first try."}
    one.answer(1, "b")
    one.answer(1, "a")
    assert one.notes == {
        "1": "not right at the first try",
        "all": "1 of 1 question answered, 0 right at the first try.",
    }
    study.reset()
    one.answer(1, "a")
    one.answer(1, "b")
    assert one.notes["1"] == "right at the first try"


@pytest.mark.parametrize(("number", "letter"), [(0, "a"), (2, "a"), (1, "c"), (1, "ab"), (1, ""), ("1", "a")])
def test_an_answer_that_does_not_exist_is_refused(one, number, letter):
    with pytest.raises(ValueError, match="numbered from 1 to"):
        one.answer(number, letter)
    assert here().section("quiz") == {}


def test_a_card_known_returns_after_longer_and_longer_pauses_and_one_not_known_tomorrow():
    deck, today = Deck("77", [Card("a", "front", "back")], here()), date(2025, 1, 1)
    assert deck.due(today=today) == deck.cards
    for pause in [*PAUSES, PAUSES[-1]]:
        assert deck.review(1, True, today=today) == today + timedelta(days=pause)
        assert deck.due(today=today) == []
        today += timedelta(days=pause)
        assert deck.due(today=today) == deck.cards
    assert deck.review(1, False, today=today) == today + timedelta(days=1)
    assert deck.review(1, True, today=today) == today + timedelta(days=PAUSES[1])


@pytest.mark.parametrize("entry", [3, {"box": "x", "due": "soon"}, {"due": 5}])
def test_a_damaged_note_makes_a_card_new(entry):
    deck = Deck("77", [Card("a", "front", "back")], here())
    here().put("cards", "77: a", entry)
    assert len(deck.due()) == 1
    assert deck.review(1, True, today=date(2025, 1, 1)) == date(2025, 1, 2)


def test_practice_tells_its_story(one):
    assert repr(one) == "<Quiz 77: 1 question>"
    assert repr(cards("01")) == f"<Deck 01: {len(read_cards('01'))} cards, {len(read_cards('01'))} to review today>"


class Outline(HTMLParser):
    """The tags of a page, its text, and whether every tag is closed in order."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open += [] if tag == "br" else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_a_page_works_without_widget_and_escapes_what_it_is_given(one, notebook):
    page, widget = notebook(one._ipython_display_)
    outline = Outline(page["text/html"])
    assert outline.open == []
    assert outline.tags.count("details") == outline.tags.count("summary") == 2
    assert "<no>" in outline.text
    assert "<no>" not in page["text/html"]
    assert "<code>a &lt; b</code>" in page["text/html"]
    assert "script" not in outline.tags
    assert page["text/plain"] == "Quiz 77: 1 question.\n1. Is `a < b`?\n   a. yes\n   b. <no>"
    assert widget["text/plain"] == "Keeps the answers of quiz 77."


@pytest.mark.parametrize("make", [quiz, cards])
def test_a_page_is_the_same_whatever_has_been_answered(notebook, make):
    before = notebook(make("01")._ipython_display_)[0]
    quiz("01").answer(1, "a")
    cards("01").review(1, True)
    assert notebook(make("01")._ipython_display_)[0] == before


def test_the_page_is_heard_and_nonsense_from_it_is_not(one):
    recorder = Recorder(one)
    recorder._heard(recorder, {"item": 1, "answer": "b"}, [])
    assert recorder.notes["1"] == "not right at the first try"
    for nonsense in [None, {}, {"item": 9, "answer": "a"}, {"item": "1"}, {"item": 1, "answer": 3}, "hello"]:
        recorder._heard(recorder, nonsense, [])
    assert recorder.notes == one.notes


def test_progress_says_what_is_done_and_what_is_due():
    study.commit("2.10", 1)
    study.commit("2.9", 1)
    quiz("01").answer(1, "a")
    cards("02").review(1, True)
    lines = repr(progress()).splitlines()
    assert lines[0] == "Predictions: 2 committed: 2.9, 2.10."
    assert f"Quiz 01: 1 of {len(read_quiz('01'))} questions answered" in "\n".join(lines)
    assert f"Cards 02: {len(read_cards('02'))} cards, {len(read_cards('02')) - 1} to review today." in lines


def test_the_glossary_explains_a_term_and_helps_with_a_misspelt_one():
    assert repr(glossary("Speedup")).startswith("speedup: ")
    assert len(repr(glossary()).splitlines()) == len(read_glossary())
    with pytest.raises(ValueError, match=r"did you mean 'straggler'\?"):
        glossary("strugler")
    with pytest.raises(ValueError, match=r"glossary\(\) lists all terms"):
        glossary("xyzzy")


# ---- The aids -------------------------------------------------------------------------------------------------------


def test_the_first_lessons_have_their_aids():
    assert {"00", "01", "02"} <= set(lessons())
    for lesson in lessons():
        assert 5 <= len(read_quiz(lesson)) <= 7
        assert 8 <= len(read_cards(lesson)) <= 12


def words_of(lesson):
    """Everything a lesson's quiz and cards say."""
    asked = [(question.question, *((a.answer, a.feedback) for a in question.answers)) for question in read_quiz(lesson)]
    return repr(asked) + repr(read_cards(lesson))


@pytest.mark.parametrize("lesson", lessons())
def test_no_answer_or_reply_is_used_twice_and_the_right_one_moves(lesson):
    questions = read_quiz(lesson)
    replies = [answer.feedback for question in questions for answer in question.answers]
    assert len(set(replies)) == len(replies), "each answer has a reply of its own"
    places = {[answer.correct for answer in question.answers].index(True) for question in questions}
    assert len(places) > 1, "whoever always opens the same place learns nothing"
    assert len({card.name for card in read_cards(lesson)}) == len(read_cards(lesson))
    assert len({question.question for question in questions}) == len(questions)


@pytest.mark.parametrize("lesson", lessons())
def test_aids_keep_to_plain_words(lesson):
    banned = r"\b(simply|just|obviously|of course|trivial\w*|behaviour|colour|n_jobs)\b"
    assert re.findall(banned, words_of(lesson), flags=re.IGNORECASE) == []


def predictions_asked(notebooks):
    """The labels of all predict(...) calls in the lessons."""
    sources = ["".join(cell["source"]) for path in notebooks for cell in json.loads(path.read_text("utf-8"))["cells"]]
    return set(re.findall(r"""predict\(\s*["']([\d.]+)["']""", "\n".join(sources)))


def test_every_wrong_answer_points_to_a_prediction_that_exists():
    notebooks = {path.name[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    asked = predictions_asked(notebooks.values())
    answers = [answer for lesson in lessons() for question in read_quiz(lesson) for answer in question.answers]
    named = {answer.refuted for answer in answers if not answer.correct}
    missing = {label for label in named if label.split(".")[0].zfill(2) in notebooks} - asked
    assert missing == set()


def test_the_glossary_is_sorted_and_used():
    terms = read_glossary()
    assert list(terms) == sorted(terms, key=str.lower)
    assert all(definition.strip().endswith((".", ")")) for definition in terms.values())
    text = " ".join(map(words_of, lessons())) + " ".join(terms.values())
    text += " ".join(path.read_text("utf-8") for path in NOTEBOOKS.glob("*.ipynb"))
    unused = [word for term in terms for word in term.split() if not re.search(rf"\b{word}", text, re.IGNORECASE)]
    assert unused == []


def test_the_first_lessons_meet_the_misconceptions_they_are_about():
    met = {answer.misconception for lesson in lessons() for q in read_quiz(lesson) for answer in q.answers}
    assert met - {""} <= set(MISCONCEPTIONS)
    assert {"M1", "M2", "M3", "M8", "M9", "M10", "M11", "M15", "M16"} <= met
    assert list(MISCONCEPTIONS) == [f"M{n}" for n in range(1, 19)]


RIGHT = {"answer": "yes", "correct": True, "feedback": "Indeed."}
WRONG = {"answer": "no", "correct": False, "feedback": "Look.", "misconception": "M1", "refuted": "1.1"}


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([RIGHT, WRONG | {"misconception": "M19"}], "names one of M1 … M18, not 'M19'"),
        ([RIGHT, {k: v for k, v in WRONG.items() if k != "misconception"}], "names one of M1"),
        ([RIGHT, WRONG | {"refuted": " "}], "refuted is a text that says something"),
        ([RIGHT, WRONG | {"feedback": ""}], "feedback is a text that says something"),
        ([RIGHT | {"misconception": "M1"}, WRONG], "a right answer names no misconception"),
        ([RIGHT | {"correct": "true"}, WRONG], "correct is true or false"),
        ([WRONG, WRONG | {"answer": "other"}], "needs a right and a wrong answer"),
        ([RIGHT], "needs a right and a wrong answer"),
        ([RIGHT, RIGHT | {"answer": "also"}, WRONG], "more are many_choice"),
        ([RIGHT, WRONG, WRONG], "two answers are the same"),
        ([RIGHT, WRONG | {"points": 3}], "points"),
    ],
)
def test_a_question_out_of_order_is_refused_by_file_and_place(learner, answers, words):
    bad = [{"question": "Is it?", "type": "multiple_choice", "answers": answers}]
    (learner / "aids/01_quiz.json").write_text(json.dumps(bad), "utf-8")
    with pytest.raises(ValueError, match=rf"01_quiz\.json, entry 1: .*{words}"):
        quiz("01")


def test_a_good_question_is_accepted(learner):
    good = [{"question": "Is it?", "type": "multiple_choice", "answers": [RIGHT, WRONG]}]
    (learner / "aids/01_quiz.json").write_text(json.dumps(good), "utf-8")
    assert repr(quiz("01")) == "<Quiz 01: 1 question>"


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "no valid JSON"), ("[]", "no list of entries"), ("{}", "no list"), ('[{"front": "f"}]', "entry 1")],
)
def test_cards_out_of_order_are_refused(learner, content, words):
    (learner / "aids/01_cards.json").write_text(content, "utf-8")
    with pytest.raises(ValueError, match=words):
        cards("01")


def test_a_lesson_without_aids_is_named_with_those_that_have_them():
    with pytest.raises(ValueError, match=r"There is no 77_quiz\.json in .*: there are aids for lessons 00, 01, 02"):
        quiz("77")


def test_away_from_the_course_its_own_aids_are_found(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr("parlib.study.aids.notebooks_folder", lambda: None)
    assert read_quiz("01")


def test_a_state_can_be_handed_in(tmp_path):
    state = State(tmp_path / "class")
    study.commit("2.1", 1.7, state=state)
    assert Prediction(Question("2.1", "How many?"), state).value == 1.7
    assert not ask().committed
