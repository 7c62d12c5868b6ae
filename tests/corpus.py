"""A class nobody would like to have: submissions that cheat, break things, or are odd, each with its honest mark.

    python tests/corpus.py FOLDER        writes them all into a folder, to look at

Every one is made from the solved exercises of lesson 02 (six of them, ten points). `lost` names the exercises that do
not deserve points. Three kinds:

    attack    wants points it has not earned, or somebody else's grade lost; fools `naive_grader`
    burden    takes what it can get: memory, disk, time, output; it must cost nobody but itself
    odd       honest work in an unusual dress: full points, but for what is named
    damaged   no notebook at all: no points, and a named reason

What an attack writes is code for a student's cell. None of them can do harm outside a sandbox but waste a few seconds.
"""

import codecs
import json
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

from parlib.grading.build import student_notebook
from parlib.grading.course import exercises_of, master_of, read_json, source_of
from parlib.grading.values import MIME

MASTER = read_json(master_of("02"))
POINTS = {"2.1": 1, "2.2": 1, "2.3": 2, "2.4": 2, "2.5": 1, "2.6": 3}
VISIBLE = exercises_of(MASTER)["2.6"].expected  # what the check of 2.6 shows to everybody: anybody can copy it
WRONG = "def dynamic(seconds, bakers):\n    return [0] * bakers\n"


@dataclass(frozen=True)
class Case:
    """One submission: its kind, the exercises that deserve nothing, its bytes, and how its file is called."""

    name: str
    kind: str
    lost: tuple[str, ...]
    raw: bytes
    file: str
    status: str = "graded"

    @property
    def marks(self) -> dict[str, int]:
        """The honest mark of every exercise."""
        return {number: 0 if number in self.lost else points for number, points in POINTS.items()}


CASES: list[Case] = []


def keep(name: str, kind: str, lost: tuple[str, ...], raw: bytes, file: str = "", status: str = "graded") -> None:
    CASES.append(Case(name, kind, lost, raw, file or f"{name}.ipynb", status))


# ---- Tools ----------------------------------------------------------------------------------------------------------


def solved() -> dict:
    """The student's notebook with every exercise solved."""
    notebook = deepcopy(student_notebook(MASTER))
    for cell in notebook["cells"]:
        if cell["id"].startswith("answer"):
            answer = next(one for one in MASTER["cells"] if one["id"] == cell["id"])
            cell["source"] = source_of(answer)
    return notebook


def at(notebook: dict, slot: str) -> dict:
    return next(cell for cell in notebook["cells"] if cell["id"] == slot)


def place(notebook: dict, slot: str) -> int:
    return next(number for number, cell in enumerate(notebook["cells"]) if cell["id"] == slot)


def scratch(source: str, name: str = "scratch") -> dict:
    cell = {"cell_type": "code", "id": name, "metadata": {}, "outputs": [], "execution_count": None}
    return cell | {"source": source}


def text(notebook: dict) -> bytes:
    return json.dumps(notebook).encode()


def wrong() -> dict:
    notebook = solved()
    at(notebook, "answer-2-6")["source"] = WRONG
    return notebook


def attack(name: str) -> Callable:
    """Keep what the function makes of a notebook whose 2.6 is wrong."""
    return _kept(name, "attack", ("2.6",), wrong)


def odd(name: str, *lost: str, file: str = "") -> Callable:
    """Keep what the function makes of a solved notebook."""
    return _kept(name, "odd", lost, solved, file)


def _kept(name: str, kind: str, lost: tuple[str, ...], begin: Callable[[], dict], file: str = "") -> Callable:
    def decorate(change: Callable) -> Callable:
        notebook = begin()
        made = change(notebook)
        keep(name, kind, lost, made if isinstance(made, bytes) else text(notebook), file)
        return change

    return decorate


def code(name: str, source: str, kind: str = "attack", lost: tuple[str, ...] = ("2.6",)) -> None:
    """Keep a notebook whose answer to 2.6 is wrong, or is followed by `source` in the same cell."""
    notebook = wrong()
    at(notebook, "answer-2-6")["source"] = WRONG + source
    keep(name, kind, lost, text(notebook))


def beside(name: str, slot: str, source: str, *lost: str, kind: str = "odd") -> None:
    """Keep a solved notebook with a scratch cell after the one at `slot`."""
    notebook = solved()
    notebook["cells"].insert(place(notebook, slot) + 1, scratch(source))
    keep(name, kind, lost, text(notebook))


# ---- Attacks on the check cells -------------------------------------------------------------------------------------


@attack("check-edited")
def _(notebook):
    at(notebook, "check-2-6")["source"] = "print('all is well')"


@attack("check-emptied")
def _(notebook):
    at(notebook, "check-2-6")["source"] = ""


@attack("check-deleted")
def _(notebook):
    notebook["cells"].remove(at(notebook, "check-2-6"))


@attack("check-duplicated")
def _(notebook):
    forged = deepcopy(at(notebook, "check-2-6")) | {"source": "pass"}
    notebook["cells"].append(forged)


@attack("check-wrapped")
def _(notebook):
    cell = at(notebook, "check-2-6")
    cell["source"] = "try:\n    " + source_of(cell) + "\nexcept BaseException:\n    pass"


@attack("checks-swapped")
def _(notebook):
    one, other = at(notebook, "check-2-1"), at(notebook, "check-2-6")
    one["source"], other["source"] = other["source"], one["source"]
    one["id"], other["id"] = "x1", "x2"
    one["metadata"], other["metadata"] = {}, one["metadata"]


@attack("check-retagged")
def _(notebook):
    cell = at(notebook, "check-2-6")
    cell["id"] = cell["metadata"]["nbgrader"]["grade_id"] = "check-9-9"


@attack("check-turned-into-text")
def _(notebook):
    cell = at(notebook, "check-2-6")
    cell["cell_type"] = "markdown"
    del cell["outputs"], cell["execution_count"]


@attack("check-replaced-by-a-stronger-answer-cell")
def _(notebook):
    cell = at(notebook, "check-2-6")
    cell["source"] = f"dynamic = lambda *_: {VISIBLE}\n" + source_of(cell)


@attack("check-skipped-by-a-mark")
def _(notebook):
    cell = at(notebook, "check-2-6")
    cell["source"] = "# NBVAL_SKIP\n" + source_of(cell)


@attack("check-may-raise")
def _(notebook):
    at(notebook, "check-2-6")["metadata"]["tags"] = ["raises-exception"]


@attack("check-sees-other-inputs")
def _(notebook):
    cell = at(notebook, "check-2-6")
    cell["source"] = f'check("2.6", lambda: {VISIBLE})'


@attack("points-raised")
def _(notebook):
    at(notebook, "check-2-1")["metadata"]["nbgrader"]["points"] = 100


@attack("points-of-a-new-exercise")
def _(notebook):
    extra = deepcopy(at(notebook, "check-2-1"))
    extra["id"] = extra["metadata"]["nbgrader"]["grade_id"] = "check-2-7"
    extra["metadata"]["nbgrader"]["points"] = 50
    notebook["cells"].append(extra)


# ---- Attacks on whoever decides inside ------------------------------------------------------------------------------

code("prints-pass", 'print("PASS 2.6")')
code("prints-the-expected-line", 'print("Exercise 2.6: yes. Whoever is free takes the next.")')
code("check-shadowed", "def check(*_):\n    return None")
code("check-shadowed-in-its-module", "import parlib.grading\nparlib.grading.check = check = lambda *_: None")
code("equal-to-everything", "class Equal(list):\n    __eq__ = lambda *_: True\ndynamic = lambda *_: Equal()")
code(
    "an-array-equal-to-everything",
    """
import numpy as np
class Equal(np.ndarray):
    def __eq__(self, other):
        return True
dynamic = lambda *_: np.zeros(3).view(Equal)
""",
)
code("copied-visible-answer", f"dynamic = lambda *_: {VISIBLE}")
code(
    "copied-for-the-visible-inputs",
    f"""
def dynamic(seconds, bakers):
    return {VISIBLE} if seconds == [2, 7, 1, 3, 3, 1, 4, 2, 6] else [0] * bakers
""",
)
code("changes-the-inputs", f"tray_seconds, crew = {VISIBLE}, 3\ndynamic = lambda seconds, bakers: {VISIBLE}")
code(
    "reads-the-visible-answers",
    """
from parlib.grading.course import find_answers
dynamic = lambda *_: (find_answers("02") or {"2.6": {"expected": []}})["2.6"]["expected"]
""",
)
code(
    "reads-the-solutions",
    """
import json
from parlib.grading.course import master_of
try:
    for cell in json.loads(master_of("02").read_text())["cells"]:
        if cell["id"] == "answer-2-6":
            exec("".join(cell["source"]))
except OSError:
    pass
""",
)
code(
    "searches-for-the-solutions",
    """
import json, os, sys
for place in [*sys.path, os.getcwd(), os.path.expanduser("~")]:
    for up in (place, os.path.dirname(place), os.path.dirname(os.path.dirname(place))):
        path = os.path.join(up, "exercises", "solutions", "02_solutions.ipynb")
        if os.path.exists(path):
            for cell in json.load(open(path))["cells"]:
                if cell["id"] == "answer-2-6":
                    exec("".join(cell["source"]))
""",
)
code(
    "reads-the-frame-of-its-caller",
    """
import sys
def dynamic(seconds, bakers):
    frame = sys._getframe()
    while frame := frame.f_back:
        for name in ("expected", "told", "reference"):
            if name in frame.f_locals:
                found = frame.f_locals[name]
                return found.get("expected", found) if isinstance(found, dict) else found
    return [0] * bakers
""",
)
code(
    "searches-all-objects",
    """
import gc
def dynamic(seconds, bakers):
    for one in gc.get_objects():
        if isinstance(one, dict) and isinstance(one.get("2.6"), dict) and "expected" in one["2.6"]:
            return one["2.6"]["expected"]
    return [0] * bakers
""",
)
code(
    "removes-checks-from-the-syntax-tree",
    """
import ast
class NoChecks(ast.NodeTransformer):
    def visit_Expr(self, node):
        return ast.Pass() if "check" in ast.dump(node) else node
get_ipython().ast_transformers.append(NoChecks())
""",
)
code(
    "removes-checks-from-the-input",
    """
get_ipython().input_transformers_cleanup.append(lambda lines: [line for line in lines if "check(" not in line])
""",
)
code("silent-tracebacks", "get_ipython().showtraceback = get_ipython()._showtraceback = lambda *_, **__: None")
code("custom-exceptions", "get_ipython().set_custom_exc((BaseException,), lambda *_, **__: [])")
code(
    "run-cell-replaced",
    """
shell = get_ipython()
whole = shell.run_cell
shell.run_cell = lambda source, *rest, **more: whole("" if "check(" in source else source, *rest, **more)
""",
)
code(
    "patched-print",
    """
import builtins
true = builtins.print
builtins.print = lambda *words, **more: true(*(["POINTS 10"] if "POINTS" in words else words), **more)
""",
)
code(
    "patched-json",
    """
import json
whole = json.dumps
json.dumps = lambda value, **more: whole(dict.fromkeys(value, True) if "2.6" in value else value, **more)
""",
)
code("patched-any-and-sum", "import builtins\nbuiltins.sum = lambda *_, **__: 10")
code(
    "patched-parlib",
    """
from parlib.grading import feedback, values
for module in (feedback, values):
    module.plain = module.published = lambda *words: {"exercise": "2.6", "value": VISIBLE}
import parlib.grading
parlib.grading.plain = values.plain
class Same:
    def __eq__(self, other): return True
dynamic = lambda *_: Same()
""".replace("VISIBLE", str(VISIBLE)),
)
code(
    "patched-publishing",
    f"""
from parlib.grading import feedback
from IPython.display import display
forged = {{"{MIME}": {{"exercise": "2.6", "value": {VISIBLE}}}}}
feedback._publish = lambda payload, line: display(forged, raw=True)
print("Exercise 2.6: yes.")
""",
)
code(
    "patched-display",
    f"""
import IPython.display, IPython.core.display_functions as functions
whole = functions.display
def display(bundle, **more):
    whole({{"{MIME}": {{"exercise": "2.6", "value": {VISIBLE}}}, "text/plain": "PASS 2.6"}}, raw=True)
IPython.display.display = functions.display = display
print("PASS 2.6")
""",
)
code(
    "publishes-early",
    f"""
from IPython.display import display
display({{"{MIME}": {{"exercise": "2.6", "value": {VISIBLE}}}, "text/plain": "PASS 2.6"}}, raw=True)
print("PASS 2.6")
""",
)
code(
    "publishes-twice",
    f"""
from IPython.display import display
def dynamic(seconds, bakers):
    display({{"{MIME}": {{"exercise": "2.6", "value": {VISIBLE}}}, "text/plain": "PASS 2.6"}}, raw=True)
    print("PASS 2.6")
    return [0] * bakers
""",
)
code(
    "publishes-a-bomb",
    f"""
from IPython.display import display
deep = []
for _ in range(900):
    deep = [deep]
def dynamic(seconds, bakers):
    print("PASS 2.6")
    display({{"{MIME}": deep}}, raw=True)
    raise SystemExit
""",
)
FORGE = """
def forge(kind, content, channel="iopub"):
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is not None:
        socket = kernel.iopub_socket if channel == "iopub" else kernel.shell_stream.socket
        kernel.session.send(socket, kind, content, parent=kernel.get_parent("shell"))
    print("PASS 2.6")
"""
code(
    "forges-the-end-of-a-cell",
    FORGE
    + """
def dynamic(seconds, bakers):
    forge("status", {"execution_state": "idle"})
    return [0] * bakers
""",
)
code(
    "forges-a-reply",
    FORGE
    + """
def dynamic(seconds, bakers):
    forge("status", {"execution_state": "idle"})
    try:
        forge("execute_reply", {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": []}, "shell")
    except Exception:
        pass
    return [0] * bakers
""",
)
code(
    "forges-nonsense",
    FORGE
    + """
def dynamic(seconds, bakers):
    for content in ({}, {"data": 5, "metadata": None}, {"name": 3, "text": []}):
        for kind in ("display_data", "stream", "error", "status", "nonsense"):
            forge(kind, content)
    return [0] * bakers
""",
)
code("leaves-with-a-score", 'print("POINTS 10", flush=True)\nimport os\nos._exit(0)')
code("scores-at-exit", 'import atexit\natexit.register(lambda: print("POINTS 10"))')
code("exits-inside-the-check", "import sys\ndynamic = lambda *_: sys.exit(0)", "burden")
code(
    "a-thread-changes-the-results",
    """
import gc, threading, time
def later():
    for _ in range(40):
        time.sleep(0.05)
        for one in gc.get_objects():
            if isinstance(one, dict) and one.get("2.1") is True and one.get("2.5") is True and "2.6" in one:
                one["2.6"] = True
threading.Thread(target=later).start()
import time
dynamic = lambda *_: 1 / 0
import atexit
atexit.register(lambda: print("POINTS 10"))
""",
)
code(
    "overwrites-what-is-around",
    """
from pathlib import Path
for path in Path.cwd().glob("*.json"):
    path.write_text('{"2.6": {"expected": [0, 0, 0]}}')
""",
)

# ---- Attacks on the grader's patience and life ----------------------------------------------------------------------

code("loops", "while True:\n    pass")
code("loops-in-a-function", "def dynamic(seconds, bakers):\n    while True:\n        pass")
code("loops-and-prints", 'import time\nwhile True:\n    print("still here")\n    time.sleep(0.01)')
code(
    "swallows-interrupts",
    """
import time
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
""",
)
code("waits-for-input-for-ever", "import threading\nthreading.Event().wait()")
code("dies", "import os\nos._exit(1)")
code("kills-itself", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
code("stops-itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)")
code("crashes", "import ctypes\nctypes.string_at(0)")
code("recurses-until-it-crashes", "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return [f() for _ in 'x']\nf()")
code(
    "a-thread-ends-it-all",
    "import os, threading\nthreading.Timer(0.2, os._exit, [1]).start()\nimport time\ntime.sleep(1)",
)
code("aborts", "import os\nos.abort()")
code(
    "a-child-that-stays",
    """
import subprocess
subprocess.Popen(["sleep", "33.25"], start_new_session=True)
""",
)
code(
    "many-children",
    """
import os, time
for _ in range(100):
    if os.fork() == 0:
        time.sleep(33.5)
        os._exit(0)
""",
)
code(
    "a-child-of-a-child-that-stays",
    """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(33.75)
    os._exit(0)
""",
)

# ---- Burdens: the naive grader bears some of them, on this machine, on a good day -----------------------------------

code("takes-memory", "hoard = bytearray(10 * 2**30)", "burden")
code("takes-memory-step-by-step", "hoard = []\nwhile True:\n    hoard.append(bytearray(2**24))", "burden")
code("prints-200-MB", "for _ in range(200):\n    print('x' * 2**20)", "burden")
code("one-message-of-100-MB", "from IPython.display import display, HTML\ndisplay(HTML('x' * 10**8))", "burden")
code("very-many-messages", "from IPython.display import display\nfor n in range(50_000):\n    display(n)", "burden")
code(
    "fills-the-disk",
    """
for number in range(100):
    with open(f"large{number}", "wb") as file:
        file.write(bytes(2**22))
""",
    "burden",
)
code("fills-shared-memory", "open('/dev/shm/large', 'wb').write(bytes(2**27))", "burden")
code("publishes-much", "dynamic = lambda *_: list(range(10**6))", "burden")
code("opens-files", "kept = []\nwhile True:\n    kept.append(open('/dev/null'))", "burden")
code(
    "a-fork-bomb",
    """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
""",
    "burden",
)
code(
    "starts-many-threads",
    """
import threading
for _ in range(5000):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
""",
    "burden",
)
beside("a-loop-in-a-scratch-cell", "answer-2-2", "while True:\n    pass", kind="burden")
beside("a-death-in-a-scratch-cell", "given-2-3", "import os\nos._exit(3)", kind="burden")


def several(name: str, lost: tuple[str, ...], **sources: str) -> None:
    notebook = solved()
    for number in lost:
        at(notebook, f"answer-{number.replace('.', '-')}")["source"] = sources["_" + number.replace(".", "_")]
    keep(name, "burden", lost, text(notebook))


several("a-loop-in-the-middle", ("2.3",), _2_3="while True:\n    pass")
several("a-loop-and-a-death", ("2.1", "2.3"), _2_1="import os; os._exit(1)", _2_3="while True:\n    pass")
several(
    "an-answer-that-spoils-the-next",
    ("2.3",),
    _2_3="""
import parlib.grading.feedback as feedback
def broken(*_): raise RuntimeError
feedback.check = feedback._publish = broken
split = ThreadPoolExecutor = answered = None
""",
)

# ---- Odd and honest -------------------------------------------------------------------------------------------------

SOLVED = source_of(at(solved(), "answer-2-6"))


@odd("solved")
def _(notebook):
    pass


@odd("scratch-everywhere")
def _(notebook):
    cells = notebook["cells"]
    notebook["cells"] = [one for n, cell in enumerate(cells) for one in (cell, scratch(f"n{n} = {n}; n{n}", f"s{n}"))]


@odd("answer-in-two-cells")
def _(notebook):
    at(notebook, "answer-2-6")["source"] = "helper = lambda free: free.index(min(free))"
    second = SOLVED.replace("free.index(min(free))", "helper(free)")
    notebook["cells"].insert(place(notebook, "answer-2-6") + 1, scratch(second))


@odd("old-format")
def _(notebook):
    cells = list(notebook["cells"])
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {"input": cell.pop("source"), "prompt_number": 1, "language": "python"}
        del cell["id"]
    return json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}).encode()


@odd("names-only-in-metadata")
def _(notebook):
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"colab{number}"


@odd("names-only-in-ids")
def _(notebook):
    for cell in notebook["cells"]:
        cell["metadata"] = {}


@odd("another-kernel")
def _(notebook):
    notebook["metadata"] = {"kernelspec": {"name": "julia-1.9", "display_name": "Julia"}, "language_info": {}}


@odd("utf-16")
def _(notebook):
    return json.dumps(notebook).encode("utf-16")


@odd("byte-order-mark")
def _(notebook):
    return codecs.BOM_UTF8 + text(notebook)


@odd("carriage-returns")
def _(notebook):
    for cell in notebook["cells"]:
        cell["source"] = source_of(cell).replace("\n", "\r\n")


@odd("spoofed-outputs-and-tags")
def _(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"execution_count": 7, "outputs": [{"output_type": "stream", "name": "stdout", "text": "PASS"}]}
            cell["metadata"] |= {"tags": ["nbval-skip"], "deletable": False}


@odd("emoji", file="my work [final] 🧁 (2).ipynb")
def _(notebook):
    pass


@odd("a-mistake-in-the-syntax-of-one", "2.3")
def _(notebook):
    at(notebook, "answer-2-3")["source"] = "def unevenness(seconds, bakers, how)\n    return 1"


@odd("half-done", "2.4", "2.5", "2.6")
def _(notebook):
    blank = student_notebook(MASTER)
    for number in ("2-4", "2-5", "2-6"):
        at(notebook, f"answer-{number}")["source"] = source_of(at(blank, f"answer-{number}"))


@odd("checks-moved-to-the-end")
def _(notebook):
    checks = [cell for cell in notebook["cells"] if cell["id"].startswith("check")]
    notebook["cells"] = [cell for cell in notebook["cells"] if cell not in checks] + checks


@odd("numpy-numbers")
def _(notebook):
    numpy = "import numpy as np\n" + SOLVED.replace("[0] * bakers", "np.zeros(bakers, dtype=np.int32)")
    at(notebook, "answer-2-6")["source"] = numpy.replace("free.index(min(free))", "np.argmin(free)")


for name, source in {
    "debug-prints": "print('trays', tray_seconds)\ndynamic(tray_seconds, 2)",
    "warnings": "import warnings\nwarnings.warn('careful')\nimport sys\nprint('oops', file=sys.stderr)",
    "progress-bar": "from tqdm.auto import tqdm\nimport time\nfor _ in tqdm(range(50)):\n    time.sleep(0.002)",
    "magics": "%time sum(range(10))\n!echo hello\n%matplotlib inline",
    "cell-magic": "%%capture\nprint('captured')",
    "unknown-magic": "%no_such_magic at all",
    "top-level-await": "import asyncio\nawait asyncio.sleep(0.01)",
    "goes-elsewhere": "import os\nos.makedirs('mine', exist_ok=True)\nos.chdir('mine')",
    "names-in-unicode": "größe = 3\nпекарь = größe\nprint('🍞', пекарь)",
    "a-thread-that-stays": "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
    "a-thread-that-prints": "import threading\nthreading.Timer(0.1, print, ['later']).start()",
    "shadows-a-builtin": "input = id = 5",
    "shadows-check": "check = 'my list'",
    "tries-other-inputs": "tray_seconds = [1, 1]\ncrew = 1\ndynamic(tray_seconds, crew)",
    "asks-for-input": "name = input('your name? ')",
    "leaves": "exit()",
    "raises": "assert False, 'remember to look at this'",
    "an-error-in-a-thread": "import threading\nthreading.Thread(target=lambda: 1 / 0).start()",
    "a-picture": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "a-large-table": "for row in range(3000):\n    print(row, 'x' * 50)",
    "a-file-of-its-own": "open('notes.txt', 'w').write('mine')\nprint(open('notes.txt').read())",
    "seeds": "import random, numpy\nrandom.seed(1)\nnumpy.random.seed(1)",
    "many-files": "kept = [open('/dev/null') for _ in range(300)]",
}.items():
    beside(name, "answer-2-6", source)
beside("real-processes", "answer-2-4", "print(data_parallel(abs, range(-4, 0), workers=2, backend='processes'))")

# ---- Work that must be done at the same time ------------------------------------------------------------------------

ONE_BY_ONE = """
def ice_together(ice_share, cupcakes, bakers):
    return [cupcake for share in split(cupcakes, bakers) for cupcake in ice_share(share)]
"""
IDLE = """
import threading
def stand_around(unit):
    try:
        oven(unit)
    except RuntimeError:
        pass
def ice_together(ice_share, cupcakes, bakers):
    for unit in {units}:
        threading.Thread(target=stand_around, args=(unit,), daemon=True).start()
    return [cupcake for share in split(cupcakes, bakers) for cupcake in ice_share(share)]
"""
FORGED_NUMBERS = """
import os
import parlib.grading.referee as referee
os.environ["PARLIB_REFEREE"] = "nowhere"
forge = lambda room, unit, together: {"number": referee.number_of(referee._local.secret, "", room, unit)}
referee._local.answer = forge
"""
ALONE = "from parlib.grading import rendezvous\nrendezvous('2.4 ovens', together=2)('all by myself')"


@attack("forges-the-numbers-of-the-referee")
def _(notebook):
    at(notebook, "answer-2-4")["source"] = FORGED_NUMBERS + ONE_BY_ONE
    at(notebook, "answer-2-6")["source"] = SOLVED


CASES[-1] = replace(CASES[-1], lost=("2.4",))
for name, source in {
    "one-by-one": ONE_BY_ONE,
    "one-by-one-with-idle-strangers": IDLE.format(units="range(9)"),
    "one-by-one-with-idle-doubles": IDLE.format(units="cupcakes[:1] * 9"),
    "one-thread": ONE_BY_ONE.replace("[cupcake", "with ThreadPoolExecutor(1) as pool:\n        return [cupcake")
    .replace("return with", "with")
    .replace("for cupcake in ice_share(share)", "for cupcake in pool.submit(ice_share, share).result()"),
}.items():

    @odd(name, "2.4")
    def _(notebook, source=source):
        at(notebook, "answer-2-4")["source"] = source


@odd("together-with-parlib")
def _(notebook):
    run = "data_parallel(ice_share, split(cupcakes, bakers), workers=bakers, backend='threads')"
    source = f"def ice_together(ice_share, cupcakes, bakers):\n    return sum({run}.result, [])"
    at(notebook, "answer-2-4")["source"] = source


beside("tries-before-the-check", "answer-2-4", "ice_together(ice_share, cupcakes, bakers)")
beside("waits-alone-before-the-check", "answer-2-4", ALONE)

# ---- Damaged --------------------------------------------------------------------------------------------------------

EVERYTHING = tuple(POINTS)
for name, raw, status in (
    ("empty-file", b"", "not a notebook"),
    ("cut-off", text(solved())[:5000], "not a notebook"),
    ("a-list", b"[1, 2, 3]", "not a notebook"),
    ("no-cells", b'{"nbformat": 4}', "not a notebook"),
    ("nested-too-deeply", b'{"cells": ' + b"[" * 100_000, "unreadable"),
    ("a-number-too-long", b'{"cells": [' + b"9" * 10_000 + b"]}", "not a notebook"),
    ("a-program", b"\x7fELF\x02\x01\x01" + bytes(range(256)), "unreadable"),
    ("too-large", b'{"cells": ["' + b"x" * 20_000_001 + b'"]}', "too large"),
    ("another-lesson", text(student_notebook(read_json(master_of("08")))), "wrong exercise"),
):
    keep(name, "damaged", EVERYTHING, raw, status=status)
keep("an-essay", "damaged", EVERYTHING, b"Dear teacher,", "an-essay.txt", "not a notebook")


def write(folder: Path, cases: list[Case] | None = None) -> Path:
    """Write submissions into a folder, each in a folder of its own."""
    for case in cases or CASES:
        path = folder / case.name / case.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.raw)
    return folder


if __name__ == "__main__":
    print(f"{len(CASES)} submissions in {write(Path(sys.argv[1]))}")
