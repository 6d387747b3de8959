# Goes over the packages that CPack 3.25 wrote: cpack runs this file with its variables. CPack's
# archives have the time of now in them, its sizes depend on the file system, and its sums of debug
# information name the build folder. Also what it has no variable for: the field Multi-Arch,
# ldconfig by its trigger alone, and packages of debug information as Debian's own are.

set(ENV{SOURCE_DATE_EPOCH} ${CPACK_COW_DATE})

# Kilobytes as dpkg-gencontrol counts: each file rounded up, and anything else one.
function(installed_size tree entries result)
  set(total 1)
  foreach(entry IN LISTS entries)
    set(kilobytes 1)
    if(NOT IS_DIRECTORY ${tree}/${entry} AND NOT IS_SYMLINK ${tree}/${entry})
      file(SIZE ${tree}/${entry} bytes)
      math(EXPR kilobytes "(${bytes} + 1023) / 1024")
    endif()
    math(EXPR total "${total} + ${kilobytes}")
  endforeach()
  set(${result} ${total} PARENT_SCOPE)
endfunction()

function(write_sums tree entries)
  set(sums "")
  foreach(entry IN LISTS entries)
    if(NOT IS_DIRECTORY ${tree}/${entry} AND NOT IS_SYMLINK ${tree}/${entry})
      file(MD5 ${tree}/${entry} sum)
      string(APPEND sums "${sum}  ${entry}\n")
    endif()
  endforeach()
  file(WRITE ${tree}/DEBIAN/md5sums "${sums}")
endfunction()

foreach(file IN LISTS CPACK_PACKAGE_FILES)
  set(tree ${CPACK_TOPLEVEL_DIRECTORY}/finish)
  file(REMOVE_RECURSE ${tree})
  execute_process(COMMAND dpkg-deb --raw-extract ${file} ${tree} COMMAND_ERROR_IS_FATAL ANY)
  file(REMOVE ${file})
  file(READ ${tree}/DEBIAN/control control)
  string(REGEX MATCH "(^|\n)Package: ([^\n]+)" ignored "${control}")
  set(package ${CMAKE_MATCH_2})

  if(EXISTS ${tree}/DEBIAN/triggers)
    file(REMOVE ${tree}/DEBIAN/postinst ${tree}/DEBIAN/postrm)
  endif()
  if(package MATCHES "^(.*)-dbgsym$")
    string(REPLACE "Package-Type: ddeb\n" "" control "${control}")
    set(doc ${CMAKE_MATCH_1})
    file(CHMOD_RECURSE ${tree}/usr/lib FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ
      DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
      WORLD_READ WORLD_EXECUTE)
    file(MAKE_DIRECTORY ${tree}/usr/share/doc)
    file(CREATE_LINK ${doc} ${tree}/usr/share/doc/${package} SYMBOLIC)
  endif()

  # The folder of the page, where that was not built.
  execute_process(COMMAND find ${tree}/usr -type d -empty -delete COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB_RECURSE entries LIST_DIRECTORIES true RELATIVE ${tree} ${tree}/*)
  list(FILTER entries EXCLUDE REGEX "^DEBIAN(/|$)")
  list(SORT entries)
  write_sums(${tree} "${entries}")
  installed_size(${tree} "${entries}" size)
  string(REGEX REPLACE "Installed-Size:[^\n]*" "Installed-Size: ${size}" control "${control}")
  foreach(kind IN ITEMS same foreign)
    string(TOUPPER CPACK_COW_MULTI_ARCH_${kind} packages)
    if(package IN_LIST ${packages})
      string(REGEX REPLACE "(Architecture: [^\n]+\n)" "\\1Multi-Arch: ${kind}\n"
        control "${control}")
    endif()
  endforeach()
  file(WRITE ${tree}/DEBIAN/control "${control}")

  # dpkg-deb leaves the times of files that are older, as a checkout's are.
  execute_process(COMMAND find ${tree} -exec touch --no-dereference --date=@${CPACK_COW_DATE} {} +
    COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND dpkg-deb --root-owner-group -Zxz --build ${tree} ${file}
    COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
  file(REMOVE_RECURSE ${tree})
endforeach()
