// One run of a plugin's lower(): the state behind an o2fx_ctx. The C functions of host_api.cpp work
// on it.
#ifndef ONNX2FX_CORE_BORDER_LOWERING_HPP_
#define ONNX2FX_CORE_BORDER_LOWERING_HPP_

#include <deque>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/convert/converter.hpp"

namespace onnx2fx::conversion {

/// Memory that lives until the callback returns.
class Arena {
 public:
  void* allocate(uint64_t size, uint64_t align);
  o2fx_str copy(const std::string& s);
  template <class T>
  T* array(size_t n) {
    return static_cast<T*>(allocate(n * sizeof(T), alignof(T)));
  }

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* at_ = nullptr;
  uint64_t left_ = 0;
};

class Lowering {
 public:
  /// node may be null (init of a plugin): then everything that needs a node is E_INVALID.
  Lowering(Converter& converter, const plugin::Plugin& plugin, const NodeView* node, Scope* scope);
  ~Lowering();
  Lowering(const Lowering&) = delete;
  Lowering& operator=(const Lowering&) = delete;

  o2fx_ctx token() const { return token_; }
  /// The lowering that may be called with this ctx now: the innermost one of this thread, and only
  /// with its own token. Null: a ctx kept after its callback, of another thread, or of an outer
  /// lowering.
  static Lowering* active(o2fx_ctx ctx);
  static Lowering* innermost();

  o2fx_status fail(o2fx_status status, const std::string& text);

  Converter& converter;
  const plugin::Plugin& plugin;
  const NodeView* node;
  Scope* scope;
  size_t base_depth;
  Arena arena;
  std::vector<bool> input_read;
  std::unordered_set<std::string> attribute_read;
  std::vector<ValueId> outputs;
  std::vector<const onnx::AttributeProto*> attributes;  ///< ids: index + 1
  std::vector<const onnx::GraphProto*> graphs;          ///< ids: index + 1
  std::string error, error_place;
  o2fx_status error_status = O2FX_OK;
  bool absent = false;  ///< it failed for want of a value that lies in a missing file
  Faults nested;
  std::vector<std::pair<std::string, std::string>> notes;

 private:
  o2fx_ctx token_;
};

/// The table that every callback gets, guard slots behind it.
const o2fx_host_api* host_api();

}  // namespace onnx2fx::conversion

#endif
