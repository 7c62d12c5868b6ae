"""`import parlib` is light; everything public is there when it is asked for, and nothing else is."""

import subprocess
import sys
import types

import pytest

import parlib

HEAVY = {
    *("matplotlib", "IPython", "ipywidgets", "anywidget", "sklearn", "scipy", "dask", "distributed", "loky"),
    *("psutil", "threadpoolctl", "tqdm", "PIL", "nbval", "multiprocessing"),
}


def loaded_by(statement):
    """The modules that a statement loads in a fresh interpreter in which NumPy is loaded already."""
    program = f"import sys, numpy; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in told.stdout.split()}


def test_importing_parlib_loads_nothing_heavy():
    assert not loaded_by("import parlib") & HEAVY


def test_the_same_check_sees_a_heavy_module():
    assert "threadpoolctl" in loaded_by("import parlib; parlib.data_parallel(abs, [1])")


@pytest.mark.parametrize("use", ["execute(parlib.Plan([]), 1, parlib.Simulated())", "machine()", "Stage(abs)"])
def test_using_the_simulator_loads_no_process_pool_and_no_pictures(use):
    assert not loaded_by(f"import parlib; parlib.{use}") & {"matplotlib", "loky", "ipywidgets", "dask", "sklearn"}


def test_every_public_name_is_there():
    for name in parlib.__all__:
        assert getattr(parlib, name) is not None
        assert not isinstance(getattr(parlib, name), types.ModuleType)


def test_names_that_are_loaded_later_are_those_of_their_modules():
    for module, names in parlib.LATER.items():
        for name in names:
            home = sys.modules[f"parlib.{module}"] if getattr(parlib, name) else None
            assert getattr(home, name) is getattr(parlib, name)


def test_what_is_public_is_listed_for_completion():
    assert set(parlib.__all__) <= set(dir(parlib))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'parlib' has no attribute 'data_paralel'"):
        parlib.data_paralel  # noqa: B018
