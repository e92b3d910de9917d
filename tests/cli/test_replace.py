"""A package in the way of another one."""

import json

from command_line import LINEAR, onnx2fx, save

HERE = (
    "\n  note: choose another folder, or replace it with --force\n"
)


def convert(folder, model, *arguments):
    return onnx2fx(model, "-o", "out", "-q", *arguments, cwd=folder)


def content(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_report_says_which_model_it_was(tmp_path):
    (tmp_path / "sub").mkdir()
    save(tmp_path / "sub/m.onnx")
    assert convert(tmp_path, "sub/m.onnx") == (0, "", "")
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["model"] == {"file": "m.onnx", "inputs": ["x"], "outputs": ["y"]}


def test_the_same_model_is_replaced(tmp_path):
    save(tmp_path / "m.onnx")
    assert convert(tmp_path, "m.onnx") == (0, "", "")
    save(tmp_path / "m.onnx", LINEAR.replace("y = Gemm", "h = Relu(x) y = Gemm").replace("(x, ", "(h, "))
    assert convert(tmp_path, "m.onnx", "--dialect", "aten", "--weights", "copy") == (0, "", "")
    assert "aten::relu" in (tmp_path / "out/graph.json").read_text()


def test_another_model_is_not(tmp_path):
    save(tmp_path / "m.onnx")
    save(tmp_path / "n.onnx")
    assert convert(tmp_path, "m.onnx") == (0, "", "")
    before = content(tmp_path)
    message = "error: out: expected a package of 'n.onnx', got one of 'm.onnx'" + HERE
    assert convert(tmp_path, "n.onnx") == (1, "", message)
    assert content(tmp_path) == before
    assert convert(tmp_path, "n.onnx", "--force") == (0, "", "")
    assert json.loads((tmp_path / "out/report.json").read_text())["model"]["file"] == "n.onnx"


def test_another_model_of_the_same_name_is_not(tmp_path):
    save(tmp_path / "m.onnx")
    assert convert(tmp_path, "m.onnx") == (0, "", "")
    save(tmp_path / "m.onnx", LINEAR.replace("] x)", "] pixels)").replace("(x, ", "(pixels, "))
    assert convert(tmp_path, "m.onnx") == (
        1,
        "",
        "error: out: expected a package of 'm.onnx', got one of another 'm.onnx', with other inputs or outputs"
        + HERE,
    )
    assert convert(tmp_path, "m.onnx", "--force") == (0, "", "")


def test_a_package_that_does_not_say_is_replaced(tmp_path):
    save(tmp_path / "m.onnx")
    for report in (None, "", "{}", "[]", '{"model": 1}', '{"model": {"file": 1}}'):
        assert convert(tmp_path, "m.onnx", "--force") == (0, "", "")
        (tmp_path / "out/report.json").unlink()
        if report is not None:
            (tmp_path / "out/report.json").write_text(report)
        assert convert(tmp_path, "m.onnx") == (0, "", "")


def test_what_is_no_package_is_not_forced(tmp_path):
    save(tmp_path / "m.onnx")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    assert convert(tmp_path, "m.onnx", "--force") == (
        1,
        "",
        "error: out: expected an empty folder or an FX package, got one with 'mine.txt'\n"
        "  note: choose another folder, or remove it\n",
    )
