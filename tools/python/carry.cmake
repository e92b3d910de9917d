# onnx2fx_carry(TARGET FOLDER LIBRARY...): links TARGET against private copies of shared libraries that stand in its
# FOLDER, beside it; see carry.py. They come first on its command line, so that Debian's static ones, which are not
# position independent, are left alone. Sets ONNX2FX_CARRIED.
function(onnx2fx_carry target folder)
  set(all)
  foreach(library ${ARGN})
    file(REAL_PATH ${library} original)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${original} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/carry.py)
    execute_process(COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/carry.py ${original} ${folder}
      OUTPUT_VARIABLE carried OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    list(APPEND all ${carried})
  endforeach()
  target_link_libraries(${target} PRIVATE "LINKER:--push-state,--no-as-needed" ${all} "LINKER:--pop-state")
  # As installed: a run path that CMake will edit is padded, and an empty part of it is the current folder.
  set_target_properties(${target} PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN")
  set(ONNX2FX_CARRIED ${all} PARENT_SCOPE)
endfunction()
