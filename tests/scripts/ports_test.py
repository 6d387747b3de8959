#!/usr/bin/env python3
"""Builds libcow by src/package/vcpkg and src/package/conan from a copy of the tree, and a program
with what they install, and runs it.

Conan itself does it where there is a `conan` 2, with a home of its own in build/ports and without
asking any repository of packages: the headers of xxHash and Boost are those of this machine, as
packages (tests/consumer/system_headers). Else conan_stand_in.py does what the recipe calls.

Where VCPKG_ROOT is a checkout of vcpkg, its own scripts carry out the port; without its program,
which would download each dependency and build it. Else vcpkg_stand_in.cmake does what the port
calls. Which way it was is said. Both stand-ins share a folder of build, which each configures by
its own options: the library is compiled once if the options agree.
"""
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

import conan_stand_in

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "ports"
TREE = WORK / "tree"
CONAN = TREE / "src/package/conan"
VCPKG = TREE / "src/package/vcpkg"
BUILD = WORK / "build"


def run(*command, **more_environment):
    """Its output; a failure ends the test with it."""
    words = [str(word) for word in command]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                            env={**os.environ, **more_environment})
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {result.returncode}\n{result.stdout}")
    return result.stdout


def stage():
    """The tree as git has it, with what is not committed yet, and without git."""
    listed = run("git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z", "--cached",
                 "--others", "--exclude-standard").split("\0")
    names = {name for name in listed if name and (ROOT / name).is_file()}
    for path in TREE.rglob("*"):
        if path.is_file() and str(path.relative_to(TREE)) not in names:
            path.unlink()
    for name in names:  # copy2 keeps the time: what has not changed is not compiled again
        (TREE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, TREE / name)


def setUpModule():
    stage()


def version():
    text = (ROOT / "include/cow/version.hpp").read_text(encoding="utf-8")
    return ".".join(re.findall(r"#define COW_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text))


def conan_program():
    """conan, if it is there and a 2."""
    path = os.environ.get("COW_CONAN") or shutil.which("conan")
    if path is None or not re.search(r"version 2\.", run(path, "--version")):
        return None
    return path


def settings(**other):
    compiler = conan_stand_in.Setting(other.pop("compiler", "gcc"))
    compiler.version = other.pop("version", "12")
    compiler.cppstd = other.pop("cppstd", "gnu20")
    return {"os": "Linux", "arch": "x86_64", "build_type": "Release", "compiler": compiler, **other}


def macro_of_header(name, pattern):
    return ".".join(re.search(pattern, Path("/usr/include", name).read_text(encoding="utf-8"),
                              re.S).groups())


class Conan(unittest.TestCase):
    def check_program(self, told):
        self.assertIn(f"libcow of the package:\nversion: {version()}\n", told)

    def test_the_recipe_builds_and_its_test_package_runs(self):
        program = conan_program()
        if program is None:
            print("conan: by the stand-in, as there is no conan 2 here")
            self.build_by_stand_in()
        else:
            print(f"conan: by {program}")
            self.build_by_conan(program)

    def build_by_conan(self, program):
        home = {"CONAN_HOME": str(WORK / "conan_home")}
        shutil.rmtree(home["CONAN_HOME"], ignore_errors=True)
        run(program, "profile", "detect", **home)
        headers = {
            "xxhash": macro_of_header("xxhash.h", r"XXH_VERSION_MAJOR +(\d+).*VERSION_MINOR +"
                                      r"(\d+).*VERSION_RELEASE +(\d+)"),
            "boost": macro_of_header("boost/version.hpp", r'BOOST_LIB_VERSION "(\d+)_(\d+)'),
        }
        for name, found in headers.items():
            run(program, "create", TREE / "tests/consumer/system_headers", "--name", name,
                "--version", f"{found}.0" if name == "boost" else found, **home)
        self.check_program(run(
            program, "create", CONAN, "--no-remote", "-s", "compiler.cppstd=gnu20",
            "-o", "libcow/*:managed=True", "-c", "tools.cmake.cmaketoolchain:generator=Ninja",
            **home))

    def build_by_stand_in(self):
        recipe = conan_stand_in.load(CONAN / "conanfile.py")(CONAN, settings(), {"managed": True})
        recipe.set_version()
        self.assertEqual(recipe.version, version())
        recipe.export_sources_folder = recipe.source_folder = WORK / "conan_sources"
        shutil.rmtree(recipe.source_folder, ignore_errors=True)
        recipe.export_sources()
        self.check_exported(recipe.source_folder)
        # What was exported is part of the copy that vcpkg's port builds, and is compiled there.
        recipe.source_folder, recipe.build_folder = TREE, BUILD
        recipe.package_folder = WORK / "conan_package"
        shutil.rmtree(recipe.package_folder, ignore_errors=True)
        for step in ("configure", "validate", "requirements", "layout", "generate", "build",
                     "package", "package_info"):
            getattr(recipe, step)()
        self.assertEqual(set(recipe.required), {"xxhash", "boost"})
        self.assertTrue((recipe.package_folder / "licenses/LICENSE").is_file())
        self.assertFalse((recipe.package_folder / "lib/cmake").exists())
        self.build_test_package(recipe)

    def check_exported(self, folder):
        """Complete enough to be configured, and nothing of what nobody builds."""
        for name in ("src/page/node_modules", "tests", "src/package", "build"):
            self.assertFalse((folder / name).exists(), name)
        run("cmake", "-S", folder, "-B", WORK / "conan_configured", "-G", "Ninja",
            "-DCOW_BUILD_TESTS=OFF", "-DCOW_BUILD_BENCHMARKS=OFF", "-DCOW_BUILD_TOOL=OFF")

    def build_test_package(self, recipe):
        folder = CONAN / "test_package"
        test = conan_stand_in.load(folder / "conanfile.py")(folder, settings(), {})
        test.tested_reference_str = f"libcow/{recipe.version}"
        test.source_folder, test.build_folder = folder, WORK / "conan_test"
        test.generators_folder = WORK / "conan_generators"
        shutil.rmtree(test.build_folder, ignore_errors=True)
        conan_stand_in.write_targets(recipe, test.generators_folder)
        test.requirements()
        test.layout()
        test.generate()
        test.build()
        test.cpp.build.bindir = str(test.build_folder)
        self.check_program(run(test.build_folder / "test_package"))

    def test_the_recipe_refuses_what_libcow_is_not_for(self):
        load = conan_stand_in.load(CONAN / "conanfile.py")
        load(CONAN, settings(), {}).validate()
        load(CONAN, settings(arch="armv8", compiler="clang", version="14"), {}).validate()
        for other in ({"os": "Windows"}, {"arch": "x86"}, {"cppstd": "17"}, {"version": "11"},
                      {"compiler": "clang", "version": "13"}, {"compiler": "apple-clang"}):
            with self.assertRaises(conan_stand_in.ConanInvalidConfiguration, msg=str(other)):
                load(CONAN, settings(**other), {}).validate()

    def test_options_become_those_of_cmake_and_requirements(self):
        recipe = conan_stand_in.load(CONAN / "conanfile.py")(
            CONAN, settings(), {"tool": True, "reads": False, "shared": True})
        for step in ("configure", "requirements", "generate", "package_info"):
            getattr(recipe, step)()
        self.assertNotIn("fPIC", recipe.options.values)
        self.assertLess({"cli11", "fmt", "nlohmann_json", "capstone", "ncurses"},
                        set(recipe.required))
        self.assertEqual(recipe.cache_variables["COW_BUILD_TOOL"], True)
        self.assertEqual(recipe.cache_variables["COW_READS"], False)
        self.assertEqual(set(recipe.cpp_info.components), {"cow"})
        known = (TREE / "CMakeLists.txt").read_text(encoding="utf-8")
        for name in recipe.cache_variables:
            self.assertRegex(known, rf"option\({name} ", "an option that libcow does not have")


class Vcpkg(unittest.TestCase):
    def test_the_port_builds_and_a_program_finds_what_it_installs(self):
        root = Path(os.environ.get("VCPKG_ROOT", "/nonexistent"))
        if (root / "scripts/ports.cmake").is_file():
            print(f"vcpkg: by the scripts of {root}, with what is installed here")
            packages = self.build_by_scripts(root)
        else:
            print("vcpkg: by the stand-in, as VCPKG_ROOT names no vcpkg")
            packages = self.build_by_stand_in()
        self.use(packages)

    @staticmethod
    def build_by_stand_in():
        packages = WORK / "vcpkg_package"
        run("cmake", f"-DPORT_DIR={VCPKG}", f"-DBUILD={BUILD}", f"-DPACKAGES={packages}",
            "-DLINKAGE=static", "-DFEATURES=core;reads;managed", "-P",
            TREE / "tests/scripts/vcpkg_stand_in.cmake")
        return packages

    @staticmethod
    def build_by_scripts(root):
        """As the program vcpkg calls them, for the release half of a static triplet."""
        processor = "arm64" if os.uname().machine == "aarch64" else "x64"
        work, triplet = WORK / "vcpkg", f"{processor}-linux"
        shutil.rmtree(work, ignore_errors=True)
        for folder in ("packages", "build", "downloads", f"installed/{triplet}/share"):
            (work / folder).mkdir(parents=True)
        (work / f"{triplet}.cmake").write_text(
            f"set(VCPKG_TARGET_ARCHITECTURE {processor})\nset(VCPKG_CRT_LINKAGE dynamic)\n"
            "set(VCPKG_LIBRARY_LINKAGE static)\nset(VCPKG_CMAKE_SYSTEM_NAME Linux)\n"
            "set(VCPKG_BUILD_TYPE release)\n", encoding="utf-8")
        helpers = [root / f"ports/{name}/vcpkg-port-config.cmake"
                   for name in ("vcpkg-cmake", "vcpkg-cmake-config")]
        values = {
            "VCPKG_BASE_VERSION": "2999-12-31", "CMD": "BUILD", "PORT": "libcow",
            "VERSION": version(), "FEATURES": "core;reads;managed",
            "ALL_FEATURES": "core;reads;managed;tool", "CURRENT_PORT_DIR": VCPKG,
            "VCPKG_ROOT_DIR": root, "_VCPKG_INSTALLED_DIR": work / "installed",
            "PACKAGES_DIR": work / "packages", "BUILDTREES_DIR": work / "build",
            "DOWNLOADS": work / "downloads", "TARGET_TRIPLET": triplet,
            "TARGET_TRIPLET_FILE": work / f"{triplet}.cmake", "_HOST_TRIPLET": triplet,
            "VCPKG_PLATFORM_TOOLSET": "external", "VCPKG_CONCURRENCY": os.cpu_count(),
            "VCPKG_PORT_CONFIGS": ";".join(map(str, helpers)),
        }
        run("cmake", *(f"-D{name}={value}" for name, value in values.items()), "-P",
            root / "scripts/ports.cmake", VCPKG_FORCE_SYSTEM_BINARIES="1")
        return work / f"packages/libcow_{triplet}"

    @staticmethod
    def use_flags(packages):
        flags = run("pkg-config", "--cflags", "--libs", "--static", "libcow",
                    PKG_CONFIG_PATH=str(packages / "lib/pkgconfig")).split()
        return [os.path.normpath(flag) for flag in flags]

    def use(self, packages):
        consumer = WORK / "vcpkg_consumer"
        shutil.rmtree(consumer, ignore_errors=True)
        run("cmake", "-S", TREE / "tests/consumer", "-B", consumer, "-G", "Ninja",
            f"-Dlibcow_DIR={packages}/share/libcow", "-DCONSUMER_READS=ON",
            "-DCONSUMER_MANAGED=ON")
        run("cmake", "--build", consumer, "--target", "consumer", "consumer_reads",
            "consumer_managed")
        for name in ("consumer", "consumer_reads", "consumer_managed"):
            run(consumer / name)
        self.assertIn(f"-L{packages}/lib", self.use_flags(packages))


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    WORK.mkdir(parents=True, exist_ok=True)
    unittest.main(verbosity=2)
