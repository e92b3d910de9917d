"""The classes of a module's blocks: those of one name whose texts are equal but for numbers are one."""

from __future__ import annotations

import collections
import dataclasses
import inspect
import itertools
import re
from typing import Any, Iterator

import torch
from torch import nn

from .loader.control_flow import ControlFlow
from .loader.converted import ConvertedModule
from .loader.modules import Holder
from .loader.program import Mode
from .source_expressions import SourceError, filled, literal, number_text, slot, slots
from .source_forward import Forward
from .source_layers import Layers
from .source_layout import laid_out
from .source_names import Names
from .source_nodes import is_device, is_tensor

SIZES = {"kernel_size", "stride", "padding", "output_padding", "dilation", "output_size", "normalized_shape"}
"""Of modules of torch.nn: a number and the tuple that repeats it are the same."""
SMALL = 4
"""Elements of a constant that stands in the text."""


@dataclasses.dataclass
class _Class:
    name: str
    lines: list[str]
    parameters: list[str]
    columns: list[int | str]  # of each number in the lines: the index of its parameter, or the number

    def text(self) -> str:
        init, _, forward = "\n".join(self.lines).partition("\n\n")
        count = len(slots(init))
        body = filled(forward, lambda i, _: self._number(count + i, "self."))
        kept = [p for p in self.parameters if f"self.{p}" in body]
        init = filled(init, lambda i, _: self._number(i, ""))
        init = init.replace("(self)", f"({', '.join(['self', *self.parameters])})", 1)
        init += "".join(f"\n        self.{p} = {p}" for p in kept)
        lines = (line for statement in f"{init}\n\n{body}".split("\n") for line in laid_out(statement))
        return "\n".join(("\n", f"class {self.name}(nn.Module):", *lines, ""))

    def _number(self, index: int, owner: str) -> str:
        column = self.columns[index]
        return owner + self.parameters[column] if isinstance(column, int) else column


class Classes:
    def __init__(self, module: ConvertedModule) -> None:
        self.module = module
        self.arguments = module.meta["onnx2fx"]["modules"]
        # by class and how many there are: blocks that compute the same have one text
        self.inputs: dict[tuple[str, int], list[str]] = {}
        self.layers: Layers
        self.calls: dict[int, str] = {}  # how each block is constructed, by id
        self.written: list[_Class] = []
        classes = dict.fromkeys(type(m) for m in module.modules())
        self.own = {c.__name__: c for c in classes if c.__module__.endswith(".loader.own_modules")}
        self.names: set[str] = {"Model", *self.own}
        for blocks in _by_height(module):
            self._write(blocks)

    def text(self) -> str:
        own = (f"\n\n{inspect.getsource(c).replace('(_Theirs)', '(nn.Module)')}" for c in self.own.values())
        return "".join((*own, *(c.text() for c in self.written)))

    def _write(self, blocks: list[tuple[str, ConvertedModule]]) -> None:
        groups: dict[tuple[str, str], list[tuple[int, list[str]]]] = collections.defaultdict(list)
        for path, block in blocks:
            if (chain := self._sequential(path, block)) is not None:
                self.calls[id(block)] = chain
                continue
            lines = self._lines(path, block)
            skeleton = filled("\n".join(lines), lambda *_: "\0")
            groups[type(block).__name__ if path else "Model", skeleton].append((id(block), lines))
        for (name, _), members in groups.items():
            self._make(name, members)

    def _make(self, name: str, members: list[tuple[int, list[str]]]) -> None:
        rows = [slots("\n".join(lines)) for _, lines in members]
        attributes = re.findall(r"self\.(\w+)", "\n".join(members[0][1]))
        parameters: dict[tuple[str, ...], str] = {}
        columns: list[int | str] = []
        for column in zip(*rows):
            numbers = tuple(number for _, number in column)
            if len(set(numbers)) == 1:
                columns.append(numbers[0])
                continue
            if numbers not in parameters:
                parameters[numbers] = _unused(column[0][0], {*attributes, *parameters.values()})
            columns.append(list(parameters).index(numbers))
        name = name if name == "Model" else _unused(name, self.names)
        self.names.add(name)
        made = _Class(name, members[0][1], list(parameters.values()), columns)
        self.written.append(made)
        for i, (block, _) in enumerate(members):
            given = (slot(_number(numbers[i]), p) for numbers, p in parameters.items())
            self.calls[block] = f"{name}({', '.join(given)})"

    # ---- one class

    def _lines(self, path: str, block: ConvertedModule) -> list[str]:
        names = Names(path)
        forward = Forward(block, self._input_names(path, block, names), _path_writer(block), names)
        statements = forward.lines()
        self.layers = forward.layers
        init = [*self._members(path, block), *(self._ties() if not path else ())]
        lines = ["    def __init__(self) -> None:", "        super().__init__()"]
        lines += [f"        {statement}" for statement in init]
        lines += ["", f"    def forward({', '.join(['self', *forward.inputs])}):"]
        return lines + [f"        {statement}" for statement in statements]

    def _input_names(self, path: str, block: ConvertedModule, readable: Names) -> list[str]:
        names = [n.name for n in block.graph.nodes if n.op == "placeholder"]
        if not path:
            return names
        own = ["x"] if len(names) == 1 else [readable.of(n) for n in names]
        return self.inputs.setdefault((type(block).__name__, len(names)), own)

    def _members(self, path: str, block: ConvertedModule) -> Iterator[str]:
        for name, parameter in block._parameters.items():
            if parameter is not None:
                text = f"nn.Parameter({_empty(parameter)})"
                yield f"self.{name} = {text}" if name.isidentifier() else f'self.register_parameter("{name}", {text})'
        for name, buffer in block._buffers.items():
            if buffer is not None:
                persistent = "" if name not in block._non_persistent_buffers_set else ", persistent=False"
                yield f'self.register_buffer("{name}", {_value(buffer) if persistent else _empty(buffer)}{persistent})'
        for name, child in block._modules.items():
            if child is None or isinstance(child, (Mode, ControlFlow)) or _is_unread(block, name, child):
                continue
            text = self._construction(f"{path}.{name}" if path else name, child)
            yield f"self.{name} = {text}" if name.isidentifier() else f'self.add_module("{name}", {text})'

    def _construction(self, path: str, module: nn.Module) -> str:
        if id(module) in self.calls:
            return self.calls[id(module)]
        if isinstance(module, nn.ModuleList):
            return self._list(path, module)
        if isinstance(module, Holder):
            return self.layers.construction(module) or self._holder(path, module)
        if path not in self.arguments:
            raise SourceError(f"module {path!r}: expected one of torch.nn or a block, got a {type(module).__name__}")
        return _construction_of(module, self.arguments[path])

    def _list(self, path: str, modules: nn.ModuleList) -> str:
        texts = [self._construction(f"{path}.{i}", m) for i, m in enumerate(modules)]
        if len(texts) > 1 and len({filled(t) for t in texts}) == 1:
            return f"nn.ModuleList({texts[0]} for _ in range({slot(len(texts), 'depth')}))"
        return f"nn.ModuleList([{', '.join(texts)}])"

    def _holder(self, path: str, holder: Holder) -> str:
        """What the author had there is not called: a dictionary, of modules or of tensors."""
        if (holder._parameters or holder._buffers) and holder._modules:
            raise SourceError(f"module {path!r}: expected modules or tensors in what is never called, got both")
        if holder._modules:
            children = {n: m for n, m in holder._modules.items() if m is not None}
            items = (f'"{n}": {self._construction(path + "." + n, m)}' for n, m in children.items())
            return f"nn.ModuleDict({{{', '.join(items)}}})"
        if holder._buffers:
            texts = (f"{constant_name(holder, n)}={_value(b)}" for n, b in holder._buffers.items() if b is not None)
            return f"_constants({', '.join(texts)})"
        items = (f'"{n}": nn.Parameter({_empty(p)})' for n, p in holder._parameters.items() if p is not None)
        return f"nn.ParameterDict({{{', '.join(items)}}})"

    def _sequential(self, path: str, block: ConvertedModule) -> str | None:
        """nn.Sequential, of a block that calls its children one after the other."""
        nodes = list(block.graph.nodes)
        chain = nodes[1:-1]
        if nodes[0].op != "placeholder" or nodes[1].op == "placeholder" or nodes[-1].args[0] is not nodes[-2]:
            return None
        if any(n.op != "call_module" or n.args != (before,) for before, n in zip(nodes, chain)):
            return None
        names = [str(n.target) for n in chain]
        if names != [n for n, m in block._modules.items() if m is not None] or not all(n.isdigit() for n in names):
            return None
        texts = {n: self._construction(f"{path}.{n}", block._modules[n]) for n in names}  # type: ignore[arg-type]
        if names == [str(i) for i in range(len(names))]:
            return f"nn.Sequential({', '.join(texts.values())})"
        items = (f'"{n}": {t}' for n, t in texts.items())
        return f"nn.Sequential(OrderedDict({{{', '.join(items)}}}))"

    def _ties(self) -> Iterator[str]:
        first: dict[int, str] = {}
        write = _path_writer(self.module)
        for name, parameter in self.module.named_parameters(remove_duplicate=False):
            if id(parameter) in first:
                yield f"{write(name)} = {write(first[id(parameter)])}"
            first.setdefault(id(parameter), name)
        for name, parameter in self.module.named_parameters():
            if not parameter.requires_grad:
                yield f"{write(name)}.requires_grad_(False)"


def _is_unread(block: ConvertedModule, name: str, child: nn.Module) -> bool:
    """Constants of which nothing but their device is asked."""
    if not isinstance(child, Holder) or not child._buffers or child._modules or child._parameters:
        return False
    if not any(n.op == "placeholder" and is_tensor(n) for n in block.graph.nodes):
        return False
    read = [n for n in block.graph.nodes if n.op == "get_attr" and str(n.target).startswith(f"{name}.")]
    return all(is_device(user) for n in read for user in n.users)


def _by_height(module: ConvertedModule) -> list[list[tuple[str, ConvertedModule]]]:
    """The blocks, those that hold no other first; the module itself last."""
    heights: dict[int, list[tuple[str, ConvertedModule]]] = collections.defaultdict(list)

    def visit(path: str, m: nn.Module) -> int:
        inside = () if isinstance(m, ControlFlow) else m.named_children()  # bodies are written where they are called
        children = (visit(f"{path}.{n}" if path else n, c) for n, c in inside)
        height = max(children, default=0)
        if isinstance(m, ConvertedModule):
            height += 1
            heights[height].append((path, m))
        return height

    visit("", module)
    return [heights[h] for h in sorted(heights)]


def _path_writer(block: nn.Module) -> Any:
    """Of a path in the block: self.layers[0].weight."""

    def write(path: str) -> str:
        text, owner = "self", block
        for name in path.split("."):
            if isinstance(owner, (nn.ModuleList, nn.Sequential)) or (owner is not block and name.isdigit()):
                text += f'["{name}"]' if isinstance(owner, Holder) else f"[{name}]"
            elif not name.isidentifier():
                text = f'getattr({text}, "{name}")'
            elif isinstance(owner, Holder) and name in owner._modules:
                text += f'["{name}"]'
            elif isinstance(owner, Holder) and name in owner._buffers:
                text += f".{constant_name(owner, name)}"
            else:
                text += f".{name}"
            owner = getattr(owner, name)
        return text

    return write


def constant_name(holder: Holder, name: str) -> str:
    """Of a constant, by its number: blocks of one class call theirs the same."""
    number = list(holder._buffers).index(name)
    return f"constant_{number}" if number else "constant"


def _construction_of(module: nn.Module, arguments: dict[str, Any]) -> str:
    """nn.Linear(8, 16, bias=False): without what is the default, the leading ones without names."""
    owner = nn.RNNBase if isinstance(module, nn.RNNBase) else type(module)  # those take *args
    parameters = inspect.signature(owner.__init__).parameters
    arguments = {n: _one_for_all(n, v) for n, v in arguments.items()}
    positional = [n for n, p in itertools.islice(parameters.items(), 1, None) if p.default is p.empty]
    positional = [n for n in positional if n in arguments]
    texts: list[str] = [literal(arguments[n], n) for n in positional]
    for name, value in arguments.items():
        default = parameters[name].default if name in parameters else inspect.Parameter.empty
        if name not in positional and (default is inspect.Parameter.empty or value != default):
            texts.append(f"{name}={literal(value, name)}")
    dtypes = {p.dtype for p in module.parameters() if p.is_floating_point()}
    if dtypes - {torch.float32}:
        texts.append(f"dtype={next(iter(dtypes))}")
    space = "nn." if type(module).__module__.startswith("torch.") else ""
    return f"{space}{type(module).__name__}({', '.join(texts)})"


def _one_for_all(name: str, value: Any) -> Any:
    """A size that is the same along all axes, or of one axis."""
    if name in SIZES and isinstance(value, (list, tuple)) and len(set(value)) == 1 and (name != "normalized_shape" or len(value) == 1):
        return value[0]
    return value


def _empty(tensor: torch.Tensor) -> str:
    dtype = "" if tensor.dtype == torch.float32 else f", dtype={tensor.dtype}"
    return f"torch.empty({', '.join(slot(d, 'size') for d in tensor.shape) or '()'}{dtype})"


def _value(tensor: torch.Tensor) -> str:
    if tensor.numel() > SMALL or tensor.is_meta or not torch.isfinite(tensor.double()).all():
        return _empty(tensor)
    return f"torch.tensor({number_text(tensor.tolist())}, dtype={tensor.dtype})"


def _number(text: str) -> int | float:
    return float(text) if any(c in text for c in ".en") else int(text)


def _unused(name: str, taken: set[str]) -> str:
    number, wanted = 1, name
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name
