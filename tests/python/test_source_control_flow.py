"""to_source of control flow: plain ``if``, ``for`` and ``while``, equal to the module to the last bit."""

import onnx.parser
import pytest
import torch
from exporting import exported
from onnx_to_fx import convert_onnx_to_fx, to_source
from onnx_to_fx.loader.control_flow import Scan
from onnx_to_fx.source import SourceError
from test_source import written
from torch import nn

tensor, ones = torch.tensor, torch.ones


def converted(text):
    return convert_onnx_to_fx(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> {text}'))


def forward(module):
    """The text of the last forward."""
    text = to_source(module)
    return text[text.rindex("    def forward") : text.index("    @classmethod")].rstrip() + "\n"


def same(module, folder, *argument_lists):
    """Values, dtypes and shapes, and the gradients of float inputs."""
    model = written(module, folder)
    for arguments in argument_lists:
        given = [[a.clone().requires_grad_(a.is_floating_point()) for a in arguments] for _ in range(2)]
        got, want = (m(*a) for m, a in zip((model, module), given))
        got, want = (v if isinstance(v, tuple) else (v,) for v in (got, want))
        for a, b in zip(got, want, strict=True):
            assert a.dtype == b.dtype and torch.equal(a, b)
        for values in (got, want):
            sum((v.sum() for v in values if v.requires_grad), ones((), requires_grad=True)).backward()
        for a, b in zip(*given):
            assert (a.grad is None) == (b.grad is None) and (a.grad is None or torch.equal(a.grad, b.grad))


class Either(nn.Module):
    def __init__(self):
        super().__init__()
        self.then, self.other = nn.Linear(4, 4), nn.Linear(4, 4, bias=False)

    def forward(self, x):
        return torch.cond(x.sum() > 0, self.then, lambda x: torch.tanh(self.other(x)), (x,))


def test_a_choice_between_layers(tmp_path):
    original = Either().eval()
    module = convert_onnx_to_fx(exported(original, (ones(2, 4),), "unoptimized"))
    text = to_source(module)
    assert text[text.index("        self.") : text.index("    @classmethod")] == '''\
        self.then = nn.Linear(4, 4)
        self.other = nn.Linear(4, 4, bias=False)

    def forward(self, x):
        if torch.sum(x, None, False) > 0.0:
            cond = self.then(x)
        else:
            cond = torch.tanh(self.other(x))
        return cond

'''
    same(module, tmp_path, (ones(2, 4),), (-ones(2, 4),))
    model = written(module, tmp_path)
    model.load_state_dict(original.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model(ones(2, 4)).sum().backward()
    optimizer.step()
    assert not torch.equal(model.then.weight, original.then.weight)  # what ran is trained
    assert torch.equal(model.other.weight, original.other.weight)


BRANCHES = """g (bool c, float[N] x, float[M] y) => (float[K] z, float[N] w) {
    a = Neg (x)
    z, w = If (c) <
      then_branch = then () => (float[K] p, float[N] q) { p = Concat <axis = 0> (x, y) q = Abs (a) },
      else_branch = other () => (float[M] p, float[N] q) { p = Identity (y) q = Identity (a) }
    >
  }"""


def test_branches_of_other_sizes_and_results_that_are_operands(tmp_path):
    module = converted(BRANCHES)
    assert forward(module) == '''\
    def forward(self, c, x, y):
        a = -x
        if c:
            z, z_1 = torch.cat([x, y], 0), torch.abs(a)
        else:
            z, z_1 = y, a
        return z, z_1
'''
    same(module, tmp_path, *[(tensor(c), torch.randn(3), torch.randn(2)) for c in (True, False)])
    same(module, tmp_path, (tensor([True]), torch.randn(3), torch.randn(2)))


LOOP = """g (int64 trips, bool more, float[4] x) => (float[4] y, float[4] last, float[T, 4] all, int64[T] steps) {
    start = Neg (x)
    y, last, all, steps = Loop (trips, more, start, x) <
      body = body (int64 i, bool on, float[4] a, float[4] b) => (bool go, float[4] b2, float[4] w, float[4] s, int64 t) {
        f = Cast <to = 1> (i)
        v = Add (a, f)
        w = Mul (v, x)
        b2 = Identity (b)
        s = Identity (b)
        sum = ReduceSum <keepdims = 0> (w)
        limit = Constant <value_float = 40.0> ()
        go = Less (sum, limit)
        one = Constant <value_int = 1> ()
        t = Add (i, one)
      }
    >
  }"""


def test_a_loop_of_a_count_and_a_condition_with_scan_outputs(tmp_path):
    module = converted(LOOP)
    assert forward(module) == '''\
    def forward(self, trips, more, x):
        y = -x
        y_1 = x
        alive = more
        y_2 = []
        y_3 = []
        for i in range(int(trips)):
            if not alive:
                break
            step = torch.tensor(i)
            w = (y + step.to(torch.float32)) * x
            go = torch.sum(w, None, False) < self.constants.constant
            y_3.append(step + self.constants.constant_1)
            alive, y, y_1 = go, y_1, w
            y_2.append(y)
        y_3 = torch.stack(y_3) if y_3 else trips.new_empty(0)
        if y_2:
            y_2 = torch.stack(y_2)
        else:
            with torch.no_grad():
                w_1 = (y + torch.tensor(0).to(torch.float32)) * x
                go_1 = torch.sum(w_1, None, False) < self.constants.constant
                t = torch.tensor(0) + self.constants.constant_1
                y_2 = y_1
            y_2 = y_2.new_empty((0, *y_2.shape))
        return y, y_1, y_2, y_3
'''
    same(module, tmp_path, *[(tensor(n), tensor(c), torch.rand(4)) for n in (-1, 0, 1, 9) for c in (True, False)])
    same(module, tmp_path, (tensor([2]), tensor([True]), torch.rand(4)))


def test_a_loop_without_a_count_runs_while_its_condition_holds(tmp_path):
    module = converted("""g (bool c, float[N] x) => (float[M] y) {
      y = Loop ("", c, x) <
        body = body (int64 i, bool on, float[K] v) => (bool go, float[L] w) {
          w = Concat <axis = 0> (v, x)
          size = Size (w)
          most = Constant <value_int = 9> ()
          go = Less (size, most)
        }
      >
    }""")
    assert "        while alive:\n" in forward(module)
    same(module, tmp_path, (tensor(True), torch.randn(2)), (tensor(False), torch.randn(2)))


def test_a_scan_of_two_inputs_also_of_no_row(tmp_path):
    module = converted("""g (float[3, 4] h, float[T, 3, 4] a, float[T, 4] b) => (float[3, 4] last, float[T, 3, 4] every) {
      last, every = Scan <num_scan_inputs = 2,
        body = body (float[3, 4] s, float[3, 4] x, float[4] y) => (float[3, 4] t, float[3, 4] o) {
          p = Mul (x, y) t = Add (s, p) o = Neg (t)
        }
      > (h, a, b)
    }""")
    assert forward(module) == '''\
    def forward(self, h, a, b):
        last = []
        for row, row_1 in zip(a, b):
            t = h + row * row_1
            last.append(-t)
            h = t
        last = torch.stack(last) if last else h.new_empty((0, 3, 4))
        return h, last
'''
    same(module, tmp_path, *[(torch.randn(3, 4), torch.randn(n, 3, 4), torch.randn(n, 4)) for n in (0, 1, 5)])


def test_loops_in_branches_of_loops(tmp_path):
    module = converted("""g (int64 n, float[2] x) => (float[2] y) {
      y = Loop (n, "", x) <
        body = body (int64 i, bool on, float[2] v) => (bool go, float[2] w) {
          go = Identity (on)
          sum = ReduceSum <keepdims = 0> (v)
          zero = Constant <value_float = 0.0> ()
          c = Less (sum, zero)
          w = If (c) <
            then_branch = then () => (float[2] p) {
              p = Loop (i, "", v) <
                body = inner (int64 j, bool on2, float[2] a) => (bool go2, float[2] b) {
                  go2 = Identity (on2) b = Add (a, x)
                }
              >
            },
            else_branch = other () => (float[2] p) { p = Sub (v, x) }
          >
        }
      >
    }""")
    same(module, tmp_path, *[(tensor(n), torch.randn(2)) for n in (0, 1, 2, 7)])


def test_what_is_read_later_keeps_its_value(tmp_path):
    """A loop sets no name anew that somebody reads after it, or in another body."""
    module = converted("""g (bool c, int64 n, float[2] x) => (float[2] y, float[2] z) {
      a = Neg (x)
      y = If (c) <
        then_branch = then () => (float[2] p) {
          p = Loop (n, "", a) <
            body = body (int64 i, bool on, float[2] v) => (bool go, float[2] w) { go = Identity (on) w = Add (v, v) }
          >
        },
        else_branch = other () => (float[2] q) { q = Abs (a) }
      >
      z = Add (a, y)
    }""")
    same(module, tmp_path, *[(tensor(c), tensor(3), torch.randn(2)) for c in (True, False)])


def test_names_that_are_no_identifiers_are_registered(tmp_path):
    module = converted("""g (float[4] x) => (float[4] y) <float[4] "79" = {1, 2, 3, 4}> { y = Add (x, "79") }""")
    text = to_source(module)
    assert 'self.register_parameter("79", nn.Parameter(torch.empty(4)))' in text and "self.79" not in text
    same(module, tmp_path, (torch.randn(4),))


def test_of_no_step_the_sizes_are_those_of_one(tmp_path):
    module = converted("""g (int64 n, float[N] x) => (float[T, M] y) {
      y = Loop (n, "") <
        body = body (int64 i, bool on) => (bool go, float[M] s) { go = Identity (on) s = Concat <axis = 0> (x, x) }
      >
    }""")
    assert forward(module) == '''\
    def forward(self, n, x):
        y = []
        for _ in range(int(n)):
            y.append(torch.cat([x, x], 0))
        if y:
            y = torch.stack(y)
        else:
            with torch.no_grad():
                y = torch.cat([x, x], 0)
            y = y.new_empty((0, *y.shape))
        return y
'''
    same(module, tmp_path, *[(tensor(n), torch.randn(3)) for n in (0, 2)])


def test_what_is_no_plain_torch_in_a_body_is_refused_by_the_name_of_its_node():
    module = converted("""g (bool c, string[N] x) => (string[N] y) {
      y = If (c) <
        then_branch = then () => (string[N] a) { a = StringConcat (x, x) },
        else_branch = other () => (string[N] b) { b = Identity (x) }
      >
    }""")
    with pytest.raises(SourceError) as e:
        to_source(module)
    assert str(e.value) == "node 'a' (StringConcat): expected a call of torch, got string_concat"


def test_a_cell_of_ours_which_sums_in_another_order_is_refused():
    module = converted("""g (float[4] zero, float[T, 4] x) => (float[4] total) {
      total = Scan <num_scan_inputs = 1, body = body (float[4] s, float[4] e) => (float[4] t) { t = Add (s, e) }> (zero, x)
    }""")
    leaf = next(m for m in module.modules() if isinstance(m, Scan))
    leaf.cell = "dynamic_quantize_lstm"
    with pytest.raises(SourceError) as e:
        to_source(module)
    assert str(e.value) == (
        "node 'total' (Scan): expected a body of torch's calls, got a cell of ours: dynamic_quantize_lstm"
    )


def test_a_plain_if_does_not_export_and_the_module_does(tmp_path):
    module = convert_onnx_to_fx(exported(Either().eval(), (ones(2, 4),), "unoptimized"))
    with pytest.raises(Exception, match="[Dd]ata-dependent|dynamic control flow"):
        torch.export.export(written(module, tmp_path), (ones(2, 4),))
    program = torch.export.export(module, (ones(2, 4),))
    assert torch.equal(program.module()(-ones(2, 4)), module(-ones(2, 4)))
