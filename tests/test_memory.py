"""Arrays use the memory of those before them, where the C library would have given it back."""

import os
import platform
import subprocess
import sys

import pytest

MAKE_AND_DROP = """
import resource
import numpy as np
{before}
row = np.ones(450_000)  # 3.6 MB, as layers make them

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        first = row + 1
        second = first * row
        third = second - first
        del first, second, third
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


def pages_asked_for(before):
    as_it_comes = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}  # Dask sets one
    program = [sys.executable, "-c", MAKE_AND_DROP.format(before=before)]
    told = subprocess.run(program, capture_output=True, text=True, env=as_it_comes)
    assert not told.stderr
    return int(told.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about the C library of Linux")
def test_arrays_that_come_and_go_ask_the_system_for_no_more_memory():
    assert pages_asked_for("import parlib") < 500
    assert pages_asked_for("") > 20_000  # the same without: every page, every time
