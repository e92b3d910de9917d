"""Two small models through compilers, where tools/compilers installed these."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = [ROOT / "build/zoo/packages", ROOT / "build/compilers/packages"]


@pytest.mark.skipif(
    not all((f / ".installed").exists() for f in FOLDERS), reason="tools/compilers installs the compilers: 1 GB"
)
def test_what_the_original_reaches_is_reached():
    paths = [ROOT / "tests", *FOLDERS]
    run = subprocess.run(
        [sys.executable, "-m", "compilers", "--slice", "--measures=", "--compilers=torch-mlir,OpenVINO,TVM"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    *rows, last = run.stdout.splitlines()
    assert (run.returncode, last) == (0, "0 cells fail where the original passes"), run.stdout + run.stderr
    assert [r.split()[1:] for r in rows] == 4 * ["torch-mlir: lowers OpenVINO: runs TVM: runs".split()]
