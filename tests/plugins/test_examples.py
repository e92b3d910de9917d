"""sdk/examples: one operator three ways. Each is built, run in Python and by verify, trained where it can be, and exported."""
import shutil
import subprocess

import onnx.parser
import pytest
from test_hostile import BUILD, onnx2fx
from test_in_process import python
from test_torch_library import MODEL, data_set

EXAMPLES = BUILD / "tests" / "plugins" / "examples"
LIBRARIES = {"decomposition": None, "torch_op": "torch_op_kernel.so", "reference": "reference.so"}
TIERS = list(LIBRARIES)


@pytest.fixture(params=TIERS)
def tier(tmp_path, request):
    shutil.copytree(EXAMPLES / request.param, tmp_path / "pack")
    onnx.save(onnx.parser.parse_model(MODEL), tmp_path / "m.onnx")
    return request.param, tmp_path


def torch_libraries(name):
    return [f"pack/{LIBRARIES[name]}"] if LIBRARIES[name] else []


def test_check(tier):
    name, folder = tier
    done = subprocess.run([BUILD / "bin" / "onnx2fx", "plugin", "check", folder / "pack" / f"{name}.so"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("ok: "), done.stdout + done.stderr


def test_verify(tier):
    name, folder = tier
    data_set(folder)
    libraries = [word for path in torch_libraries(name) for word in ("--torch-library", path)]
    code, out, errors = onnx2fx(folder, "verify", "m.onnx", "--data", "data", "--plugin-dir", "pack", *libraries)
    assert (code, errors) == (0, "") and " ok" in out


PROGRAM = """
from onnx_to_fx import load
import onnx_to_fx
model = onnx.load("m.onnx")
LIBRARIES = {libraries!r}
for dialect in "nn", "aten":
    module = convert_onnx_to_fx(model, plugin_dirs=["pack"], torch_libraries=LIBRARIES, dialect=dialect)
    assert torch.allclose(module(X), 2 * torch.tanh(X / 2))
    x = X.clone().requires_grad_()
    y = module(x)
    assert torch.allclose(y, 2 * torch.tanh(X / 2))
    try:
        y.sum().backward()
        assert torch.allclose(x.grad, 1 - torch.tanh(X / 2) ** 2)
        trained = True
    except NotImplementedError as error:
        assert x.grad is None
        trained = str(error)
    assert trained == {trained!r}, trained
    program = torch.export.export(module, (X,), dynamic_shapes=({{0: torch.export.Dim("n")}},))
    calls = [str(n.target).rpartition(".")[0] for n in program.graph.nodes if n.op == "call_function" and not any(w in str(n.target) for w in ("getitem", "sym_size"))]
    assert calls == {calls!r}, calls
    again = torch.arange(7.0)
    assert torch.allclose(program.module()(again), 2 * torch.tanh(again / 2))
fake = convert_onnx_to_fx(model, plugin_dirs=["pack"], torch_libraries=LIBRARIES, weights="fake")
assert onnx_to_fx.lift(module).graph_module(X)[0].shape == X.shape
"""
NO_GRADIENT = (
    "example::soft_clip: a reference function has no gradient; a torch operator with one, or a decomposition, "
    "can be trained through"
)
EXPECTED = {
    "decomposition": (True, ["aten.div", "aten.tanh", "aten.mul"]),
    "torch_op": (True, ["example.soft_clip"]),
    "reference": (NO_GRADIENT, ["onnx2fx.reference"]),
}


def test_in_python(tier):
    """Values, gradients or their refusal, export with a size that varies."""
    name, folder = tier
    trained, calls = EXPECTED[name]
    text = PROGRAM.format(libraries=torch_libraries(name), trained=trained, calls=calls)
    assert python(folder, text) == (0, "", "")
