"""Models whose nodes lie in the author's modules, at random, as PyTorch's exporters say it."""

import random

import numpy as np
from onnx import TensorProto, helper

PATHS = ["a", "a.b", "a.b.0", "a.b.1", "a.c", "d", "d.0", "d.0.e", "d.1", "f"]


def scope(path):
    parts = path.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


class Model:
    """float[N, 4] values, int64 and bool ones of sizes and masks among them, as exporters leave them."""

    def __init__(self, seed, older):
        self.random, self.older = random.Random(seed), older
        self.nodes, self.initializers = [], []
        self.floats, self.masks, self.shapes = ["x", "z"], [], []
        self.place = "a"
        for _ in range(self.random.randint(3, 40)):
            if self.random.random() < 0.4:
                self.place = self.random.choice([*PATHS, ""])
            self.random.choice([self.unary, self.binary, self.size, self.mask, self.where, self.reshape, self.weight])()

    def add(self, op, inputs, **attributes):
        name = f"v{len(self.nodes)}"
        node = helper.make_node(op, inputs, [name], **attributes)
        where = scope(self.place) if self.place else []
        if self.random.random() < 0.1:  # made by an optimizer: nothing is said
            node.name = name
        elif self.older:
            inside = [p if p.rpartition(".")[2].isdigit() else p.rpartition(".")[2] for p in where]
            elements = [e.rpartition(".")[0].rpartition(".")[2] + "." + e.rpartition(".")[2] if "." in e else e for e in inside]
            node.name = "".join(f"/{e}" for e in elements) + f"/{op}_{len(self.nodes)}"
        else:
            texts = {"name_scopes": ["", *where, name], "class_hierarchy": ["Net", *("m.C" + p.replace(".", "") for p in where), "aten"]}
            for key, items in texts.items():
                node.metadata_props.add(key=f"pkg.torch.onnx.{key}", value=repr(items))
        self.nodes.append(node)
        return name

    def constant(self, array):
        name = f"c{len(self.initializers)}"
        self.initializers.append(helper.make_tensor(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, array.ravel()))
        return name

    def pick(self, values):
        return self.random.choice(values[-6:])

    def unary(self):
        self.floats.append(self.add(self.random.choice(["Sin", "Tanh", "Relu", "Neg"]), [self.pick(self.floats)]))

    def binary(self):
        self.floats.append(self.add(self.random.choice(["Add", "Mul"]), [self.pick(self.floats), self.pick(self.floats)]))

    def size(self):
        self.shapes.append(self.add("Shape", [self.pick(self.floats)], start=0, end=1))

    def mask(self):
        if self.masks and self.random.random() < 0.5:
            self.masks.append(self.add("Not", [self.pick(self.masks)]))
        else:
            self.masks.append(self.add("Greater", [self.pick(self.floats), self.constant(np.array(0.1, np.float32))]))

    def where(self):
        if self.masks:
            self.floats.append(self.add("Where", [self.pick(self.masks), self.pick(self.floats), self.pick(self.floats)]))

    def reshape(self):
        if not self.shapes:
            return
        rest = self.constant(np.array([2, 2]))
        shape = self.add("Concat", [self.pick(self.shapes), rest], axis=0)
        folded = self.add("Reshape", [self.pick(self.floats), shape])
        back = self.add("Concat", [self.pick(self.shapes), self.constant(np.array([4]))], axis=0)
        self.floats.append(self.add("Reshape", [folded, back]))

    def weight(self):
        values = np.random.RandomState(len(self.nodes)).rand(4, 4).astype(np.float32)
        name = f"{self.place or 'root'}.w{len(self.initializers)}"
        self.initializers.append(helper.make_tensor(name, TensorProto.FLOAT, (4, 4), values.ravel()))
        for _ in range(self.random.randint(1, 2)):
            self.floats.append(self.add("MatMul", [self.pick(self.floats), name]))

    def proto(self):
        results = list(dict.fromkeys([self.floats[-1], *self.random.sample(self.floats[2:], min(2, len(self.floats) - 2))]))
        info = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4])  # noqa: E731
        outputs = [helper.make_tensor_value_info(r, TensorProto.FLOAT, None) for r in results if r not in ("x", "z")]
        if not outputs:
            outputs = [helper.make_tensor_value_info(self.add("Sin", ["x"]), TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "net", [info("x"), info("z")], outputs, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
