"""Programs made of the module: torch.export, torch.compile, ONNX, FX, TorchScript."""

from __future__ import annotations

import io
import tempfile

import torch

from ..compare import Wrong, gradients_of, require_equal, require_gradients, tensors
from ..exports import translations
from ..subject import Subject
from . import Skip, column


def require_both_sizes(s: Subject, function, what: str) -> None:
    for size in s.sizes:
        with torch.no_grad():
            require_equal(function(*s.args(size)), s.reference(size), what)


def export(s: Subject, module: torch.nn.Module) -> torch.export.ExportedProgram:
    """Every named dimension dynamic; strictly where only that works."""
    shapes = s.dynamic(lambda name: torch.export.Dim.DYNAMIC)
    try:
        return torch.export.export(module, s.args(), dynamic_shapes=shapes)
    except Exception as e:  # whatever it raises, unless the other way fails too
        try:
            return torch.export.export(module, s.args(), dynamic_shapes=shapes, strict=True)
        except Exception:
            raise e from None


@column("export", "decompositions", "pt2")
def exported_program(s: Subject):
    """torch.export with dynamic shapes, run_decompositions, save and load: each at both sizes."""
    program = export(s, s.module())
    require_both_sizes(s, program.module(), "outputs of the exported program")
    yield
    decomposed = program.run_decompositions()
    require_both_sizes(s, decomposed.module(), "outputs of the decomposed program")
    yield
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    require_both_sizes(s, torch.export.load(file).module(), "outputs of the loaded program")
    yield


def compiled(s: Subject, backend: str) -> None:
    """Forward and backward of both sizes."""
    module = s.module()
    own = {size: gradients_of(module, s.args(size)) for size in s.sizes}
    own = {k: {n: g if g is None else g.clone() for n, g in v.items()} for k, v in own.items()}
    function = torch.compile(module, backend=backend)
    for size in s.sizes:
        module.zero_grad()
        y = function(*s.args(size))
        require_equal(y, s.reference(size), "outputs of the compiled module")
        got = gradients_of(function, s.args(size))
        require_gradients({n.removeprefix("_orig_mod."): g for n, g in got.items()}, own[size])


@column("compile")
def aot_eager(s: Subject):
    compiled(s, "aot_eager")


@column("inductor", wide=True, seconds=400)
def inductor(s: Subject):
    compiled(s, "inductor")


@column("to onnx")
def back_to_onnx(s: Subject):
    """torch.onnx.export(dynamo=True), run in ONNX Runtime at both sizes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/again.onnx"
        torch.onnx.export(
            s.module(), s.args(), path, dynamo=True, verbose=False, external_data=False,
            dynamic_shapes=s.dynamic(str), custom_translation_table=translations(),
        )  # fmt: skip
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    if len(names) != len(s.inputs):
        raise Wrong("the new model has other inputs", f"{names}, expected {[i.name for i in s.inputs]}")
    for size in s.sizes:
        got = session.run(None, {n: a.numpy() for n, a in zip(names, s.args(size))})
        require_equal([torch.from_numpy(g) for g in got], s.reference(size), "outputs in ONNX Runtime")


@column("interpreter", own=True, quick=True)
def interpreter(s: Subject):
    require_both_sizes(s, torch.fx.Interpreter(s.module()).run, "outputs of the interpreter")


@column("symbolic_trace", quick=True)
def symbolic_trace(s: Subject):
    traced = torch.fx.symbolic_trace(s.module())
    require_both_sizes(s, traced, "outputs of the traced module")


@column("jit.trace", quick=True)
def jit_trace(s: Subject):
    """Traced at one size, run at another."""
    module = s.module()
    traced = torch.jit.trace(module, s.args(), check_trace=False)
    require_both_sizes(s, traced, "outputs of the jit trace")


@column("make_fx", quick=True)
def make_fx(s: Subject):
    """Traced to ATen calls through functional_call."""
    from torch.fx.experimental.proxy_tensor import make_fx as trace

    module = s.module()
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    state = {k: v.detach() for k, v in state.items()}
    call = lambda state, *args: torch.func.functional_call(module, state, args)  # noqa: E731
    traced = trace(call)(state, *s.args())
    with torch.no_grad():
        require_equal(traced(state, *s.args()), s.reference())


@column("fake", quick=True)
def fake(s: Subject):
    """Shapes and dtypes under FakeTensorMode."""
    from torch._subclasses import FakeTensorMode

    module = s.module()
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
        got = module(*(mode.from_tensor(a) for a in s.args()))
    want = [(tuple(t.shape), t.dtype) for t in tensors(s.reference())]
    if any("u" in str(d) for t in tensors(got) for d in t.shape):
        raise Skip("sizes depend on data")
    if (found := [(tuple(t.shape), t.dtype) for t in tensors(got)]) != want:
        raise Wrong("other shapes or dtypes of fake tensors", f"{found}, expected {want}")
