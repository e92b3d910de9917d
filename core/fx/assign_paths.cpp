#include <algorithm>
#include <array>

#include "core/fx/passes.hpp"
#include "core/fx/paths.hpp"

namespace onnx2fx::fx {
namespace {

// dir() of torch.nn.Module and torch.fx.GraphModule without dunder names, and the keywords of
// Python; sorted as bytes. tests/python compares it with the torch that is installed.
constexpr auto kReserved = std::to_array<std::string_view>({"False",
                                                            "None",
                                                            "T_destination",
                                                            "True",
                                                            "_apply",
                                                            "_backward_hooks",
                                                            "_backward_pre_hooks",
                                                            "_boxed_call",
                                                            "_buffers",
                                                            "_call_impl",
                                                            "_code",
                                                            "_compiled_call_impl",
                                                            "_create_node_hooks",
                                                            "_deepcopy_hooks",
                                                            "_deepcopy_init",
                                                            "_erase_node_hooks",
                                                            "_forward_hooks",
                                                            "_forward_hooks_always_called",
                                                            "_forward_hooks_with_kwargs",
                                                            "_forward_pre_hooks",
                                                            "_forward_pre_hooks_with_kwargs",
                                                            "_get_backward_hooks",
                                                            "_get_backward_pre_hooks",
                                                            "_get_name",
                                                            "_graph",
                                                            "_is_full_backward_hook",
                                                            "_lineno_map",
                                                            "_load_from_state_dict",
                                                            "_load_state_dict_post_hooks",
                                                            "_load_state_dict_pre_hooks",
                                                            "_maybe_warn_non_full_backward_hook",
                                                            "_modules",
                                                            "_named_members",
                                                            "_non_persistent_buffers_set",
                                                            "_parameters",
                                                            "_prologue_start",
                                                            "_recompile_submodules",
                                                            "_register_create_node_hook",
                                                            "_register_deepcopy_hook",
                                                            "_register_erase_node_hook",
                                                            "_register_load_state_dict_pre_hook",
                                                            "_register_replace_node_hook",
                                                            "_register_state_dict_hook",
                                                            "_replace_hooks",
                                                            "_replicate_for_data_parallel",
                                                            "_save_to_state_dict",
                                                            "_set_replace_hook",
                                                            "_slow_forward",
                                                            "_state_dict_hooks",
                                                            "_state_dict_pre_hooks",
                                                            "_tracer_cls",
                                                            "_tracer_extras",
                                                            "_unregister_create_node_hook",
                                                            "_unregister_deepcopy_hook",
                                                            "_unregister_erase_node_hook",
                                                            "_unregister_replace_node_hook",
                                                            "_version",
                                                            "_wrapped_call",
                                                            "_wrapped_call_impl",
                                                            "add_module",
                                                            "add_submodule",
                                                            "and",
                                                            "apply",
                                                            "as",
                                                            "assert",
                                                            "async",
                                                            "await",
                                                            "bfloat16",
                                                            "break",
                                                            "buffers",
                                                            "call_super_init",
                                                            "children",
                                                            "class",
                                                            "code",
                                                            "compile",
                                                            "continue",
                                                            "cpu",
                                                            "cuda",
                                                            "def",
                                                            "del",
                                                            "delete_all_unused_submodules",
                                                            "delete_submodule",
                                                            "double",
                                                            "dump_patches",
                                                            "elif",
                                                            "else",
                                                            "eval",
                                                            "except",
                                                            "extra_repr",
                                                            "finally",
                                                            "float",
                                                            "for",
                                                            "forward",
                                                            "from",
                                                            "get_buffer",
                                                            "get_extra_state",
                                                            "get_parameter",
                                                            "get_submodule",
                                                            "global",
                                                            "graph",
                                                            "half",
                                                            "if",
                                                            "import",
                                                            "in",
                                                            "ipu",
                                                            "is",
                                                            "lambda",
                                                            "load_state_dict",
                                                            "meta",
                                                            "modules",
                                                            "mtia",
                                                            "named_buffers",
                                                            "named_children",
                                                            "named_modules",
                                                            "named_parameters",
                                                            "nonlocal",
                                                            "not",
                                                            "or",
                                                            "parameters",
                                                            "pass",
                                                            "print_readable",
                                                            "raise",
                                                            "recompile",
                                                            "register_backward_hook",
                                                            "register_buffer",
                                                            "register_forward_hook",
                                                            "register_forward_pre_hook",
                                                            "register_full_backward_hook",
                                                            "register_full_backward_pre_hook",
                                                            "register_load_state_dict_post_hook",
                                                            "register_load_state_dict_pre_hook",
                                                            "register_module",
                                                            "register_parameter",
                                                            "register_state_dict_post_hook",
                                                            "register_state_dict_pre_hook",
                                                            "requires_grad_",
                                                            "return",
                                                            "set_extra_state",
                                                            "set_submodule",
                                                            "shape_env",
                                                            "share_memory",
                                                            "state_dict",
                                                            "to",
                                                            "to_empty",
                                                            "to_folder",
                                                            "train",
                                                            "training",
                                                            "try",
                                                            "type",
                                                            "while",
                                                            "with",
                                                            "xpu",
                                                            "yield",
                                                            "zero_grad"});
static_assert(std::is_sorted(kReserved.begin(), kReserved.end()));

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string component_of(std::string_view text) {
  std::string s(text);
  for (char& c : s) {
    if (!is_word(c)) c = '_';
  }
  if (is_digit(s[0]) && !std::all_of(s.begin(), s.end(), is_digit)) s.insert(0, "_");
  if (s.starts_with("__")) return "x" + s;
  return is_reserved(s) ? s + "_" : s;
}

}  // namespace

bool is_reserved(std::string_view component) {
  return component.starts_with("__") ||
         std::binary_search(kReserved.begin(), kReserved.end(), component);
}

std::string path_of(std::string_view name) {
  std::string path;
  while (!name.empty()) {
    size_t end = std::min(name.find_first_of("./"), name.size());
    if (end) path += (path.empty() ? "" : ".") + component_of(name.substr(0, end));
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return path;
}

bool PathTree::is_free(const std::string& path) const {
  return !leaves_.contains(path) && !parents_.contains(path);
}

std::string PathTree::with_free_parents(const std::string& wanted) const {
  std::string path;
  for (size_t begin = 0, dot; (dot = wanted.find('.', begin)) != std::string::npos;
       begin = dot + 1) {
    std::string parent = path + wanted.substr(begin, dot - begin);
    std::string free = parent;
    for (int n = 1; leaves_.contains(free); ++n) free = parent + "_" + std::to_string(n);
    path = free + ".";
  }
  return path + wanted.substr(wanted.rfind('.') + 1);
}

std::string PathTree::claim(const std::string& wanted) {
  std::string base = with_free_parents(wanted);
  std::string path = base;
  for (int n = 1; !is_free(path); ++n) path = base + "_" + std::to_string(n);
  leaves_.insert(path);
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1)) {
    parents_.insert(path.substr(0, dot));
  }
  return path;
}

void assign_paths(Module& module) {
  PathTree tree;
  for (size_t i = 1; i < module.programs.size(); ++i) tree.claim(module.programs[i].name);
  for (Tensor& tensor : module.tensors) {
    std::string wanted = path_of(tensor.name);
    tensor.path = tree.claim(wanted.empty() ? "tensor" : wanted);
  }
}

}  // namespace onnx2fx::fx
