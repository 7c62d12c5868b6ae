"""How fast is parlib beside other executors? One command measures it: `python -m benchmarks`.

Every contest is held in interleaved rounds within one run, so what counts is the ratio of
two times taken a moment apart, not the seconds themselves. Read `contest.py` first: the
rest only says who competes.
"""
