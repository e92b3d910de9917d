"""node.meta["val"], the flat form, and what neither can hold."""

import re
import subprocess
import sys

import models
import onnx.parser
import pytest
import torch
from onnx_to_fx import (
    UnsupportedOperatorError,
    convert_onnx_to_fx,
    dynamic_shapes,
    example_inputs,
    fill_values,
    lift,
    to_mlir,
)
from torch.export.graph_signature import InputKind, OutputKind

HEAD = '<ir_version: 10, opset_import: ["": 21]>\n'


def converted(text, **options):
    return convert_onnx_to_fx(onnx.parser.parse_model(HEAD + text), **{"dialect": "aten", **options}).eval()


def values(graph):
    return {n.name: n.meta["val"] for n in graph.nodes if n.op != "output"}


def shapes(graph):
    return {n: str(list(v.shape)) for n, v in values(graph).items() if isinstance(v, torch.Tensor)}


IF = """g (float[N] x, bool c) => (float[N] y) { y = If(c) <
          then_branch = t () => (float[N] a) { a = Abs(x) },
          else_branch = e () => (float[N] b) { b = Neg(x) }> }"""
SCAN = """g (float[N] x, float[T, N] rows) => (float[N] y, float[T, N] all) { y, all = Scan(x, rows) <
            num_scan_inputs = 1,
            body = b (float[N] s, float[N] row) => (float[N] t, float[N] o) { t = Add(s, row) o = Abs(t) }> }"""


class TestValues:
    @pytest.mark.parametrize("dialect", ["nn", "aten"])
    def test_every_node_has_one(self, dialect):
        module = convert_onnx_to_fx(models.mlp(), dialect=dialect)
        mode = fill_values(module)
        found = values(module.graph)
        assert all(v.fake_mode is mode for v in found.values())
        *_, last = found.values()
        assert isinstance(last.shape[0], torch.SymInt)
        assert str(found["x"].shape[0]) == str(last.shape[0])
        assert module.graph.find_nodes(op="output")[0].meta["val"] is last

    def test_names_that_are_equal_are_one_size(self):
        module = converted("g (float[N, 2] x, float[N, M] y) => (float[N, K] z) { z = Concat <axis = 1> (x, y) }")
        fill_values(module)
        found = values(module.graph)
        assert found["x"].shape[0].node.expr == found["y"].shape[0].node.expr
        assert found["z"].shape[1].node.expr == found["y"].shape[1].node.expr + 2

    def test_a_name_that_reads_as_arithmetic_is_a_name(self):
        module = converted('g (float["a-b", 2] x, float[a, b] y) => (float[c, 2] z, float[a, b] w) '
                           "{ z = Concat <axis = 0> (x, x) w = Neg(y) }")  # fmt: skip
        fill_values(module)
        found = values(module.graph)
        assert found["z"].shape[0].node.expr == 2 * found["x"].shape[0].node.expr

    def test_of_an_extent_that_depends_on_data(self):
        module = converted("g (float[N, M] x) => (int64[2, K] y, int64[2, K] z) { y = NonZero(x) z = Add(y, y) }")
        fill_values(module)
        found = values(module.graph)
        assert str(found["z"].shape[1]) == str(found["y"].shape[0]) == "u0"

    def test_of_bodies(self):
        module = converted(SCAN)
        fill_values(module)
        (body,) = (m for m in module.children() if isinstance(m, torch.fx.GraphModule))
        width = str(values(module.graph)["x"].shape[0])
        assert set(shapes(body.graph).values()) == {f"[{width}]"}

    def test_bounds_are_those_of_the_symbols(self):
        program = lift(converted("g (float[N, 2] x) => (float[N, 2] y) { y = Abs(x) }"), min=3, max={"N": 7})
        ((bounds),) = program.range_constraints.values()
        assert (bounds.lower, bounds.upper) == (3, 7)

    def test_package_import_takes_none_of_torch_export_in(self):
        code = "import sys, onnx_to_fx; print('torch._dynamo' in sys.modules)"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert said.stdout == "False\n"


class TestFlat:
    def test_signature(self):
        program = lift(convert_onnx_to_fx(models.mlp(), dialect="aten"))
        specs = program.graph_signature.input_specs
        assert [(s.kind, s.target) for s in specs[:-1]] == [
            (InputKind.PARAMETER, t) for t in ("w1", "b1", "w2", "b2")
        ]
        assert (specs[-1].kind, specs[-1].arg.name) == (InputKind.USER_INPUT, "x")
        assert [s.kind for s in program.graph_signature.output_specs] == [OutputKind.USER_OUTPUT]

    def test_shares_its_weights_and_leaves_the_module(self):
        module = convert_onnx_to_fx(models.mlp(), dialect="aten")
        before = module.code
        program = lift(module)
        assert program.state_dict["w1"] is module.w1
        assert module.code == before

    @pytest.mark.parametrize("text", [IF, SCAN], ids=["If", "Scan"])
    def test_runs_as_the_module_at_other_sizes(self, text):
        module = converted(text)
        program = lift(module).run_decompositions().module()
        x = torch.randn(9)
        for other in ([torch.tensor(True), torch.tensor(False)] if text is IF else [torch.randn(3, 9)]):
            got, wanted = program(x, other), module(x, other)
            assert type(got) is type(wanted)
            torch.testing.assert_close(got, wanted, rtol=0, atol=0)

    def test_is_saved_and_loaded(self, tmp_path):
        module = convert_onnx_to_fx(models.mlp(), dialect="aten")
        torch.export.save(lift(module), tmp_path / "mlp.pt2")
        x = torch.randn(5, 4)
        got = torch.export.load(tmp_path / "mlp.pt2").module()(x)
        torch.testing.assert_close(got, module(x), rtol=0, atol=0)

    @pytest.mark.parametrize("weights", ["fake", "meta"])
    def test_without_weights_is_the_same_graph(self, weights):
        whole = lift(convert_onnx_to_fx(models.mlp(), dialect="aten"))
        program = lift(convert_onnx_to_fx(models.mlp(), dialect="aten", weights=weights))
        text = lambda p: re.sub(r"\bs\d+\b", "s", p.graph_module.print_readable(print_output=False))  # noqa: E731
        assert text(program) == text(whole)


class TestKeptNodes:
    """--keep-going: what nobody lowers, where the file states its type."""

    TEXT = """<ir_version: 10, opset_import: ["": 21, "com.acme": 1]>
      g (float[N, 4] x) => (float[N, 8] y) <float[N, 8] a> {
        a = com.acme.Foo <k = 3, scales = [0.5, 2.0]> (x, , x)
        y = Abs (a)
      }"""

    def module(self, dialect="aten"):
        return convert_onnx_to_fx(onnx.parser.parse_model(self.TEXT), keep_going=True, dialect=dialect)

    @pytest.mark.parametrize("dialect", ["nn", "aten"])
    def test_are_exported_with_their_types(self, dialect):
        module = self.module(dialect)
        program = torch.export.export(
            module, example_inputs(module), dynamic_shapes=dynamic_shapes(module)
        )
        x, call, result = (n for n in program.graph.nodes if "sym_size" not in n.name and n.op != "output")
        assert call.target is torch.ops.onnx2fx.custom_call.default
        assert call.args[:6] == ("com.acme", "Foo", 1, 0, [x, None, x], '{"k":3,"scales":[0.5,2.0]}')
        batch = x.meta["val"].shape[0]
        assert list(call.meta["val"].shape) == list(result.meta["val"].shape) == [batch, 8]

    def test_are_lifted_and_decomposed(self):
        program = lift(self.module()).run_decompositions()
        assert torch.ops.onnx2fx.custom_call.default in [n.target for n in program.graph.nodes]

    def test_cannot_be_run(self):
        with pytest.raises(UnsupportedOperatorError) as error:
            self.module()(torch.zeros(2, 4))
        assert str(error.value) == (
            "com.acme::Foo (opset 1): this node was kept as an opaque one and cannot be run; the conversion's report "
            "says why\nin the ONNX node (Foo) that computes 'a': x is float32[2, 4], sym_size is 2"
        )
        assert error.value.operators[0].op_type == "Foo"


class TestRefusals:
    def test_of_the_nn_dialect(self):
        with pytest.raises(ValueError) as error:
            lift(convert_onnx_to_fx(models.mlp()))
        assert str(error.value) == (
            "module: expected one of the dialect 'aten', got 'nn'; convert with dialect='aten'"
        )

    def test_of_mlir_without_torch_mlir(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch_mlir", None)
        with pytest.raises(ImportError) as error:
            to_mlir(convert_onnx_to_fx(models.mlp(), dialect="aten"))
        assert str(error.value) == (
            "to_mlir: expected the package torch_mlir, got none; install torch-mlir with pip's --no-deps"
        )

    def test_of_what_only_python_runs(self):
        module = converted("""g (float[N] x, int64 n) => (float[K] y) <bool t = {1}> { y = Loop(n, t, x) <
            body = b (int64 i, bool c, float[P] s) => (bool d, float[Q] r)
                   { d = Identity(c) r = Concat <axis = 0> (s, s) }> }""")
        with pytest.raises(ValueError) as error:
            lift(module)
        assert str(error.value) == (
            "the ONNX node (Loop) that computes 'y': expected operators of torch, got loop, a function of "
            "onnx_to_fx that no ExportedProgram holds"
        )
