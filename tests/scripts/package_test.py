#!/usr/bin/env python3
"""Takes libcow as others do: installed static and shared, found by CMake and by pkg-config, moved,
staged with DESTDIR, loaded in a plugin, and as a subproject; and looks at what it exports.

Builds and installs into build/consumer; .ci/run calls it (step `consumers`). The programs of these
others are in tests/consumer.
"""
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

import exported_names
from exported_names import c_headers, headers

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "consumer"
CONSUMER = ROOT / "tests" / "consumer"
KINDS = ("static", "shared")
VERSION = re.search(r'VERSION_MAJOR (\d+).*VERSION_MINOR (\d+).*VERSION_PATCH (\d+)',
                    (ROOT / "include/cow/version.hpp").read_text(encoding="utf-8"), re.S).groups()
SONAME = f"libcow.so.{VERSION[0]}.{VERSION[1]}"


def run(*command, ok=True, **more_environment):
    """Its output; a failure, or a success when ok is false, ends the test with it."""
    words = [str(word) for word in command]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                            env={**os.environ, **more_environment})
    if (result.returncode == 0) != ok:
        raise AssertionError(f"{' '.join(words)}: {result.returncode}\n{result.stdout}")
    return result.stdout


def may_need_boost(header):
    return header == "cow/managed_region.hpp" or header.startswith("cow/managed/")


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def configure(source, build, *options):
    return run("cmake", "-S", source, "-B", build, "-G", "Ninja", *options)


def prefix(kind):
    return WORK / f"prefix-{kind}"


def build_and_install(kind, into, *options):
    build = WORK / f"lib-{kind}"
    configure(ROOT, build, "-DCMAKE_BUILD_TYPE=Release", "-DCOW_WERROR=ON",
              f"-DBUILD_SHARED_LIBS={'ON' if kind == 'shared' else 'OFF'}",
              f"-DCMAKE_INSTALL_PREFIX={into}", "-DCMAKE_INSTALL_LIBDIR=lib",
              "-DCOW_BUILD_TESTS=OFF", "-DCOW_BUILD_BENCHMARKS=OFF", "-DCOW_BUILD_TOOL=OFF",
              *options)
    run("cmake", "--build", build)
    return build


def setUpModule():
    fresh(prefix("both"))
    for kind in KINDS:
        build = build_and_install(kind, fresh(prefix(kind)))
        run("cmake", "--install", build)
        run("cmake", "--install", build, "--prefix", prefix("both"))


def needed(program):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", program))


def build_consumer(name, *options, targets=("consumer",)):
    build = fresh(WORK / name)
    configure(CONSUMER, build, *options)
    run("cmake", "--build", build, "--target", *targets)
    return build


class Tree(unittest.TestCase):
    """What is installed."""

    def test_the_headers_the_library_and_what_finds_it_are_installed_and_nothing_else(self):
        includes = {f"include/{header}" for header in
                    headers(ROOT / "include") + c_headers(ROOT / "include")}
        common = includes | {"lib/pkgconfig/libcow.pc", "lib/pkgconfig/libcow-reads.pc",
                             "lib/cmake/libcow/libcowConfig.cmake",
                             "lib/cmake/libcow/libcowConfigVersion.cmake"}
        for kind in KINDS:
            targets = {f"lib/cmake/libcow/libcow-{kind}{end}.cmake" for end in ("", "-release")}
            so = SONAME.removeprefix("libcow")
            ends = [".a"] if kind == "static" else [".so", so, f"{so}.{VERSION[2]}"]
            library = {f"lib/{name}{end}" for name in ("libcow", "libcow-reads") for end in ends}
            bill = {f"share/doc/libcow/libcow-{kind}.spdx.json"}
            found = {str(path.relative_to(prefix(kind)))
                     for path in prefix(kind).rglob("*") if not path.is_dir()}
            self.assertEqual(found, common | targets | library | bill)

    def test_no_installed_file_names_the_folders_it_was_built_in(self):
        for kind in KINDS:
            for path in prefix(kind).rglob("*"):
                if path.is_file():
                    self.assertNotIn(str(ROOT).encode(), path.read_bytes(), path)

    def test_every_header_stands_alone_and_compiles_without_a_warning(self):
        source = WORK / "header.cpp"
        include = prefix("static") / "include"
        for compiler in filter(shutil.which, ("g++", "clang++")):
            for header in headers(include):
                source.write_text(f"#include <{header}>\n" * 2, encoding="utf-8")
                run(compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic",
                    "-Wconversion", "-Wshadow", "-Werror", "-I", include, source)

    def test_the_headers_include_each_other_and_the_standard_library_and_nothing_else(self):
        include = prefix("static") / "include"
        for header in headers(include):
            text = (include / header).read_text(encoding="utf-8")
            for name in re.findall(r'#\s*include\s*[<"]([^>"]*)', text):
                allowed = name.startswith("cow/") or re.fullmatch(r"[a-z_]+", name)
                if may_need_boost(header):
                    allowed = allowed or name.startswith("boost/")
                else:
                    allowed = allowed and not may_need_boost(name)
                self.assertTrue(allowed, f"{header} includes {name}")


class Symbols(unittest.TestCase):
    """What the libraries export."""

    def test_the_shared_library_exports_what_the_headers_mark_with_COW_API_and_nothing_else(self):
        symbols = [name.replace("@@", "@").split("@") for name, _ in
                   exported_names.symbols(prefix("shared") / "lib/libcow.so", "--dynamic")]
        exported = set()
        for name in exported_names.plain([name for name, _ in symbols]):
            self.assertRegex(name, r"^(cow::|cow_\w+$)")
            exported.add(name.removeprefix("cow::").removeprefix("detail::").split("::")[0])
        self.assertEqual(exported, exported_names.declared(ROOT / "include"))
        for name, version in symbols:
            cxx = f"LIBCOW_{VERSION[0]}.{VERSION[1]}"
            self.assertRegex(version, r"^LIBCOW_C_\d+$" if name.startswith("cow_") else f"^{cxx}$")
        self.assertGreater(len(exported), 5)

    def test_the_static_library_defines_no_global_name_but_those_of_namespace_cow_and_of_c(self):
        symbols = exported_names.symbols(prefix("static") / "lib/libcow.a", "--extern-only")
        # Weak and unique: what the compiler makes of the standard library's templates, once in
        # each program.
        strong = [name for name, letter in symbols if letter not in "VWuvw"]
        self.assertGreater(len(strong), 50)
        others = [name for name in strong if not re.match(r"_ZN?K?3cow|_ZT.N3cow", name)]
        self.assertEqual(sorted(others),
                         sorted(name for name in exported_names.declared(ROOT / "include")
                                if name.startswith("cow_")))

    def test_the_shared_library_has_a_soname_of_the_minor_version_and_is_never_unloaded(self):
        dynamic = run("readelf", "-d", prefix("shared") / "lib/libcow.so")
        self.assertIn(f"Library soname: [{SONAME}]", dynamic)
        self.assertRegex(dynamic, r"FLAGS_1.*NODELETE")
        self.assertRegex(dynamic, r"FLAGS_1.*NOW")
        system = r"lib(stdc\+\+|gcc_s|c|m)\.so\.\d+|ld-linux.*"
        for name in needed(prefix("shared") / "lib/libcow.so"):
            self.assertRegex(name, f"^({system})$")

    def test_the_python_package_works_with_the_installed_library(self):
        run(sys.executable, "-B", ROOT / "tests/scripts/python_test.py",
            prefix("shared") / "lib/libcow.so")

    def test_libcow_reads_exports_functions_of_libc_and_nothing_of_cxx(self):
        path = prefix("shared") / "lib/libcow-reads.so"
        names = {name for name, _ in exported_names.symbols(path, "--dynamic")}
        self.assertLess({"read", "fread"}, names)
        self.assertFalse({name for name in names if name.startswith("_Z")})


class Installed(unittest.TestCase):
    """Programs that find the installed library."""

    def check_consumer(self, name, tree, kind, *options, targets=("consumer",)):
        build = build_consumer(name, f"-DCMAKE_PREFIX_PATH={tree}", *options, targets=targets)
        run(build / "consumer")
        self.assertEqual(SONAME in needed(build / "consumer"), kind == "shared")
        return build

    def test_find_package_finds_the_library_also_in_a_tree_that_was_moved(self):
        for kind in KINDS:
            moved = fresh(WORK / f"moved {kind}")
            shutil.copytree(prefix(kind), moved, symlinks=True)
            hidden = prefix(kind).rename(WORK / f"away-{kind}")
            try:
                self.check_consumer(f"find-{kind}", moved, kind)
            finally:
                hidden.rename(prefix(kind))

    def test_a_tree_with_both_libraries_gives_the_one_that_is_asked_for(self):
        both = prefix("both")
        self.check_consumer("both-static", both, "static", "-DCONSUMER_COMPONENTS=static")
        self.check_consumer("both-shared", both, "shared", "-DCONSUMER_COMPONENTS=shared")
        self.check_consumer("both-default", both, "static")
        self.check_consumer("both-build", both, "shared", "-DBUILD_SHARED_LIBS=ON")
        with self.assertRaisesRegex(AssertionError, "shared"):
            build_consumer("missing", f"-DCMAKE_PREFIX_PATH={prefix('static')}",
                           "-DCONSUMER_COMPONENTS=shared")

    def test_the_component_managed_finds_boost_and_the_others_do_not_look_for_it(self):
        for kind in KINDS:
            build = self.check_consumer(f"managed-{kind}", prefix(kind), kind,
                                        "-DCONSUMER_MANAGED=ON",
                                        targets=("consumer", "consumer_managed"))
            run(build / "consumer_managed")
            self.check_consumer(f"no-boost-{kind}", prefix(kind), kind,
                                "-DCMAKE_DISABLE_FIND_PACKAGE_Boost=ON")

    def test_a_handler_outlives_the_plugin_that_brought_it(self):
        for kind in KINDS:
            build = build_consumer(f"plugin-{kind}", f"-DCMAKE_PREFIX_PATH={prefix(kind)}",
                                   targets=("consumer_plugin", "consumer_host"))
            plugin = build / "libconsumer_plugin.so"
            run(build / "consumer_host", plugin)
            owner = prefix("shared") / "lib/libcow.so"
            if kind == "static":
                owner = plugin
            self.assertRegex(run("readelf", "-d", owner), r"FLAGS_1.*NODELETE")

    def test_two_plugins_that_have_a_libcow_each_work_side_by_side(self):
        build = build_consumer("plugins", f"-DCMAKE_PREFIX_PATH={prefix('static')}",
                               targets=("consumer_plugin", "consumer_host"))
        plugin = build / "libconsumer_plugin.so"
        other = shutil.copy2(plugin, build / "other.so")
        run(build / "consumer_host", plugin, other)

    def test_pkg_config_finds_the_library_also_in_a_tree_that_was_moved(self):
        for kind in KINDS:
            moved = fresh(WORK / f"moved-{kind}")
            shutil.copytree(prefix(kind), moved, symlinks=True)
            path = {"PKG_CONFIG_PATH": str(moved / "lib/pkgconfig")}
            static = ["--static"] if kind == "static" else []
            flags = run("pkg-config", "--cflags", "--libs", *static, "libcow", **path).split()
            self.assertIn(f"-I{moved}/", " ".join(flags))
            program = WORK / f"pkg-config-{kind}"
            run("g++", "-std=c++20", CONSUMER / "main.cpp", *flags, "-o", program)
            self.assertEqual(SONAME in needed(program), kind == "shared")
            run(program, LD_LIBRARY_PATH=str(moved / "lib"))
            run("gcc", "-std=c11", CONSUMER / "main.c", *flags, "-o", program)
            self.assertEqual(SONAME in needed(program), kind == "shared")
            run(program, LD_LIBRARY_PATH=str(moved / "lib"))
            self.assertEqual(run("pkg-config", "--modversion", "libcow", **path).strip(),
                             ".".join(VERSION))
            run("pkg-config", f"libcow >= {VERSION[0]}.{VERSION[1]}", **path)
            run("pkg-config", f"libcow >= {VERSION[0]}.{int(VERSION[1]) + 1}", ok=False, **path)

    def test_libcow_reads_is_found_linked_and_preloaded(self):
        for kind in KINDS:
            lib = prefix(kind) / "lib"
            build = build_consumer(
                f"reads-{kind}", f"-DCMAKE_PREFIX_PATH={prefix(kind)}", "-DCONSUMER_READS=ON",
                targets=("consumer_reads", "consumer_short"))
            self.assertEqual("-reads." in run("ldd", build / "consumer_reads"), kind == "shared")
            run(build / "consumer_reads")
            run(build / "consumer_short", ok=False)
            if kind == "shared":
                run(build / "consumer_short", LD_PRELOAD=str(lib / "libcow-reads.so"))
            static = ["--static"] * (kind == "static")
            flags = run("pkg-config", "--cflags", "--libs", *static, "libcow-reads",
                        PKG_CONFIG_PATH=str(lib / "pkgconfig")).split()
            run("g++", "-std=c++20", CONSUMER / "reads.cpp", *flags, "-o", build / "by_name")
            run(build / "by_name", LD_LIBRARY_PATH=str(lib))

    def test_an_install_that_is_staged_with_destdir_lies_there_and_works(self):
        stage = fresh(WORK / "stage")
        # Debian's folder for libraries is two levels deep.
        build = build_and_install("static", "/usr", "-DCMAKE_INSTALL_LIBDIR=lib/some-linux-gnu")
        run("cmake", "--install", build, DESTDIR=str(stage))
        self.assertEqual([path.name for path in stage.iterdir()], ["usr"])
        lib = stage / "usr/lib/some-linux-gnu"
        self.check_consumer("destdir", lib / "cmake", "static")
        flags = run("pkg-config", "--cflags", "--libs", "--static", "libcow",
                    PKG_CONFIG_PATH=str(lib / "pkgconfig")).split()
        run("g++", "-std=c++20", CONSUMER / "main.cpp", *flags, "-o", WORK / "destdir-pkg-config")
        run(WORK / "destdir-pkg-config")

    def test_versions_that_fit_are_accepted_and_the_others_refused(self):
        major, minor, patch = map(int, VERSION)
        here = f"{major}.{minor}"
        requests = {
            "": True, here: True, f"{here}.{patch}": True, f"{here}.{patch} EXACT": True,
            f"{here}...<{major}.{minor + 1}": True, f"{here}.0...{here}.9": True,
            f"{here}.{patch + 1}": False, f"{major}.{minor + 1}": False, f"{major + 1}.0": False,
            f"{major + 1}.{minor}": False, f"{here}.{patch + 1} EXACT": False,
        }
        if minor > 0:
            requests[f"{major}.{minor - 1}"] = False
        told = configure(CONSUMER / "versions", fresh(WORK / "versions"),
                         f"-DCMAKE_PREFIX_PATH={prefix('static')}",
                         f"-DCONSUMER_REQUESTS={';'.join(requests)}")
        answers = dict(re.findall(r"request \[(.*)\] (accepted|refused)", told))
        # An empty element gets lost in a list of CMake's.
        answers.setdefault("", "accepted")
        self.assertEqual({request: answers.get(request) == "accepted" for request in requests},
                         requests, told)


class Subproject(unittest.TestCase):
    """libcow's sources in somebody else's build: tests/consumer checks that nothing but the
    library is part of it. Nothing that only the tests and the program need may be looked for."""

    NOTHING_ELSE = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in
                    ("Catch2", "CLI11", "fmt", "nlohmann_json", "benchmark", "Python3")]

    def take(self, way, source, *options, targets=("consumer",)):
        nothing_else = self.NOTHING_ELSE if targets == ("consumer",) else []
        build = build_consumer(way, f"-DCONSUMER_WAY={way}", f"-DCONSUMER_LIBCOW={source}",
                               *nothing_else, *options, targets=targets)
        run(build / "consumer")
        stage = fresh(WORK / "stage-subproject")
        run("cmake", "--install", build, "--prefix", stage)
        return {str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file()}

    def test_as_a_subdirectory(self):
        self.assertEqual(self.take("subdirectory", ROOT), {"bin/consumer"})

    def test_as_a_subdirectory_with_objects(self):
        installed = self.take("subdirectory", ROOT, "-DCONSUMER_MANAGED=ON",
                              targets=("consumer", "consumer_managed"))
        run(WORK / "subdirectory" / "consumer_managed")
        self.assertEqual(installed, {"bin/consumer"})

    def test_fetched_from_a_folder_as_a_shared_library(self):
        self.assertEqual(self.take("fetch_folder", ROOT, "-DBUILD_SHARED_LIBS=ON"),
                         {"bin/consumer"})

    @staticmethod
    def repository():
        """(a repository with the tree as it is, its commit)"""
        source = fresh(WORK / "repository")
        files = run("git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z", "--cached",
                    "--others", "--exclude-standard").split("\0")
        for name in filter(lambda name: name and (ROOT / name).is_file(), files):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
        git = ("git", "-C", source, "-c", "user.name=x", "-c", "user.email=x@invalid",
               "-c", "commit.gpgsign=false")
        run(*git, "init", "-q")
        run(*git, "add", ".")
        run(*git, "commit", "-q", "-m", "libcow")
        run(*git, "tag", "v0.1.0")
        return source, run(*git, "rev-parse", "HEAD").strip()

    def test_fetched_from_a_repository_and_installed_along(self):
        source, _ = self.repository()
        installed = self.take("fetch_git", f"file://{source}", "-DCOW_INSTALL=ON",
                              "-DCMAKE_INSTALL_LIBDIR=lib")
        self.assertLessEqual({"bin/consumer", "lib/libcow.a", "include/cow/cow.hpp"}, installed)


class Guide(unittest.TestCase):
    """Lines of documents, as they stand there."""

    def test_the_lines_of_c_are_those_of_the_example_which_is_a_test(self):
        example = (ROOT / "docs/examples/c/twenty_lines.c").read_text(encoding="utf-8")
        for name in ("README.md", "docs/c-api.md"):
            text = (ROOT / name).read_text(encoding="utf-8")
            shown = re.search(r"^```c\n(.*?)^```", text, re.M | re.S)[1]
            self.assertEqual(shown, example[example.index("#include <cow/cow.h>"):], name)

    def build(self, name, lines, *options):
        source = fresh(WORK / f"guide-{name}")
        source.mkdir(parents=True)
        shutil.copy2(CONSUMER / "main.cpp", source / "main.cpp")
        (source / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.21)\nproject(guide CXX)\n"
            f"add_executable(app main.cpp)\n{lines}", encoding="utf-8")
        configure(source, source / "build", *options)
        run("cmake", "--build", source / "build", "--target", "app")
        run(source / "build" / "app")

    def test_the_guide_s_lines_of_cmake_find_and_fetch_the_library(self):
        text = (ROOT / "docs/embedding.md").read_text(encoding="utf-8")
        find, fetch = re.findall(r"^```cmake\n(.*?)^```", text, re.M | re.S)
        self.build("find", find, f"-DCMAKE_PREFIX_PATH={prefix('static')}")
        source, commit = Subproject.repository()
        fetch = fetch.replace("<where it is>", f"file://{source}").replace("<which commit>", commit)
        self.assertNotIn("<", fetch)
        self.build("fetch", fetch + "target_link_libraries(app PRIVATE cow::cow)\n")


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    WORK.mkdir(parents=True, exist_ok=True)
    unittest.main(verbosity=2)
