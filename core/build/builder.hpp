// Writes FX programs while nodes are being lowered: the values of a conversion, the stack of open
// programs, captures, symbolic ints made into nodes where they are used, and the undo of a
// transaction. Knows no ONNX operator and no plugin.
#ifndef ONNX2FX_CORE_BUILD_BUILDER_HPP_
#define ONNX2FX_CORE_BUILD_BUILDER_HPP_

#include <onnx2fx/plugin.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/build/names.hpp"
#include "core/fx/schema.hpp"
#include "core/include/onnx2fx/program.hpp"
#include "core/shapes/host_error.hpp"
#include "core/shapes/type_rules.hpp"

namespace onnx {
class SparseTensorProto;
class TensorProto;
class TypeProto;
}  // namespace onnx

namespace onnx2fx::conversion {

enum class ValueSource : uint8_t {
  kDead,    ///< of an undone transaction
  kNode,    ///< result of an FX node of `program`
  kTensor,  ///< initializer, Constant, or constant(): `tensor`
  kList,    ///< written in place: `items`
  kNone,    ///< the empty optional
  kInts,    ///< an integer tensor of which only `ints` exists until somebody uses it as a tensor
  kNumber   ///< a Python int, or bool: `ints` holds one Sym
};

/// A tensor whose bytes lie in a file that does not exist.
struct Absent {
  std::string tensor, file;
};

struct Value {
  ValueSource source = ValueSource::kDead;
  uint32_t program = 0, node = 0;  ///< kNode
  uint32_t tensor = 0;             ///< kTensor
  std::vector<ValueId> items;      ///< kList
  Type type;
  /// Elements of a small integer (or bool) tensor in C order, as far as they are known.
  std::optional<std::vector<MaybeSym>> ints;
  /// Likewise of a small float tensor; see core/shapes/real.hpp.
  std::optional<std::vector<MaybeSym>> reals;
  /// The value of unknown rank whose Shape this is; 0: none.
  ValueId shape_of = 0;
  /// Why they are not: the small integer tensor that they are, or are computed from.
  std::shared_ptr<const Absent> absent;
  bool after_fault = false;                       ///< comes from a node that could not be lowered
  std::shared_ptr<onnx::TypeProto> proto;         ///< cache of infer
  std::shared_ptr<onnx::TensorProto> data_proto;  ///< cache of infer: literal ints as a tensor
};

/// Whether the elements of a value are tracked, and all literals.
bool is_literal(const SymTable& syms, const Value& v);
/// Those of one that is, as ONNX packs them.
std::string packed_literals(const SymTable& syms, const Value& v);

struct TensorEntry;
/// A constant of the elements of one that is; its extents are literals.
TensorEntry constant_of(const SymTable& syms, const Value& v, const std::string& name);

/// A tensor that the module may hold.
struct TensorEntry {
  std::string name;
  int32_t dtype = 0;  ///< ONNX
  std::vector<int64_t> dims;
  const onnx::TensorProto* proto = nullptr;         ///< of the model
  const onnx::SparseTensorProto* sparse = nullptr;  ///< of the model; `bytes` once they are needed
  std::shared_ptr<const std::string> bytes;         ///< else made by a lowering; ONNX packing
  int32_t role = O2FX_ROLE_DEFAULT;                 ///< strongest claim so far
  std::string identity;    ///< of one made by a lowering: equal ones of one identity are one
  std::string part_of;     ///< of a parameter made by a lowering: the tensor that it is cut out of
  bool in_node = false;    ///< of the model, in an attribute of a node
  std::string mutated_by;  ///< node that claimed MUTATED
  int uses = 0;            ///< in the model, by name

  int64_t count() const {
    int64_t n = 1;
    for (const int64_t d : dims) n *= d;
    return n;
  }
};

struct OpenProgram {
  fx::Program program;  ///< nodes in order of emission; placeholders anywhere until laid out
  std::vector<uint32_t> formals;  ///< nodes
  std::vector<ValueId> formal_values;
  struct Capture {
    ValueId outer;
    uint32_t node;
  };
  std::vector<Capture> captures;
  enum class State : uint8_t { kOpen, kEnded, kClosed } state = State::kOpen;
  fx::Argument result;
  std::vector<Type> returns;  ///< types of the results, once ended
  NameSet names;

  // Caches; `log` holds what was added, newest last, for the undo.
  std::unordered_map<ValueId, uint32_t> tensors;      ///< tensor index -> get_attr node (root only)
  std::unordered_map<std::string, uint32_t> numbers;  ///< text of a Sym -> node
  std::unordered_map<ValueId, uint32_t> materialised;  ///< kInts value -> node
  std::unordered_map<AtomId, std::pair<uint32_t, int64_t>>
      local_dims;  ///< atom -> placeholder node, axis
  std::vector<std::function<void(OpenProgram&)>> log;
};

/// What the nodes emitted from now on belong to, and what they may call.
struct EmitContext {
  std::shared_ptr<const fx::Provenance> provenance;
  std::string name_base;
  /// A torch target outside the tables is accepted if this says so (a pack's torch_targets).
  std::function<bool(const std::string&)> allow_target;
  /// Values that stand for others in the running lowering (a tensor's own copy).
  std::map<ValueId, ValueId> replaced;
  ValueId first_own = 0;  ///< values before it were there when the lowering began
};

/// Arithmetic on Python numbers, operator::getitem among it.
bool is_number_target(const std::string& target);
/// A higher-order operator, or a leaf that takes programs.
bool runs_programs(const std::string& target);

class Builder {
 public:
  Builder();

  SymTable syms;

  // ---- values
  /// Throws HostError(E_INVALID) for a stale or foreign id.
  Value& value(ValueId id);
  const Type& type(ValueId id) { return value(id).type; }
  /// False once the transaction that made it was undone.
  bool alive(ValueId id) const {
    return id && id < values_.size() && values_[id].source != ValueSource::kDead;
  }
  /// Whether it, or all that its sizes are made of, belongs to one of the first `depth` programs.
  bool is_visible(ValueId id, size_t depth);
  bool is_visible(const Sym& s, size_t depth);
  /// Is this program one of the first `depth` open ones?
  bool visible(uint32_t program, size_t depth) const {
    for (size_t i = 0; i < depth && i < stack_.size(); i++)
      if (stack_[i] == program) return true;
    return false;
  }
  ValueId add(Value v);
  ValueId add_tensor(TensorEntry entry);
  ValueId tensor_value(uint32_t tensor, Type type);
  std::deque<TensorEntry>& tensors() { return tensors_; }
  ValueId add_ints(std::vector<MaybeSym> ints, Type type);
  /// Equal sizes are one value: a lowering compares ids.
  ValueId add_number(const Sym& s, uint32_t kind = O2FX_KIND_INT);
  ValueId add_list(std::vector<ValueId> items);
  ValueId add_none();
  /// The extent of an axis: a literal or a Sym of an atom bound to this value.
  Sym dim(ValueId id, int64_t axis);
  /// Elements of an integer tensor; unknown ones become element atoms if `read_data`. nullopt:
  /// length unknown or, without read_data, an element unknown.
  std::optional<std::vector<Sym>> ints(ValueId id, bool read_data);

  // ---- programs
  uint32_t current() const { return stack_.back(); }
  size_t depth() const { return stack_.size(); }
  OpenProgram& program(uint32_t index) { return programs_[index]; }
  size_t n_programs() const { return programs_.size(); }
  void begin(const std::string& name_hint);
  ValueId placeholder(const std::string& name_hint, const Type& type);
  uint32_t end(const o2fx_arg& result);
  /// The captured outer values, in the order in which every program now takes them.
  std::vector<ValueId> close(std::span<const uint32_t> programs);

  // ---- nodes
  EmitContext context;
  /// Called before each node that is made; may throw.
  std::function<void()> on_append;
  /// Checks and appends one call; returns its results (see o2fx_emit.n_unpack).
  std::vector<ValueId> emit(const o2fx_emit& call);
  /// Node reference for a value in the current program: get_attr, capture, materialised ints...
  fx::Argument argument(ValueId id);
  fx::Argument argument(const o2fx_arg& a, int depth = 0);
  fx::Argument argument(const Sym& s);
  fx::Node* node_of(ValueId id);
  struct Unknown {
    std::string why;                   ///< "its rank is not known: ..."
    std::optional<size_t> input = {};  ///< of the model, that has no shape
  };
  /// Which node left the type of a value open, and whose; nothing: it is known, or it is no node's.
  Unknown describe_unknown(ValueId id);

  // ---- transactions: see Transaction
  struct Mark {
    size_t values, programs, undo;
    std::vector<uint32_t> stack;
    struct ProgramMark {
      uint32_t program;
      size_t nodes, captures, log;
    };
    std::vector<ProgramMark> open;
  };
  Mark mark() const;
  void rollback(const Mark& m);
  /// To be undone by rollback.
  void on_undo(std::function<void()> f) { undo_.push_back(std::move(f)); }

  /// Lays out all programs that the root reaches: placeholders first, output last. `outputs` are
  /// values of the root.
  std::vector<fx::Program> finish(const std::vector<ValueId>& outputs, bool single);

 private:
  uint32_t append(uint32_t program, fx::Node node);
  std::string unique_name(OpenProgram& p, const std::string& hint);
  fx::NodeRef reference(size_t level, ValueId id);
  fx::NodeRef capture(size_t level, ValueId id);
  fx::NodeRef tensor_node(size_t level, ValueId id);
  fx::NodeRef materialise(size_t level, ValueId id);
  fx::Argument number(size_t level, const Sym& s);
  fx::Argument product_of(size_t level, const std::vector<AtomId>& factors, int64_t scale);
  fx::Argument truth(size_t level, const Sym& s);
  fx::NodeRef truth_node(size_t level, const Sym& s);
  fx::NodeRef atom_node(size_t level, AtomId a);
  fx::Argument real_number(size_t level, const Real& x);
  fx::NodeRef call_at(size_t level, const std::string& target, std::vector<fx::Argument> args,
                      std::vector<fx::NamedArgument> kwargs = {});
  fx::Argument argument_at(size_t level, ValueId id);
  std::optional<ValueId> anchor_of(const Sym& s);
  void check_arguments(const fx::Schema& schema, const o2fx_emit& call);
  bool fits(const o2fx_arg& a, const fx::SchemaType& t, bool element);
  /// Whether it is a tensor known to hold strings, or known to hold something else; of a list:
  /// whether one is.
  bool is_tensor_of(const o2fx_arg& a, bool strings);
  /// The argument, or the element of the list, that does not fit and that the lowering was given.
  const o2fx_arg* given_misfit(const o2fx_arg& a, const fx::SchemaType& t, bool element = false);
  std::string describe(const o2fx_arg& a);
  void check_operands(const o2fx_emit& call, const std::string& target);
  // number_operators.cpp
  bool is_number(const o2fx_arg& a);
  bool is_sequence(const o2fx_arg& a);
  void check_numbers(const std::string& target, const o2fx_emit& call);
  std::optional<ValueId> fold_number(const std::string& target, const o2fx_emit& call);
  bool is_state(const o2fx_arg& a);
  bool writes_state_alone(const fx::Schema& schema, const o2fx_emit& call);
  const fx::Schema* check_target(const std::string& target, const o2fx_emit& call);
  std::optional<ValueId> fold(const std::string& target, const o2fx_emit& call);
  uint32_t append_call(const std::string& target, const o2fx_emit& call);
  ValueId add_result(uint32_t node, Type type);
  std::vector<ValueId> unpack(uint32_t node, const Returned& result, bool list, uint32_t n);

  // result_types.cpp
  /// Extents that nobody knows become atoms of the value.
  const Type& completed_type(ValueId id);
  Operand operand(ValueId id);
  Operand operand(const o2fx_arg& a);
  Type seen_outside(Type type);
  Types types_of(const o2fx_arg& list);
  Types returns_of(const o2fx_arg& program);
  /// Of a program that runs once a step: `carried` values go in from formal `formal` on and come
  /// out from result `result` on. An extent that no step changes is the one of the first step.
  Types step_returns(const o2fx_arg& program, const Types& carried, size_t formal, size_t result);
  const OpenProgram& program_of(const o2fx_arg& a);
  void check_carried(const o2fx_arg& program, size_t n, size_t formal, size_t result);
  Types scan_result(const std::vector<o2fx_arg>& arguments);
  Types loop_result(const std::vector<o2fx_arg>& arguments);
  Types program_result(const std::string& target, const fx::Schema* schema, const o2fx_emit& call);
  Returned call_result(const fx::Schema& schema, const o2fx_emit& call);
  Returned result_types(const std::string& target, const fx::Schema* schema, const o2fx_emit& call);
  const fx::Node* untyped_by(ValueId id);
  static Type raw_type(const Returned& result, bool list);

  void type_nodes();

  std::deque<Value> values_;
  std::unordered_map<std::string, ValueId> numbers_;  ///< maybe dead
  std::deque<TensorEntry> tensors_;
  std::deque<OpenProgram> programs_;
  std::vector<uint32_t> stack_;
  std::vector<std::function<void()>> undo_;
};

/// What is done to the program while it lives is undone at its end, unless committed. The builder
/// emits in `context` meanwhile, and in its former one afterwards.
class Transaction {
 public:
  Transaction(Builder& builder, EmitContext context)
      : builder_(builder), mark_(builder.mark()), former_(std::move(builder.context)) {
    builder.context = std::move(context);
    builder.context.first_own = mark_.values;
  }
  ~Transaction() {
    if (!committed_) builder_.rollback(mark_);
    builder_.context = std::move(former_);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() { committed_ = true; }

 private:
  Builder& builder_;
  Builder::Mark mark_;
  EmitContext former_;
  bool committed_ = false;
};

}  // namespace onnx2fx::conversion

#endif
