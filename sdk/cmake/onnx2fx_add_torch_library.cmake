# onnx2fx_add_torch_library(NAME SOURCES a.cpp ... [MIN_TORCH 2.10] [OUTPUT_DIRECTORY DIR])
#
# A library NAME.so of torch operators against PyTorch's stable ABI: it runs on torch MIN_TORCH and later, whichever it was
# built with. Sources include torch/csrc/stable/library.h and no other header of torch's but those beside it. The pack's
# descriptor names it (PROVIDES: {"plugin": {"torch_library": "NAME.so", "min_torch": "2.10"}}).
#
# torch is that of Python3_EXECUTABLE, or the folder ONNX2FX_TORCH; without one there is no target NAME, which is said.
function(onnx2fx_find_torch)
  if(ONNX2FX_TORCH)
    return()
  endif()
  find_package(Python3 COMPONENTS Interpreter QUIET)
  if(Python3_FOUND) # by its metadata: importing torch takes seconds
    execute_process(COMMAND "${Python3_EXECUTABLE}" -c
      "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '', end='')"
      OUTPUT_VARIABLE folder ERROR_QUIET)
    set(ONNX2FX_TORCH "${folder}" CACHE PATH "Folder of the Python package torch" FORCE)
  endif()
endfunction()

function(onnx2fx_add_torch_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MIN_TORCH;OUTPUT_DIRECTORY" "SOURCES")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "onnx2fx_add_torch_library(${name}): expected SOURCES [MIN_TORCH] [OUTPUT_DIRECTORY], got ${ARGN}")
  endif()
  if(NOT DEFINED arg_MIN_TORCH)
    set(arg_MIN_TORCH 2.10)
  endif()
  if(NOT arg_OUTPUT_DIRECTORY)
    set(arg_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
  endif()
  if(NOT arg_MIN_TORCH MATCHES "^2[.]([0-9]+)$" OR CMAKE_MATCH_1 LESS 10)
    message(FATAL_ERROR "onnx2fx_add_torch_library(${name}): MIN_TORCH: expected 2.10 or later, got ${arg_MIN_TORCH}")
  endif()
  math(EXPR target "(2 << 56) | (${CMAKE_MATCH_1} << 48)" OUTPUT_FORMAT HEXADECIMAL)
  onnx2fx_find_torch()
  if(NOT EXISTS "${ONNX2FX_TORCH}/include/torch/csrc/stable/library.h")
    message(STATUS "${name}: not built: expected PyTorch 2.10 or later, got none: set ONNX2FX_TORCH to the folder of the Python package")
    return()
  endif()

  add_library(${name} MODULE ${arg_SOURCES})
  target_include_directories(${name} SYSTEM PRIVATE "${ONNX2FX_TORCH}/include")
  target_compile_definitions(${name} PRIVATE TORCH_TARGET_VERSION=${target})
  # Found by its name in the process, which has one: no run path.
  target_link_libraries(${name} PRIVATE "${ONNX2FX_TORCH}/lib/libtorch_cpu.so")
  target_link_options(${name} PRIVATE "LINKER:--exclude-libs,ALL")
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so" POSITION_INDEPENDENT_CODE ON
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    SKIP_BUILD_RPATH ON INSTALL_RPATH "" LIBRARY_OUTPUT_DIRECTORY "$<1:${arg_OUTPUT_DIRECTORY}>")
endfunction()
