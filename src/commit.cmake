# Writes the header that says which commit is built: cmake -DSOURCES=… -DHEADER=… -P commit.cmake.
# -DSAID=… is the commit where SOURCES are no repository, which a package was made of say.
# A header that says the same stays untouched, so that nothing is compiled for it.

set(commit unknown)
if(SAID)
  set(commit ${SAID})
endif()
set(modified "")
find_program(git git)
if(git)
  # A tree without a .git of its own may lie in somebody else's.
  execute_process(COMMAND ${git} -C ${SOURCES} rev-parse --show-cdup --verify HEAD
    OUTPUT_VARIABLE answer RESULT_VARIABLE failed ERROR_QUIET)
  string(REGEX MATCH "^\n([0-9a-f]+)\n$" is_top "${answer}")
  if(NOT failed AND is_top)
    set(commit ${CMAKE_MATCH_1})
    execute_process(COMMAND ${git} -C ${SOURCES} status --porcelain --untracked-files=no
      OUTPUT_VARIABLE changes RESULT_VARIABLE failed ERROR_QUIET)
    if(NOT failed)
      set(modified "#define COW_COMMIT_MODIFIED 0\n")
      if(changes)
        set(modified "#define COW_COMMIT_MODIFIED 1\n")
      endif()
    endif()
  endif()
endif()

set(text "#pragma once\n\n#define COW_COMMIT \"${commit}\"\n${modified}")
set(before "")
if(EXISTS ${HEADER})
  file(READ ${HEADER} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${HEADER} "${text}")
endif()
