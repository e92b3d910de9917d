# A wheel has the core once: <prefix>/lib/onnx2fx/libonnx2fx_core.so, which the program in <prefix>/bin and the extension in
# <prefix>/lib/pythonX.Y/site-packages/onnx_to_fx both need, and which needs what is carried beside it.
set(of_wheel ${CMAKE_BINARY_DIR}/lib/onnx2fx)
add_library(onnx2fx_of_wheel SHARED)
get_target_property(embedded onnx2fx_core ONNX2FX_EMBEDDED)
foreach(part onnx2fx_core ${embedded} onnx2fx_command onnx2fx_verify)
  target_sources(onnx2fx_of_wheel PRIVATE $<TARGET_OBJECTS:${part}>)
endforeach()
onnx2fx_carry(onnx2fx_of_wheel ${of_wheel} ${ONNX2FX_SHARED_PROTOBUF} ${ONNX2FX_SHARED_RE2})
target_link_libraries(onnx2fx_of_wheel PRIVATE ONNX::onnx Threads::Threads ${CMAKE_DL_LIBS})
set(wheel_map ${CMAKE_CURRENT_SOURCE_DIR}/wheel.map)
target_link_options(onnx2fx_of_wheel PRIVATE "LINKER:--version-script=${wheel_map}" "LINKER:--exclude-libs,ALL" "LINKER:-z,defs")
set_target_properties(onnx2fx_of_wheel PROPERTIES OUTPUT_NAME onnx2fx_core LINK_DEPENDS ${wheel_map}
  LIBRARY_OUTPUT_DIRECTORY ${of_wheel})
set_target_properties(onnx2fx_library PROPERTIES EXCLUDE_FROM_ALL ON)
install(TARGETS onnx2fx_of_wheel LIBRARY DESTINATION lib/onnx2fx)
install(FILES ${ONNX2FX_CARRIED} DESTINATION lib/onnx2fx)

# Of ONNX the headers alone: its code is in that library.
foreach(part onnx2fx_core ONNX::onnx)
  target_include_directories(onnx_to_fx_native PRIVATE $<TARGET_PROPERTY:${part},INTERFACE_INCLUDE_DIRECTORIES>)
endforeach()
target_compile_definitions(onnx_to_fx_native PRIVATE $<TARGET_PROPERTY:ONNX::onnx,INTERFACE_COMPILE_DEFINITIONS>)
target_link_libraries(onnx_to_fx_native PRIVATE onnx2fx_of_wheel onnx2fx::sdk)
# The build tree has the same layout; a path in it would be part of the build's id.
set_target_properties(onnx_to_fx_native PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN/../../../../lib/onnx2fx")

# The same bytes from every folder.
foreach(part onnx2fx_core ${embedded} onnx2fx_command onnx2fx_verify onnx2fx_of_wheel onnx_to_fx_native)
  target_compile_options(${part} PRIVATE "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")
endforeach()

# What is inside, with its licence; ONNX has that of this project.
foreach(package libcli11-dev libfmt-dev libprotobuf32 libre2-9 nlohmann-json3-dev)
  install(FILES /usr/share/doc/${package}/copyright DESTINATION ${SKBUILD_METADATA_DIR}/licenses RENAME ${package})
endforeach()
file(GLOB nanobind_license ${nanobind_ROOT}/../../nanobind-*.dist-info/licenses/LICENSE)
install(FILES ${nanobind_license} DESTINATION ${SKBUILD_METADATA_DIR}/licenses RENAME nanobind)
set(sbom ${CMAKE_CURRENT_BINARY_DIR}/onnx-to-fx.cdx.json)
execute_process(COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/sbom.py ${PROJECT_VERSION} ${ONNX2FX_ONNX_PREFIX} ${nanobind_VERSION} ${sbom}
  COMMAND_ERROR_IS_FATAL ANY)
install(FILES ${sbom} DESTINATION ${SKBUILD_METADATA_DIR}/sboms)
