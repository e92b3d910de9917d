# onnx2fx_embed(TARGET FILE...): each FILE becomes read-only data of TARGET. "schemas.txt" is read as
#
#     namespace onnx2fx::embedded { extern const std::string_view schemas_txt; }
#
# Run with -P it writes one such file.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ "${input}" content)
  # Compilers limit one literal's length; adjacent ones are joined.
  set(literals "")
  string(LENGTH "${content}" length)
  set(begin 0)
  while(begin LESS length)
    string(SUBSTRING "${content}" ${begin} 16000 chunk)
    string(APPEND literals "\n    R\"onnx2fx~(${chunk})onnx2fx~\"")
    math(EXPR begin "${begin} + 16000")
  endwhile()
  file(WRITE "${output}" "// Generated from ${source}.\n#include <string_view>\nnamespace onnx2fx::embedded {\nextern const std::string_view ${symbol};\nconstinit const std::string_view ${symbol}{${literals}, ${length}};\n}  // namespace onnx2fx::embedded\n")
  return()
endif()

function(onnx2fx_embed target)
  foreach(file IN LISTS ARGN)
    get_filename_component(input "${file}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
    get_filename_component(name "${input}" NAME)
    file(RELATIVE_PATH source "${PROJECT_SOURCE_DIR}" "${input}")
    string(MAKE_C_IDENTIFIER "${name}" symbol)
    set(output "${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cpp")
    add_custom_command(OUTPUT "${output}" DEPENDS "${input}" "${CMAKE_CURRENT_FUNCTION_LIST_FILE}"
      COMMAND ${CMAKE_COMMAND} "-Dinput=${input}" "-Doutput=${output}" "-Dsource=${source}" "-Dsymbol=${symbol}" -P "${CMAKE_CURRENT_FUNCTION_LIST_FILE}"
      VERBATIM)
    get_target_property(home ${target} SOURCE_DIR)
    if(home STREQUAL CMAKE_CURRENT_SOURCE_DIR)
      target_sources(${target} PRIVATE "${output}")
    else() # a generated file is known only to targets of its own folder
      add_library(${target}_${symbol} OBJECT "${output}")
      target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${symbol}>)
    endif()
  endforeach()
endfunction()
