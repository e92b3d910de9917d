#include "core/convert/roles.hpp"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <tuple>

#include "core/convert/signature.hpp"
#include "core/convert/sinusoids.hpp"
#include "core/fx/identifier.hpp"
#include "core/fx/provenance.hpp"
#include "core/fx/schema.hpp"
#include "core/include/onnx2fx/glob.hpp"

namespace onnx2fx::conversion {
namespace {

using fx::Role;

constexpr auto kProducts = std::to_array<std::string_view>(
    {"aten::conv1d", "aten::conv2d", "aten::conv3d", "aten::conv_transpose1d",
     "aten::conv_transpose2d", "aten::conv_transpose3d", "aten::linear", "aten::matmul", "aten::mm",
     "aten::addmm", "aten::bmm", "aten::baddbmm"});
constexpr auto kViews = std::to_array<std::string_view>(
    {"view", "reshape", "_unsafe_view", "unsqueeze", "squeeze", "t", "transpose", "permute",
     "numpy_t", "alias", "detach", "clone"});

/// What reads a table of positions.
constexpr auto kPositions = std::to_array<std::string_view>(
    {"aten::add", "aten::slice", "aten::unsqueeze", "aten::expand", "aten::view", "aten::select"});
/// What reads the sines, or the cosines, of a rotary embedding.
constexpr auto kRotations = std::to_array<std::string_view>(
    {"aten::mul", "aten::slice", "aten::unsqueeze", "aten::expand", "aten::view", "aten::select"});

struct Verdict {
  Role role;
  std::string because;
};

bool matches(const std::vector<std::string>& globs, const TensorEntry& e) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& g) {
    return glob_matches(g, e.name) || (!e.part_of.empty() && glob_matches(g, e.part_of));
  });
}

/// A name that an exporter or optimiser made up: "onnx::MatMul_224", "val_39", "219".
bool is_generated(const std::string& name) {
  const bool number = std::all_of(
      name.begin(), name.end(), [](char c) { return std::isdigit(static_cast<unsigned char>(c)); });
  return number || name.starts_with("onnx::") || name.starts_with("val_") ||
         name.find("Constant") != std::string::npos || name.find("const_fold_opt") == 0;
}

/// "fc.weight_quantized", "fc.bias_fused": what a tool made of a parameter. The cells of torch.nn
/// have a "weight_ih" and a "bias_hh_l0" themselves.
bool is_derived(std::string_view name) {
  const std::string_view word = name.substr(name.rfind('.') + 1);
  for (const std::string_view base : {"weight_", "bias_"}) {
    if (!word.starts_with(base)) continue;
    const std::string_view rest = word.substr(base.size());
    return !rest.starts_with("ih") && !rest.starts_with("hh");
  }
  return false;
}

/// "encoder.layer.0.weight"; "learned_0" may be a name that was given to the exporter.
bool is_dotted_path(const std::string& name) {
  return name.find('.') != std::string::npos && is_path(name);
}

class Judge {
 public:
  Judge(const std::vector<TensorEntry*>& entries, const onnx::ModelProto& model,
        const Signature& signature, const Evidence& evidence, Tensors& tensors)
      : entries_(entries),
        evidence_(evidence),
        signature_(signature),
        tensors_(tensors),
        by_torch_(model.producer_name() == "pytorch") {
    if (signature_.known()) find_computed();
    find_rotations();
  }

  Verdict judge(uint32_t i) const {
    if (auto v = exporter(i)) return *v;
    if (auto v = claim(i)) return *v;
    const TensorEntry& e = *entries_[i];
    if (!is_trainable_dtype(e.dtype)) return {Role::kConstant, "default: no floats"};
    if (std::string why = against_weight(i); !why.empty())
      return {is_stored_by_name(i) ? Role::kBuffer : Role::kConstant, "evidence: " + why};
    return e.count() > 1 ? Verdict{Role::kParameter, "default: floats"}
                         : Verdict{Role::kConstant, "default: a single float"};
  }

  bool is_authors_name(uint32_t i) const {
    const TensorEntry& e = *entries_[i];
    if (!e.proto || e.in_node || !by_torch_) return false;
    if (signature_.known()) {
      const Signature::Entry* said = signature_.find(e.name);
      return said && said->target == e.name;
    }
    return is_dotted_path(e.name) && !is_generated(e.name) && !is_derived(e.name);
  }

 private:
  std::optional<Verdict> exporter(uint32_t i) const {
    const TensorEntry& e = *entries_[i];
    if (!e.proto) return {};
    if (signature_.known()) return signed_role(i);
    if (!by_torch_ || e.role == O2FX_ROLE_MUTATED) return {};
    if (!is_trainable_dtype(e.dtype)) {
      if (e.role != O2FX_ROLE_DEFAULT || e.in_node || is_generated(e.name)) return {};
      return Verdict{Role::kBuffer, "exporter: an initializer of the model's own name"};
    }
    if (e.in_node) return Verdict{Role::kConstant, "exporter: a Constant node"};
    if (!is_generated(e.name) && e.role == O2FX_ROLE_DEFAULT && e.count() == 1 &&
        evidence_.against_weight(i).empty())
      return Verdict{Role::kParameter, "exporter: an initializer of the model's own name"};
    return {};
  }

  /// PyTorch's older exporter stores what a state dict has under its name there, and all else under
  /// names that it makes up.
  bool is_stored_by_name(uint32_t i) const {
    const TensorEntry& e = *entries_[i];
    return e.proto && !e.in_node && by_torch_ && !signature_.known() && !is_generated(e.name) &&
           !is_derived(e.name) && is_path(e.name);
  }

  std::string against_weight(uint32_t i) const {
    std::string why = evidence_.against_weight(i);
    const bool is_fixed = why.empty() && (is_position_table(i) || rotations_.count(i));
    return is_fixed ? "it is a table of sines and cosines" : why;
  }

  /// A float table that the file holds and nothing but these read.
  bool is_table_of(uint32_t i, std::span<const std::string_view> targets) const {
    TensorEntry& e = *entries_[i];
    const auto readers = evidence_.readers(i);
    return e.dtype == onnx::TensorProto::FLOAT && e.dims.size() >= 2 && e.count() > 1 &&
           !readers.empty() &&
           std::ranges::all_of(readers,
                               [&](const fx::Node* n) {
                                 return std::ranges::count(targets,
                                                           fx::without_overload(n->target));
                               }) &&
           !tensors_.absent(e);
  }

  /// What is added to a value, as positions are; a table that is looked up may be trained.
  bool is_position_table(uint32_t i) const {
    TensorEntry& e = *entries_[i];
    return is_table_of(i, kPositions) && are_sinusoids(tensors_.bytes(e), e.dims);
  }

  /// The sines and the cosines follow each other among the tables of their dims.
  void find_rotations() {
    std::map<std::vector<int64_t>, uint32_t> last;
    for (uint32_t i = 0; i < entries_.size(); i++) {
      if (!is_table_of(i, kRotations)) continue;
      TensorEntry& e = *entries_[i];
      const auto [before, is_first] = last.try_emplace(e.dims, i);
      if (!is_first &&
          are_sines_and_cosines(tensors_.bytes(*entries_[before->second]), tensors_.bytes(e)))
        rotations_.insert({before->second, i});
      before->second = i;
    }
  }

  std::optional<Verdict> signed_role(uint32_t i) const {
    using Kind = Signature::Kind;
    const TensorEntry& e = *entries_[i];
    const Signature::Entry* said = e.in_node ? nullptr : signature_.find(e.name);
    if (!said) {
      if (!is_trainable_dtype(e.dtype)) return {};
      if (computed_.count(i))
        return Verdict{Role::kParameter, "exporter: computed of " + computed_.at(i)};
      if (const auto folded = e.in_node ? std::nullopt : signature_.folded(e.name))
        return folded_role(*folded, i);
      return Verdict{Role::kConstant, "exporter: not in its graph signature"};
    }
    const std::string because = "exporter: " + said->target + " of its graph signature";
    if (e.role == O2FX_ROLE_MUTATED && said->kind != Kind::kParameter)
      return Verdict{Role::kBuffer, because};
    switch (said->kind) {
      case Kind::kParameter:
        return Verdict{Role::kParameter, because};
      case Kind::kPersistentBuffer:
        return Verdict{Role::kBuffer, because};
      default:
        return Verdict{Role::kConstant, because};
    }
  }

  /// What is a parameter in another shape is that parameter; and a product's weight is one, however
  /// it was computed. Else training would move what the author's model computes anew in each step:
  /// the exponential of a scale, the rows of a table that several places share.
  Verdict folded_role(const Signature::Folded& folded, uint32_t i) const {
    const auto readers = evidence_.readers(i);
    const bool is_weight = std::ranges::any_of(readers, [&](const fx::Node* n) {
      return std::ranges::count(kProducts, fx::without_overload(n->target));
    });
    const bool is_view = folded.at_once && std::ranges::count(kViews, folded.call);
    return {is_view || is_weight ? Role::kParameter : Role::kConstant,
            "exporter: " + folded.call + " of " + folded.names()};
  }

  /// Tensors that the exporter's optimiser made of parameters: read by a node whose FX text
  /// mentions parameters that are gone. Of more tensors than parameters, those that a lowering cut
  /// out of one, then the largest; fillers last.
  void find_computed() {
    std::map<std::string, std::vector<uint32_t>> groups;
    for (uint32_t i = 0; i < entries_.size(); i++) {
      const TensorEntry& e = *entries_[i];
      if ((!e.proto && e.part_of.empty()) || !is_trainable_dtype(e.dtype) ||
          (!e.in_node && signature_.find(e.name)))
        continue;
      for (const fx::Node* reader : evidence_.readers(i))
        if (const std::string* text = fx::exported_from(*reader)) {
          auto& group = groups[*text];
          if (group.empty() || group.back() != i) group.push_back(i);
        }
    }
    for (auto& [exported, group] : groups) {
      const std::string& text = exported;
      const auto gone = signature_.computed(text);
      std::stable_sort(group.begin(), group.end(), [&](uint32_t a, uint32_t b) {
        const auto rank = [&](uint32_t i) {
          return std::tuple(!entries_[i]->part_of.empty(), !is_filler(i, text),
                            entries_[i]->count());
        };
        return rank(a) > rank(b);
      });
      std::string names;
      for (const Signature::Entry* g : gone) names += (names.empty() ? "" : ", ") + g->target;
      for (size_t k = 0; k < group.size() && k < gone.size(); k++)
        computed_.try_emplace(group[k], names);
    }
  }

  /// The ones and zeros of the instance_norm that a group_norm is exported as.
  bool is_filler(uint32_t i, const std::string& text) const {
    return text.find("instance_norm") == std::string::npos &&
           std::ranges::any_of(evidence_.readers(i), [](const fx::Node* reader) {
             return reader->target == "aten::instance_norm";
           });
  }

  std::optional<Verdict> claim(uint32_t i) const {
    const TensorEntry& e = *entries_[i];
    switch (e.role) {
      case O2FX_ROLE_PARAMETER:
        return Verdict{is_trainable_dtype(e.dtype) ? Role::kParameter : Role::kBuffer, "plugin"};
      case O2FX_ROLE_BUFFER:
      case O2FX_ROLE_MUTATED:
        return Verdict{Role::kBuffer, "plugin"};
      case O2FX_ROLE_CONSTANT:
        return Verdict{Role::kConstant, "plugin"};
      default:
        return {};
    }
  }

  const std::vector<TensorEntry*>& entries_;
  const Evidence& evidence_;
  const Signature& signature_;
  Tensors& tensors_;
  const bool by_torch_;
  std::map<uint32_t, std::string> computed_;  ///< and what of
  std::set<uint32_t> rotations_;              ///< halves of rotary embeddings
};

}  // namespace

bool is_trainable_dtype(int32_t d) {
  return d == onnx::TensorProto::FLOAT || d == onnx::TensorProto::FLOAT16 ||
         d == onnx::TensorProto::DOUBLE || d == onnx::TensorProto::BFLOAT16;
}

bool is_path(const std::string& name) {
  return std::ranges::all_of(name, [](char c) { return fx::is_word(c) || c == '.'; });
}

void assign_roles(fx::Module& module, const std::vector<TensorEntry*>& entries,
                  const onnx::ModelProto& model, const Signature& signature,
                  const Evidence& evidence, Tensors& tensors, const Options& options) {
  if (module.tensors.empty()) return;
  const Judge judge(entries, model, signature, evidence, tensors);
  for (uint32_t i = 0; i < module.tensors.size(); i++) {
    fx::Tensor& t = module.tensors[i];
    const TensorEntry& e = *entries[i];
    Verdict verdict = judge.judge(i);
    if (matches(options.trainable, e) && is_trainable_dtype(e.dtype))
      verdict = {Role::kParameter, "option: trainable"};
    else if (verdict.role == Role::kParameter && matches(options.frozen, e))
      verdict.because = "option: frozen";
    t.role = verdict.role;
    t.role_because = verdict.because;
    t.named_by_author = judge.is_authors_name(i);
    t.requires_grad = t.role == Role::kParameter && verdict.because != "option: frozen";
  }
}

}  // namespace onnx2fx::conversion
