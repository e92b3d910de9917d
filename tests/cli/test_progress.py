"""On a terminal, what takes long says what it is at; elsewhere nothing does."""

import os
import pty
import subprocess

import pytest
from command_line import LINEAR, PROGRAM, serialized


def read_until(terminal, text):
    got = b""
    while text not in got:
        try:
            more = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            more = b""
        assert more, f"expected {text!r}, got {got!r} and the end"
        got += more
    return got


@pytest.mark.parametrize("kind, said", [("xterm", b"converting -, 1 s"), ("dumb", None)])
def test_a_model_that_is_long_in_coming(tmp_path, kind, said):
    terminal, other = pty.openpty()
    command = subprocess.Popen(
        [PROGRAM, "-", "-o", tmp_path / "out"], stdin=subprocess.PIPE, stderr=other, env={**os.environ, "TERM": kind}
    )
    os.close(other)
    if said:
        assert read_until(terminal, said).startswith(b"\r\x1b[K")
    command.stdin.write(serialized(LINEAR))
    command.stdin.close()
    rest = read_until(terminal, b"(copy)")
    assert command.wait() == 0
    assert rest.startswith(b"\r\x1b[Kwrote" if said else b"wrote")
