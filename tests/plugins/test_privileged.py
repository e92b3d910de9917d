"""A process with more rights than its user: what the user's variables and folders say counts for nothing."""
import json
import os
import shutil
import subprocess

import pytest
from hostile_packs import pack
from test_hostile import PROGRAM

USER = 65534


def listing(setuid, **variables):
    """Ids of the plugins found, and the messages; setuid: as a file of root's with the set-user-ID bit runs for another user."""
    done = subprocess.run(
        [PROGRAM, "plugins", "--json"],
        env={"PATH": os.defpath, **variables}, capture_output=True, text=True,
        # What execve then sees is what it sees of such a file: an effective user who is not the real one. AT_SECURE is set.
        preexec_fn=(lambda: os.setresuid(USER, 0, 0)) if setuid else None,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [p["id"] for p in json.loads(done.stdout)["plugins"] if p["status"] == "ok"], done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to run as somebody else")
@pytest.mark.parametrize("variable", ["ONNX2FX_PLUGIN_PATH", "ONNX2FX_ADD_PLUGIN_PATH", "XDG_DATA_HOME", "HOME"])
def test_what_the_user_says_where_packs_are_is_not_heard(tmp_path, variable):
    pack(tmp_path)
    below = {"XDG_DATA_HOME": "onnx2fx/plugins.d", "HOME": ".local/share/onnx2fx/plugins.d"}.get(variable)
    if below:
        shutil.copytree(tmp_path / "pack", tmp_path / below)
    variables = {variable: str(tmp_path if below else tmp_path / "pack")}
    found, errors = listing(False, **variables)
    assert "com.acme.hostile" in found and errors == ""
    privileged, errors = listing(True, **variables)
    assert errors == "" and privileged == [p for p in listing(False)[0]]
    assert "com.acme.hostile" not in privileged


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to run as somebody else")
def test_nor_what_it_switches_off():
    variables = {"ONNX2FX_PLUGIN_DISABLE": "onnx2fx.*"}
    assert listing(False, **variables) == ([], "")
    assert listing(True, **variables) == listing(False)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to run as somebody else")
def test_the_process_is_one_that_the_loader_calls_secure():
    """Else the tests above would prove nothing: such a process does not hear LD_DEBUG either."""
    def loud(setuid):
        done = subprocess.run(["/bin/true"], env={"LD_DEBUG": "libs"}, capture_output=True,
                              preexec_fn=(lambda: os.setresuid(USER, 0, 0)) if setuid else None)  # fmt: skip
        return b"calling init" in done.stderr
    assert (loud(False), loud(True)) == (True, False)
