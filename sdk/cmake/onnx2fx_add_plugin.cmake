# onnx2fx_add_plugin(NAME SOURCES a.cpp ... [PROVIDES NAME.provides.json] [OUTPUT_DIRECTORY DIR] [TARGET_MINOR 0])
#
# A plugin library NAME.so and its descriptor NAME.onnx2fx.json beside it, made from the op table in the
# library. Exactly one symbol is exported. PROVIDES is for what a table cannot say (torch_targets, override,
# priority): JSON objects, see describe.c. TARGET_MINOR: the oldest host minor it shall run on.
#
# The descriptor is what the library says when it is run, here: cross compiling takes CMAKE_CROSSCOMPILING_EMULATOR.
#
# Stands alone: a pack may include() this file with no more than a compiler and the sdk folder at hand.
include_guard(GLOBAL)

set(ONNX2FX_SDK_CMAKE_DIR "${CMAKE_CURRENT_LIST_DIR}" CACHE INTERNAL "")
if(NOT TARGET onnx2fx::sdk)
  # Source tree: sdk/cmake beside sdk/include. Installed: <prefix>/share/onnx2fx/cmake, headers in <prefix>/include.
  find_path(ONNX2FX_SDK_INCLUDE_DIR onnx2fx/plugin.h NO_CACHE NO_DEFAULT_PATH REQUIRED PATHS
    "${CMAKE_CURRENT_LIST_DIR}/../include" "${CMAKE_CURRENT_LIST_DIR}/../../../include")
  add_library(onnx2fx::sdk INTERFACE IMPORTED GLOBAL)
  target_include_directories(onnx2fx::sdk INTERFACE "${ONNX2FX_SDK_INCLUDE_DIR}")
endif()

include("${CMAKE_CURRENT_LIST_DIR}/onnx2fx_add_torch_library.cmake")

# The tool that writes descriptors, built once in a tree.
function(onnx2fx_describe_tool)
  if(TARGET onnx2fx_describe)
    return()
  endif()
  add_executable(onnx2fx_describe "${ONNX2FX_SDK_CMAKE_DIR}/describe.c")
  target_link_libraries(onnx2fx_describe PRIVATE onnx2fx::sdk ${CMAKE_DL_LIBS})
  set_target_properties(onnx2fx_describe PROPERTIES C_STANDARD 11 C_EXTENSIONS ON
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
endfunction()

function(onnx2fx_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROVIDES;OUTPUT_DIRECTORY;TARGET_MINOR" "SOURCES")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "onnx2fx_add_plugin(${name}): expected SOURCES [PROVIDES] [OUTPUT_DIRECTORY] [TARGET_MINOR], got ${ARGN}")
  endif()
  if(NOT arg_OUTPUT_DIRECTORY)
    set(arg_OUTPUT_DIRECTORY "${ONNX2FX_PLUGIN_OUTPUT_DIRECTORY}") # a project's own default
  endif()
  if(NOT arg_OUTPUT_DIRECTORY)
    set(arg_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
  endif()
  if(NOT DEFINED arg_TARGET_MINOR)
    set(arg_TARGET_MINOR 0)
  endif()
  if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
    message(FATAL_ERROR "onnx2fx_add_plugin(${name}): cross compiling: expected CMAKE_CROSSCOMPILING_EMULATOR (qemu-aarch64, say), got none; the descriptor is made by running the library")
  endif()
  onnx2fx_describe_tool()

  add_library(${name} MODULE ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE onnx2fx::sdk)
  target_compile_definitions(${name} PRIVATE O2FX_TARGET_MINOR=${arg_TARGET_MINOR}u)
  # Unique symbols would stay in the process's global table, whatever the version script says.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  set(map "${ONNX2FX_SDK_CMAKE_DIR}/plugin.map")
  target_link_options(${name} PRIVATE "LINKER:--version-script=${map}" "LINKER:--exclude-libs,ALL")
  # A sanitizer's runtime comes with the program: its symbols are undefined in the library, which does not need it.
  get_directory_property(directory_options LINK_OPTIONS)
  if(directory_options MATCHES "-fsanitize=" OR CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
    target_link_options(${name} PRIVATE -fno-sanitize=all)
  else()
    target_link_options(${name} PRIVATE "LINKER:-z,defs")
  endif()
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so" POSITION_INDEPENDENT_CODE ON
    C_STANDARD 11 CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    BUILD_RPATH "" INSTALL_RPATH "" SKIP_BUILD_RPATH ON
    LINK_DEPENDS "${map}" LIBRARY_OUTPUT_DIRECTORY "$<1:${arg_OUTPUT_DIRECTORY}>")

  set(descriptor "${arg_OUTPUT_DIRECTORY}/${name}.onnx2fx.json")
  set(provides)
  if(arg_PROVIDES)
    get_filename_component(provides "${arg_PROVIDES}" ABSOLUTE)
    set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS "${provides}")
  endif()
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND onnx2fx_describe "$<TARGET_FILE:${name}>" "${descriptor}" ${provides}
    BYPRODUCTS "${descriptor}" VERBATIM)
  add_dependencies(${name} onnx2fx_describe)
  set_target_properties(${name} PROPERTIES ONNX2FX_DESCRIPTOR "${descriptor}")
endfunction()

# onnx2fx_install_plugin(NAME [DESTINATION DIR]): library and descriptor, by default where the host looks.
function(onnx2fx_install_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DESTINATION" "")
  if(NOT arg_DESTINATION)
    set(arg_DESTINATION "lib/onnx2fx/plugins.d")
  endif()
  get_target_property(descriptor ${name} ONNX2FX_DESCRIPTOR)
  install(TARGETS ${name} LIBRARY DESTINATION "${arg_DESTINATION}")
  install(FILES "${descriptor}" DESTINATION "${arg_DESTINATION}")
endfunction()
