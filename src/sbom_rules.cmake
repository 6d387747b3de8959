# The bill of materials of what is built and installed: the target cow_sbom, part of 'all', writes
# it by src/sbom.cmake. Here is said what the parts are made of. A new library that is compiled in,
# or linked, has a line here.

# cow_sbom_header(<variable> <target or ""> <file...>): the first of these headers that there is,
# where <target>'s users find it.
function(cow_sbom_header variable target)
  set(folders)
  set(targets ${target})
  while(targets)
    list(POP_FRONT targets one)
    if(TARGET ${one})
      get_target_property(more ${one} INTERFACE_INCLUDE_DIRECTORIES)
      list(APPEND folders ${more})
      get_target_property(more ${one} INTERFACE_LINK_LIBRARIES)
      list(APPEND targets ${more})
    endif()
  endwhile()
  list(FILTER folders EXCLUDE REGEX "NOTFOUND|[$]<INSTALL")
  list(TRANSFORM folders REPLACE "^[$]<BUILD_INTERFACE:(.*)>$" "\\1")
  list(APPEND folders ${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES})
  foreach(file IN LISTS ARGN)
    foreach(folder IN LISTS folders)
      if(EXISTS "${folder}/${file}")
        set(${variable} "${folder}/${file}" PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
  message(FATAL_ERROR "libcow: none of ${ARGN} is where ${target} has its headers")
endfunction()

# How a compiled library is linked, in SPDX's words.
function(cow_sbom_linked variable library)
  set(${variable} DYNAMIC_LINK PARENT_SCOPE)
  if(library MATCHES "\\.a$")
    set(${variable} STATIC_LINK PARENT_SCOPE)
  endif()
endfunction()

set(cow_sbom_xxhash ${PROJECT_BINARY_DIR}/xxhash/xxhash.h)
cow_sbom_header(cow_sbom_boost cow_boost boost/version.hpp)
set(cow_sbom_contents
  "libcow|xxHash|BSD-2-Clause|STATIC_LINK|pkg:github/cyan4973/xxhash@v|${cow_sbom_xxhash}"
  "libcow|Boost|BSL-1.0|STATIC_LINK|pkg:github/boostorg/boost@boost-|${cow_sbom_boost}")
set(cow_sbom_program)
if(TARGET cow_tool)
  set(cow_sbom_program ${cow_tool_sources} ${cow_measure_sources}
    ${CMAKE_CURRENT_SOURCE_DIR}/tool/main.cpp)
  cow_sbom_header(cow_sbom_cli11 cow_cli11 CLI/Version.hpp)
  cow_sbom_header(cow_sbom_fmt cow_fmt fmt/base.h fmt/core.h)
  cow_sbom_header(cow_sbom_json cow_json nlohmann/detail/abi_macros.hpp nlohmann/json.hpp)
  list(APPEND cow_sbom_contents
    "program|Boost|BSL-1.0|STATIC_LINK|pkg:github/boostorg/boost@boost-|${cow_sbom_boost}"
    "program|CLI11|BSD-3-Clause|STATIC_LINK|pkg:github/cliutils/cli11@v|${cow_sbom_cli11}"
    "program|fmt|MIT|STATIC_LINK|pkg:github/fmtlib/fmt@|${cow_sbom_fmt}"
    "program|nlohmann-json|MIT|STATIC_LINK|pkg:github/nlohmann/json@v|${cow_sbom_json}")
  if(NOT CMAKE_CROSSCOMPILING)
    cow_sbom_linked(cow_sbom_how ${COW_CAPSTONE_LIBRARY})
    list(APPEND cow_sbom_contents "program|Capstone|BSD-3-Clause|${cow_sbom_how}|\
pkg:github/capstone-engine/capstone@|${COW_CAPSTONE_INCLUDE_DIR}/capstone/capstone.h")
    cow_sbom_linked(cow_sbom_how ${COW_NCURSESW_LIBRARY})
    list(APPEND cow_sbom_contents "program|ncurses|X11-distribute-modifications-variant|\
${cow_sbom_how}|pkg:generic/ncurses@|${COW_NCURSES_INCLUDE_DIR}/curses.h")
  endif()
endif()

set(cow_sbom_library ${cow_sources} ${cow_headers} ${cow_reads_sources})
foreach(files IN ITEMS library program)
  list(TRANSFORM cow_sbom_${files} REPLACE "^${PROJECT_SOURCE_DIR}/" "")
  list(SORT cow_sbom_${files})
endforeach()

# The page is no part of 'all': what is in it is known once it is built.
if(TARGET page)
  add_dependencies(page cow_commit)
endif()
# It is there when the library is, which may be all of a larger build that is asked for.
add_custom_target(cow_sbom ALL)
add_dependencies(cow_sbom cow_commit)
add_dependencies(cow cow_sbom)

# cow_sbom_write(<name of the file> <folder> <component> [program]): of the library, and of the
# program.
function(cow_sbom_write name folder component)
  set(program_files)
  set(page)
  set(contents ${cow_sbom_contents})
  if("program" IN_LIST ARGN)
    set(program_files ${cow_sbom_program})
    set(page ${cow_page})
  else()
    list(FILTER contents EXCLUDE REGEX "^program")
  endif()
  set(input ${PROJECT_BINARY_DIR}/package/${name}.input.cmake)
  set(output ${PROJECT_BINARY_DIR}/package/${name})
  file(CONFIGURE OUTPUT ${input} @ONLY CONTENT "\
set(root [==[@PROJECT_SOURCE_DIR@]==])
set(version [==[@PROJECT_VERSION@]==])
set(kind [==[@cow_kind@]==])
set(commit_header [==[@cow_commit_header@]==])
set(library_files [==[@cow_sbom_library@]==])
set(program_files [==[@program_files@]==])
set(page [==[@page@]==])
set(page_lock [==[@CMAKE_CURRENT_SOURCE_DIR@/page/package-lock.json]==])
set(contents [==[@contents@]==])
")
  set(command ${CMAKE_COMMAND})
  if(COW_DEB)  # of the commit's date: see deb.cmake
    list(APPEND command -E env SOURCE_DATE_EPOCH=${cow_date} ${CMAKE_COMMAND})
  endif()
  list(APPEND command -DINPUT=${input} -DOUTPUT=${output} -P ${CMAKE_CURRENT_SOURCE_DIR}/sbom.cmake)
  add_custom_command(TARGET cow_sbom POST_BUILD COMMAND ${command} BYPRODUCTS ${output} COMMENT "")
  if(TARGET page)
    add_custom_command(TARGET page POST_BUILD COMMAND ${command} COMMENT "")
  endif()
  install(FILES ${output} DESTINATION ${folder} COMPONENT ${component})
endfunction()

if(COW_DEB)
  set(cow_sbom_folder ${CMAKE_INSTALL_DATADIR}/doc)
  cow_sbom_write(libcow-${cow_kind}.spdx.json ${cow_sbom_folder}/${cow_dev_package} cow_dev)
  cow_sbom_write(cow.spdx.json ${cow_sbom_folder}/${cow_tool_package} cow_tool program)
else()
  cow_sbom_write(libcow-${cow_kind}.spdx.json ${CMAKE_INSTALL_DOCDIR} cow_dev program)
endif()
