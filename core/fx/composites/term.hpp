// Formulas in a normal form in which spelling is gone: x / 2, 0.5 * x and x * 0.5 are one product.
// Both sides of a match are terms: what a pattern's text says, and what a program computes.
#ifndef ONNX2FX_CORE_FX_COMPOSITES_TERM_HPP_
#define ONNX2FX_CORE_FX_COMPOSITES_TERM_HPP_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/include/onnx2fx/program.hpp"

namespace onnx2fx::fx::composites {

struct Term;
/// Lives as long as the Terms that made it.
using TermRef = const Term*;

/// A factor and its exponent, or a summand and its coefficient.
struct Part {
  TermRef term;
  double number;
};

struct Term {
  enum class Kind : uint8_t {
    kNumber,
    kNode,     ///< of a program
    kProduct,  ///< number * parts[0] ** its number * ...
    kSum,      ///< number + its number * parts[0] + ...
    kCall,     ///< name(children)
    // of patterns alone
    kTensor,   ///< a variable that a node binds to
    kScalar,   ///< one that a number binds to
    kLet,      ///< the pattern's own name for a term
    kOneOf,    ///< of its children
    kList,     ///< children
    kLiteral,  ///< true, false, none, training, "text"
    kAnything
  };
  Kind kind = Kind::kNumber;
  double number = 0;
  std::vector<Part> parts;  ///< by `compare`
  std::vector<TermRef> children;
  std::string name;  ///< of a call, without "aten::" and overload; of a keyword in `keywords`
  std::vector<std::pair<std::string, TermRef>> keywords;  ///< of a call
  uint32_t index = 0;  ///< of a node in its program; of a variable or let in its pattern
  std::optional<uint32_t> origin;  ///< of a sum or product: the node that is all of it
  bool optional = false;  ///< tensor: may be absent from the sum or product that it stands in
  Argument literal;
};

/// A total order; 0: the same formula.
int compare(const Term& a, const Term& b);
/// Whether two numbers of formulas mean the same one: exporters write them as float32.
bool close(double a, double b);

/// Makes terms and owns them.
class Terms {
 public:
  TermRef make(Term term) { return &terms_.emplace_back(std::move(term)); }
  TermRef number(double value);
  TermRef node(uint32_t index);
  /// Null where the algebra would lose something: x / x, 0 * x, a root of a product.
  TermRef product(double front, const std::vector<Part>& factors);
  TermRef sum(double front, const std::vector<Part>& summands);

 private:
  std::deque<Term> terms_;
};

/// A term as a product or a sum: of one part, where it is none.
Term as_product(TermRef term);
Term as_sum(TermRef term);

}  // namespace onnx2fx::fx::composites

#endif
