"""One program of a graph document as an fx.Graph."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence

import torch
from torch import fx, nn

from . import targets
from .bodies import apart, own_results
from .control_flow import FORMS
from .converted import ConvertedModule, of_class, place
from .errors import PackageError
from .string_leaves import strings
from .strings import Strings
from .targets import dtype_of, identifier, named

if TYPE_CHECKING:
    from .document import DocumentBuilder


class Mode(nn.Module):
    """Tells the graph whether the module is in train(): FX has no other way to say it.

    In a tuple: tools that hook every module look for tensors in what it returns, and take no bare bool.
    """

    def forward(self) -> tuple[bool]:
        return (self.training,)


class Tracer(fx.Tracer):
    """torch.load traces the code of a GraphModule: what is computed of its buffers stays in the graph."""

    proxy_buffer_attributes = True

    def create_arg(self, a: Any) -> Any:
        if isinstance(a, Strings):  # a constant, which the code of the graph made
            return self.create_node("call_function", strings, (a.items, list(a.shape)), {})
        return super().create_arg(a)


def empty_module(
    class_name: str, cls: type[ConvertedModule] = ConvertedModule
) -> ConvertedModule:
    return of_class(cls(nn.Module(), fx.Graph(tracer_cls=Tracer), class_name), class_name)


class ProgramBuilder:
    """One program: fills an fx.Graph and notes what its GraphModule must hold.

    That of a block lies at `path` in `owner`; all others own what they hold themselves.
    """

    def __init__(
        self,
        builder: DocumentBuilder,
        program: Mapping[str, Any],
        module: ConvertedModule | None = None,
        owner: ConvertedModule | None = None,
        path: str = "",
    ) -> None:
        self.builder, self.program = builder, program
        self.graph = fx.Graph(tracer_cls=Tracer)
        self.env: dict[str, fx.Node] = {}
        self.shared: dict[tuple[str, str], fx.Node] = {}  # nodes that stand once for many uses
        self.module = module if module is not None else empty_module(program["name"])
        self.owner, self.path = owner if owner is not None else self.module, path

    def build(self, single: bool) -> ConvertedModule:
        """Fills the graph, and makes code of it."""
        self.fill(single)
        return self.compile()

    def fill(self, single: bool) -> None:
        make = {
            "placeholder": self._placeholder,
            "get_attr": self._get_attr,
            "call_function": self._call_function,
            "call_module": self._call_module,
        }
        for n in self.program["nodes"]:
            try:
                if n["op"] == "output":
                    self._output(n, single)
                    break
                node = make[n["op"]](n)
                self._describe(node, n)
            except Exception as e:  # whatever torch says to what the document wants of it
                where = f"program {self.program['name']!r}: node {n.get('name')!r}"
                what = f"no {e} is known" if isinstance(e, KeyError) else str(e)
                raise PackageError(f"{where}: {what}") from e
            self.env[n["name"]] = node

    def compile(self) -> ConvertedModule:
        """torch compiles all modules in it again: those come after it."""
        try:
            self.module.graph = self.graph
        except Exception as e:
            raise PackageError(f"program {self.program['name']!r}: {e}") from e
        return self.module

    def _describe(self, node: fx.Node, n: Mapping[str, Any]) -> None:
        meta = node.meta
        if "onnx" in n:
            onnx = meta["onnx"] = self.builder.document["provenance"][n["onnx"]]
            # fx.Interpreter shows the first, and torch.export keeps both
            meta["stack_trace"] = place(onnx)
            meta["custom"] = {"onnx": onnx}
        if "meta" in n:
            meta["onnx2fx"] = {k: self.argument(v) for k, v in n["meta"].items()}
        if "type" in n:
            meta["onnx_type"] = n["type"]

    def _placeholder(self, n: Mapping[str, Any]) -> fx.Node:
        return self.graph.create_node("placeholder", identifier(n["name"]), name=n["name"])

    def _get_attr(self, n: Mapping[str, Any]) -> fx.Node:
        path = self._own(self.builder.hold_tensor(self.owner, n["tensor"]))
        return self.graph.create_node("get_attr", path, name=n["name"])

    def _own(self, path: str) -> str:
        """A path in `owner`, from the module of the program."""
        if not self.path:
            return path
        if not path.startswith(self.path + "."):
            raise PackageError(f"expected a path below that of the block, {self.path!r}, got {path!r}")
        return path[len(self.path) + 1 :]

    def _call_module(self, n: Mapping[str, Any]) -> fx.Node:
        path = self._own(self.builder.hold_module(self.owner, n["module"]))
        return self.graph.create_node(
            "call_module", path, tuple(self._list(n["args"])), self._kwargs(n), name=n["name"]
        )

    def _call_function(self, n: Mapping[str, Any]) -> fx.Node:
        target = n["target"]
        if target in FORMS and self.builder.document["dialect"] == "nn":
            return self._control_flow(n)
        args = tuple(self._list(n["args"]))
        if target.startswith("higher_order::"):
            for a in n["args"]:
                if isinstance(a, dict) and "program" in a:
                    own_results(self.builder.program(a["program"]))
            args = apart(args)
        if target.startswith("higher_order::") or target == "operator::getitem":
            args = tuple(tuple(a) if isinstance(a, list) else a for a in args)
        function = self.builder.resolve(target)
        if target == "onnx2fx::reference":
            self.builder.require_function(args)
        if target.startswith("torch.Tensor::"):
            method = function.__name__
            return self.graph.create_node("call_method", method, args, self._kwargs(n), name=n["name"])
        return self.graph.create_node(
            "call_function", function, args, self._kwargs(n), name=n["name"]
        )

    def _control_flow(self, n: Mapping[str, Any]) -> fx.Node:
        body_of = lambda a: self.builder.program(a["program"])  # noqa: E731
        module, args = FORMS[n["target"]](n["args"], body_of)
        module.onnx = self.builder.place_of(n)
        path = self.builder.unused(n["name"])
        self.module.add_module(path, module)
        return self.graph.create_node("call_module", path, tuple(self._list(args)), name=n["name"])

    def _output(self, n: Mapping[str, Any], single: bool) -> None:
        # a list: all results, or the one result, which is a sequence
        results = n["args"][0]
        if not isinstance(results, list):
            value = self._list([results])[0]
        else:
            value = self._list(results) if single else tuple(self._list(results))
        self.graph.create_node("output", "output", (value,))

    def _kwargs(self, n: Mapping[str, Any]) -> dict[str, Any]:
        kwargs = n.get("kwargs")
        return {identifier(k): self.argument(v) for k, v in kwargs.items()} if kwargs else {}

    def _list(self, items: Sequence[Any]) -> list[Any]:
        env, argument = self.env, self.argument
        return [env[a["node"]] if type(a) is dict and "node" in a else argument(a) for a in items]

    def argument(self, a: Any) -> Any:
        if isinstance(a, list):
            return self._list(a)
        if not isinstance(a, dict):
            return a
        if len(a) != 1:
            raise PackageError(f"argument: expected one key, got {sorted(a)}")
        ((kind, value),) = a.items()
        make = self._ARGUMENTS.get(kind)
        if make is None:
            raise PackageError(f"argument: expected a kind that this loader knows, got {kind!r}")
        return make(self, value)

    def _program(self, name: str) -> fx.Node:
        return self._once("program", name, lambda: self._new_program(name))

    def _new_program(self, name: str) -> fx.Node:
        self.module.add_module(identifier(name), self.builder.program(name))
        return self.graph.create_node("get_attr", name, name=name)

    def _slice(self, bounds: Any) -> slice:
        if not isinstance(bounds, list) or len(bounds) != 3:
            raise PackageError(f"slice: expected [start, stop, step], got {bounds!r}")
        return slice(*self._list(bounds))

    def _training(self, _: bool) -> fx.Node | bool:
        if self.builder.training is not None:
            return self.builder.training
        return self._once("training", "", self._new_mode)

    def _new_mode(self) -> fx.Node:
        name = self.builder.mode_name
        self.module.add_module(name, Mode())
        said = self.graph.create_node("call_module", name, name=name)
        return self.graph.create_node("call_function", operator.getitem, (said, 0))

    def _device_of(self, name: str) -> fx.Node:
        make = lambda: self.graph.create_node(  # noqa: E731
            "call_function", getattr, (self.env[name], "device"), name=name + "_device"
        )
        return self._once("device", name, make)

    def _once(self, kind: str, name: str, make: Callable[[], fx.Node]) -> fx.Node:
        if (kind, name) not in self.shared:
            self.shared[kind, name] = make()
        return self.shared[kind, name]

    _ARGUMENTS: dict[str, Callable[[ProgramBuilder, Any], Any]] = {
        "node": lambda self, v: self.env[v],
        "program": _program,
        "float": lambda _, v: float(v),
        "slice": _slice,
        "dtype": lambda _, v: dtype_of(v),
        "device": lambda _, v: torch.device(v),
        "layout": lambda _, v: named("layout", v, targets.LAYOUTS, torch),
        "memory_format": lambda _, v: named("memory_format", v, targets.MEMORY_FORMATS, torch),
        "training": _training,
        "device_of": _device_of,
    }
