"""ONNX models as trainable torch.fx.GraphModules.

from onnx_to_fx import convert_onnx_to_fx
module = convert_onnx_to_fx("model.onnx")
module.train()
"""

from __future__ import annotations

import importlib
import json
import os
import warnings
from typing import TYPE_CHECKING, Any, Iterable, Mapping

try:
    from torch import fx
except ModuleNotFoundError as e:
    if e.name != "torch":
        raise
    raise ModuleNotFoundError(
        "onnx_to_fx: expected the package torch, got none; pip install onnx-to-fx[torch] "
        "(the command onnx2fx needs none)",
        name="torch",
    ) from None

from . import loader as _loader
from . import packs as _packs
from .binding import BindError, bind
from .flat import flatten
from .listings import list_op_sets, list_operators, list_plugins
from .loader.errors import (
    ConversionError,
    ConversionWarning,
    Diagnostic,
    PackageError,
    PluginError,
    UnsupportedOperator,
    UnsupportedOperatorError,
)
from .loader.strings import Strings
from .loader.vocabulary import (
    BLOCKS_CHOICES,
    DIALECTS,
    RECOVER_CHOICES,
    WEIGHT_MODES,
    WEIGHTS_LAYOUTS,
)
from .loader.weightless import (
    chosen_weights,
    dynamic_shapes,
    example_inputs,
    fake_mode,
    weightless_onnx_loader,
)
from .options import Paths, builtin_plugins, chosen_plugins, several
from .packs import register_op, registered, unregister_op
from .sharding import shard_placement

if TYPE_CHECKING:
    import onnx

    from .archive import write_pt2
    from .lifted import lift
    from .mlir import to_mlir
    from .page import view
    from .source import to_source, write_source
    from .values import fill_values

__all__ = [
    "BindError",
    "ConversionError",
    "ConversionWarning",
    "Diagnostic",
    "PackageError",
    "PluginError",
    "Strings",
    "UnsupportedOperator",
    "UnsupportedOperatorError",
    "bind",
    "convert_onnx_to_fx",
    "dynamic_shapes",
    "example_inputs",
    "fake_mode",
    "fill_values",
    "flatten",
    "lift",
    "list_op_sets",
    "list_operators",
    "list_plugins",
    "load",
    "register_op",
    "registered",
    "report",
    "shard_placement",
    "to_mlir",
    "to_source",
    "unregister_op",
    "view",
    "weightless_onnx_loader",
    "write_pt2",
    "write_source",
]

# Imported when asked for: some import torch.export, which takes a second.
_LATE = {
    "fill_values": ".values",
    "lift": ".lifted",
    "to_mlir": ".mlir",
    "to_source": ".source",
    "view": ".page",
    "write_pt2": ".archive",
    "write_source": ".source",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATE[name], __name__), name)


def convert_onnx_to_fx(
    model: onnx.ModelProto | str | os.PathLike[str] | bytes,
    debug: bool = False,
    *,
    plugins: Paths = (),
    plugin_dirs: Paths = (),
    allow_override: str | Iterable[str] = (),
    allow_unresolved: bool = False,
    safe_mode: bool = False,
    manifest: str | os.PathLike[str] | None = None,
    op_set: str | None = None,
    weights: str | None = None,
    weight_roots: Paths = (),
    weights_layout: str = "contiguous",
    directory: str | os.PathLike[str] | None = None,
    seed: int = 0,
    dialect: str = "nn",
    recover: str = "on",
    blocks: str = "nested",
    input_shapes: Mapping[str, Iterable[int | str | None]] | None = None,
    trainable: str | Iterable[str] = (),
    frozen: str | Iterable[str] = (),
    keep_going: bool = False,
    budget: int = 1,
    training: bool = False,
    torch_libraries: Paths = (),
) -> fx.GraphModule:
    """Converts a model; its inputs become those of the module, by position or by name.

    Args:
      model: a file (its weights are mapped, not read), or a model in memory.
      debug: prints the graph; a fault of a plugin says where in its source it was raised.
      plugins: descriptors of single plugins (NAME.onnx2fx.json).
      plugin_dirs: a folder of plugins beside the standard ones, or several.
      allow_override: ids of plugins that may take over operators of the standard ones.
      allow_unresolved: accept torch operators that no descriptor declares.
      safe_mode: the standard plugins only, nothing registered in Python either.
      manifest: file that says which plugin lowers what; op_set: the op set to take from it.
      weights: "reference" (views of the mapped model file, the default), "copy" (in memory,
        independent of it), "random"; or none at all, see bind: "meta" (on the meta device), "fake"
        (FakeTensors, of the active FakeTensorMode or a new one, see fake_mode). "meta" is the
        default inside weightless_onnx_loader, where only "fake" may be asked for instead, and
        "fake" under an active FakeTensorMode. The manifest's rules come first.
      weight_roots: folders outside the model's own that its external data may lie in, where
        symbolic links lead there (a Hugging Face cache: "snapshots/..." to "blobs"), or as hard
        links. Without them nothing outside the model's folder is read.
      weights_layout: of weights that the file holds transposed (MatMul's are [in, out]):
        "contiguous", laid out while the module is built, in memory of their size; or "view", which
        costs none, and which FSDP2, ``safetensors.torch.save``, ``parameters_to_vector`` and
        ``prune`` refuse. All other weights stay mapped.
      directory: the folder that external data of a model in memory lies in.
      seed: of random weights; equal seeds and tensor names give equal numbers.
      dialect: "nn" has torch.nn modules where they fit; "aten" has ATen calls only.
      recover: "on": gelu, layer_norm, attention and others that the exporter took apart become one
        call again; "off": their parts stay, equal to the last bit.
      blocks: "nested": the author's modules, where the exporter says them, are GraphModules of the
        author's class at the author's path; "flat": one graph of torch.nn modules and calls.
      input_shapes: of inputs whose shape the model leaves open, by name: extents, names of
        extents, None for as the model says.
      trainable, frozen: globs of tensor names, which overrule what is trained by default.
      keep_going: nodes that cannot be lowered stay as nodes that raise when they are run: their
        operator is unknown, or a value that it needs lies in a data file that is missing.
      budget: times the usual budget of nodes and expanded bodies that a model of its size has.
      training: the mode that the module starts in; the "aten" dialect keeps it for good.
      torch_libraries: libraries of packs whose torch operators the module calls; they are loaded
        into this process.

    Raises:
      UnsupportedOperatorError: with every operator that no plugin lowers.
      PluginError: a plugin or the manifest is at fault.
      ConversionError: any other fault; with all that were found.
    """
    from . import _native

    weights = chosen_weights(weights)
    _one_of("weights", weights, (*WEIGHT_MODES, "fake"))
    options = dict(
        **chosen_plugins(plugins, plugin_dirs, manifest, op_set),
        allow_override=several(allow_override),
        allow_unresolved=allow_unresolved,
        safe_mode=safe_mode,
        builtin_directory=builtin_plugins(),
        weights="meta" if weights == "fake" else weights,
        weight_roots=[os.fspath(d) for d in several(weight_roots)],
        weights_layout=_one_of("weights_layout", weights_layout, WEIGHTS_LAYOUTS),
        dialect=_one_of("dialect", dialect, DIALECTS),
        recover=_one_of("recover", recover, RECOVER_CHOICES),
        blocks=_one_of("blocks", blocks, BLOCKS_CHOICES),
        input_shapes=_shape_texts(input_shapes or {}),
        trainable=several(trainable),
        frozen=several(frozen),
        keep_going=keep_going,
        training=training,
        seed=seed,
        budget=budget,
        debug=debug,
    )
    conversion = _convert(_native, model, directory, options)
    for text in conversion.warnings():
        warnings.warn(text, ConversionWarning, stacklevel=2)
    document = json.loads(conversion.graph_json())
    _loader.load_torch_libraries(torch_libraries, document.get("torch_libraries", ()))
    weightless = weights == "fake" or (weights == "meta" and not conversion.has_weight_rules())
    with _loader.Weights(
        document,
        ["" if d < 0 else d for d in conversion.descriptors()],
        conversion,
        mode=weights if weightless else None,
        copy=weights == "copy",
    ) as tensors:
        module = _loader.build(document, tensors, training=training)
    # for bind, which converts again
    module.meta["onnx2fx"]["options"] = {**options, "directory": directory}
    module.meta["onnx2fx"]["report"] = conversion.report_json()
    if debug:
        print_graph(module)
    return module


def _convert(native: Any, model: Any, directory: Any, options: dict[str, Any]) -> Any:
    if not options.get("safe_mode"):
        options = {**options, "packs": _packs.described()}
    if isinstance(model, (str, os.PathLike)):
        if directory is not None:
            raise TypeError("directory: expected with a model in memory only, got a path as well")
        return native.convert_file(os.fspath(model), **options)
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    if not isinstance(model, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"model: expected an onnx.ModelProto, a path or bytes, got {type(model).__name__}"
        )
    return native.convert_bytes(bytes(model), os.fspath(directory or ""), **options)


def _shape_texts(shapes: Mapping[str, Iterable[int | str | None]]) -> list[str]:
    """As the command takes them: "x=1,3,H,?"."""
    text = lambda dims: ",".join("?" if d is None else str(d) for d in dims)  # noqa: E731
    return [f"{name}={text(dims)}" for name, dims in shapes.items()]


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{what}: expected one of {', '.join(allowed)}, got {value!r}")
    return value


def print_graph(module: fx.GraphModule) -> None:
    """Prints the FX graph of a module and of every program in it."""
    for name, child in module.named_modules():
        if isinstance(child, fx.GraphModule):
            print(f"# {name or 'root'}")
            print(child.graph)


def load(
    folder: str | os.PathLike[str],
    *,
    weights: str | None = None,
    training: bool = False,
    weights_layout: str | None = None,
    torch_libraries: Paths = (),
) -> fx.GraphModule:
    """The GraphModule of an FX package.

    Args:
      weights: "meta", "fake", "random" for others than stored.
      weights_layout: "contiguous", "view"; None: as the package says. See convert_onnx_to_fx.
      torch_libraries: as in convert_onnx_to_fx; graph.json says which are needed.
    """
    module = _loader.load(
        folder,
        weights=weights,
        training=training,
        weights_layout=weights_layout,
        torch_libraries=torch_libraries,
    )
    path = os.path.join(os.fspath(folder), "report.json")
    if os.path.exists(path):
        with open(path, "rb") as f:
            module.meta["onnx2fx"]["report"] = f.read()
    return module


def report(module: fx.GraphModule) -> Mapping[str, Any]:
    """How the conversion went: who lowered each node, notes, warnings, names that were changed."""
    text = module.meta.get("onnx2fx", {}).get("report")
    if text is None:
        raise ValueError("module: expected one that onnx_to_fx made, got one without a report")
    return json.loads(text)
