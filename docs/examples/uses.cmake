# The uses of copy on write: each a program that claims something and measures it.

# cow_use(<program>): one of the uses of copy on write. It claims what it is for, with --quick as a
# test, and measures it beside what else people do.
function(cow_use program)
  add_executable(${program} ${program}.cpp measured.hpp command_line.hpp)
  target_link_libraries(${program} PRIVATE cow_managed)
  cow_configure_target(${program})
  add_dependencies(cow_examples ${program})
  add_test(NAME example_${program} COMMAND ${program} --quick)
  set_tests_properties(example_${program} PROPERTIES TIMEOUT 120 LABELS "suite;examples")
endfunction()

cow_use(worker_pool)

# The guest's program of virtual_machines, for RISC-V: by clang, which compiles for any processor,
# and lld. It lies beside the program that runs it.
function(cow_use_virtual_machines)
  find_program(COW_RISCV_CLANG NAMES clang clang-18 clang-14)
  find_program(COW_RISCV_LLD NAMES ld.lld ld.lld-18 ld.lld-14)
  mark_as_advanced(COW_RISCV_CLANG COW_RISCV_LLD)
  if(NOT COW_RISCV_CLANG OR NOT COW_RISCV_LLD)
    set(why "The example virtual_machines is not built: its guests' program needs clang and ld.lld \
(packages clang and lld)")
    message(STATUS ${why})
    add_test(NAME example_virtual_machines COMMAND ${CMAKE_COMMAND} -E echo ${why})
    set_tests_properties(example_virtual_machines PROPERTIES
      SKIP_REGULAR_EXPRESSION "is not built" LABELS "suite;examples")
    return()
  endif()
  cow_use(virtual_machines)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/virtual_machines/guest.c)
  set(program ${CMAKE_CURRENT_BINARY_DIR}/virtual_machines_guest.elf)
  add_custom_command(OUTPUT ${program}
    COMMAND ${COW_RISCV_CLANG} --target=riscv32 -march=rv32i -mabi=ilp32 -mno-relax -std=c11 -O2
      -Wall -Wextra -Werror -ffreestanding -nostdlib -static --ld-path=${COW_RISCV_LLD}
      -Wl,--image-base=0x80000000 -o ${program} ${source}
    DEPENDS ${source} VERBATIM COMMENT "Compiling a guest's program for RISC-V")
  add_custom_target(cow_riscv_guest DEPENDS ${program})
  add_dependencies(virtual_machines cow_riscv_guest)
  add_custom_command(TARGET cow_riscv_guest POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E copy_if_different ${program} $<TARGET_FILE_DIR:virtual_machines>
    VERBATIM)
endfunction()
cow_use_virtual_machines()
cow_use(key_value_server)
cow_use(fuzz_loop)
cow_use(rollback_game)
cow_use(editor_undo)

# Each of the textbook's claims is a command: textbook_claims less_memory.
cow_use(textbook_claims)
target_sources(textbook_claims PRIVATE claims/claims.cpp claims/family.cpp
  claims/less_memory.cpp claims/faster_creation.cpp claims/lazy_allocation.cpp
  claims/fewer_copies.cpp claims/fault_overhead.cpp claims/fragmentation.cpp claims/complexity.cpp
  claims/isolation.cpp)
target_compile_definitions(textbook_claims PRIVATE COW_SOURCES="${PROJECT_SOURCE_DIR}")

# The same disk by the clients that others have: skipped, in words, where they are not installed.
cow_use(block_device)
set_tests_properties(example_block_device PROPERTIES TIMEOUT 300)  # it waits for the disk
find_package(Python3 REQUIRED COMPONENTS Interpreter)
foreach(mechanism IN ITEMS handler automatic)
  add_test(NAME block_device_${mechanism} COMMAND ${Python3_EXECUTABLE} -B
    ${PROJECT_SOURCE_DIR}/tests/scripts/block_device_test.py $<TARGET_FILE:block_device>)
  set_tests_properties(block_device_${mechanism} PROPERTIES ENVIRONMENT COW_MECHANISM=${mechanism}
    TIMEOUT 400 LABELS "suite;examples" SKIP_RETURN_CODE 77)
endforeach()
