"""An error at run or trace time names the ONNX node that it comes from."""

import copy
import io

import onnx
import pytest
import torch
from models import mlp
from onnx_to_fx import convert_onnx_to_fx
from torch import fx

GEMM = "the ONNX node '/fc1/Gemm' (Gemm) that computes 'h'"
RUN = f"mat1 and mat2 shapes cannot be multiplied (2x5 and 4x8)\nin {GEMM}: x is float32[2, 5]"
IN_BRANCH = """
<ir_version: 10, opset_import: ["": 21]>
g (bool c, float[N] x, float[M] z) => (float[K] y) {
  [choice] y = If (c) <
    then_branch = t () => (float[K] a) { [sum] a = Add (x, z) },
    else_branch = e () => (float[K] b) { b = Mul (x, z) }>
}
"""


def message(call, *args):
    with pytest.raises(RuntimeError) as e:
        call(*args)
    return str(e.value)


@pytest.mark.parametrize("again", [lambda m: m, copy.deepcopy])
def test_of_a_run(again):
    assert message(again(convert_onnx_to_fx(mlp())), torch.zeros(2, 5)) == RUN


def test_of_a_run_of_the_aten_dialect():
    module = convert_onnx_to_fx(mlp(), dialect="aten")
    weights = ", w1 is float32[8, 4], b1 is float32[8]"
    assert message(module, torch.zeros(2, 5)) == RUN + weights


def test_after_the_graph_was_edited():
    module = convert_onnx_to_fx(mlp())
    x = next(iter(module.graph.nodes))
    with module.graph.inserting_after(x):
        twice = module.graph.call_function(torch.mul, (x, 2))
    x.replace_all_uses_with(twice, lambda user: user is not twice)
    module.recompile()
    assert message(module, torch.zeros(2, 5)) == RUN.replace("x is", "mul is")


def test_of_a_body_and_of_what_holds_it():
    module = convert_onnx_to_fx(onnx.parser.parse_model(IN_BRANCH))
    x, z = torch.zeros(2), torch.zeros(3)
    torch_says = "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0"
    for c, body in (
        (True, "the ONNX node 'sum' (Add) that computes 'a'"),
        (False, "the ONNX node (Mul) that computes 'b'"),
    ):
        assert message(module, torch.tensor(c), x, z) == (
            f"{torch_says}\nin {body}: x is float32[2], z is float32[3]\n"
            "in the ONNX node 'choice' (If) that computes 'y': c is bool[], x is float32[2], z is float32[3]"
        )


def test_of_the_interpreter():
    module = convert_onnx_to_fx(mlp())
    assert message(fx.Interpreter(module).run, torch.zeros(2, 5)) == (
        "mat1 and mat2 shapes cannot be multiplied (2x5 and 4x8)\n\n"
        "While executing %fc1_Gemm : [num_users=1] = call_module[target=fc1](args = (%x,), kwargs = {})\n"
        f"Original traceback:\n{GEMM}\nUse tlparse to see full graph. "
        "(https://github.com/pytorch/tlparse?tab=readme-ov-file#tlparse-parse-structured-pt2-logs)"
    )


def test_of_torch_export():
    module = convert_onnx_to_fx(mlp())
    said = message(torch.export.export, module, (torch.zeros(2, 5),))
    assert f"\nOriginal traceback:\n{GEMM}\n" in said


@pytest.mark.parametrize("dialect", ["nn", "aten"])
def test_torch_export_keeps_the_node(dialect):
    module = convert_onnx_to_fx(mlp(), dialect=dialect)
    program = torch.export.export(module, (torch.zeros(2, 4),))
    linear = next(n for n in program.graph.nodes if n.op == "call_function")
    assert linear.meta["stack_trace"].endswith(GEMM)
    assert linear.meta["custom"]["onnx"]["name"] == "/fc1/Gemm"
    file = io.BytesIO()
    torch.export.save(program, file)


def test_compiled_and_stored_it_computes_the_same():
    module, x = convert_onnx_to_fx(mlp()), torch.randn(2, 4)
    assert torch.equal(torch.compile(module, backend="aot_eager", fullgraph=True)(x), module(x))
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=False)(x), module(x))
