// o2fx_args by kind, for the calls that the host makes and the answers that it gives.
#ifndef ONNX2FX_CORE_BORDER_ARGUMENTS_HPP_
#define ONNX2FX_CORE_BORDER_ARGUMENTS_HPP_

#include <onnx2fx/plugin.h>

#include <cstdint>
#include <string>

namespace onnx2fx::conversion::host {

inline o2fx_arg integer(int64_t i) {
  o2fx_arg a{};
  a.tag = O2FX_T_INT;
  a.u.i = i;
  return a;
}
inline o2fx_arg real(double f) {
  o2fx_arg a{};
  a.tag = O2FX_T_FLOAT;
  a.u.f = f;
  return a;
}
/// Borrows the text.
inline o2fx_arg string(const std::string& s) {
  o2fx_arg a{};
  a.tag = O2FX_T_STR;
  a.len = static_cast<uint32_t>(s.size());
  a.u.s = s.data();
  return a;
}
inline o2fx_arg value_arg(uint64_t id) {
  o2fx_arg a{};
  a.tag = O2FX_T_VALUE;
  a.u.v = id;
  return a;
}

}  // namespace onnx2fx::conversion::host

#endif
