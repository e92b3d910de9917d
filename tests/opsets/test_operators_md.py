import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_operators_md_is_what_the_installation_lowers():
    ran = subprocess.run(
        [sys.executable, str(ROOT / "tools/operators"), "--check"], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


def test_check_says_what_to_do_when_stale():
    ran = subprocess.run(
        [
            sys.executable,
            str(ROOT / "tools/operators"),
            "--check",
            "--file",
            str(ROOT / "README.md"),
        ],
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stderr) == (1, "README.md: stale: run tools/operators\n")
