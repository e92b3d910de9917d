"""Every revision of every operator of the standard converts, runs, and gives the values of its opset."""

import concurrent.futures
import multiprocessing
import os
import pathlib
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matrix
import pytest
import torch

UNCOVERED = pathlib.Path(__file__).with_name("uncovered.txt")
REVISIONS = matrix.revisions()
_cases = {}  # filled before the workers fork, read in them


def uncovered():
    """(operator, since) -> reason, of the lines "operator since | reason"."""
    listed = {}
    for line in UNCOVERED.read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line:
            row, reason = (part.strip() for part in line.split("|", 1))
            name, since = row.split()
            listed[name, int(since)] = reason
    return listed


def _work(operator):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    return matrix.run_operator(operator, REVISIONS[operator], _cases.get(operator, []))


@pytest.fixture(scope="session")
def outcomes(request):
    """Operator -> future of its outcome, of those that are to be tested."""
    _cases.update(matrix.cases_by_operator())
    wanted = [
        i.callspec.params["operator"]
        for i in request.session.items
        if i.originalname == "test_every_revision_runs"
    ]
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        yield {operator: pool.submit(_work, operator) for operator in wanted}


@pytest.mark.parametrize("operator", REVISIONS, ids=str)
def test_every_revision_runs(operator, outcomes):
    outcome = outcomes[operator].result(timeout=300)
    assert not outcome.failures, "\n".join(outcome.failures)
    listed = {since for name, since in uncovered() if name == str(operator)}
    missing = set(REVISIONS[operator]) - outcome.ran
    assert missing == listed, "revisions without a run: expected those of uncovered.txt"


def test_uncovered_rows_exist_and_have_a_reason():
    rows = {(str(o), since) for o, revised in REVISIONS.items() for since in revised}
    listed = uncovered()
    assert set(listed) <= rows
    assert all(listed.values())
