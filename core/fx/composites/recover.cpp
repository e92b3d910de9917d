// Finds what patterns define and writes the calls that they stand for. Linear in the program: each
// body is tried only near the rarest call that it needs.
#include "core/fx/recover.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "core/fx/composites/head.hpp"
#include "core/fx/composites/matcher.hpp"
#include "core/fx/composites/pattern.hpp"
#include "core/fx/composites/program_terms.hpp"
#include "core/fx/name_set.hpp"
#include "core/fx/provenance.hpp"
#include "core/fx/scopes.hpp"

namespace onnx2fx::fx {
namespace composites {
namespace {

using Kind = Term::Kind;
using NodesByName = std::unordered_map<std::string_view, std::vector<uint32_t>>;

constexpr size_t kMostAbove = 48;  // nodes tried for one anchor
constexpr uint32_t kMostInside = 256;
constexpr std::string_view kHeavy[] = {"matmul", "softmax", "dropout", "conv1d",
                                       "conv2d", "conv3d",  "linear"};

/// "torch.ops.aten.gelu.default" of the text of an FX node.
std::string_view target_in(std::string_view text) {
  constexpr std::string_view kTarget = "call_function[target=";
  const size_t at = text.find(kTarget);
  if (at == std::string_view::npos) return text;
  const size_t begin = at + kTarget.size();
  return text.substr(begin, text.find(']', begin) - begin);
}

/// A step on the way to the value of an FX node, "val_12": where two calls have it in common, the
/// exporter's optimiser left that of the first.
bool is_shared(const Node& n) {
  return n.onnx && !n.onnx->outputs.empty() && n.onnx->outputs[0].starts_with("val_");
}

/// A call that every reading of a body has, and how many calls may lie between it and the last.
struct Needed {
  std::string_view name;
  size_t height;
};
constexpr size_t kSpelled = 3;  // a sum or product in a program, with numbers on both sides

struct Body {
  const Pattern* pattern;
  TermRef term;
  std::vector<Needed> calls;

  void need(std::string_view name, size_t height) {
    const auto same = std::ranges::find(calls, name, &Needed::name);
    if (same == calls.end())
      calls.push_back({name, height});
    else
      same->height = std::max(same->height, height);
  }
  void need(TermRef t, size_t height) {
    if (t->kind == Kind::kLet) return need(pattern->lets[t->index].second, height);
    if (need_not_be_called(*t)) return;
    if (t->kind == Kind::kCall) need(t->name, height);
    // "p | where(isnan(p), 0, p)": what the first is, the others have too.
    if (t->kind == Kind::kOneOf) return need(t->children[0], height + 2);
    for (TermRef c : t->children) need(c, height + 1);
    for (const Part& p : t->parts) {
      if (p.number == -0.5 && p.term->kind == Kind::kTensor) need("sqrt", height + 1);
      need(p.term, height + kSpelled);
    }
  }
};

const std::vector<Body>& bodies() {
  static const std::vector<Body> kAll = [] {
    std::vector<Body> all;
    for (const Pattern& p : patterns()) {
      for (TermRef term : p.bodies) {
        all.push_back({&p, term, {}});
        all.back().need(term, 0);
      }
    }
    return all;
  }();
  return kAll;
}

struct Found {
  const Pattern* pattern;
  uint32_t root;
  std::unordered_set<uint32_t> inside;  ///< with the root
  std::vector<Node> call;
};

class Recovery {
 public:
  Recovery(Program& program, const ConstantNumbers& numbers)
      : program_(program), terms_(program, numbers) {}

  /// Near the rarest call of the body, all of whose calls are there.
  void find(const Body& body, const NodesByName& nodes) {
    const auto count = [&](const Needed& n) { return nodes.at(n.name).size(); };
    const Needed& rarest = *std::ranges::min_element(body.calls, {}, count);
    std::unordered_set<uint32_t> tried;
    for (uint32_t anchor : nodes.at(rarest.name)) climb(body, anchor, rarest.height, tried);
  }

  /// The largest first; of those that overlap at their roots one is left.
  void write(std::map<std::string, uint32_t>& counts) {
    std::ranges::stable_sort(found_, [](const Found& a, const Found& b) {
      return a.inside.size() != b.inside.size() ? a.inside.size() > b.inside.size()
                                                : a.root > b.root;
    });
    std::unordered_set<uint32_t> taken;
    std::unordered_map<uint32_t, const Found*> at;
    for (const Found& f : found_) {
      if (taken.contains(f.root)) continue;
      taken.insert(f.inside.begin(), f.inside.end());
      at[f.root] = &f;
      counts[f.pattern->name]++;
    }
    if (!at.empty()) rewrite(at);
  }

 private:
  /// Tries the anchor and its readers.
  void climb(const Body& body, uint32_t anchor, size_t height,
             std::unordered_set<uint32_t>& tried) {
    std::vector<uint32_t> level{anchor};
    std::unordered_set<uint32_t> seen;
    for (size_t at = 0; at <= height && !level.empty(); at++) {
      std::vector<uint32_t> above;
      for (uint32_t i : level) {
        if (seen.size() == kMostAbove || !seen.insert(i).second) continue;
        if (tried.insert(i).second) match(body, i);
        for (uint32_t user : terms_.users(i))
          if (!call_name(terms_.node(user)).empty()) above.push_back(user);
      }
      level = std::move(above);
    }
  }

  void match(const Body& body, uint32_t root) {
    Found found{body.pattern, root, {}, {}};
    const auto accepts = [&](const Bindings& bindings) {
      found.inside = inside(*body.pattern, root, bindings);
      if (found.inside.empty()) return false;
      const Head head(program_, *body.pattern, bindings, is_stated(found.inside));
      if (!head.holds()) return false;
      found.call = head.call();
      return !found.call.empty();
    };
    if (Matcher(terms_, *body.pattern).match(body.term, root, accepts))
      found_.push_back(std::move(found));
  }

  /// The nodes between what the variables stand for and the root. Empty: the call would not take
  /// their place: work would be done twice, or the author wrote them as several calls.
  std::unordered_set<uint32_t> inside(const Pattern& pattern, uint32_t root,
                                      const Bindings& bindings) const {
    std::unordered_set<uint32_t> outside;
    for (size_t i = 0; i < pattern.variables.size(); i++)
      if (bindings[i])
        for_each_ref(bindings[i]->argument,
                     [&](NodeRef r) { outside.insert(terms_.first(r.index)); });
    std::unordered_set<uint32_t> all{root};
    std::vector<uint32_t> todo{root};
    while (!todo.empty()) {
      const Node& n = terms_.node(todo.back());
      todo.pop_back();
      for_each_ref(n, [&](NodeRef r) {
        const Node& part = terms_.node(r.index);
        const bool size = part.type.dtype.empty();
        if (part.op == Op::kCallFunction && !size && !outside.contains(terms_.first(r.index)) &&
            all.insert(r.index).second)
          todo.push_back(r.index);
      });
      if (all.size() > kMostInside) return {};
    }
    return stands_alone(root, all) ? all : std::unordered_set<uint32_t>();
  }

  bool stands_alone(uint32_t root, const std::unordered_set<uint32_t>& all) const {
    if (!is_one_call(all)) return false;
    std::optional<std::string> scope;  // the module that made it
    for (uint32_t i : all) {
      const Node& n = terms_.node(i);
      const auto stack = n.onnx && !is_shared(n) ? frames(*n.onnx) : std::nullopt;
      const std::string path = stack && !stack->empty() ? stack->back().path : "";
      if (stack && scope.value_or(path) != path) return false;
      if (stack) scope = path;
      if (i == root || !std::ranges::count(kHeavy, call_name(n))) continue;
      if (!std::ranges::all_of(terms_.users(i), [&](uint32_t u) { return all.contains(u); }))
        return false;
    }
    return true;
  }

  /// Of the author's model, as far as the exporter says it.
  bool is_one_call(const std::unordered_set<uint32_t>& all) const {
    const std::string* call = nullptr;
    for (const bool shared : {false, true})
      for (uint32_t i : all) {
        const std::string* said = exported_from(terms_.node(i));
        if (!said || is_shared(terms_.node(i)) != shared) continue;
        if (call && *said != *call && !(shared && target_in(*said) == target_in(*call)))
          return false;
        if (!call) call = said;
      }
    return true;
  }

  bool is_stated(const std::unordered_set<uint32_t>& all) const {
    return std::ranges::all_of(all, [&](uint32_t i) { return exported_from(terms_.node(i)); });
  }

  void rewrite(const std::unordered_map<uint32_t, const Found*>& at) {
    const auto size = static_cast<uint32_t>(program_.nodes.size());
    std::vector<uint32_t> place(size);
    std::vector<Node> nodes;
    NameSet names;
    for (const Node& n : program_.nodes) names.claim(n.name);
    for (uint32_t i = 0; i < size; i++) {
      Node n = std::move(program_.nodes[i]);
      const auto found = at.find(i);
      if (found == at.end()) {
        place[i] = append(nodes, std::move(n), place, {});
        continue;
      }
      std::vector<uint32_t> own;
      for (const Node& part : found->second->call) {
        const bool last = &part == &found->second->call.back();
        Node made = part;
        made.name = last ? n.name : names.claim(n.name);
        made.onnx = n.onnx;
        if (last) made.meta = n.meta, made.type = n.type;
        own.push_back(append(nodes, std::move(made), place, own));
      }
      place[i] = own.back();
    }
    program_.nodes = std::move(nodes);
  }

  static uint32_t append(std::vector<Node>& nodes, Node n, const std::vector<uint32_t>& place,
                         const std::vector<uint32_t>& own) {
    for_each_ref(n, [&](NodeRef& r) {
      r.index = r.index < place.size() ? place[r.index] : own[r.index - place.size()];
    });
    nodes.push_back(std::move(n));
    return static_cast<uint32_t>(nodes.size() - 1);
  }

  Program& program_;
  ProgramTerms terms_;
  std::vector<Found> found_;
};

/// Of the calls that some body needs.
NodesByName nodes_by_name(const Program& program) {
  NodesByName nodes;
  for (const Body& body : bodies())
    for (const Needed& n : body.calls) nodes[n.name];
  for (uint32_t i = 0; i < program.nodes.size(); i++)
    if (const auto n = nodes.find(call_name(program.nodes[i])); n != nodes.end())
      n->second.push_back(i);
  std::erase_if(nodes, [](const auto& n) { return n.second.empty(); });
  return nodes;
}

}  // namespace
}  // namespace composites

void recover_composites(Module& module, const ConstantNumbers& numbers) {
  for (Program& program : module.programs) {
    const composites::NodesByName nodes = composites::nodes_by_name(program);
    std::optional<composites::Recovery> recovery;  // most programs have no such calls
    for (const composites::Body& body : composites::bodies()) {
      const auto is_there = [&](const composites::Needed& n) { return nodes.contains(n.name); };
      if (!std::ranges::all_of(body.calls, is_there)) continue;
      if (!recovery) recovery.emplace(program, numbers);
      recovery->find(body, nodes);
    }
    if (recovery) recovery->write(module.recovered);
  }
}

}  // namespace onnx2fx::fx
