"""The judgement over a conformance run, on results made up here."""

import importlib.util
import pathlib

import pytest
import torch
from onnx_to_fx import Strings
from skips import Check, Result, faults, read_skips, summary
from values import difference

SHAPE, TOLERANCE = Check("shape", "random"), Check("rtol=2e-3", "rounded")
REFUSED = Check("error=error: no images", "Pillow")
RUN_ALL = pathlib.Path(__file__).resolve().parent.parent / "run_all.py"


def skips_of(tmp_path, text, mode="python"):
    path = tmp_path / "skips.txt"
    path.write_text(text)
    return read_skips(str(path), mode)


def test_lines_of_a_mode(tmp_path):
    text = "# head\na | all | shape | random\nb | libtorch | error=x: y # z | no Pillow\nc | python, libtorch | atol=1e-6 | w\n"
    assert skips_of(tmp_path, text) == {"a": Check("shape", "random"), "c": Check("atol=1e-6", "w")}
    assert skips_of(tmp_path, text, "libtorch")["b"].error == "x: y # z"


@pytest.mark.parametrize("line", [
    "a | all | random", "a | all | values | random", "a | pythn | shape | random", "a | all | rtol=0 | rounded",
    "a | all | rtol=x | rounded", "a | all | error= | refused", "a | all | shape |",
])
def test_other_lines_are_refused(tmp_path, line):
    with pytest.raises(SystemExit) as caught:
        skips_of(tmp_path, "\n" + line + "\n")
    assert str(caught.value) == (
        f"{tmp_path}/skips.txt:2: expected 'name | modes | shape, rtol=X atol=Y or error=TEXT | reason', got {line!r}"
    )


def test_what_a_check_leaves_out_is_as_the_case_has_it():
    assert TOLERANCE.tolerance(1e-5, 1e-7) == (2e-3, 1e-7)
    assert Check("rtol=0.1 atol=0.2", "").tolerance(1e-5, 1e-7) == (0.1, 0.2)
    assert Check("atol=0.2", "").tolerance(1e-5, 1e-7) == (1e-5, 0.2)
    assert SHAPE.tolerance(1e-5, 1e-7) == (1e-5, 1e-7)


def test_what_should_not_be_so():
    results = {
        "fails": Result("values differ"),
        "passes": Result(""),
        "holds": Result("values differ", ""),
        "has another shape": Result("values differ", "expected shape [2], got [3]"),
        "passes after all": Result(""),
        "crashes": Result("crash: the process ended with -11"),
        "hangs": Result("time: the case took too long", ""),
    }
    skips = {name: SHAPE for name in ("holds", "has another shape", "passes after all", "crashes", "hangs", "is no case")}
    wrong = [
        "FAILED crashes: crash: the process ended with -11",
        "FAILED fails: values differ",
        "FAILED hangs: time: the case took too long",
        "FAILED has another shape: listed as 'shape': expected shape [2], got [3]",
        "PASSED passes after all, although skips.txt lists it: random",
    ]
    assert sorted(faults(results, skips, set())) == sorted(wrong)
    unknown = "UNKNOWN is no case: skips.txt lists it, and there is no such case"
    assert sorted(faults(results, skips, set(results))) == sorted([*wrong, unknown])


def test_run_all_counts_what_holds_and_skips_what_is_refused():
    results = {
        "a": Result(""), "b": Result("values differ", ""), "c": Result("values differ", ""),
        "d": Result("error: no images", ""), "e": Result("values differ"), "f": Result("values differ", "more"),
    }
    skips = {"b": SHAPE, "c": TOLERANCE, "d": REFUSED, "f": TOLERANCE}
    lines = [*faults(results, skips, set()), *summary(results, skips, "python")]
    assert lines[-2:] == [
        "listed: 1 hold in shape and dtype, 1 at the stated tolerance, 1 are refused as stated (python)",
        "conformance: 1 passed of 6 (python)",
    ]
    spec = importlib.util.spec_from_file_location("run_all", RUN_ALL)
    run_all = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run_all)
    assert run_all.conformance("\n".join(lines)) == (3, 2, 1)


def test_values_may_be_left_alone():
    ones, twos = torch.ones(2), torch.full((2,), 2.0)
    assert difference(twos, ones, 0, 0, values=False) is None
    assert difference([twos], [ones], 0, 0, values=False) is None
    assert difference(torch.ones(3), ones, 0, 0, values=False) == "output: expected shape [2], got [3]"
    assert difference(ones.int(), ones, 0, 0, values=False) == "output: expected dtype torch.float32, got torch.int32"
    assert difference(Strings([1], ["a"]), Strings([1], ["b"]), 0, 0, values=False) is None
    assert difference(Strings([2], ["a", "b"]), Strings([1], ["b"]), 0, 0, values=False) == "output: expected shape [1], got [2]"
