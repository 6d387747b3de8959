"""libcow for Conan 2, from the tree that this file lies in: conan create src/package/conan

docs/packages.md says what its options are.
"""
import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir
from conan.tools.scm import Version


class LibcowConan(ConanFile):
    name = "libcow"
    description = "Copy-on-write memory regions in user space"
    license = "MIT"
    topics = ("copy-on-write", "snapshot", "memory", "checkpoint")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {
        "shared": [True, False],
        "fPIC": [True, False],
        "tool": [True, False],      # the program cow
        "reads": [True, False],     # libcow-reads
        "managed": [True, False],   # cow::managed, whose users need Boost's headers
    }
    default_options = {
        "shared": False, "fPIC": True, "tool": False, "reads": True, "managed": False,
        "boost/*:header_only": True, "fmt/*:header_only": True,
    }
    compilers = {"gcc": "12", "clang": "14"}  # the oldest of each

    @property
    def tree(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        text = load(self, os.path.join(self.tree, "include", "cow", "version.hpp"))
        parts = [re.search(rf"COW_VERSION_{part} (\d+)", text)[1]
                 for part in ("MAJOR", "MINOR", "PATCH")]
        self.version = ".".join(parts)

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "include/*", "src/*", "docs/lecture/*"):
            copy(self, pattern, src=self.tree, dst=self.export_sources_folder,
                 excludes=("*/node_modules/*", "src/page/dist/*", "src/package/*"))

    def configure(self):
        if self.options.shared:
            self.options.rm_safe("fPIC")

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("libcow is for Linux")
        if self.settings.arch not in ("x86_64", "armv8"):
            raise ConanInvalidConfiguration("libcow is for x86_64 and armv8 (ARM64)")
        check_min_cppstd(self, 20)
        compiler = str(self.settings.compiler)
        if compiler not in self.compilers:
            raise ConanInvalidConfiguration(f"libcow is built by GCC and Clang, not by {compiler}")
        if Version(self.settings.compiler.version) < self.compilers[compiler]:
            raise ConanInvalidConfiguration(
                f"libcow needs {compiler} {self.compilers[compiler]} or newer")

    def requirements(self):
        # Headers that are compiled in. Only who uses objects in a region needs them, too.
        self.requires("xxhash/[>=0.8 <1]", libs=False, visible=False)
        managed = bool(self.options.managed)
        self.requires("boost/[>=1.74 <2]", libs=False, transitive_headers=managed, visible=managed)
        if self.options.tool:
            self.requires("cli11/[>=2.1 <3]", libs=False, visible=False)
            self.requires("fmt/[>=9 <12]", libs=False, visible=False)
            self.requires("nlohmann_json/[>=3.10 <4]", libs=False, visible=False)
            self.requires("capstone/[>=4 <6]", visible=False)
            self.requires("ncurses/[>=6 <7]", visible=False)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["COW_BUILD_TESTS"] = False
        toolchain.cache_variables["COW_BUILD_BENCHMARKS"] = False
        toolchain.cache_variables["COW_BUILD_TOOL"] = bool(self.options.tool)
        toolchain.cache_variables["COW_READS"] = bool(self.options.reads)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", src=self.source_folder,
             dst=os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        # Conan writes its own, from what is said below; who is not asked for stays out of the way.
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "libcow")
        cow = self.cpp_info.components["cow"]
        cow.set_property("cmake_target_name", "cow::cow")
        cow.set_property("pkg_config_name", "libcow")
        cow.libs = ["cow"]
        cow.system_libs = ["pthread"]
        # The process keeps the signal handler: a plugin that has it in it is never unloaded.
        if not self.options.shared:
            cow.sharedlinkflags = ["-Wl,-z,nodelete"]
        if self.options.reads:
            reads = self.cpp_info.components["reads"]
            reads.set_property("cmake_target_name", "cow::reads")
            reads.set_property("pkg_config_name", "libcow-reads")
            reads.libs = ["cow-reads"]
            reads.requires = ["cow"]
            reads.system_libs = ["dl"]
            members = ("files", "messages", "facts", "requests", "streams")
            reads.exelinkflags = ["-Wl," + ",".join(f"-u,cow_reads_{name}" for name in members)]
            reads.sharedlinkflags = reads.exelinkflags
        if self.options.managed:
            managed = self.cpp_info.components["managed"]
            managed.set_property("cmake_target_name", "cow::managed")
            managed.requires = ["cow", "boost::headers"]
            managed.libdirs = []
