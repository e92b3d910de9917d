"""sdk/slots.txt: what is said of every function that crosses the border, against the header, the page and the frozen packs."""
import importlib.machinery
import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest
from test_header import GOLDEN, HOST_TABLES, declarations, structs

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]


def tool():
    loader = importlib.machinery.SourceFileLoader("slots_tool", str(ROOT / "tools" / "slots"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("slots_tool", loader))
    loader.exec_module(module)
    return module


TOOL = tool()
SLOTS = TOOL.slots(TOOL.DATA.read_text())


def functions():
    """(table, slot) of every function pointer that the headers have in a struct, in order."""
    for body, name in re.findall(r"typedef struct \w+ \{(.*?)\n\} (\w+);", declarations(), re.S):
        for slot, field in re.findall(r"\(O2FX_CALL\* (\w+)\)|o2fx_\w+_fn (\w+);", body):
            yield name, slot or field


def test_every_function_of_the_header_has_a_line():
    by_table = lambda pairs: {t: [n for table, n in pairs if table == t] for t, _ in pairs}  # noqa: E731
    assert by_table([(s.table, s.name) for s in SLOTS]) == by_table(list(functions()))


def test_those_of_a_released_minor_stand_before_those_that_came_later():
    """A slot appended to a table is of a later minor than all before it, and minor 0 has those of its golden layout."""
    pinned = {line.split(" ")[0] for line in GOLDEN.read_text().splitlines()}
    known = {name for name, _ in structs()}
    for table in dict.fromkeys(s.table for s in SLOTS):
        since = [s.since for s in SLOTS if s.table == table]
        assert table in known and since == sorted(since), table
    assert [f"{s.table}.{s.name}" for s in SLOTS if (s.since == 0) != (f"{s.table}.{s.name}" in pinned)] == []


def test_host_functions_are_of_the_ctx():
    assert {s.thread for s in SLOTS if s.table in HOST_TABLES} == {"ctx"}


def test_the_page_has_the_table():
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "slots"), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "line, message",
    [
        ("o2fx_op.lower 0 main copied", "slots.txt:1: thread: expected alone, any, ctx, serial, got main"),
        (
            "o2fx_op.lower 0 ctx copied, mine",
            "slots.txt:1: owner: expected callback, copied, filled, host, library, nothing, source, transaction, got mine",
        ),
    ],
)
def test_words_that_are_not_known(line, message):
    with pytest.raises(ValueError) as error:
        TOOL.slots(line)
    assert str(error.value) == message


USERS = {"o2fx_host_api": "every_slot.c", "o2fx_weights_host": "store.c", "o2fx_reference_host": "reference.c"}


@pytest.mark.parametrize("table", USERS)
def test_a_frozen_pack_calls_every_slot_of_minor_0(table):
    source = (HERE / "frozen" / USERS[table]).read_text()
    assert [s.name for s in SLOTS if s.table == table and s.since == 0 and f"h->{s.name}(" not in source] == []
