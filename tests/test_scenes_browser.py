"""In a real browser: what a scene shows at any moment is what its trace says, for the eye, the keyboard and the ear.

No JupyterLab is needed here: the page gets the same script and the same score as a widget, and a model that only
remembers. With a kernel behind it, and without: tests/test_scenes_lab.py.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from parlib import (
    Bakery,
    Kitchen,
    Race,
    Simulated,
    data_parallel,
    data_plan,
    execute,
    pipeline_parallel,
    predict,
    simulate,
)
from parlib.scenes import page as script
from parlib.scenes.page import twin_forms
from parlib.workloads import bakery

pytest.importorskip("playwright", reason="pip install playwright")
from browser import FLAGS, chromium
from playwright.sync_api import expect, sync_playwright
from test_scenes import broken_run, dinner, order

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)

PAGE = """<!doctype html><html lang="en"><title>A scene</title><meta charset="utf-8"><style>STYLE
body { margin: 8px; background: BACK; font-family: sans-serif }</style><body><main></main><script type="module">SCRIPT
const values = VALUES;
window.sent = [];
const heard = {};
const model = {
  get: (name) => values[name],
  set: (name, value) => { values[name] = value; window.sent.push([name, value]); },
  save_changes() {},
  on: (names, hear) => names.split(" ").forEach((name) => (heard[name] = hear)),
};
window.answer = (more) => { Object.assign(values, more); heard["change:score"](); heard["change:news"](); };
Scene_.render({ model, el: document.querySelector("main") });
window.scene = document.querySelector(".parlib-scene").scene;
</script></body></html>"""


@pytest.fixture(scope="module")
def chrome():
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def staged(chrome):
    """A page with one scene on it; options: the window's size, dark, and Playwright's own, such as reduced_motion."""
    contexts = []

    def stage(scene, *, width=1100, height=1000, dark=False, spoil=("", ""), asked=False, **options):
        context = chrome.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        unasked: dict = {} if asked else {"question": {}, "guess": None}
        values = {"wish": 0, "news": "", "baking": False} | scene._values() | unasked
        esm = script.ESM.replace("export default", "const Scene_ =").replace(*spoil) if spoil[0] else script.ESM
        parts = {
            "STYLE": script.CSS,
            "BACK": "#111" if dark else "#fff",
            "SCRIPT": esm.replace("export default", "const Scene_ ="),
            "VALUES": json.dumps(values),
        }
        page.set_content(re.sub("STYLE|BACK|SCRIPT|VALUES", lambda found: parts[found[0]], PAGE))
        page.wait_for_function("() => window.scene?.sides")
        return page

    yield stage
    for context in contexts:
        context.close()


def button(page, name):
    return page.get_by_role("button", name=re.compile(name))


def seek(page, t):
    page.evaluate("t => scene.seek(t)", t)


# ---- What is where ---------------------------------------------------------------------------------------------------

SEEN = """() => { const { now, stage, score } = scene.sides[0], seen = {};
    for (const [row, tray] of stage.trays)
        seen[score.tasks.name[row]] = tray.node.getAttribute("transform").match(/-?[\\d.]+/g).map(Number);
    const { done, busy, walking, idle } = now;
    return { seen, places: Object.fromEntries(score.tasks.name.map((name, row) => [name, PLACES_[now.place[row]]])),
             counts: { done, busy, walking, idle } }; }""".replace(
    "PLACES_", '["later", "shelf", "pass", "coming", "bench", "going", "home", "stuck"]'
)


def compare(page, scene, run, moments):
    """The page against the trace itself: who is busy, what is done, and every tray that is on a bench."""
    view, hop, trace = scene.score["views"][0], scene.score["hop"], run.trace
    seat_of = dict(zip(scene.score["tasks"]["name"], scene.score["tasks"]["seat"]))
    for t in moments:
        seek(page, t)
        shown = page.evaluate(SEEN)
        working = (trace.started <= t) & (t < trace.finished)
        assert shown["counts"]["busy"] == working.sum()
        assert shown["counts"]["done"] == (trace.received <= t).sum()
        ways = ((trace.submitted <= t) & (t < trace.started)) | ((trace.finished <= t) & (t < trace.received))
        assert shown["counts"]["walking"] == ways.sum()
        for span in trace.spans:
            place, (x, y, size) = shown["places"][span.task], view["seats"][seat_of[span.task]]
            bench = x, y - 51 * size
            if span.started <= t < span.finished:
                assert place == "bench"
                assert shown["seen"][span.task][:2] == pytest.approx(bench, abs=0.2)
            elif t >= max(span.received, span.finished + hop):
                assert place == "home"
            elif span.finished <= t:
                assert place == "going"
                part = (t - span.finished) / (max(span.received, span.finished + hop) - span.finished)
                if part > 0.2 and span.received - span.finished < hop:
                    ease = part * part * (3 - 2 * part)
                    rooms = [view["boxed"], *view.get("waiting", [])]
                    there = [bench[0] + (goal - bench[0]) * ease for room in rooms for goal, *_ in room]
                    assert min(abs(shown["seen"][span.task][0] - one) for one in there) < 0.3
            elif t >= span.submitted:
                assert place in ("coming", "shelf", "pass")
            elif t < span.started - hop:
                assert place in ("later", "shelf", "pass")


RUNS = {
    "without overhead": (Bakery, lambda: order(10, 3)),
    "walking": (Bakery, lambda: order(10, 3, dispatch=0.3)),
    "startup": (Bakery, lambda: order(6, 2, startup=1.5)),
    "hybrid": (
        Bakery,
        lambda: execute(
            data_plan(abs, range(8), chunks=4) | data_plan(float, range(6), chunks=3), 3, Simulated(cost=0.7)
        ),
    ),
    "dinner": (Kitchen, dinner),
    "pipeline": (
        Kitchen,
        lambda: pipeline_parallel(
            abs, float, str, data=range(6), backend=Simulated({"abs": 0.5, "float": 1.0, "str": 0.2})
        ),
    ),
    "measured": (Bakery, lambda: data_parallel(bakery.bake_in_oven, range(12), workers=3, chunks=12)),
}


def moments_of(run, count=23):
    """Moments between events, so that no rounding decides; and some right after an event."""
    events = np.unique([*run.trace.started, *run.trace.finished])
    tiny = 1e-4 * run.trace.received.max()
    return [*(np.linspace(0.013, 0.991, count) * run.trace.received.max()), *(events[:6] + tiny)]


@pytest.mark.parametrize(("kind", "make"), RUNS.values(), ids=RUNS)
def test_at_every_moment_trays_are_where_the_trace_says(staged, kind, make):
    run = make()
    scene = kind(run)
    page = staged(scene)
    compare(page, scene, run, moments_of(run))
    assert page.errors == []


@pytest.mark.parametrize(
    "spoil",
    [
        ("Math.min(1, Math.max(0, (t - from) / (to - from)))", "1"),
        ("else if (t < at.finished[row]) [", "else if (t < at.received[row] + 0.1) ["),
        ("y: mix(from[1]", "y: 9 + mix(from[1]"),
    ],
    ids=["no interpolation", "too long on the bench", "harmless"],
)
def test_a_page_that_puts_trays_elsewhere_is_seen(staged, spoil):
    run = order(10, 3, dispatch=0.3)
    scene = Bakery(run)
    page = staged(scene, spoil=spoil)
    if spoil[1].startswith("y: 9"):  # bakers only: the trays are still where they belong
        return compare(page, scene, run, moments_of(run))
    run = order(10, 3)
    scene = Bakery(run)
    page = staged(scene, spoil=spoil)
    with pytest.raises(AssertionError):
        compare(page, scene, run, moments_of(run))
    return None


def test_a_blocked_chef_says_what_he_waits_for_and_stops_when_it_is_there(staged):
    page = staged(Kitchen(dinner()))
    seek(page, 4.0)
    assert page.locator(".bubble text").all_text_contents() == ["waiting for meat"]
    seek(page, 5.5)
    assert page.locator(".bubble").count() == 0


def test_the_longest_queue_is_named_and_counted(staged):
    costs = Simulated({"abs": 0.5, "float": 1.0, "str": 0.1})
    page = staged(Kitchen(pipeline_parallel(abs, float, str, data=range(9), backend=costs)))
    seek(page, 4.6)
    assert page.locator(".small.slow").all_text_contents() == ["longest queue"]
    assert int(re.search(r"\d+", page.locator(".small.slow + .small").text_content())[0]) > 1


# ---- Play, scrub, slide ----------------------------------------------------------------------------------------------


def test_play_moves_trays_to_the_end_and_tells_the_kernel_no_more_than_that_somebody_looked(staged):
    page = staged(Bakery(order()))
    page.locator("select").select_option("4")
    before = page.evaluate(SEEN)["seen"]
    button(page, "Play").click()
    page.wait_for_function("() => scene.t > 0.6 * scene.end")
    button(page, "Pause").click()
    middle = page.evaluate(SEEN)
    assert middle["seen"] != before
    t = page.evaluate("scene.t")
    page.wait_for_timeout(200)
    assert page.evaluate("scene.t") == t
    button(page, "Play").click()
    page.wait_for_function("() => !scene.playing")
    assert set(page.evaluate(SEEN)["places"].values()) == {"home"}
    expect(page.locator("p.said")).to_contain_text("8 trays done by 4 bakers after 2 s.")
    assert page.evaluate("window.sent") == [["looked", True]]


def test_scrubbing_with_the_mouse_lands_on_that_moment(staged):
    page = staged(Bakery(order()))
    line = page.get_by_role("slider", name="Time")
    box = line.bounding_box()
    for part in (0.25, 0.7):
        t = part * page.evaluate("scene.end")
        x = page.evaluate("t => scene.sides[0].timeline.x(t) / scene.sides[0].timeline.wide", t)
        page.mouse.click(box["x"] + x * box["width"], box["y"] + 40)
        assert page.evaluate("scene.t") == pytest.approx(t, abs=0.01)


def test_hover_and_focus_tell_the_numbers_of_a_tray(staged):
    page = staged(Bakery(order(dispatch=0.1)))
    seek(page, 0.9)
    page.locator(".stage svg[role=group]").focus()
    page.keyboard.press("ArrowRight")
    tip = page.locator(".tip")
    expect(tip).to_contain_text("abs[0:1]\nworker 0, 1 s on the bench")
    assert "on the way" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.mouse.move(0, 0)
    page.locator("button[data-do=table]").focus()
    expect(tip).to_be_hidden()


def test_the_sliders_tell_python_and_show_its_answer(staged):
    scene = Bakery(bakery.busy, workers=2, size=24)
    page = staged(scene)
    page.locator("input[data-do=workers]").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("window.sent.at(-1)") == ["workers", 3]
    scene.move(workers=3)
    page.evaluate("more => answer(more)", {"score": scene.score, "workers": 3})
    expect(page.locator("p.said")).to_contain_text("12 trays done by 3 bakers after")
    assert page.evaluate("scene.end") == pytest.approx(scene.score["end"])
    page.locator("button[data-do=real]").click()
    assert page.evaluate("window.sent.at(-1)") == ["wish", 1]


# ---- Predict, then look ----------------------------------------------------------------------------------------------


def test_nothing_is_told_before_the_guess_and_the_guess_stands_beside_the_outcome(staged):
    page = staged(Bakery(order()), asked=True)
    assert "2 s" not in page.locator("p.said").inner_text()
    assert button(page, "Play").is_disabled()
    expect(page.locator(".veil")).to_have_class("veil shut")
    page.locator(".ask input").fill("4")
    button(page, "That is my guess").click()
    assert ["guess", 4] in page.evaluate("window.sent")
    expect(page.locator(".flag")).to_have_text("you: 4 s")
    page.evaluate("scene.seek(scene.end)")
    expect(page.locator("p.said")).to_contain_text("You said 4 s: 2 s too long.")


def test_a_prediction_made_above_opens_the_scene_when_it_is_committed(staged, tmp_path, monkeypatch):
    (tmp_path / "aids").mkdir()
    monkeypatch.chdir(tmp_path)
    guess = predict("9.2", "When is it done?", low=1.0, high=8.0, unit="s")
    scene = Bakery(order(), prediction=guess)
    page = staged(scene, asked=True)
    expect(page.locator(".ask")).to_contain_text("Before you press play: commit prediction 9.2 first.")
    assert button(page, "Play").is_disabled()
    guess.commit(3.0)
    news = {"guess": scene.guess, "question": scene.question, "score": dict(scene.score)}
    page.evaluate("more => answer(more)", news)
    expect(page.locator(".ask")).to_be_hidden()
    assert button(page, "Play").is_enabled()
    expect(page.locator(".flag")).to_have_text("you: 3 s")
    expect(page.locator(".veil")).to_have_class("veil shut")


def test_a_race_asks_who_is_last_and_compares(staged):
    page = staged(Race(order(8, 1), order(8, 4), titles=("alone", "together")), asked=True)
    button(page, "^together$").click()
    page.evaluate("scene.seek(scene.end)")
    expect(page.locator("p.said")).to_contain_text("You said “together”: it is “alone”.")


# ---- For everybody ---------------------------------------------------------------------------------------------------


def test_a_learner_with_only_a_keyboard_guesses_plays_scrubs_and_reads(staged):
    page = staged(Bakery(order()), asked=True)

    def reach(selector):
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"Tab does not reach {selector}")

    reach(".ask input")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    reach(".ask button.main")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.do") == "play"
    page.keyboard.press("Enter")
    page.wait_for_function("() => scene.t > 0")
    page.keyboard.press("Space")
    assert not page.evaluate("scene.playing")
    page.keyboard.press("Shift+Tab")
    keys = {"Home": 0.0, "ArrowRight": 1.0, "ArrowLeft": 0.0, "PageUp": 2.0, "End": page.evaluate("scene.end")}
    for key, t in keys.items():
        page.keyboard.press(key)
        assert page.evaluate("scene.t") == pytest.approx(t), key
    spoken = page.locator(".unseen[role=status]")
    expect(spoken).to_contain_text("8 trays done")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(spoken).to_contain_text("1 s: 4 of 8 done, 4 of 4 bakers busy, 0 idle")
    assert page.get_by_role("slider", name="Time").get_attribute("aria-valuetext") == spoken.inner_text().strip()
    page.keyboard.press("t")
    expect(page.get_by_role("table").first).to_contain_text("worker")
    expect(page.get_by_role("row", name="abs[0:1]")).to_contain_text("1 s")
    page.keyboard.press("t")
    expect(page.locator(".facts")).to_be_hidden()


def test_where_motion_is_not_wanted_there_is_one_picture_for_each_event(staged):
    page = staged(Bakery(order(dispatch=0.05)), reduced_motion="reduce")
    page.evaluate(
        """() => { window.seen = new Set(); const draw = scene.draw.bind(scene);
        scene.draw = () => { seen.add(scene.t); draw(); }; }"""
    )
    page.locator("select").select_option("4")
    assert not page.evaluate("scene.playing")
    button(page, "Play").click()
    page.wait_for_function("() => seen.size > 4")
    assert page.evaluate("[...seen].every((t) => scene.events.includes(t))")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "scene",
    [
        lambda: Bakery(bakery.busy, workers=3),
        lambda: Kitchen(dinner()),
        lambda: Race(order(), dinner(), titles=("bakery", "kitchen")),
    ],
    ids=["bakery", "kitchen", "race"],
)
def test_axe_finds_nothing_serious(staged, scene, dark):
    axe = pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")
    rules = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page = staged(scene(), dark=dark, asked=True)
    page.evaluate(rules)

    def violations():
        found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")["violations"]
        return [(one["id"], one["nodes"][0]["html"][:150]) for one in found if one["impact"] in ("serious", "critical")]

    assert violations() == []
    button(page, "Watch without guessing").click()
    seek(page, page.evaluate("scene.end") / 2)
    page.keyboard.press("t")
    assert violations() == []
    page.evaluate("() => (document.querySelector('button[data-do=restart]').textContent = '')")
    assert [name for name, _ in violations()] != []  # it would have told


# ---- Sizes -----------------------------------------------------------------------------------------------------------


def crowded():
    costs = np.random.default_rng(1).exponential(1.0, 2000)
    return Bakery(simulate(costs, 64, dispatch=1e-3), title="2,000 trays on 64 bakers")


def test_a_replay_borrows_the_script_of_another_and_says_so_while_there_is_none(staged):
    page = staged(Bakery(order(4, 2)))
    values = Kitchen(dinner())._values() | {"question": {}}
    frames = [twin_forms(values, 10**6, carries=carries) for carries in (False, True)]
    page.set_content(frames[0]["text/html"])
    borrower = page.frame_locator("iframe >> nth=0")
    borrower.get_by_text("as soon as the first scene").wait_for()
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", frames[1]["text/html"])
    button(borrower, "Play").click()
    expect(borrower.locator(".time")).not_to_have_text("0 s")
    assert page.errors == []


@pytest.mark.parametrize("width", [360, 700, 1900])
def test_a_scene_fits_its_page_and_nothing_is_cut_off(staged, width):
    page = staged(Kitchen(dinner()), width=width, height=800)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for node in page.locator(".parlib-scene button:visible").all():
        box = node.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def long_line():
    costs = Simulated({"abs": 0.5, "float": 1.0, "str": 0.2})
    return Kitchen(pipeline_parallel(abs, float, str, data=range(600), backend=costs), title="600 dishes")


PICTURES = {
    "light": (lambda: Bakery(order(14, 4, dispatch=0.1), title="14 cakes"), {}, 0.45),
    "dark": (lambda: Bakery(order(14, 4, dispatch=0.1), title="14 cakes"), {"dark": True}, 0.45),
    "narrow": (lambda: Bakery(order(14, 4)), {"width": 360}, 0.45),
    "64 workers": (crowded, {}, 0.4),
    "kitchen": (lambda: Kitchen(dinner()), {}, 0.62),
    "race": (lambda: Race(order(16, 2), order(16, 4), titles=("two", "four")), {"width": 1300}, 0.3),
    "failed": (lambda: Bakery(broken_run()), {}, 1.0),
    "empty": (lambda: Bakery(simulate([], 3)), {}, 0.0),
    "one task": (lambda: Bakery(simulate([1.0], 1)), {}, 0.5),
    "no length": (lambda: Bakery(simulate([0.0] * 5, 2)), {}, 0.0),
    "a long line": (long_line, {}, 0.5),
    "crowd": (lambda: Bakery(simulate(np.ones(50_000), 10_000, dispatch=1e-5)), {}, 0.5),
    "question": (lambda: Bakery(bakery.busy), {"asked": True}, None),
}


@pytest.mark.parametrize(("make", "options", "part"), PICTURES.values(), ids=PICTURES)
def test_a_picture_of_every_kind_of_scene_to_look_at(staged, tmp_path, request, make, options, part):
    page = staged(make(), **options)
    if part is not None:
        page.evaluate("part => scene.seek(part * scene.end)", part)
    picture = tmp_path / "scene.png"
    page.locator(".parlib-scene").screenshot(path=str(picture))
    assert picture.stat().st_size > 10_000
    assert page.errors == []
    assert page.evaluate("scene.sides.every(({ stage }) => stage.svg.getBoundingClientRect().height > 150)")
