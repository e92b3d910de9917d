#include "tools/onnx2fx/leave.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace onnx2fx::cli {

void leave(int code) {
  errno = 0;
  std::cout.flush();
  std::fflush(stdout);
  if (std::ferror(stdout) && code == 0) {
    // errno 0: the write that failed was an earlier one
    std::fprintf(stderr, "error: standard output: %s\n",
                 errno ? std::strerror(errno) : "it could not be written");
    code = 1;
  }
  std::fflush(nullptr);
#ifdef __SANITIZE_ADDRESS__
  __lsan_do_leak_check();  // it would run at exit
#endif
  _exit(code);
}

}  // namespace onnx2fx::cli
