# The Debian packages, made by CPack: ./run deb. src/CMakeLists.txt includes this file at its end
# when COW_DEB is on. What is installed belongs to one of four components, each a package:
#
#   cow_runtime   libcow0.1      both shared libraries. Their SONAMEs have the minor version, and so
#                                has the name of the package: two of them may be installed at once
#   cow_dev       libcow-dev     headers, static libraries, for CMake and pkg-config
#   cow_tool      libcow-tool    the program cow
#   cow_python    python3-cow    the package of bindings/python, which is imported as cow
#
# finish_deb.cmake goes over what CPack wrote. docs/packages.md says what is in them.

if(NOT cow_kind STREQUAL "shared" OR NOT TARGET cow_reads OR NOT TARGET cow_tool
    OR NOT COW_INSTALL OR NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  message(FATAL_ERROR "COW_DEB needs BUILD_SHARED_LIBS, COW_READS, COW_BUILD_TOOL and COW_INSTALL, "
    "and /usr as CMAKE_INSTALL_PREFIX: see './run deb'")
endif()

set(COW_MAINTAINER "The libcow authors <authors@libcow.invalid>" CACHE STRING
  "Who answers for the Debian packages: Name <address>")

set(cow_abi ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(cow_runtime_package libcow${cow_abi})
set(cow_dev_package libcow-dev)
set(cow_tool_package libcow-tool)
set(cow_python_package python3-cow)
# Before the first one of Debian, as -0ubuntu1 is: that one would take its place.
set(cow_deb_revision 0cow1)
set(cow_deb_version ${PROJECT_VERSION}-${cow_deb_revision})
set(cow_deb_components cow_runtime cow_dev cow_tool cow_python)
set(cow_deb_work ${PROJECT_BINARY_DIR}/package/deb)

# ---------------------------------------------------------------------------------------------
# The same bytes wherever and whenever it is built. The one date in the packages is the commit's; an
# archive made by git has it as the date of its files. TIMESTAMP takes it from the environment.

set(cow_date "$ENV{SOURCE_DATE_EPOCH}")
if(cow_date STREQUAL "")
  execute_process(COMMAND git -c safe.directory=* -C ${PROJECT_SOURCE_DIR} log -1 --format=%ct
    OUTPUT_VARIABLE cow_date OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/.git OR NOT cow_date)
    file(TIMESTAMP ${PROJECT_SOURCE_DIR}/CMakeLists.txt cow_date "%s" UTC)
  endif()
  set(ENV{SOURCE_DATE_EPOCH} ${cow_date})
endif()
string(TIMESTAMP cow_changelog_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
string(TIMESTAMP cow_man_date "%Y-%m-%d" UTC)

# Of every target of this project, which all take it: what the compiler writes of paths. The last
# that fits counts, and a build folder may lie in the sources.
target_compile_options(cow_warnings INTERFACE
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}=. -ffile-prefix-map=${PROJECT_BINARY_DIR}=./build)
# A path for the loader that an installation takes out again leaves a gap of its length behind.
set_target_properties(cow_reads cow_tool PROPERTIES BUILD_WITH_INSTALL_RPATH ON)

# ---------------------------------------------------------------------------------------------
# The static libraries, of the objects that the shared ones are made of.

function(cow_static_beside target)
  add_library(${target}_static STATIC $<TARGET_OBJECTS:${target}>)
  cow_configure_library(${target}_static)
  get_target_property(name ${target} OUTPUT_NAME)
  get_target_property(exported ${target} EXPORT_NAME)
  if(NOT exported)
    set(exported ${target})
  endif()
  set_target_properties(${target}_static PROPERTIES
    OUTPUT_NAME ${name} EXPORT_NAME ${exported} LINKER_LANGUAGE CXX)
  install(TARGETS ${target}_static EXPORT libcow-static
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cow_dev)
  # The debug information of a static library is of use to nobody without the sources.
  install(CODE "execute_process(COMMAND_ERROR_IS_FATAL ANY COMMAND ${CMAKE_STRIP} --strip-debug
    --enable-deterministic-archives --remove-section=.comment --remove-section=.note
    \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/lib${name}.a\")"
    COMPONENT cow_dev)
endfunction()

cow_static_beside(cow)
cow_static_beside(cow_reads)
target_link_options(cow_static INTERFACE ${cow_stays_loaded})
target_link_libraries(cow_reads_static PUBLIC cow_static PRIVATE ${CMAKE_DL_LIBS})
target_link_options(cow_reads_static INTERFACE "LINKER:${cow_reads_members}")
install(EXPORT libcow-static NAMESPACE cow:: DESTINATION ${cow_cmake_dir} COMPONENT cow_dev)

# ---------------------------------------------------------------------------------------------
# Files that only packages have.

# cow_compressed(<file> <name of the result>), with no name and no date in it
function(cow_compressed file result)
  execute_process(COMMAND_ERROR_IS_FATAL ANY
    COMMAND gzip -9nc ${file} OUTPUT_FILE ${cow_deb_work}/${result})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
endfunction()

foreach(file IN ITEMS changelog.Debian copyright cow.1 METADATA)
  configure_file(package/${file}.in ${cow_deb_work}/${file} @ONLY)
endforeach()
cow_compressed(${cow_deb_work}/changelog.Debian changelog.Debian.gz)
cow_compressed(${cow_deb_work}/cow.1 cow.1.gz)
cow_compressed(${PROJECT_SOURCE_DIR}/CHANGELOG.md changelog.gz)

foreach(component IN LISTS cow_deb_components)
  install(FILES ${cow_deb_work}/copyright ${cow_deb_work}/changelog.gz
    ${cow_deb_work}/changelog.Debian.gz
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${${component}_package} COMPONENT ${component})
endforeach()
install(FILES ${cow_deb_work}/cow.1.gz
  DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT cow_tool)

set(cow_dist_packages lib/python3/dist-packages)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/bindings/python/cow
  DESTINATION ${cow_dist_packages} COMPONENT cow_python
  FILES_MATCHING PATTERN "*.py" PATTERN "py.typed" PATTERN "__pycache__" EXCLUDE)
install(FILES ${cow_deb_work}/METADATA
  DESTINATION ${cow_dist_packages}/cow-${PROJECT_VERSION}.dist-info COMPONENT cow_python)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/bindings/python/examples
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${cow_python_package} COMPONENT cow_python
  FILES_MATCHING PATTERN "*.py" PATTERN "__pycache__" EXCLUDE)

# ---------------------------------------------------------------------------------------------
# What CPack is told: cow_deb(<component> <section> <synopsis> <text> [<field> <value>...]...)

function(cow_deb component section synopsis text)
  string(TOUPPER ${component} upper)
  cmake_parse_arguments(field "" "ARCHITECTURE;DEPENDS;RECOMMENDS;SUGGESTS" "CONTROL_EXTRA" ${ARGN})
  set(field_NAME ${${component}_package})
  set(field_SECTION ${section})
  foreach(field IN ITEMS
      NAME SECTION ARCHITECTURE DEPENDS RECOMMENDS SUGGESTS CONTROL_EXTRA)
    set(CPACK_DEBIAN_${upper}_PACKAGE_${field} "${field_${field}}" PARENT_SCOPE)
  endforeach()
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${synopsis}\n${cow_about}\n\n${text}" PARENT_SCOPE)
endfunction()

set(cow_about "\
libcow gives a program memory that it can clone and snapshot for almost
nothing: clones share the frames of their pages, and a page is copied when
it is first written to. It is what the kernel does for fork(), as a library
and within a process.")

cow_deb(cow_runtime libs "copy-on-write memory regions in user space" "\
This package has the shared libraries: libcow, and libcow-reads, which lets
the kernel write to regions of programs that know nothing of them."
  CONTROL_EXTRA ${CMAKE_CURRENT_SOURCE_DIR}/package/runtime/triggers)
cow_deb(cow_dev libdevel "copy-on-write memory regions in user space - development files" "\
This package has what is needed to build programs in C++20, C++ or C with
it: the headers, the static libraries, and the files with which CMake and
pkg-config find them. The header cow/managed_region.hpp, for objects in
regions, needs the headers of Boost."
  DEPENDS "${cow_runtime_package} (= ${cow_deb_version}), libc6-dev"
  RECOMMENDS "libboost-dev (>= 1.74)"
  SUGGESTS "cmake, pkg-config")
cow_deb(cow_tool utils "program that shows, traces and measures copy-on-write memory" "\
This package has the program cow: it demonstrates a page fault step by step,
records what libcow does in a program, measures it beside other ways to copy
memory, and says what the kernel and the container allow."
  DEPENDS "${cow_runtime_package} (= ${cow_deb_version})")
cow_deb(cow_python python "copy-on-write memory regions in user space - Python 3 package" "\
This package has the module cow for Python 3: regions as writable buffers,
for memoryview and numpy without copying, with snapshots, clones, images,
backups and templates that processes start from."
  ARCHITECTURE all
  DEPENDS "${cow_runtime_package} (>= ${PROJECT_VERSION}), python3 (>= 3.11), python3:any"
  SUGGESTS python3-numpy
  CONTROL_EXTRA ${CMAKE_CURRENT_SOURCE_DIR}/package/python/postinst
    ${CMAKE_CURRENT_SOURCE_DIR}/package/python/prerm)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libcow)
set(CPACK_PACKAGE_CONTACT "${COW_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # or it would stand above every description
set(CPACK_PACKAGE_DIRECTORY ${cow_deb_work}/made)
set(CPACK_COMPONENTS_ALL ${cow_deb_components})
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/package/finish_deb.cmake)
set(CPACK_COW_DATE ${cow_date})
set(CPACK_COW_MULTI_ARCH_SAME ${cow_runtime_package} ${cow_dev_package})
set(CPACK_COW_MULTI_ARCH_FOREIGN ${cow_tool_package})
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${cow_deb_revision})
set(CPACK_DEBIAN_PACKAGE_SOURCE libcow)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_CURRENT_BINARY_DIR})
set(CPACK_DEBIAN_COW_RUNTIME_DEBUGINFO_PACKAGE ON)
set(CPACK_DEBIAN_COW_TOOL_DEBUGINFO_PACKAGE ON)
include(CPack)
