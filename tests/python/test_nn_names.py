"""Every row of core/fx/nn_names.def: it is the same call as the overload."""

import pytest
import torch
from onnx_to_fx.loader import targets, vocabulary

ROWS = list(vocabulary.NN_NAMES.items())

torch.manual_seed(0)
T = torch.randn
X = T(2, 3, 4)
P = X.abs() + 0.1
IDS = torch.tensor([3, 1, 2])
VOLUME = T(1, 2, 6, 6, 6)


def CELL(gates):
    """Weights of a recurrent cell with 3 inputs, 4 hidden."""
    return [T(4 * gates, 3), T(4 * gates, 4), T(4 * gates), T(4 * gates)]


ARGUMENTS = {  # of overloads that random tensors alone do not suit
    "aten::_local_scalar_dense": (T(1),),
    "aten::acos": (X.clamp(-0.9, 0.9),),
    "aten::acosh": (P + 1,),
    "aten::adaptive_avg_pool1d": (X, [2]),
    "aten::adaptive_avg_pool2d": (VOLUME[0], [2, 3]),
    "aten::adaptive_avg_pool3d": (VOLUME, [2, 3, 1]),
    "aten::addmm": (T(4), T(2, 3), T(3, 4)),
    "aten::all": (X > 0,),
    "aten::all.dim": (X > 0, 1),
    "aten::amax": (X, [1], True),
    "aten::amin": (X, [0, 1]),
    "aten::any": (X > 0,),
    "aten::any.dim": (X > 0, 1, True),
    "aten::arange": (5,),
    "aten::arange.start": (1, 5),
    "aten::arange.start_step": (1, 9, 2),
    "aten::argmax": (X, 1, True),
    "aten::argmin": (X, None, False),
    "aten::argsort": (X, 1, True),
    "aten::argsort.stable": (X,),
    "aten::asin": (X.clamp(-0.9, 0.9),),
    "aten::atanh": (X.clamp(-0.9, 0.9),),
    "aten::avg_pool1d": (X, [2]),
    "aten::avg_pool2d": (VOLUME[0], [2, 2], [], [1, 1], True, False, 3),
    "aten::avg_pool3d": (VOLUME, [2, 2, 2]),
    "aten::baddbmm": (T(5), T(2, 3, 4), T(2, 4, 5)),
    "aten::bitwise_and.Scalar": (IDS, 3),
    "aten::bitwise_and.Tensor": (IDS, IDS),
    "aten::bitwise_left_shift.Tensor": (IDS, IDS),
    "aten::bitwise_left_shift.Tensor_Scalar": (IDS, 1),
    "aten::bitwise_not": (IDS,),
    "aten::bitwise_or.Scalar": (IDS, 4),
    "aten::bitwise_or.Tensor": (IDS, IDS),
    "aten::bitwise_right_shift.Tensor": (IDS, IDS),
    "aten::bitwise_right_shift.Tensor_Scalar": (IDS, 1),
    "aten::bitwise_xor.Scalar": (IDS, 4),
    "aten::bitwise_xor.Tensor": (IDS, IDS),
    "aten::blackman_window.periodic": (8, True),
    "aten::bmm": (T(2, 3, 4), T(2, 4, 5)),
    "aten::broadcast_to": (T(4), [2, 4]),
    "aten::cat": ([X, X], 1),
    "aten::cdist": (X, T(2, 5, 4), 2.0),
    "aten::celu": (X, 0.5),
    "aten::chunk": (X, 2, 2),
    "aten::clamp": (X, -0.5, 0.5),
    "aten::clamp.Tensor": (X, None, T(4)),
    "aten::clone": (X,),
    "aten::col2im": (T(1, 12, 6), [3, 4], [2, 2], [1, 1], [0, 0], [1, 1]),
    "aten::constant_pad_nd": (X, [1, 2], 3),
    "aten::conv1d": (X, T(6, 3, 2), T(6), [1], [1]),
    "aten::conv1d.padding": (X, T(6, 3, 2), None, [1], "same"),
    "aten::conv2d": (T(1, 3, 5, 5), T(4, 3, 2, 2)),
    "aten::conv2d.padding": (T(1, 3, 5, 5), T(4, 3, 2, 2), T(4), [1, 1], "valid"),
    "aten::conv3d": (VOLUME, T(4, 2, 2, 2, 2)),
    "aten::conv3d.padding": (VOLUME, T(4, 2, 2, 2, 2), None, [1, 1, 1], "same"),
    "aten::conv_transpose1d": (X, T(3, 2, 2)),
    "aten::conv_transpose2d.input": (T(1, 3, 4, 4), T(3, 2, 2, 2), None, [2, 2]),
    "aten::conv_transpose3d.input": (VOLUME, T(2, 2, 2, 2, 2)),
    "aten::cumprod": (X, 1),
    "aten::cumsum": (X, 1),
    "aten::diag_embed": (X, 1, 0, 2),
    "aten::div.Scalar_mode": (X, 2),
    "aten::div.Tensor_mode": (X, P),
    "aten::dropout": (X, 0.3, False),
    "aten::einsum": ("abc,abd->acd", [X, T(2, 3, 5)]),
    "aten::elu": (X, 0.5),
    "aten::embedding": (T(5, 2), IDS),
    "aten::empty_like": (T(0, 3),),
    "aten::erfinv": (X.clamp(-0.9, 0.9),),
    "aten::expand": (T(4), [3, 4]),
    "aten::expand_as": (T(4), X),
    "aten::fake_quantize_per_tensor_affine": (X, 0.1, 3, -8, 7),
    "aten::fft_irfft": (X, 6, 1, "ortho"),
    "aten::fft_rfft": (X, None, 2, "backward"),
    "aten::flatten.using_ints": (X, 1, 2),
    "aten::flip": (X, [0, 2]),
    "aten::floor_divide": (X, P),
    "aten::floor_divide.Scalar": (X, 2),
    "aten::fmod.Scalar": (X, 2),
    "aten::full": ([2, 3], 1.5),
    "aten::full_like": (X, 2),
    "aten::gather": (X, 1, torch.zeros(2, 1, 4, dtype=torch.int64)),
    "aten::glu": (X, 2),
    "aten::grid_sampler": (T(1, 2, 4, 4), T(1, 3, 3, 2), 0, 0, True),
    "aten::group_norm": (X, 3, T(3), T(3), 1e-3),
    "aten::gru_cell": (T(2, 3), T(2, 4), *CELL(3)),
    "aten::gru.input": (T(5, 2, 3), T(1, 2, 4), CELL(3), True, 1, 0.0, False, False, False),
    "aten::hamming_window.periodic_alpha_beta": (8, True, 0.54, 0.46),
    "aten::hann_window.periodic": (8, False),
    "aten::hardtanh": (X, -0.5, 0.5),
    "aten::index_add": (X, 1, torch.tensor([0, 2]), T(2, 2, 4)),
    "aten::index_put": (X, [torch.tensor([0, 1])], T(3, 4), True),
    "aten::index_reduce": (X, 1, torch.tensor([0, 2]), T(2, 2, 4), "amax"),
    "aten::index_select": (X, 1, torch.tensor([0, 2])),
    "aten::layer_norm": (X, [4], T(4), None, 1e-3),
    "aten::leaky_relu": (X, 0.2),
    "aten::lerp.Scalar": (X, P, 0.25),
    "aten::linalg_det": (T(2, 3, 3),),
    "aten::linalg_inv": (T(2, 3, 3),),
    "aten::linalg_vector_norm": (X, 2, [1], True),
    "aten::linear": (X, T(5, 4), T(5)),
    "aten::log": (P,),
    "aten::log10": (P,),
    "aten::log1p": (P,),
    "aten::log2": (P,),
    "aten::log_softmax.int": (X, -1),
    "aten::logsumexp": (X, [1], True),
    "aten::lstm_cell": (T(2, 3), [T(2, 4), T(2, 4)], *CELL(4)),
    "aten::lstm.input": (T(5, 2, 3), [T(1, 2, 4)] * 2, CELL(4), True, 1, 0.0, False, False, False),
    "aten::masked_fill.Scalar": (X, X > 0, 2),
    "aten::masked_fill.Tensor": (X, X > 0, torch.tensor(2.0)),
    "aten::matmul": (X, T(4, 5)),
    "aten::max_pool1d": (X, [2], [], [1]),
    "aten::max_pool1d_with_indices": (X, [2], [1]),
    "aten::max_pool2d": (VOLUME[0], [2, 2], [], [1, 1], [1, 1], True),
    "aten::max_pool3d": (VOLUME, [2, 2, 2]),
    "aten::mean.dim": (X, None, False),
    "aten::mm": (T(2, 3), T(3, 4)),
    "aten::movedim.int": (X, 0, -1),
    "aten::movedim.intlist": (X, [0, 1], [2, 0]),
    "aten::multinomial": (P[0], 2, True),
    "aten::nan_to_num": (X / 0, 1.0, 2.0, 3.0),
    "aten::native_dropout": (X, 0.0, True),
    "aten::native_layer_norm": (X, [4], T(4), None, 1e-3),
    "aten::new_full": (X, [2, 3], 1.5),
    "aten::new_ones": (X, [2, 3]),
    "aten::new_zeros": (X, [2, 3]),
    "aten::one_hot": (IDS, 5),
    "aten::ones": ([2, 3],),
    "aten::pad": (X, [1, 2], "reflect"),
    "aten::permute": (X, [2, 0, 1]),
    "aten::pixel_shuffle": (T(1, 4, 2, 2), 2),
    "aten::pixel_unshuffle": (T(1, 4, 2, 2), 2),
    "aten::pow.Scalar": (2, X),
    "aten::pow.Tensor_Scalar": (X, 2),
    "aten::pow.Tensor_Tensor": (P, T(4)),
    "aten::prelu": (X, T(3)),
    "aten::prod.dim_int": (X, 1),
    "aten::rand": ([0, 2],),
    "aten::rand_like": (T(0, 2),),
    "aten::randn": ([0, 2],),
    "aten::randn_like": (T(0, 2),),
    "aten::repeat": (X, [2, 1, 1]),
    "aten::repeat_interleave.self_int": (X, 2, 1),
    "aten::reshape": (X, [4, -1]),
    "aten::rms_norm": (X, [4], T(4), 1e-3),
    "aten::rnn_relu.input": (T(5, 2, 3), T(1, 2, 4), CELL(1), True, 1, 0.0, False, False, False),
    "aten::rnn_tanh.input": (T(5, 2, 3), T(1, 2, 4), CELL(1), True, 1, 0.0, False, False, False),
    "aten::roll": (X, [1, -1], [0, 2]),
    "aten::rsqrt": (P,),
    "aten::scalar_tensor": (3,),
    "aten::scaled_dot_product_attention": (X, X, X),
    "aten::scatter.src": (X, 1, torch.zeros(2, 1, 4, dtype=torch.int64), T(2, 1, 4)),
    "aten::scatter.value": (X, 1, torch.zeros(2, 1, 4, dtype=torch.int64), 2),
    "aten::scatter_add": (X, 1, torch.zeros(2, 1, 4, dtype=torch.int64), T(2, 1, 4)),
    "aten::scatter_reduce.two": (X, 1, torch.zeros(2, 1, 4, dtype=torch.int64), T(2, 1, 4), "sum"),
    "aten::searchsorted.Tensor": (P.flatten().sort()[0], X),
    "aten::select.int": (X, 1, -1),
    "aten::select_scatter": (X, T(2, 4), 1, 0),
    "aten::slice_scatter": (X, T(2, 2, 4), 1, 0, 2),
    "aten::softmax.int": (X, 1, torch.float64),
    "aten::softshrink": (X, 0.2),
    "aten::sort": (X, 1, True),
    "aten::sort.stable": (X,),
    "aten::split.Tensor": (X, 2, 1),
    "aten::split_with_sizes": (X, [1, 3], 2),
    "aten::sqrt": (P,),
    "aten::squeeze.dim": (T(2, 1, 3), 1),
    "aten::squeeze.dims": (T(2, 1, 3, 1), [1, 3]),
    "aten::stack": ([X, X], 1),
    "aten::sum.dim_IntList": (X, [1, 2], True),
    "aten::sym_size.int": (X, 1),
    "aten::t": (T(2, 3),),
    "aten::take": (X, IDS),
    "aten::take_along_dim": (X, torch.zeros(2, 1, 4, dtype=torch.int64), 1),
    "aten::threshold": (X, 0.5, 0.25),
    "aten::tile": (X, [2, 1]),
    "aten::to.dtype": (X, torch.float64),
    "aten::to.other": (X, T(1, dtype=torch.float64)),
    "aten::topk": (X, 2, 1),
    "aten::transpose.int": (X, 0, 2),
    "aten::tril": (X, 1),
    "aten::triu": (X, -1),
    "aten::unbind.int": (X, 1),
    "aten::unflatten.int": (X, 2, [2, 2]),
    "aten::unfold": (X, 2, 2, 1),
    "aten::unsqueeze": (X, 1),
    "aten::var_mean.correction": (X, [1]),
    "aten::view": (X, [4, -1]),
    "aten::view.dtype": (X, torch.int16),
    "aten::view_as_real": (torch.complex(X, P),),
    "aten::where.ScalarOther": (X > 0, X, 2),
    "aten::where.ScalarSelf": (X > 0, 2, X),
    "aten::where.self": (X > 0, X, P),
    "aten::zeros": ([2, 3],),
}
KEYWORDS = {
    "aten::argsort.stable": {"stable": True, "dim": 1},
    "aten::div.Scalar_mode": {"rounding_mode": "floor"},
    "aten::div.Tensor_mode": {"rounding_mode": "floor"},
    "aten::sort.stable": {"stable": True, "dim": 1},
    "aten::var_mean.correction": {"correction": 0, "keepdim": True},
}


def arguments_of(aten):
    if aten in ARGUMENTS:
        return ARGUMENTS[aten]
    required = [a for a in targets.resolve(aten)._schema.arguments if not a.has_default_value()]
    return tuple(X if "Tensor" in str(a.type) else 1.5 for a in required)


def result(function, arguments, keywords):
    """The tensor, or the kind of error: both spellings must refuse the same."""
    try:
        return function(*arguments, **keywords)
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as e:
        return type(e)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64], ids=str)
@pytest.mark.parametrize(("aten", "name"), ROWS, ids=[a for a, _ in ROWS])
def test_both_spellings_are_the_same_call(aten, name, dtype):
    arguments = tuple(
        a.to(dtype) if isinstance(a, torch.Tensor) and a.is_floating_point() else a
        for a in arguments_of(aten)
    )
    keywords = KEYWORDS.get(aten, {})
    torch.manual_seed(0)
    want = result(targets.resolve(aten), arguments, keywords)
    torch.manual_seed(0)
    got = result(targets.resolve(name), arguments, keywords)
    if isinstance(want, (tuple, list)):  # the items alone are read
        want, got = tuple(want), tuple(got)
    elif not isinstance(want, torch.Tensor):  # an error, or a number
        assert got == want and (dtype != torch.float32 or not isinstance(want, type))
        return
    torch.testing.assert_close(got, want, rtol=0, atol=0, equal_nan=True)
