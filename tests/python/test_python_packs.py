"""Operators that are lowered in Python: registered, called, declined, refused, and forgotten."""

import json
import operator
import os
import pathlib
import re
import subprocess
import sys
import threading
import warnings

import numpy as np
import onnx
import onnx.parser
import onnx_to_fx
import pytest
import torch
from onnx_to_fx import convert_onnx_to_fx, register_op, registered, report, sdk, unregister_op

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAD = '<ir_version: 10, opset_import: ["": 21, "com.acme": 2]>\n'
SCALED = HEAD + "net (float[N, 3] x) => (float[N, 3] y) { y = com.acme.Scaled <factor = 2.5> (x) }"


def model(text):
    return onnx.parser.parse_model(text)


def scaled(n):
    n.output(n.call("aten::mul.Scalar", n.input(0), n.real("factor", 1.0)))


@pytest.fixture
def refused():
    """Converts with a lowering, and gives the error."""

    def convert(function, text=SCALED, op="Scaled", domain="com.acme"):
        with registered(function, op, domain), pytest.raises(onnx_to_fx.ConversionError) as e:
            convert_onnx_to_fx(model(text))
        return e.value

    return convert


def test_a_function_lowers_an_operator():
    with registered(scaled, "Scaled", domain="com.acme", pack="com.acme.scaled"):
        module = convert_onnx_to_fx(model(SCALED))
    x = torch.randn(2, 3)
    torch.testing.assert_close(module(x), x * 2.5)
    (node,) = report(module)["nodes"]
    assert node["provider"] == "com.acme.scaled 1.0.0"
    (call,) = module.graph.find_nodes(op="call_function", target=operator.mul)
    assert call.meta["onnx"]["op_type"] == "Scaled"


def test_the_decorator_registers_until_told_otherwise():
    decorated = register_op("Scaled", "com.acme")(scaled)
    assert decorated is scaled
    try:
        convert_onnx_to_fx(model(SCALED))
        with pytest.raises(ValueError) as e:
            register_op("Scaled", "com.acme")(lambda n: None)
        assert str(e.value) == (
            "com.acme::Scaled since 1: expected an operator that is not registered, got one of "
            f"{__name__}.scaled; unregister_op() that first"
        )
        with pytest.raises(onnx_to_fx.UnsupportedOperatorError):
            convert_onnx_to_fx(model(SCALED), safe_mode=True)
    finally:
        unregister_op(scaled)
    with pytest.raises(onnx_to_fx.UnsupportedOperatorError):
        convert_onnx_to_fx(model(SCALED))
    with pytest.raises(ValueError, match="expected a registered function, got another"):
        unregister_op(scaled)


def test_it_comes_before_the_standard_plugins():
    def doubled(n):
        n.output(n.call("aten::add.Tensor", n.input(0), n.input(0)))

    relu = model(HEAD + "net (float[N, 3] x) => (float[N, 3] y) { y = Relu (x) }")
    x = torch.randn(2, 3)
    with registered(doubled, "Relu", since=6):
        torch.testing.assert_close(convert_onnx_to_fx(relu)(x), x + x)
    torch.testing.assert_close(convert_onnx_to_fx(relu)(x), x.relu())


def test_what_declines_leaves_it_to_the_next():
    def never(n):
        raise sdk.Decline("not on this one")

    relu = model(HEAD + "net (float[N, 3] x) => (float[N, 3] y) { y = Relu (x) }")
    with registered(never, "Relu", since=6, pack="com.acme.never"):
        module = convert_onnx_to_fx(relu)
    (node,) = report(module)["nodes"]
    assert node["provider"].startswith("onnx2fx.ai-onnx")
    assert node["declined"] == ["com.acme.never declined: not on this one"]


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (sdk.Unsupported("a factor above 2"), onnx_to_fx.UnsupportedOperatorError, "a factor above 2"),
        (sdk.Invalid("factor: expected one"), onnx_to_fx.ConversionError, "factor: expected one"),
        (KeyError("x"), onnx_to_fx.PluginError, "KeyError: 'x'"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_errors_say_whose_fault_it_is(refused, error, kind, text):
    def raises(n):
        raise error

    e = refused(raises)
    assert type(e) is kind
    assert str(e).splitlines()[0] == f"error: <memory>: node 'y' (com.acme.Scaled, opset 2): {text}"


def test_what_is_not_read_is_an_error(refused):
    e = refused(lambda n: n.output(n.call("aten::neg", n.input(0))))
    assert type(e) is onnx_to_fx.PluginError
    assert "attribute 'factor': it is present, but plugin python.registered never read it" in str(e)


def test_what_the_host_refuses_is_told_once(refused):
    e = refused(lambda n: n.output(n.call("aten::no_such", n.input(0), n.real("factor"))))
    assert type(e) is onnx_to_fx.PluginError and "aten::no_such" in str(e)
    e = refused(lambda n: n.call("aten::mul.Scalar", n.input(0), object()))
    assert "TypeError: argument: expected a Value, Int, number, text, list..., got object" in str(e)


def test_a_node_is_of_no_use_afterwards():
    kept = []
    with registered(lambda n: (kept.append(n), scaled(n)), "Scaled", "com.acme"):
        convert_onnx_to_fx(model(SCALED))
    with pytest.raises(RuntimeError, match="the node is lowered: expected no use of it afterwards"):
        kept[0].input(0)


def test_sizes_constants_and_lists():
    def windows(n):
        x = n.input(0)
        rows, columns = n.dims(x)
        assert columns == 6 and not isinstance(rows, int) and n.rank(x) == 2
        table = n.constant("table", np.arange(3, dtype=np.float32))
        y = n.call("aten::reshape", x, [n.mul(rows, 2), 3])
        y = n.call("aten::add.Tensor", y, table, alpha=2)
        n.annotate("rows", "twice as many")
        n.output(n.call("aten::cat", [y, y], dim=1))

    text = HEAD + "net (float[N, 6] x) => (float[M, 6] y) { y = com.acme.Windows (x) }"
    with registered(windows, "Windows", "com.acme"):
        module = convert_onnx_to_fx(model(text))
    for rows in (1, 4):
        x = torch.randn(rows, 6)
        half = x.reshape(-1, 3) + 2 * torch.arange(3)
        torch.testing.assert_close(module(x), torch.cat([half, half], 1))
    assert report(module)["nodes"][0]["notes"] == [{"rows": "twice as many"}]


def test_a_manifest_chooses_it(tmp_path):
    def doubled(n):
        n.output(n.call("aten::add.Tensor", n.input(0), n.input(0)))

    bind = [{"domain": "", "op": "Relu", "since": 6, "to": "com.acme.doubled"}]
    sets = {"theirs": {"bind": bind}, "ours": {"bind": [{**bind[0], "to": "onnx2fx.ai-onnx"}]}}
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"config_version": "1.0", "op_sets": sets}))
    relu = model(HEAD + "net (float[N, 3] x) => (float[N, 3] y) { y = Relu (x) }")
    with registered(doubled, "Relu", since=6, pack="com.acme.doubled"), warnings.catch_warnings():
        warnings.simplefilter("error")
        for op_set, provider in (("theirs", "com.acme.doubled"), ("ours", "onnx2fx.ai-onnx")):
            module = convert_onnx_to_fx(relu, manifest=manifest, op_set=op_set)
            assert report(module)["nodes"][0]["provider"].split()[0] == provider


def test_it_is_switched_off_as_every_plugin_is(tmp_path, monkeypatch):
    relu = model(HEAD + "net (float[N, 3] x) => (float[N, 3] y) { y = Relu (x) }")
    manifest = tmp_path / "manifest.json"
    provider = lambda **options: report(convert_onnx_to_fx(relu, **options))["nodes"][0]["provider"].split()[0]  # noqa: E731
    with registered(lambda n: n.output(n.call("aten::neg", n.input(0))), "Relu", since=6, pack="com.acme.negated"):
        assert provider() == "com.acme.negated"
        manifest.write_text(json.dumps({"config_version": "1.0", "plugins": {"disable": ["*"]}}))
        assert provider(manifest=manifest) == "onnx2fx.ai-onnx"
        monkeypatch.setenv("ONNX2FX_PLUGIN_DISABLE", "com.acme.*")
        assert provider() == "onnx2fx.ai-onnx"
        (listed,) = (p for p in onnx_to_fx.list_plugins() if p["id"] == "com.acme.negated")
        assert listed["status"] == "disabled by ONNX2FX_PLUGIN_DISABLE=com.acme.*"
        manifest.write_text(json.dumps({"config_version": "1.0", "plugins": {"enable": ["com.acme.negated"]}}))
        assert provider(manifest=manifest) == "com.acme.negated"
    with registered(scaled, "Scaled", "com.acme", pack="com.acme.scaled"):
        with pytest.raises(onnx_to_fx.UnsupportedOperatorError) as e:
            convert_onnx_to_fx(model(SCALED))
    assert "com.acme.scaled: disabled by ONNX2FX_PLUGIN_DISABLE=com.acme.*" in str(e.value)


def test_nothing_of_the_sdk_is_missing():
    """Name for name: what Node of plugin.hpp has, save what is of C++ alone."""
    header = (ROOT / "sdk/include/onnx2fx/plugin.hpp").read_text()
    node = header[header.index("class Node {") :]
    node = node[: node.index(" private:")]
    names = set(re.findall(r"^  (?:static |template <class T>\n  )?[\w:<>]+(?: [\w:<>*]+)* (\w+)\(", node, re.M))
    assert {"call", "dims", "lower_between", "op_type", "constant", "axis"} <= names
    assert names - {"api", "ctx"} - set(dir(sdk.Node)) == set()


def test_constants_numbers_and_sequences():
    def parts(n):
        scale, x = n.inputs()
        data, dtype, dims = n.constant_data(scale)
        assert (np.frombuffer(data, np.float32).tolist(), dtype, dims) == ([0.5], onnx.TensorProto.FLOAT, [1])
        assert n.number(scale) == 0.5 and n.constant_data(x) is None
        rows = n.dim(x, 0)
        assert n.product([2, 3]) == 6 and n.product([rows, 1]) == rows
        both = n.list([x, n.call("aten::mul.Scalar", x, n.number(scale))])
        n.output(n.call("aten::cat", both, 1))

    text = HEAD + """net (float[N, 2] x) => (float[N, 4] y) <float[1] s = {0.5}> { y = com.acme.Parts (s, x) }"""
    with registered(parts, "Parts", "com.acme"):
        module = convert_onnx_to_fx(model(text))
    x = torch.randn(3, 2)
    torch.testing.assert_close(module(x), torch.cat([x, x * 0.5], 1))


def test_a_graph_of_the_node():
    """The body of a node of the pack's own, lowered where the function wants it."""

    def twice(n):
        body = n.graph("body")
        (x,) = n.lower(body, [n.input(0)])
        n.outputs(n.lower(body, [x]))

    text = HEAD + """net (float[N] x) => (float[N] y) {
        y = com.acme.Twice <body = b (float[N] a) => (float[N] c) { t = Mul (a, a) c = Neg (t) }> (x) }"""
    with registered(twice, "Twice", "com.acme"):
        module = convert_onnx_to_fx(model(text))
    x = torch.randn(3)
    torch.testing.assert_close(module(x), -((-(x * x)) ** 2))


def test_a_branch_of_its_own():
    def chosen(n):
        x, pick = n.inputs()
        programs = []
        for target in ("aten::relu", "aten::neg"):
            n.begin("branch")
            programs.append(n.end([n.call(target, x)]))
        captured = n.close(programs)
        condition = n.call("aten::reshape", pick, [])
        n.outputs(n.calls(1, "higher_order::cond", condition, *programs, captured))

    text = HEAD + "net (float[N] x, bool p) => (float[N] y) { y = com.acme.Chosen (x, p) }"
    with registered(chosen, "Chosen", "com.acme"):
        module = convert_onnx_to_fx(model(text))
    x = torch.randn(3)
    torch.testing.assert_close(module(x, torch.tensor(True)), x.relu())
    torch.testing.assert_close(module(x, torch.tensor(False)), -x)


def test_threads_convert_at_once():
    results, text = [], SCALED.replace("y = ", "t = Relu (x) y = ").replace("(x) }", "(t) }")

    def work():
        for _ in range(5):
            results.append(convert_onnx_to_fx(model(text))(torch.ones(1, 3)).tolist())

    with registered(scaled, "Scaled", "com.acme"):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
    assert results == [[[2.5, 2.5, 2.5]]] * 20


def test_config_of_the_manifest(tmp_path):
    manifest = tmp_path / "manifest.json"
    manifest.write_text('{"config_version": "1.0", "plugins": {"config": {"com.acme.scaled": {"factor": 4}}}}')

    def by_config(n):
        n.ignore("factor")
        n.output(n.call("aten::mul.Scalar", n.input(0), json.loads(n.config).get("factor", 1)))

    x = torch.randn(2, 3)
    with registered(by_config, "Scaled", "com.acme", pack="com.acme.scaled"):
        assert torch.equal(convert_onnx_to_fx(model(SCALED), manifest=manifest)(x), x * 4)
        assert torch.equal(convert_onnx_to_fx(model(SCALED))(x), x)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"op_type": ""}, "op_type: expected a name, got ''"),
        ({"domain": None}, "domain: expected a text, got None"),
        ({"since": 0}, "since: expected an opset from 1, got 0"),
        ({"since": "6"}, "since: expected an opset from 1, got '6'"),
        ({"since": 5, "until": 3}, "until: expected 0 or an opset from 5, got 3"),
        ({"pack": "Acme"}, "pack: expected an id such as com.acme.pack, got 'Acme'"),
        ({"torch_targets": "rope"}, "torch_targets: expected torch operators such as 'acme::rope', got 'rope'"),
    ],
)
def test_a_wrong_argument_is_told_where_it_is_wrong(arguments, text):
    with pytest.raises(ValueError) as e:
        register_op(**{"op_type": "Rope", "domain": "com.acme", **arguments})(scaled)
    assert str(e.value) == text
    convert_onnx_to_fx(model(HEAD + "net (float[N] x) => (float[N] y) { y = Relu (x) }"))


def test_what_is_no_function_is_not_registered():
    with pytest.raises(ValueError, match="register_op: expected a function that takes a node, got 3"):
        register_op("Rope", "com.acme")(3)


def test_one_target_is_one_target():
    def roped(n):
        x = n.input(0)
        n.output(n.state(n.call("acme::python_rope", x), n.info(x)))

    text = HEAD + "net (float[N, 3] x) => (float[N, 3] y) { y = com.acme.Rope (x) }"
    operator = torch.library.custom_op("acme::python_rope", lambda x: x * 3, mutates_args=(), schema="(Tensor x) -> Tensor")
    operator.register_fake(torch.empty_like)
    with registered(roped, "Rope", "com.acme", torch_targets="acme::python_rope"):
        module = convert_onnx_to_fx(model(text))
    torch.testing.assert_close(module(torch.ones(2, 3)), torch.full((2, 3), 3.0))


def test_both_names_of_the_standard_domain_are_one():
    relu = model(HEAD + "net (float[N, 3] x) => (float[N, 3] y) { y = Relu (x) }")
    with registered(lambda n: n.output(n.call("aten::neg", n.input(0))), "Relu", "ai.onnx", since=6):
        with pytest.raises(ValueError, match="Relu since 6: expected an operator that is not registered"):
            register_op("Relu", since=6)(scaled)
        x = torch.randn(2, 3)
        torch.testing.assert_close(convert_onnx_to_fx(relu)(x), -x)


def test_a_cell_that_is_run_again():
    """Its function takes the place of the one that it defined before; a function that a loop makes does not."""
    cell = """
@register_op("Scaled", "com.acme")
def cell(n):
    n.ignore("factor")
    n.output(n.call("aten::mul.Scalar", n.input(0), TIMES))
"""
    x = torch.randn(2, 3)
    names = {"register_op": register_op, "__name__": "notebook"}
    try:
        for names["TIMES"] in (2, 3):
            exec(cell, names)
            torch.testing.assert_close(convert_onnx_to_fx(model(SCALED))(x), x * names["TIMES"])
    finally:
        unregister_op(names["cell"])


def test_a_context_ends_what_it_began_alone():
    try:
        register_op("Other", "com.acme")(scaled)
        with registered(scaled, "Scaled", "com.acme"):
            pass
        other = model(SCALED.replace("Scaled", "Other"))
        x = torch.randn(2, 3)
        torch.testing.assert_close(convert_onnx_to_fx(other)(x), x * 2.5)
        with pytest.raises(onnx_to_fx.UnsupportedOperatorError):
            convert_onnx_to_fx(model(SCALED))
        with registered(scaled, "Scaled", "com.acme"):
            unregister_op(scaled)
    finally:
        with pytest.raises(ValueError):
            unregister_op(scaled)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_no_fault_of_the_pack(stop):
    def stops(n):
        raise stop("now")

    with registered(stops, "Scaled", "com.acme"), pytest.raises(stop, match="now"):
        convert_onnx_to_fx(model(SCALED))


def test_what_was_raised_is_the_cause(refused):
    def raises(n):
        {}["rope"]

    e = refused(raises)
    assert type(e.__cause__) is KeyError and e.__cause__.__traceback__.tb_frame.f_code.co_name == "raises"
    assert refused(lambda n: n.call("aten::no_such", n.input(0))).__cause__ is None


def test_what_declines_late_leaves_nothing():
    """Calls, constants, programs, notes and roles of it: the module is the one without it."""

    def late(n):
        x = n.input(0)
        table = n.constant("late_table", np.ones(3, dtype=np.float32), sdk.ROLE_PARAMETER)
        n.annotate("late", "note")
        n.warn("late warning")
        n.begin("late_program")
        n.call("aten::add.Tensor", x, table)
        raise sdk.Decline("late")

    relu = model(HEAD + "net (float[N, 3] x) => (float[N, 3] y) { y = Relu (x) }")
    alone = convert_onnx_to_fx(relu)
    with registered(late, "Relu", since=6), warnings.catch_warnings():
        warnings.simplefilter("error")
        module = convert_onnx_to_fx(relu)
    assert str(module.graph) == str(alone.graph)
    assert list(module.state_dict()) == [] and [n for n, _ in module.named_modules()] == [n for n, _ in alone.named_modules()]
    assert "late" not in json.dumps([node.get("notes") for node in report(module)["nodes"]])


def test_a_loop_of_a_body_of_its_own():
    """scan over a program that is written in Python."""

    def summed(n):
        x = n.input(0)
        (first,) = n.lower(n.graph("start"), [x])
        n.begin("step")
        state = n.placeholder("state", n.info(first))
        row = n.placeholder("row", sdk.Info.tensor(n.dtype(x), 1))
        following = n.call("aten::add.Tensor", state, row)
        step = n.end([following, n.call("aten::clone", following)])
        captured = n.close([step])
        _, rows = n.calls(2, "higher_order::scan", step, [first], [x], captured)
        n.output(rows)

    text = HEAD + """net (float[3, 2] x) => (float[3, 2] y) { y = com.acme.Summed
        <start = b (float[3, 2] a) => (float[2] c) <int64[1] zero = {0}> { s = ReduceSum <keepdims = 0> (a, zero) c = Sub (s, s) }> (x) }"""
    with registered(summed, "Summed", "com.acme"):
        module = convert_onnx_to_fx(model(text), dialect="aten")
    x = torch.randn(3, 2)
    torch.testing.assert_close(module(x), x.cumsum(0))


def test_a_distribution_that_is_broken_leaves_the_others(tmp_path):
    """It is left out whole, with a warning; what it had registered too. Each is imported once, by whoever converts first."""
    header = "from onnx_to_fx import register_op\n"
    body = """
@register_op("{op}", "com.acme", pack="com.acme.{name}")
def lowering(n):
    n.output(n.call("aten::mul.Scalar", n.input(0), n.real("factor")))
"""
    packs = {
        "whole": "print('whole is read')\n" + body.format(op="Scaled", name="whole"),
        "broken": body.format(op="Half", name="broken") + "import no_such_module\n",
        "twice": body.format(op="Own", name="twice") + body.format(op="Scaled", name="twice"),
    }
    for name, source in packs.items():
        (tmp_path / f"{name}_pack.py").write_text(header + source)
        info = tmp_path / f"{name}_pack-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-pack\nVersion: 2.0\n")
        (info / "entry_points.txt").write_text(f"[onnx_to_fx.packs]\n{name} = {name}_pack\n")
    onnx.save(model(SCALED), tmp_path / "scaled.onnx")
    program = """
import threading, warnings
from onnx_to_fx import convert_onnx_to_fx, list_operators, report
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    threads = [threading.Thread(target=convert_onnx_to_fx, args=("scaled.onnx",)) for _ in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
    module = convert_onnx_to_fx("scaled.onnx")
print(*sorted(f"{type(w.message).__name__}: {w.message}" for w in said), sep="\\n")
print([o["op"] for o in list_operators() if o["domain"] == "com.acme"], report(module)["nodes"][0]["provider"])
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300
    )
    first, *said, last = done.stdout.splitlines()
    assert (first, done.stderr) == ("whole is read", "")
    winner, loser = ("whole", "twice") if last == "['Scaled'] com.acme.whole 1.0.0" else ("twice", "whole")
    assert last == {"whole": "['Scaled'] com.acme.whole 1.0.0", "twice": "['Own', 'Scaled'] com.acme.twice 1.0.0"}[winner]
    begin = "ConversionWarning: pack '{0}_pack' of {0}-pack 2.0: left out, it cannot be imported: "
    assert said == sorted([
        begin.format("broken") + "ModuleNotFoundError: No module named 'no_such_module'",
        begin.format(loser) + "ValueError: com.acme::Scaled since 1: expected an operator that is not registered, "
        f"got one of {winner}_pack.lowering; unregister_op() that first",
    ])  # fmt: skip
