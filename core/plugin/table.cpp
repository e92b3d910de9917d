#include "core/plugin/table.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/plugin/table_head.hpp"
#include "core/plugin/weight_table.hpp"

namespace onnx2fx::plugin {
namespace {

bool is_utf8(std::string_view s) {
  for (size_t i = 0; i < s.size();) {
    const auto lead = static_cast<unsigned char>(s[i]);
    const size_t n = lead < 0x80                   ? 1
                     : lead >= 0xC2 && lead < 0xE0 ? 2
                     : lead >= 0xE0 && lead < 0xF0 ? 3
                     : lead >= 0xF0 && lead < 0xF5 ? 4
                                                   : 0;
    if (n == 0 || i + n > s.size()) return false;
    for (size_t k = 1; k < n; k++)
      if ((static_cast<unsigned char>(s[i + k]) & 0xC0) != 0x80) return false;
    i += n;
  }
  return true;
}

bool is_name(o2fx_str s, bool may_be_empty) {
  if (s.len == 0) return may_be_empty;
  return s.data && s.len <= O2FX_MAX_NAME && is_utf8({s.data, s.len});
}
std::string text(o2fx_str s) { return std::string(s.data, s.len); }

class TableCheck {
 public:
  TableCheck(const o2fx_plugin& table, std::string where)
      : where_(std::move(where)), table_(table) {}

  o2fx_plugin run() {
    names();
    if (faults_.empty()) op_rows();
    if (!faults_.empty()) throw PluginError(std::move(faults_));
    return table_;
  }

 private:
  void fault(const std::string& what) { faults_.push_back({Severity::kError, where_, what, {}}); }

  void names() {
    if (!is_name(table_.id, false)) fault("id: expected a name in UTF-8, got none");
    if (!is_name(table_.version, false)) fault("version: expected a version in UTF-8, got none");
    if (table_.n_ops > O2FX_MAX_OPS)
      fault("n_ops: expected at most " + std::to_string(O2FX_MAX_OPS) + " rows, got " +
            std::to_string(table_.n_ops));
    if (table_.n_ops && !table_.ops)
      fault("ops: expected " + std::to_string(table_.n_ops) + " rows, got NULL");
    if (table_.n_ops && (table_.op_size < sizeof(o2fx_op) || table_.op_size % 8 ||
                         table_.op_size > O2FX_MAX_STRUCT))
      fault("op_size: expected a multiple of 8 from " + std::to_string(sizeof(o2fx_op)) + " to " +
            std::to_string(O2FX_MAX_STRUCT) + ", got " + std::to_string(table_.op_size));
  }
  void op_rows() {
    std::map<std::tuple<std::string, std::string, int32_t>, uint32_t> seen;
    uint32_t i = 0;
    for (const o2fx_op* op : rows(table_)) {
      const std::string at = "op row " + std::to_string(i);
      if (!is_name(op->domain, true) || !is_name(op->op_type, false)) {
        fault(at + ": expected domain and op_type in UTF-8, got something else");
      } else {
        row(*op, at + " (" + shown(domain_of(text(op->domain)), text(op->op_type)) + ")");
        const auto [first, is_new] =
            seen.try_emplace({domain_of(text(op->domain)), text(op->op_type), op->since_opset}, i);
        if (!is_new)
          fault(at + " (" + shown(domain_of(text(op->domain)), text(op->op_type)) +
                "): since_opset " + std::to_string(op->since_opset) + " already stands in row " +
                std::to_string(first->second));
      }
      i++;
    }
  }
  void row(const o2fx_op& op, const std::string& at) {
    if (op.since_opset < 1)
      fault(at + ": since_opset: expected at least 1, got " + std::to_string(op.since_opset));
    if (op.until_opset != 0 && op.until_opset < op.since_opset)
      fault(at + ": until_opset: expected 0 or at least " + std::to_string(op.since_opset) +
            ", got " + std::to_string(op.until_opset));
    if (op.flags || op.reserved) fault(at + ": flags and reserved: expected 0, got another value");
    if (!op.lower) fault(at + ": lower: expected a function, got NULL");
  }

  std::string where_;
  o2fx_plugin table_;
  std::vector<Diagnostic> faults_;
};

std::string row_text(const std::string& domain, const std::string& op_type, int32_t since,
                     int32_t until) {
  return shown(DescribedOp{domain, op_type, since, until});
}

}  // namespace

o2fx_plugin accepted_table(const o2fx_plugin* table, const std::string& where,
                           uint32_t host_minor) {
  return TableCheck(readable_table(table, where, host_minor), where).run();
}

std::vector<const o2fx_op*> rows(const o2fx_plugin& table) {
  std::vector<const o2fx_op*> r(table.n_ops);
  for (uint32_t i = 0; i < table.n_ops; i++)
    r[i] = reinterpret_cast<const o2fx_op*>(reinterpret_cast<const char*>(table.ops) +
                                            size_t{i} * table.op_size);
  return r;
}

Descriptor describe(const o2fx_plugin& table) {
  Descriptor d;
  d.id = text(table.id);
  d.version = text(table.version);
  d.abi_major = table.abi_major;
  d.abi_min_minor = table.abi_min_minor;
  for (const o2fx_op* op : rows(table))
    d.ops.push_back(
        {domain_of(text(op->domain)), text(op->op_type), op->since_opset, op->until_opset});
  d.schemes = schemes(accepted_weights(table, "plugin " + d.id));
  return d;
}

void require_agreement(const o2fx_plugin& table, const Descriptor& descriptor) {
  std::vector<Diagnostic> faults;
  const auto fault = [&](const std::string& what) {
    faults.push_back(
        {Severity::kError, descriptor.library, what, {"the descriptor is " + descriptor.file}});
  };
  const Descriptor own = describe(table);
  if (own.id != descriptor.id)
    fault("id: expected '" + descriptor.id + "' as in the descriptor, got '" + own.id + "'");
  if (own.version != descriptor.version)
    fault("version: expected " + descriptor.version + " as in the descriptor, got " + own.version);
  const auto compare = [&](const char* what, auto row_texts) {
    std::map<std::string, int> balance;
    for (const std::string& row : row_texts(descriptor)) balance[row]++;
    for (const std::string& row : row_texts(own)) balance[row]--;
    std::string missing, extra;
    for (const auto& [name, n] : balance) {
      if (n > 0) missing += (missing.empty() ? "" : ", ") + name;
      if (n < 0) extra += (extra.empty() ? "" : ", ") + name;
    }
    const std::string kind = what;
    if (!missing.empty())
      fault(kind + ": the descriptor promises what the library lacks: " + missing);
    if (!extra.empty())
      fault(kind + ": the library has what the descriptor does not say: " + extra);
  };
  // Rows in the same order, as onnx2fx_describe writes them, are compared without their texts.
  const auto same = [](const DescribedOp& a, const DescribedOp& b) {
    return std::tie(a.domain, a.op_type, a.since, a.until) ==
           std::tie(b.domain, b.op_type, b.since, b.until);
  };
  if (!std::ranges::equal(own.ops, descriptor.ops, same))
    compare("ops", [](const Descriptor& d) {
      std::vector<std::string> all;
      for (const DescribedOp& op : d.ops)
        all.push_back(row_text(op.domain, op.op_type, op.since, op.until));
      return all;
    });
  compare("weights", [](const Descriptor& d) {
    std::vector<std::string> all;
    for (const DescribedScheme& scheme : d.schemes) {
      all.push_back(scheme.name + (scheme.reads_file ? "" : " (without a file)"));
      for (const std::string& suffix : scheme.suffixes)
        all.push_back(scheme.name + " (" + suffix + ")");
    }
    return all;
  });
  if (!faults.empty()) throw PluginError(std::move(faults));
}

}  // namespace onnx2fx::plugin
