// The test program's main. Catch2 keeps its own fatal-signal handlers: it installs a SIGSEGV action
// at the start of each test case and puts back the one from before at its end, as frameworks and
// crash reporters do. libcow has to live with that: every control call sees to it that its own
// action is in front, with the framework's behind it (tests/catch_handler_test.cpp).

#if !__has_include(<catch2/catch_all.hpp>)  // Catch2 3 brings a main() of its own

#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

#endif
