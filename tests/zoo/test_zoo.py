"""Eight models of the zoo, each in one form, in the quick columns: exactly what was recorded.

What got better is recorded by `tools/zoo --slice --quick --record`, which is to be committed.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from zoo import results
from zoo.models import MODELS
from zoo.report import table

TESTS = pathlib.Path(__file__).resolve().parents[1]
SLICE = [m.name for m in MODELS if m.slice]


@pytest.fixture(scope="module")
def ran():
    """What `--check` printed for the whole slice."""
    return subprocess.run(
        [sys.executable, "-m", "zoo", "--slice", "--quick", "--again", "--check"],
        cwd=TESTS, env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", SLICE)
def test_outcomes_are_those_recorded(ran, name):
    lines = ran.stdout.splitlines()
    assert [line for line in lines if line.startswith(f"{name} ") and ": recorded " in line] == []
    assert any(line.split()[:1] == [name] for line in lines), ran.stdout + ran.stderr


def test_the_slice_has_eight_models_and_every_form():
    assert len(SLICE) == 8
    assert {m.slice for m in MODELS if m.slice} == {"dynamo", "unoptimized", "legacy", "preserve"}


def test_the_table_is_made_of_what_was_recorded():
    recorded, shares = (json.loads(f.read_text()) for f in (results.RECORDED, results.SHARES))
    assert results.TABLE.read_text() == table(recorded, shares)


def test_a_case_of_the_suite_goes_there_and_back():
    from zoo import cells, round_trip

    cases = [c for c in round_trip.load_cases(("node",)) if c.name in ("test_relu", "test_top_k", "test_string_concat")]
    got = {c.name: round_trip.outcome(cells.run(round_trip.GROUP, round_trip.Trip(c))["round trip"]) for c in cases}
    refused = got.pop("test_string_concat")
    assert got == {"test_relu": "right", "test_top_k": "right"}
    assert refused.startswith("refused: export: "), refused
