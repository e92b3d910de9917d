# A wheel goes where Debian's libprotobuf is not: it carries a copy beside the module, under a soname of its own, so
# that the loader never takes it for another libprotobuf of the process, nor the other for it.
find_program(ONNX2FX_PATCHELF patchelf REQUIRED)
set(carried ${CMAKE_CURRENT_BINARY_DIR}/libonnx2fx_protobuf.so)
file(REAL_PATH ${ONNX2FX_SHARED_PROTOBUF} shared_protobuf)
file(COPY_FILE ${shared_protobuf} ${carried})
execute_process(COMMAND ${ONNX2FX_PATCHELF} --set-soname libonnx2fx_protobuf.so ${carried} COMMAND_ERROR_IS_FATAL ANY)
set(ONNX2FX_SHARED_PROTOBUF ${carried})

set_target_properties(onnx_to_fx_native PROPERTIES INSTALL_RPATH "$ORIGIN")
install(FILES ${carried} DESTINATION ${SKBUILD_PLATLIB_DIR}/onnx_to_fx)
install(FILES /usr/share/doc/libprotobuf32/copyright DESTINATION ${SKBUILD_METADATA_DIR}/licenses RENAME libprotobuf OPTIONAL)
