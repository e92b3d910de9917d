"""list_plugins, list_operators and list_op_sets: what a conversion with the same options would find."""
import json

import onnx_to_fx
import pytest
from onnx_to_fx import list_op_sets, list_operators, list_plugins, registered

STANDARD = "onnx2fx.ai-onnx"


def manifest(folder, **members):
    path = folder / "manifest.json"
    path.write_text(json.dumps({"config_version": "1.0", **members}))
    return path


def lowering(n):
    n.output(n.input(0))


def test_plugins():
    found = {p["id"]: p for p in list_plugins(safe_mode=True)}
    assert found[STANDARD]["status"] == "ok" and found[STANDARD]["ops"] > 200
    assert found["onnx2fx.weights"]["weights"] == ["onnx", "safetensors", "meta", "random"]
    assert found[STANDARD]["library"].endswith("/ai.onnx.so")


def test_plugins_registered_in_python():
    with registered(lowering, "Rope", "com.acme", pack="com.acme.py"):
        listed = [p for p in list_plugins() if p["id"] == "com.acme.py"]
        assert [(p["ops"], p["status"], p["library"]) for p in listed] == [(1, "ok", "")]
        assert not any(p["id"] == "com.acme.py" for p in list_plugins(safe_mode=True))
    assert not any(p["id"] == "com.acme.py" for p in list_plugins())


def test_plugin_that_is_refused_is_listed_and_warned_of(tmp_path):
    (tmp_path / "p.onnx2fx.json").write_text("{")
    with pytest.warns(onnx_to_fx.ConversionWarning, match="p.onnx2fx.json"):
        found = list_plugins(plugin_dirs=tmp_path)
    assert [p["status"].partition(":")[0] for p in found if p["descriptor"].startswith(str(tmp_path))] == ["refused"]


def rows(found, op, domain=""):
    return [(r["since"], r["until"], r["provider"]) for r in found if (r["domain"], r["op"]) == (domain, op)]


def test_operators():
    with registered(lowering, "Rope", "com.acme", since=2, until=3, pack="com.acme.py"):
        found = list_operators()
    assert rows(found, "Rope", "com.acme") == [(2, 3, "com.acme.py")]
    assert rows(found, "Gelu") == [(20, None, STANDARD)]


def test_operators_of_an_op_set(tmp_path):
    path = manifest(tmp_path, op_sets={"new": {"domains": {"": {"min": 13}}}, "few": {"disable": [{"op": "Loop"}]}})
    assert rows(list_operators(manifest=path, op_set="new"), "Softmax") == [(13, None, STANDARD)]
    assert rows(list_operators(manifest=path, op_set="few"), "Loop") == []


def test_operators_without_a_provider(tmp_path):
    path = manifest(tmp_path, op_sets={"prod": {}})
    with registered(lowering, "Rope", "com.acme", pack="com.acme.a"), registered(lambda n: None, "Rope", "com.acme", since=1 + 1, pack="com.acme.b"):
        assert rows(list_operators(manifest=path), "Rope", "com.acme") == [(1, 1, "com.acme.a"), (2, None, "com.acme.b")]


def test_op_sets(tmp_path):
    path = manifest(tmp_path, default_op_set="b", op_sets={"a": {}, "b": {}})
    assert list_op_sets(path) == [{"name": "a", "in_force": False}, {"name": "b", "in_force": True}]
    assert list_op_sets(path, "a")[0]["in_force"]


def test_op_set_that_is_mistyped(tmp_path):
    path = manifest(tmp_path, default_op_set="prod", op_sets={"prod": {}, "edge": {}})
    with pytest.raises(onnx_to_fx.PluginError) as e:
        list_op_sets(path, "egde")
    assert str(e.value) == "error: --op-set: expected one of 'edge', 'prod', got 'egde'\n  note: did you mean 'edge'?"
