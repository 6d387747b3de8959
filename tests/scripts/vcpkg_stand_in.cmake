# Does what vcpkg does with a port, of what src/package/vcpkg calls: ports_test.py runs it where
# there is no vcpkg. The release half alone, against what is installed on the machine.
#
# cmake -DPORT_DIR=… -DBUILD=… -DPACKAGES=… -DLINKAGE=static|dynamic -DFEATURES=a;b -P …

cmake_minimum_required(VERSION 3.21)
set(PORT libcow)
set(TARGET_TRIPLET stand-in)
set(VCPKG_LIBRARY_LINKAGE ${LINKAGE})
set(VCPKG_BUILD_TYPE release)
set(CURRENT_PACKAGES_DIR ${PACKAGES})
set(CURRENT_PORT_DIR ${PORT_DIR})

function(stand_in_run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE failed)
  if(failed)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "failed: ${command}")
  endif()
endfunction()

# What a call has beyond what is known here.
macro(stand_in_all_known)
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "the stand-in for vcpkg does not know: ${arg_UNPARSED_ARGUMENTS}")
  endif()
endmacro()

function(vcpkg_check_features)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUT_FEATURE_OPTIONS" "FEATURES")
  stand_in_all_known()
  file(READ ${PORT_DIR}/vcpkg.json manifest)
  set(options)
  while(arg_FEATURES)
    list(POP_FRONT arg_FEATURES feature option)
    string(JSON described ERROR_VARIABLE failed GET "${manifest}" features ${feature} description)
    if(failed)
      message(FATAL_ERROR "vcpkg.json has no feature ${feature}")
    endif()
    set(value OFF)
    if(feature IN_LIST FEATURES)
      set(value ON)
    endif()
    list(APPEND options -D${option}=${value})
  endwhile()
  set(${arg_OUT_FEATURE_OPTIONS} ${options} PARENT_SCOPE)
endfunction()

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS;OPTIONS_RELEASE;OPTIONS_DEBUG")
  stand_in_all_known()
  set(shared OFF)
  if(VCPKG_LIBRARY_LINKAGE STREQUAL "dynamic")
    set(shared ON)
  endif()
  stand_in_run(${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${BUILD} -G Ninja
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR}
    -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_INSTALL_BINDIR=bin -DBUILD_SHARED_LIBS=${shared}
    -DFETCHCONTENT_FULLY_DISCONNECTED=ON -DCMAKE_ERROR_ON_ABSOLUTE_INSTALL_DESTINATION=ON
    ${arg_OPTIONS} ${arg_OPTIONS_RELEASE} --warn-uninitialized)
endfunction()

function(vcpkg_cmake_install)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "")
  stand_in_all_known()
  stand_in_run(${CMAKE_COMMAND} --build ${BUILD} --target install)
endfunction()

# Moves CMake's files, and has them find the tree from there.
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "PACKAGE_NAME;CONFIG_PATH" "")
  stand_in_all_known()
  set(share ${CURRENT_PACKAGES_DIR}/share/${arg_PACKAGE_NAME})
  file(GLOB files ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}/*)
  if(NOT files)
    message(FATAL_ERROR "there is nothing in ${arg_CONFIG_PATH}")
  endif()
  file(COPY ${files} DESTINATION ${share})
  file(REMOVE_RECURSE ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH})
  get_filename_component(parent ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH} DIRECTORY)
  file(GLOB others ${parent}/*)
  if(NOT others)
    file(REMOVE_RECURSE ${parent})
  endif()
  file(GLOB files ${share}/*.cmake)
  foreach(file IN LISTS files)
    file(READ ${file} text)
    string(REGEX REPLACE
      "(get_filename_component\\(_IMPORT_PREFIX \"[^\"]*\" PATH\\)\n)+"
      "get_filename_component(_IMPORT_PREFIX \"\${CMAKE_CURRENT_LIST_FILE}/../../..\" ABSOLUTE)\n"
      text "${text}")
    string(REGEX REPLACE "(PACKAGE_PREFIX_DIR \"\\\${CMAKE_CURRENT_LIST_DIR}/)[./]*" "\\1../../"
      text "${text}")
    file(WRITE ${file} "${text}")
  endforeach()
endfunction()

# Has pkg-config find the tree from where its file lies, and refuses what it does not understand.
function(vcpkg_fixup_pkgconfig)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "")
  stand_in_all_known()
  file(GLOB files ${CURRENT_PACKAGES_DIR}/lib/pkgconfig/*.pc)
  foreach(file IN LISTS files)
    file(READ ${file} text)
    string(REGEX REPLACE "(^|\n)prefix *=[^\n]*" "\\1prefix=\${pcfiledir}/../.." text "${text}")
    file(WRITE ${file} "${text}")
    get_filename_component(name ${file} NAME_WE)
    set(ENV{PKG_CONFIG_PATH} ${CURRENT_PACKAGES_DIR}/lib/pkgconfig)
    stand_in_run(pkg-config --print-errors --exists ${name})
  endforeach()
endfunction()

function(vcpkg_copy_tools)
  cmake_parse_arguments(PARSE_ARGV 0 arg "AUTO_CLEAN" "" "TOOL_NAMES")
  stand_in_all_known()
  foreach(tool IN LISTS arg_TOOL_NAMES)
    file(COPY ${CURRENT_PACKAGES_DIR}/bin/${tool} DESTINATION ${CURRENT_PACKAGES_DIR}/tools/${PORT})
  endforeach()
  file(REMOVE_RECURSE ${CURRENT_PACKAGES_DIR}/bin)
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  stand_in_all_known()
  list(LENGTH arg_FILE_LIST count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "the stand-in for vcpkg knows one file of the licence")
  endif()
  configure_file(${arg_FILE_LIST} ${CURRENT_PACKAGES_DIR}/share/${PORT}/copyright COPYONLY)
endfunction()

file(REMOVE_RECURSE ${PACKAGES})
include(${PORT_DIR}/portfile.cmake)

# What vcpkg refuses after a build.
if(NOT EXISTS ${PACKAGES}/share/${PORT}/copyright OR NOT EXISTS ${PACKAGES}/share/${PORT}/usage)
  message(FATAL_ERROR "a port installs its licence, and this one its usage")
endif()
if(EXISTS ${PACKAGES}/bin AND VCPKG_LIBRARY_LINKAGE STREQUAL "static")
  message(FATAL_ERROR "a static port has nothing in bin")
endif()
if(EXISTS ${PACKAGES}/lib/cmake)
  message(FATAL_ERROR "a port has CMake's files in share, not in lib/cmake")
endif()
