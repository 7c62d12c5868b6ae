"""The library stays small, layered and light: imports go down only, files and functions fit the eye.

Each rule is a function from a folder to the list of what breaks it. The folder is parlib, where the list must be empty,
and a made-up bad folder, where it must not be.
"""

import ast
import io
import statistics
import subprocess
import sys
import tokenize
from pathlib import Path
from types import ModuleType

import pytest

import parlib

LIBRARY = Path(parlib.__file__).parent

# Lowest first; a name is a file or a folder of parlib. The front door, __init__, stands outside the house.
FLOORS = [
    {"plan", "laws", "host", "blas", "memory", "state", "accessibility"},
    {"trace", "worker"},
    {"sharing", "simulation", "bulk", "metrics"},
    {"couriers", "orders"},
    {"executors"},
    {"backends"},
    {"schedule"},
    {"paradigms", "collectives"},
    {"timing", "workloads"},
    {"plots"},
    {"panels", "scenes", "study"},
    {"grading", "presenting"},
    {"__main__"},
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}

HEAVY = {
    "matplotlib", "IPython", "ipywidgets", "anywidget", "sklearn", "scipy", "dask", "distributed", "loky", "joblib",
    "PIL", "psutil", "tqdm", "nbval", "nbformat", "jupyterlab", "pytest",
}  # fmt: skip


def parsed(folder):
    """Every Python file of a folder with its syntax tree."""
    return [(file, ast.parse(file.read_text(encoding="utf-8"))) for file in sorted(folder.rglob("*.py"))]


# ---- Floors ---------------------------------------------------------------------------------------------------------


def modules_imported(file, tree, folder):
    """The files and folders of the library that a file imports, by name, wherever in the file it does so."""
    package = [folder.name, *file.relative_to(folder).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            paths = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            start += node.module.split(".") if node.module else []
            paths = [[*start, alias.name] for alias in node.names]
        else:
            continue
        yield from (path[1] for path in paths if path[0] == folder.name and len(path) > 1)


def imports_that_do_not_go_down(folder):
    broken = []
    for file, tree in parsed(folder):
        name = file.relative_to(folder).parts[0].removesuffix(".py")
        if name == "__init__":
            continue
        if name not in FLOOR_OF:
            broken.append(f"{name} has no floor: add it to FLOORS")
            continue
        for imported in modules_imported(file, tree, folder):
            if imported != name and FLOOR_OF.get(imported, len(FLOORS)) >= FLOOR_OF[name]:
                broken.append(f"{file.relative_to(folder)} imports {imported}, which is not below {name}")
    return broken


def test_modules_import_only_from_floors_below():
    assert imports_that_do_not_go_down(LIBRARY) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("plan.py", "from parlib.trace import Span"),
        ("plan.py", "from .trace import Span"),
        ("plan.py", "from . import trace"),
        ("plan.py", "import parlib.trace"),
        ("plan.py", "def later():\n    from .schedule import execute"),
        ("plan.py", "from . import laws"),
        ("study/asking.py", "from ..panels import explore"),
        ("study/asking.py", "from .. import panels"),
        ("plan.py", "from parlib import execute"),
        ("novelty.py", ""),
    ],
)
def test_an_import_sideways_or_up_is_seen(tmp_path, file, line):
    assert imports_that_do_not_go_down(written(tmp_path, {file: line})) != []


def test_an_import_down_or_within_a_folder_is_allowed(tmp_path):
    down, within = "import numpy\nfrom .plan import Plan", "from .. import plan\nfrom . import asking"
    good = {"trace.py": down, "study/showing.py": within}
    assert imports_that_do_not_go_down(written(tmp_path, good)) == []


# ---- Names ----------------------------------------------------------------------------------------------------------


def modules_in(folder):
    """The names of a package's modules: its files, and its folders that hold Python (not those that hold data)."""
    return {path.stem for path in folder.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}


def names_that_hide_a_module(folder):
    """Names bound by a package's front door that are also the name of one of its modules, but not that module."""
    broken = []
    for file in folder.rglob("__init__.py"):
        siblings = modules_in(file.parent)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                bound = {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                bound = {node.name}
            else:
                continue
            broken += [f"{file.parent.name}.{name}" for name in sorted(bound & siblings)]
    return broken


def test_no_public_name_hides_a_module():
    assert names_that_hide_a_module(LIBRARY) == []
    both = modules_in(LIBRARY) & set(parlib.__all__)
    assert {name for name in both if not isinstance(getattr(parlib, name), ModuleType)} == set()


def test_a_name_that_hides_a_module_is_seen(tmp_path):
    bad = {"__init__.py": "from .plan import plan", "plan.py": "def plan(): pass"}
    assert names_that_hide_a_module(written(tmp_path, bad)) == ["parlib.plan"]


def test_every_public_name_exists_once_and_is_documented():
    assert len(set(parlib.__all__)) == len(parlib.__all__)
    public = {name: getattr(parlib, name) for name in parlib.__all__}
    assert [name for name, value in public.items() if callable(value) and not value.__doc__] == []


# ---- Size -----------------------------------------------------------------------------------------------------------


def docstring_lines(tree):
    """The lines that docstrings take, and with them every other text that is a statement of its own."""
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    return {line for text in texts for line in range(text.lineno, text.end_lineno + 1)}


def code_lines(file, tree):
    """The numbers of the lines that hold code: not docstrings, comments or nothing."""
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(file.read_text(encoding="utf-8")).readline)
    spoken = {line for t in tokens if t.type not in silent for line in range(t.start[0], t.end[0] + 1)}
    return spoken - docstring_lines(tree)


def function_lengths(file, tree):
    """{name: lines of code in its body}, a decorator, signature, docstring or comment not counted."""
    code = code_lines(file, tree)
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    bodies = {f"{file.name}:{f.lineno} {f.name}": range(f.body[0].lineno, f.end_lineno + 1) for f in functions}
    return {name: len(code.intersection(body)) for name, body in bodies.items()}


def what_is_too_long(folder):
    broken, lengths = [], []
    for file, tree in parsed(folder):
        if (lines := len(code_lines(file, tree))) > 250:
            broken.append(f"{file.relative_to(folder)} has {lines} lines of code, more than 250")
        introduction = len((ast.get_docstring(tree) or "").splitlines())
        if not 1 <= introduction <= 17:  # its one idea, an empty line, and at most 15 more
            broken.append(f"{file.relative_to(folder)} opens with {introduction} lines of docstring, not 1 to 17")
        own = function_lengths(file, tree)
        broken += [f"{name} has {lines} lines, more than 30" for name, lines in own.items() if lines > 30]
        lengths += own.values()
    if lengths and statistics.median(lengths) > 5:
        broken.append(f"half of the functions are longer than {statistics.median(lengths)} lines, more than 5")
    for file in folder.rglob("*.js"):
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400:
            broken.append(f"{file.relative_to(folder)} has {lines} lines, more than 400")
    return broken


def test_files_and_functions_fit_the_eye():
    assert what_is_too_long(LIBRARY) == []


FUNCTION = '"""One idea."""\ndef f():\n' + "    x = 1\n"


@pytest.mark.parametrize(
    "bad",
    [
        {"plan.py": '"""One idea."""\n' + "x = 1\n" * 251},
        {"plan.py": '"""One idea."""\nx = """\n' + "text\n" * 250 + '"""'},
        {"plan.py": FUNCTION + "    x = 1\n" * 30 + "def g(): pass\ndef h(): pass\n"},
        {"plan.py": FUNCTION + "    x = 1\n" * 5},
        {"plan.py": "x = 1\n"},
        {"plan.py": '"""One idea.\n' + "more\n" * 17 + '"""\n'},
        {"scene.js": "x;\n" * 401},
    ],
    ids=["file", "long text", "function", "median", "no idea", "introduction", "JavaScript"],
)
def test_what_is_too_long_is_seen(tmp_path, bad):
    assert what_is_too_long(written(tmp_path, bad)) != []


def test_explanation_costs_nothing(tmp_path):
    head = '"""One idea."""\ndef f():\n'
    talk = '    """What it does.\n' + "    more\n" * 300 + '    """\n' + "    # why\n\n" * 300
    assert what_is_too_long(written(tmp_path, {"plan.py": head + talk + "    return 1\n"})) == []


def javascript_inside_python(folder):
    """Python files with a text that is a script: it belongs into a file of its own, where tools can read it."""
    signs = ("export default", "addEventListener(", "document.querySelector", "<script")
    return [
        f"{file.relative_to(folder)}:{node.lineno}"
        for file, tree in parsed(folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and any(sign in node.value for sign in signs)
    ]


def test_javascript_lives_in_files_of_its_own(tmp_path):
    assert javascript_inside_python(LIBRARY) == []
    assert javascript_inside_python(written(tmp_path, {"panels.py": 'ESM = "export default {}"'})) != []


# ---- Weight ---------------------------------------------------------------------------------------------------------


def heavy_libraries_loaded_by(statement):
    """Which of the libraries that take long to load one statement loads, in a fresh Python."""
    code = f"import sys; {statement}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    return subprocess.check_output([sys.executable, "-c", code], text=True).split()


def test_importing_parlib_loads_nothing_heavy():
    assert heavy_libraries_loaded_by("import parlib") == []


def test_a_heavy_import_is_seen():
    assert heavy_libraries_loaded_by("import parlib, tqdm") == ["tqdm"]


def written(folder, files):
    """A made-up library: {file name: source}."""
    library = folder / "parlib"
    for name, source in files.items():
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text(source, encoding="utf-8")
    return library
