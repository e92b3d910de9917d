"""write_pt2: what torch.export.load finds in it."""

import json
import re

import models
import onnx.parser
import pytest
import torch
from onnx_to_fx import convert_onnx_to_fx, lift, report, write_pt2

POSITIONS = """<ir_version: 10, opset_import: ["": 21]> g (float[N, 2] x) => (float[N, 64] y)
    <float[2, 4] a = {1, 2, 3, 4, 5, 6, 7, 8}, float[4, 64] b, int64[2] column = {-1, 1},
     int64 zero = {0}, int64 one = {1}> {
  h = MatMul (x, a) z = MatMul (h, b) sizes = Shape (z) n = Gather (sizes, zero)
  positions = Range (zero, n, one) p = Cast <to = 1> (positions) c = Reshape (p, column) y = Add (z, c) }"""
"""The first weight is the smaller one, and a tensor is made on the device of the module."""


def positions(**options):
    text = POSITIONS.replace("b,", f"b = {{{', '.join(map(str, range(256)))}}},")
    return convert_onnx_to_fx(onnx.parser.parse_model(text), dialect="aten", **options)


def test_symbolic_sizes_and_their_bounds(tmp_path):
    module = positions()
    write_pt2(module, tmp_path / "m.pt2", min=2, max={"N": 9})
    program = torch.export.load(tmp_path / "m.pt2")
    (bounds,) = program.range_constraints.values()
    assert (bounds.lower, bounds.upper) == (2, 9)
    for rows in (3, 9):
        x = torch.randn(rows, 2)
        torch.testing.assert_close(program.module()(x), module(x), rtol=0, atol=0)


def test_control_flow(tmp_path):
    module = convert_onnx_to_fx(
        onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 21]>
            g (float[N] x, bool c) => (float[N] y) { y = If(c) <
              then_branch = t () => (float[N] a) { a = Abs(x) }, else_branch = e () => (float[N] b) { b = Neg(x) }> }"""),
        dialect="aten",
    )
    write_pt2(module, tmp_path / "m.pt2")
    program, x = torch.export.load(tmp_path / "m.pt2").module(), torch.tensor([-1.0, 2.0, -3.0])
    assert program(x, torch.tensor(True)).tolist() == [1, 2, 3]
    assert program(x, torch.tensor(False)).tolist() == [1, -2, 3]


def test_the_report_comes_along(tmp_path):
    module = convert_onnx_to_fx(models.mlp(), dialect="aten")
    write_pt2(module, tmp_path / "m.pt2")
    files = {"onnx2fx_report.json": ""}
    torch.export.load(tmp_path / "m.pt2", extra_files=files)
    assert json.loads(files["onnx2fx_report.json"]) == report(module)


def test_without_weights_they_are_brought_later(tmp_path, caplog):
    write_pt2(positions(weights="fake"), tmp_path / "m.pt2")
    program = torch.export.load(tmp_path / "m.pt2")
    assert [r.getMessage() for r in caplog.records if r.levelname != "DEBUG"] == []
    assert {n: (t.device.type, list(t.shape)) for n, t in program.state_dict.items()} == {
        "a": ("meta", [2, 4]),
        "b": ("meta", [4, 64]),
    }
    module, whole, x = program.module(), positions(), torch.randn(5, 2)
    module.load_state_dict(whole.state_dict(), assign=True)
    torch.testing.assert_close(module(x), whole(x), rtol=0, atol=0)


def test_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_pt2(positions(), tmp_path / f"{name}.pt2")
    assert (tmp_path / "one.pt2").read_bytes() == (tmp_path / "two.pt2").read_bytes()


def test_refusals(tmp_path):
    for module, name, text in [
        (positions(), "m.zip", "path: expected a name that ends in .pt2, got '.*m.zip'"),
        (
            positions(weights="meta"),
            "m.pt2",
            'module: expected one that has its weights or was made with weights="fake", got one on the meta device, '
            "which its program could not leave",
        ),
        (
            convert_onnx_to_fx(models.mlp()),
            "m.pt2",
            "module: expected one of the dialect 'aten', got 'nn'; convert with dialect='aten'",
        ),
    ]:
        with pytest.raises(ValueError) as error:
            write_pt2(module, tmp_path / name)
        assert re.fullmatch(text, str(error.value))
    assert not list(tmp_path.iterdir())


def test_what_was_there_stays_when_torch_fails(tmp_path, monkeypatch):
    (tmp_path / "m.pt2").write_text("mine")

    def fail(*arguments, **options):
        raise OSError("no space")

    monkeypatch.setattr(torch.export, "save", fail)
    with pytest.raises(OSError, match="no space"):
        write_pt2(positions(), tmp_path / "m.pt2")
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("m.pt2", "mine")]


def test_lift_leaves_the_module_its_weights(tmp_path):
    module = positions(weights="fake")
    write_pt2(module, tmp_path / "m.pt2")
    assert {type(t).__name__ for t in module.parameters()} == {type(t).__name__ for t in lift(module).state_dict.values()}
    assert {t.device.type for t in module.parameters()} == {"cpu"}
