// Counts, lengths and numbers that cross the border (conventions 2, 11 and 12 of plugin.h): what is
// longer than it may be, not there, or unknown is refused with a text, and never read.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <onnx2fx/plugin.hpp>
#include <string>
#include <vector>

#include "core/include/onnx2fx/convert.hpp"
#include "core/plugin/registry.hpp"
#include "tests/core/models.hpp"

namespace onnx2fx {
namespace {

/// What the one operator, x.Op, does.
std::function<o2fx_status(const o2fx_host_api*, o2fx_ctx)> now;

o2fx_status lower_op(const o2fx_host_api* host, o2fx_ctx ctx, const void*) {
  return now(host, ctx);
}
constexpr o2fx_op kOps[] = {{O2FX_STR("x"), O2FX_STR("Op"), 1, 0, 0, 0, lower_op, nullptr}};
constexpr o2fx_plugin kPlugin = plugin_table("x.bounds", "1.0.0", kOps, 1);

Conversion convert_op(bool debug = false) {
  plugin::Options none;
  none.default_plugins = false;
  plugin::Registry registry(none);
  registry.add(&kPlugin);
  Options options;
  options.debug = debug;
  const auto model = test::model(
      "<ir_version: 8, opset_import: [\"\": 17, \"x\": 1]> g (float[4] a) => (float[4] y) { "
      "y = x.Op(a) }");
  return convert(std::make_shared<const std::string>(model.SerializeAsString()), "net.onnx", "",
                 options, &registry);
}

/// The text of the refusal, without where it was and whose fault it is.
std::string refusal(std::function<o2fx_status(const o2fx_host_api*, o2fx_ctx)> misuse) {
  now = std::move(misuse);
  std::string text = test::error_of([] { convert_op(); });
  const std::string where = "error: net.onnx: node 'y' (x.Op, opset 1): ",
                    fault = "\n  note: this is a fault of plugin x.bounds 1.0.0";
  if (!text.starts_with(where) || !text.ends_with(fault)) return text;
  return text.substr(where.size(), text.size() - where.size() - fault.size());
}

o2fx_str text(const std::string& s) { return {s.data(), s.size()}; }
const std::string kLong(O2FX_MAX_TEXT + 1, 'x');
constexpr const char* kTooLong = "expected at most 1048576 bytes, got 1048577";

o2fx_arg value(o2fx_value v) {
  o2fx_arg a{};
  a.tag = O2FX_T_VALUE;
  a.u.v = v;
  return a;
}
o2fx_arg list(const o2fx_arg* items, uint32_t n) {
  o2fx_arg a{};
  a.tag = O2FX_T_LIST;
  a.len = n;
  a.u.list = items;
  return a;
}

/// A call of relu with something wrong.
std::string emitting(const std::function<void(o2fx_emit&, o2fx_arg&)>& spoil) {
  return refusal([&](const o2fx_host_api* host, o2fx_ctx ctx) {
    o2fx_arg a = value(host->input(ctx, 0));
    o2fx_emit e{};
    e.struct_size = sizeof e;
    e.target = O2FX_STR("aten::relu");
    e.args = &a;
    e.n_args = 1;
    spoil(e, a);
    o2fx_value y = 0;
    if (const o2fx_status s = host->emit(ctx, &e, &y)) return s;
    return host->set_output(ctx, 0, y);
  });
}

}  // namespace

TEST(Bounds, TheCallItself) {
  EXPECT_EQ(emitting([](o2fx_emit&, o2fx_arg&) {}), "");
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) { e.struct_size = 8; }),
            "emit: struct_size: expected 72 to 65536, got 8");
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) { e.struct_size = uint64_t{1} << 40; }),
            "emit: struct_size: expected 72 to 65536, got 1099511627776");
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) { e.reserved = 7; }),
            "emit: reserved: expected 0, got 7");
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) { e.n_unpack = 5000; }),
            "emit: n_unpack: expected at most 4096, got 5000");
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) { e.n_args = 5000; }),
            "emit: args: expected at most 4096 elements, got 5000");
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) { e.n_kwargs = UINT32_MAX; }),
            "emit: kwargs: expected at most 4096 elements, got 4294967295");
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) { e.n_kwargs = 2; }),
            "emit: kwargs: expected 2 elements, got NULL");
}

TEST(Bounds, TextsOfACall) {
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) { e.target = text(kLong); }),
            std::string("emit: target: ") + kTooLong);
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) { e.target.len = UINT64_MAX; }),
            "emit: target: expected at most 1048576 bytes, got 18446744073709551615");
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) {
              e.target = {nullptr, 4};
            }),
            "emit: target: expected 4 bytes, got NULL");
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) { e.name_hint = text(kLong); }),
            std::string("emit: name_hint: ") + kTooLong);
  static const o2fx_named_arg keyword = {text(kLong), {}};
  EXPECT_EQ(emitting([](o2fx_emit& e, o2fx_arg&) {
              e.kwargs = &keyword;
              e.n_kwargs = 1;
            }),
            std::string("emit: kwargs: ") + kTooLong);
}

TEST(Bounds, Arguments) {
  EXPECT_EQ(emitting([](o2fx_emit&, o2fx_arg& a) { a = list(&a, O2FX_MAX_LIST + 1); }),
            "emit: args: expected at most 16777216 elements, got 16777217");
  EXPECT_EQ(emitting([](o2fx_emit&, o2fx_arg& a) { a = list(nullptr, 3); }),
            "emit: args: expected 3 elements, got NULL");
  EXPECT_EQ(emitting([](o2fx_emit&, o2fx_arg& a) { a = list(&a, 1); }),
            "emit: args: expected lists at most 8 deep");
  for (const uint32_t tag : {O2FX_T_STR, O2FX_T_DEVICE, O2FX_T_LAYOUT, O2FX_T_MEMORY_FORMAT}) {
    EXPECT_EQ(emitting([tag](o2fx_emit&, o2fx_arg& a) {
                a.tag = tag;
                a.len = static_cast<uint32_t>(kLong.size());
                a.u.s = kLong.data();
              }),
              std::string("emit: args: ") + kTooLong);
    EXPECT_EQ(emitting([tag](o2fx_emit&, o2fx_arg& a) {
                a.tag = tag;
                a.len = 2;
                a.u.s = nullptr;
              }),
              "emit: args: expected 2 bytes, got NULL");
  }
}

TEST(Bounds, ArgumentsOfTheOtherSlots) {
  o2fx_arg endless{};
  endless = list(&endless, 1);
  const o2fx_arg absent = list(nullptr, 2);
  o2fx_value v = 0;
  o2fx_program p = 0;
  EXPECT_EQ(refusal([&](auto* h, auto c) { return h->in_place(c, &endless, &v); }),
            "in_place: expected lists at most 8 deep");
  EXPECT_EQ(refusal([&](auto* h, auto c) { return h->int_tensor(c, &absent, 7, &v); }),
            "int_tensor: expected 2 elements, got NULL");
  EXPECT_EQ(refusal([&](auto* h, auto c) {
              return h->set_meta(c, h->input(c, 0), O2FX_STR("k"), &absent);
            }),
            "set_meta: expected 2 elements, got NULL");
  EXPECT_EQ(refusal([&](auto* h, auto c) {
              if (const o2fx_status s = h->program_begin(c, O2FX_STR("p"))) return s;
              return h->program_end(c, &absent, &p);
            }),
            "program_end: result: expected 2 elements, got NULL");
}

TEST(Bounds, TextsOfTheOtherSlots) {
  const o2fx_str too_long = text(kLong);
  o2fx_attr_info attribute{};
  attribute.struct_size = sizeof attribute;
  o2fx_value v = 0;
  EXPECT_EQ(refusal([&](auto* h, auto c) { return h->attr(c, too_long, &attribute); }),
            std::string("attr: name: ") + kTooLong);
  EXPECT_EQ(refusal([&](auto* h, auto c) {
              return h->ignore_attr(c, {nullptr, 1});
            }),
            "ignore_attr: name: expected 1 bytes, got NULL");
  EXPECT_EQ(refusal([&](auto* h, auto c) { return h->annotate(c, O2FX_STR("k"), too_long); }),
            std::string("annotate: text: ") + kTooLong);
  EXPECT_EQ(refusal([&](auto* h, auto c) { return h->program_begin(c, too_long); }),
            std::string("program_begin: name_hint: ") + kTooLong);
  EXPECT_EQ(refusal([&](auto* h, auto c) {
              h->set_error(c, O2FX_E_INVALID, nullptr, 0, too_long);
              return O2FX_E_INVALID;
            }),
            std::string("set_error: message: ") + kTooLong);
  const std::vector<o2fx_str> names(5000, O2FX_STR("n"));
  const std::vector<o2fx_value> values(5000);
  EXPECT_EQ(refusal([&](auto* h, auto c) {
              return h->lower_between(c, names.data(), values.data(), 5000, O2FX_STR("y"), &v);
            }),
            "lower_between: from: expected at most 4096 elements, got 5000");
  EXPECT_EQ(refusal([&](auto* h, auto c) {
              return h->lower_between(c, names.data(), nullptr, 1, O2FX_STR("y"), &v);
            }),
            "lower_between: values: expected 1 elements, got NULL");
}

TEST(Bounds, TensorsAndPrograms) {
  o2fx_value v = 0;
  const std::vector<int64_t> dims(2000, 1);
  const o2fx_bytes high = {"", 1, 2, 2000, dims.data()};
  EXPECT_EQ(refusal([&](auto* h, auto c) { return h->constant(c, O2FX_STR("t"), &high, 0, &v); }),
            "constant: dims: expected at most 1024 elements, got 2000");
  const int64_t large[] = {int64_t{1} << 40, int64_t{1} << 40};
  const o2fx_bytes overflowing = {"", 1, 2, 2, large};
  EXPECT_EQ(
      refusal([&](auto* h, auto c) { return h->constant(c, O2FX_STR("t"), &overflowing, 0, &v); }),
      "constant 't': its dims overflow");
  o2fx_value_info info{};
  info.struct_size = sizeof info;
  info.rank = 2000;
  EXPECT_EQ(refusal([&](auto* h, auto c) { return h->set_value_info(c, h->input(c, 0), &info); }),
            "value info: rank: expected -1 to 1024, got 2000");
  info.struct_size = 4;
  EXPECT_EQ(refusal([&](auto* h, auto c) { return h->set_value_info(c, h->input(c, 0), &info); }),
            "value info: struct_size: expected 48 to 65536, got 4");
  const std::vector<o2fx_program> programs(5000);
  o2fx_arg captures{};
  EXPECT_EQ(refusal([&](auto* h, auto c) {
              return h->program_close(c, programs.data(), 5000, &captures);
            }),
            "program_close: programs: expected at most 4096 elements, got 5000");
}

TEST(Bounds, StructsOfTheCaller) {
  o2fx_node_info info{};
  for (const uint64_t size : {uint64_t{0}, uint64_t{65537}, UINT64_MAX}) {
    info.struct_size = size;
    EXPECT_EQ(refusal([&](auto* h, auto c) { return h->node_info(c, &info); }),
              "struct_size: expected 8 to 65536, got " + std::to_string(size));
  }
}

TEST(Bounds, StructOfANewerHeaderIsLoweredToWhatIsFilled) {
  struct Newer {
    o2fx_node_info known;
    uint64_t since_minor_9;
  } newer{};
  newer.known.struct_size = sizeof newer;
  newer.since_minor_9 = 77;
  now = [&](auto* h, auto c) {
    if (const o2fx_status s = h->node_info(c, &newer.known)) return s;
    return h->set_output(c, 0, h->input(c, 0));
  };
  convert_op();
  EXPECT_EQ(newer.known.struct_size, sizeof(o2fx_node_info));
  EXPECT_LT(newer.known.struct_size, offsetof(Newer, since_minor_9) + sizeof newer.since_minor_9);
  EXPECT_EQ(newer.since_minor_9, 77u);
  EXPECT_EQ(newer.known.n_inputs, 1u);
}

TEST(Bounds, StructOfAnOlderHeaderIsFilledNoFurther) {
  o2fx_node_info older{};
  older.struct_size = offsetof(o2fx_node_info, opset);
  older.opset = 77;
  now = [&](auto* h, auto c) {
    if (const o2fx_status s = h->node_info(c, &older)) return s;
    return h->set_output(c, 0, h->input(c, 0));
  };
  convert_op();
  EXPECT_EQ(older.struct_size, offsetof(o2fx_node_info, opset));
  EXPECT_EQ(older.opset, 77);
  EXPECT_EQ(view(older.op_type), "Op");
}

TEST(Bounds, ScratchWithoutEnd) {
  EXPECT_EQ(refusal([](auto* h, auto c) {
              if (h->scratch(c, uint64_t{1} << 41, 8) || h->scratch(c, UINT64_MAX, 64))
                return O2FX_E_INTERNAL;
              return h->scratch(c, 1, 3) ? O2FX_E_INTERNAL : O2FX_E_INVALID;
            }),
            "scratch: align: expected a power of two <= 64");
}

// ---- unknown numbers

TEST(Unknown, TagsAndWhatStandsBesideThem) {
  const auto spoilt = [](uint32_t tag, uint32_t len, int64_t i) {
    return emitting([=](o2fx_emit&, o2fx_arg& a) {
      a.tag = tag;
      a.len = len;
      a.u.i = i;
    });
  };
  EXPECT_EQ(spoilt(14, 0, 0), "emit: args: tag: expected an O2FX_T_*, got 14");
  EXPECT_EQ(spoilt(O2FX_T_INT, 7, 0), "emit: args: len: expected 0 beside tag 2, got 7");
  EXPECT_EQ(spoilt(O2FX_T_BOOL, 0, 7), "emit: args: bool: expected 0 or 1, got 7");
}

TEST(Unknown, DtypesOfArguments) {
  const int64_t wide = (int64_t{1} << 32) + 1;  // cut to 32 bits it were FLOAT
  for (const int64_t dtype : {int64_t{99}, int64_t{-1}, wide}) {
    now = [&](const o2fx_host_api* h, o2fx_ctx c) {
      o2fx_arg args[] = {value(h->input(c, 0)), {}};
      args[1].tag = O2FX_T_DTYPE;
      args[1].u.i = dtype;
      o2fx_emit e{};
      e.struct_size = sizeof e;
      e.target = O2FX_STR("aten::to.dtype");
      e.args = args;
      e.n_args = 2;
      o2fx_value y = 0;
      return h->emit(c, &e, &y);
    };
    EXPECT_EQ(test::error_of([] { convert_op(); }),
              "error: net.onnx: node 'y' (x.Op, opset 1): ONNX dtype " + std::to_string(dtype) +
                  ": no torch dtype carries it");
  }
}

TEST(Unknown, Roles) {
  o2fx_value v = 0;
  const o2fx_bytes byte = {"", 1, 2, 0, nullptr};
  for (const int32_t role : {-1, 5}) {
    const std::string text = "role " + std::to_string(role) + ": expected an O2FX_ROLE_*";
    EXPECT_EQ(
        refusal([&](auto* h, auto c) { return h->constant(c, O2FX_STR("t"), &byte, role, &v); }),
        text);
    EXPECT_EQ(refusal([&](auto* h, auto c) { return h->set_role(c, h->input(c, 0), role); }), text);
  }
}

TEST(Unknown, DtypesOfConstants) {
  o2fx_value v = 0;
  for (const int32_t dtype : {0, 8, 99}) {  // 8: strings, which have no bytes
    const o2fx_bytes bytes = {"", 1, dtype, 0, nullptr};
    EXPECT_EQ(
        refusal([&](auto* h, auto c) { return h->constant(c, O2FX_STR("t"), &bytes, 0, &v); }),
        "constant 't': dtype: expected one of numbers, got " + std::to_string(dtype));
  }
}

TEST(Unknown, ValueInfos) {
  const auto stating = [](auto spoil) {
    o2fx_value_info info{};
    info.struct_size = sizeof info;
    info.rank = -1;
    spoil(info);
    return refusal([&](auto* h, auto c) { return h->set_value_info(c, h->input(c, 0), &info); });
  };
  EXPECT_EQ(stating([](auto& i) { i.kind = 11; }),
            "value info: kind: expected a known one, got 11");
  EXPECT_EQ(stating([](auto& i) { i.dtype = 99; }),
            "value info: dtype: expected one of ONNX, got 99");
  EXPECT_EQ(stating([](auto& i) { i.rank = -2; }), "value info: rank: expected -1 to 1024, got -2");
  static constexpr int64_t kDims[] = {-5};
  EXPECT_EQ(stating([](auto& i) {
              i.rank = 1;
              i.dims = kDims;
            }),
            "value info: dims: expected -1 or more, got -5");
}

TEST(Unknown, FlagsAndSwitches) {
  o2fx_arg out{};
  EXPECT_EQ(refusal([&](auto* h, auto c) { return h->int_list(c, h->input(c, 0), 6, &out); }),
            "int_list: flags: expected known ones, got 6");
  o2fx_value_info info{};
  info.struct_size = sizeof info;
  EXPECT_EQ(refusal([&](auto* h, auto c) { return h->graph_value_info(c, 1, 2, 0, &info); }),
            "graph_value_info: is_output: expected 0 or 1, got 2");
}

TEST(Unknown, StatusOfAText) {
  for (const o2fx_status status : {O2FX_OK, O2FX_ABSENT, 77})
    EXPECT_EQ(
        refusal([&](auto* h, auto c) {
          return h->set_error(c, status, nullptr, 0, O2FX_STR("out of cheese"));
        }),
        "set_error: status: expected O2FX_DECLINE or one below 0, got " + std::to_string(status));
}

// ---- what a plugin says

TEST(Saying, PlaceOfAnErrorIsShownOnRequest) {
  now = [](auto* h, auto c) {
    return h->set_error(c, O2FX_E_MODEL, "pack/relu.c", 12, O2FX_STR("out of cheese"));
  };
  const std::string said = "error: net.onnx: node 'y' (x.Op, opset 1): out of cheese";
  EXPECT_EQ(test::error_of([] { convert_op(); }), said);
  EXPECT_EQ(test::error_of([] { convert_op(true); }), said + "\n  note: raised at pack/relu.c:12");
}

TEST(Saying, WarningsAreToldOnceAndWithThePlugin) {
  now = [](const o2fx_host_api* h, o2fx_ctx c) {
    h->log(c, 1, O2FX_STR("an old kind"));
    h->log(c, 1, O2FX_STR("an old kind"));
    h->log(c, 0, O2FX_STR("worse"));
    h->log(c, 2, O2FX_STR("by the way"));
    return h->set_output(c, 0, h->input(c, 0));
  };
  const Conversion c = convert_op();
  EXPECT_EQ(format(c.report.warnings),
            "warning: net.onnx: node 'y' (x.Op, opset 1): an old kind\n"
            "  note: from plugin x.bounds\n"
            "warning: net.onnx: node 'y' (x.Op, opset 1): worse\n"
            "  note: from plugin x.bounds");
}

}  // namespace onnx2fx
