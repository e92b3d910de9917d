// What one conversion may spend. Functions that call each other and Loops that are unrolled make an
// exponential amount of work of a small file; a budget in proportion to the model's own size ends
// that, and says which function or Loop it went into.
#ifndef ONNX2FX_CORE_CONVERT_BUDGET_HPP_
#define ONNX2FX_CORE_CONVERT_BUDGET_HPP_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::conversion {

class Budget {
  struct Use {
    uint64_t bodies = 0, nodes = 0;  ///< expansions of this body; nodes in it, not in inner ones
  };
  using Uses = std::map<std::string, Use>;

 public:
  /// factor: times the usual budget (Options::budget).
  Budget(const onnx::ModelProto& model, std::string model_name, uint32_t factor);

  /// A body that is being expanded, as long as the object lives.
  class Body {
   public:
    Body(Budget& budget, const std::string& what);
    ~Body() { budget_.open_.pop_back(); }
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;

   private:
    Budget& budget_;
  };
  /// what: "function 'acme.F'", "node 'l' (Loop)".
  [[nodiscard]] Body expand(const std::string& what) { return {*this, what}; }

  /// One more node, of the model or of the program, in the innermost open body.
  void count_node();

  /// Once it is spent: what to say of it. Nothing more may be lowered then.
  const std::optional<Diagnostic>& spent() const { return spent_; }

 private:
  void spend(const Uses::value_type& use, const std::string& on, uint64_t limit);

  std::string model_name_;
  uint64_t size_ = 0;  ///< nodes of the model, with those of its functions and subgraphs
  uint64_t max_bodies_ = 0, max_nodes_ = 0;
  uint64_t bodies_ = 0, nodes_ = 0;
  uint32_t factor_;
  Uses uses_;
  std::vector<Uses::value_type*> open_;  ///< innermost last; the first is the model's graph
  std::optional<Diagnostic> spent_;
};

}  // namespace onnx2fx::conversion

#endif
