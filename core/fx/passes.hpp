// Passes over a finished Module. A new one is declared here and takes its place in the list of
// passes.cpp.
#ifndef ONNX2FX_CORE_FX_PASSES_HPP_
#define ONNX2FX_CORE_FX_PASSES_HPP_

#include <string>
#include <vector>

#include "core/include/onnx2fx/options.hpp"
#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx {

/// All passes that these options want, in order. Sets Module::dialect.
void run_passes(Module& module, const Options& options);
/// Of the list, in order, and nest_blocks; a pass may stand there twice.
std::vector<std::string> pass_names();

/// x[i, j] whose indices were stacked and taken apart again, or expanded to the shape that they
/// broadcast to anyway, takes them as they were. What they were made into is left dead.
void shrink_index_operands(Module& module);

/// A parameter whose rows were cut up, put in another order and back again is read as it was. What
/// was done to it is left dead.
void restore_rows(Module& module);

/// Recurrent calls one upon the other become one call of several layers, as nn.LSTM has them. What
/// moved the outputs from one to the next is left dead.
void stack_layers(Module& module);

/// Recurrent calls read and give the batch in front where the exporter's transposes did that around
/// them, and what gives their outputs unchanged is read no more. It is left dead.
void set_batch_first(Module& module);

/// The arithmetic of nn.GRUCell and nn.LSTMCell is one call again. What it took is left dead.
void recover_cells(Module& module);

/// Removes what no output needs: nodes of all programs, then programs, tensors and modules that
/// nothing mentions any more; indices are remapped (sources keep theirs). Placeholders stay, and so
/// do calls that write to a tensor (batch_norm in training among them).
void drop_dead_nodes(Module& module);

/// Gives each tensor its attribute path, from its name: "." and "/" make hierarchy, other
/// characters that no identifier has become "_". Paths are unique, none lies below another, and
/// none hides an attribute that torch gives every module; they depend on the names and their order
/// alone. Tensor::name keeps the way back.
void assign_paths(Module& module);

/// Calls of the root whose weights are parameters become modules of torch.nn. What the modules took
/// over is left dead. Needs assign_paths, and a module without dead nodes: a dead reader must not
/// own a tensor.
void raise_modules(Module& module);

/// Calls that are all that a module of torch.nn without weights computes become that module, where
/// the exporter says so: nn.ReLU, nn.MaxPool2d.
void raise_plain_modules(Module& module);

/// Makes blocks of the author's modules, as the exporter says where each node was computed:
/// programs that their parents call, at the author's paths, with the author's classes. The last
/// pass: needs the bytes of constants, of which each block takes its own. A module without such
/// metadata stays as it is.
void nest_blocks(Module& module);

/// Spells aten::slice, select and index as subscripts: operator::getitem of slices, numbers,
/// tensors.
void write_subscripts(Module& module);

/// Values of a fixed dtype that meet the model's own (cos of positions, times x) follow the dtype
/// of the constant that they were computed of, so that .to(torch.bfloat16) reaches them.
void follow_dtypes(Module& module);

/// Spells the upsampling overloads that take a size or factors as
/// torch.nn.functional.interpolate.
void write_interpolations(Module& module);

/// Spells ATen calls as functions of torch, torch.nn.functional and operator where that is the same
/// call.
void use_nn_names(Module& module);

}  // namespace onnx2fx::fx

#endif
