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


def loaded(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def copied(module):
    return copy.deepcopy(loaded(module))


def itself(module):
    return module


@pytest.fixture(params=[itself, copy.deepcopy, loaded, copied], ids=lambda f: f.__name__)
def again(request):
    return request.param


def test_of_a_run(again):
    assert message(again(convert_onnx_to_fx(mlp())), torch.zeros(2, 5)) == RUN


def test_of_a_run_of_the_aten_dialect(again):
    module = again(convert_onnx_to_fx(mlp(), dialect="aten"))
    weights = ", w1 is float32[8, 4], b1 is float32[8]"
    assert message(module, torch.zeros(2, 5)) == RUN + weights


def edited():
    module = convert_onnx_to_fx(mlp())
    x = next(iter(module.graph.nodes))
    with module.graph.inserting_after(x):
        twice = module.graph.call_function(torch.mul, (x, 2))
    x.replace_all_uses_with(twice, lambda user: user is not twice)
    module.recompile()
    return module


def test_after_the_graph_was_edited():
    module = edited()
    assert message(module, torch.zeros(2, 5)) == RUN.replace("x is", "mul is")


def test_of_a_body_and_of_what_holds_it(again):
    module = again(convert_onnx_to_fx(onnx.parser.parse_model(IN_BRANCH)))
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


@pytest.mark.parametrize("again, name", [(itself, "fc1_Gemm"), (loaded, "fc1")])  # torch names nodes anew
def test_of_the_interpreter(again, name):
    module = again(convert_onnx_to_fx(mlp()))
    assert message(fx.Interpreter(module).run, torch.zeros(2, 5)) == (
        "mat1 and mat2 shapes cannot be multiplied (2x5 and 4x8)\n\n"
        f"While executing %{name} : [num_users=1] = call_module[target=fc1](args = (%x,), kwargs = {{}})\n"
        f"Original traceback:\n{GEMM}\nUse tlparse to see full graph. "
        "(https://github.com/pytorch/tlparse?tab=readme-ov-file#tlparse-parse-structured-pt2-logs)"
    )


def test_of_torch_export(again):
    module = again(convert_onnx_to_fx(mlp()))
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
    assert torch.equal(loaded(module)(x), module(x))


def test_what_was_edited_is_stored_with_its_nodes():
    module = edited()
    assert message(loaded(module), torch.zeros(2, 5)) == RUN.replace("x is", "mul is")


def test_strings_go_into_what_was_loaded():
    text = "g (string[N] x) => (string[N] y) { y = StringConcat (x, x) }"
    module = loaded(convert_onnx_to_fx(onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 21]>' + text)))
    assert module(["a", "b"]).tolist() == ["aa", "bb"]
