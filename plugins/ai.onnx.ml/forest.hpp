// Ensembles of decision trees as tensor programs: all rows walk all trees at once, one step for
// each level, by look-ups in tables of the nodes. Every leaf leads to itself, so a walk that has
// arrived stays.
#ifndef ONNX2FX_PLUGINS_AI_ONNX_ML_FOREST_HPP_
#define ONNX2FX_PLUGINS_AI_ONNX_ML_FOREST_HPP_

#include <onnx2fx/plugin.hpp>

namespace onnx2fx {

/// TreeEnsemble's node modes.
enum class Mode : int64_t { kLeq, kLt, kGte, kGt, kEq, kNeq, kMember };

/// Nodes are numbered: the branches, then the leaves.
struct Forest {
  struct Branch {
    int64_t feature = 0;
    Mode mode = Mode::kLeq;
    double split = 0;
    std::vector<double> members;  ///< of kMember
    bool nan_is_true = false;
    int64_t if_true = 0, if_false = 0;
  };
  struct Weight {
    int64_t leaf = 0, target = 0;
    double weight = 0;
  };
  std::vector<Branch> branches;
  int64_t leaves = 0;
  std::vector<int64_t> roots;
  std::vector<Weight> weights;
  int64_t targets = 1;
  bool is_double = false;  ///< splits or weights are given in double

  int64_t nodes() const { return static_cast<int64_t>(branches.size()) + leaves; }
};

/// The forest of TreeEnsembleClassifier and TreeEnsembleRegressor; `prefix` is "class" or
/// "target". Its targets are for the caller to set.
Forest read_forest(Node& n, const std::string& prefix);
/// The forest of TreeEnsemble.
Forest read_ensemble(Node& n);

enum class Aggregate { kAverage, kSum, kMin, kMax };

/// What the trees say of each row.
class Verdict {
 public:
  /// Walks; x is [N, F].
  Verdict(Node& n, const Forest& forest, Value x, int32_t dtype);
  /// [N, targets]; 0 for a target that no leaf on the way has a weight for.
  Value aggregated(Aggregate how);
  /// [N, targets]: whether a leaf on the way has a weight for the target; empty if always.
  Value present();

 private:
  bool always_present() const;
  bool one_target_per_tree() const;
  Value table_of_weights(double filling, int32_t role);
  Value sum();
  Value extreme(Aggregate how);

  Node& n_;
  const Forest& f_;
  int32_t dtype_;
  std::vector<std::vector<int64_t>> leaves_of_tree_;
  Value leaf_;  // [N, trees]
};

}  // namespace onnx2fx

#endif
