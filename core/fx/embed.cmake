# onnx2fx_embed(TARGET FILE...): each FILE becomes read-only data of TARGET. "schemas.txt" is read as
#
#     namespace onnx2fx::embedded { extern const std::string_view schemas_txt; }
#
# onnx2fx_embed_folder(TARGET NAME FILE...): the same as one table of (file name, content):
#
#     namespace onnx2fx::embedded { extern const std::span<const std::pair<std::string_view, std::string_view>> NAME; }
#
# Run with -P it writes one such source file.
if(CMAKE_SCRIPT_MODE_FILE)
  # Compilers limit one literal's length; adjacent ones are joined.
  function(view_of file view)
    file(READ "${file}" content)
    set(literals "")
    string(LENGTH "${content}" length)
    set(begin 0)
    while(begin LESS length)
      string(SUBSTRING "${content}" ${begin} 16000 chunk)
      string(APPEND literals "\n    R\"onnx2fx~(${chunk})onnx2fx~\"")
      math(EXPR begin "${begin} + 16000")
    endwhile()
    set(${view} "std::string_view{${literals}, ${length}}" PARENT_SCOPE)
  endfunction()

  if(folder)
    set(rows "")
    foreach(input IN LISTS inputs)
      view_of("${input}" view)
      get_filename_component(name "${input}" NAME)
      string(APPEND rows "  {\"${name}\", ${view}},\n")
    endforeach()
    set(pair "std::pair<std::string_view, std::string_view>")
    set(headers "#include <span>\n#include <string_view>\n#include <utility>\n")
    set(definition "static constexpr ${pair} kFiles[] = {\n${rows}};\nextern const std::span<const ${pair}> ${symbol};\nconstinit const std::span<const ${pair}> ${symbol}{kFiles};\n")
  else()
    view_of("${inputs}" view)
    set(headers "#include <string_view>\n")
    set(definition "extern const std::string_view ${symbol};\nconstinit const std::string_view ${symbol} = ${view};\n")
  endif()
  file(WRITE "${output}" "// Generated from ${source}.\n${headers}namespace onnx2fx::embedded {\n${definition}}  // namespace onnx2fx::embedded\n")
  return()
endif()

function(onnx2fx_embed target)
  foreach(file IN LISTS ARGN)
    get_filename_component(input "${file}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
    get_filename_component(name "${input}" NAME)
    file(RELATIVE_PATH source "${PROJECT_SOURCE_DIR}" "${input}")
    string(MAKE_C_IDENTIFIER "${name}" symbol)
    onnx2fx_embedded_source(${target} ${symbol} OFF "${source}" "${input}")
  endforeach()
endfunction()

function(onnx2fx_embed_folder target name)
  onnx2fx_embedded_source(${target} ${name} ON "the files of '${name}'" "${ARGN}")
endfunction()

function(onnx2fx_embedded_source target symbol folder source inputs)
  set(output "${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cpp")
  add_custom_command(OUTPUT "${output}" DEPENDS ${inputs} "${CMAKE_CURRENT_FUNCTION_LIST_FILE}"
    COMMAND ${CMAKE_COMMAND} "-Dinputs=${inputs}" "-Doutput=${output}" "-Dsource=${source}" "-Dsymbol=${symbol}"
      -Dfolder=${folder} -P "${CMAKE_CURRENT_FUNCTION_LIST_FILE}"
    VERBATIM)
  get_target_property(home ${target} SOURCE_DIR)
  if(home STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    target_sources(${target} PRIVATE "${output}")
  else() # a generated file is known only to targets of its own folder
    add_library(${target}_${symbol} OBJECT "${output}")
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${symbol}>)
    set_property(TARGET ${target} APPEND PROPERTY ONNX2FX_EMBEDDED ${target}_${symbol})
  endif()
endfunction()
