"""Does what Conan 2 does with a recipe, of what src/package/conan calls: ports_test.py uses it
where there is no conan. Builds against what is installed on the machine.

load() imports a recipe with modules of this file in place of `conan`; what a recipe calls that is
not here is an error.
"""
import fnmatch
import importlib.util
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path


class ConanInvalidConfiguration(Exception):
    """A recipe refuses settings or options."""


class Setting(str):
    """A word that has more settings below it: settings.compiler, settings.compiler.version."""


class Options:
    """Those that are declared, and no others."""

    def __init__(self, declared, values):
        self.__dict__["declared"], self.__dict__["values"] = declared, {}
        for name, value in values.items():
            if "/" not in name:  # else one of a requirement's
                setattr(self, name, value)

    def __setattr__(self, name, value):
        assert value in self.declared[name], f"option {name}={value} is not among its values"
        self.values[name] = value

    def __getattr__(self, name):
        return self.values[name]

    def rm_safe(self, name):
        self.values.pop(name, None)


class Component:
    """What package_info() says of a component, or of the whole."""

    def __init__(self):
        self.properties, self.components = {}, _Components()
        self.libs, self.system_libs, self.requires = [], [], []
        self.exelinkflags, self.sharedlinkflags, self.libdirs = [], [], ["lib"]

    def set_property(self, name, value):
        self.properties[name] = value


class _Components(dict):
    def __missing__(self, name):
        self[name] = Component()
        return self[name]


class ConanFile:
    """What a recipe inherits from."""
    options, default_options = {}, {}

    def __init__(self, folder, settings, options):
        unknown = set(settings) - set(self.settings)
        assert not unknown, f"the recipe does not declare the settings {unknown}"
        self.settings = types.SimpleNamespace(**settings)
        self.options = Options(self.options, {**self.default_options, **options})
        self.recipe_folder, self.required, self.cpp_info = str(folder), {}, Component()
        self.cpp = types.SimpleNamespace(build=types.SimpleNamespace(bindir="."))

    def requires(self, reference, **traits):
        name = reference.split("/")[0]
        assert name not in self.required, f"{name} is required twice"
        self.required[name] = traits

    def run(self, command, **_):
        _run(command)


class CMakeToolchain:
    def __init__(self, recipe):
        self.recipe, self.cache_variables = recipe, {}

    def generate(self):
        self.recipe.cache_variables = self.cache_variables


class CMakeDeps(CMakeToolchain):
    def generate(self):
        pass  # what is required is on the machine


class CMake:
    def __init__(self, recipe):
        self.recipe = recipe

    def configure(self):
        recipe = self.recipe
        values = {"CMAKE_BUILD_TYPE": recipe.settings.build_type, **_defaults(recipe),
                  **getattr(recipe, "cache_variables", {})}
        texts = {True: "ON", False: "OFF"}
        _run("cmake", "-S", recipe.source_folder, "-B", recipe.build_folder, "-G", "Ninja",
             *(f"-D{name}={texts.get(value, value)}" for name, value in values.items()))

    def build(self):
        _run("cmake", "--build", self.recipe.build_folder)

    def install(self):
        _run("cmake", "--install", self.recipe.build_folder, "--prefix",
             self.recipe.package_folder)


def _defaults(recipe):
    """What the real toolchain sets for options of these names."""
    values = {"CMAKE_INSTALL_LIBDIR": "lib", "CMAKE_INSTALL_BINDIR": "bin"}
    options = recipe.options.values
    if "shared" in options:
        values["BUILD_SHARED_LIBS"] = options["shared"]
    if "fPIC" in options:
        values["CMAKE_POSITION_INDEPENDENT_CODE"] = options["fPIC"]
    if hasattr(recipe, "generators_folder"):
        values["CMAKE_PREFIX_PATH"] = recipe.generators_folder
    return values


def _run(*command):
    result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False)
    print(result.stdout, end="")
    if result.returncode != 0:
        raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}")


def _copy(recipe, pattern, src, dst, excludes=()):
    for path in sorted(Path(src).rglob("*")):
        name = str(path.relative_to(src))
        excluded = any(fnmatch.fnmatch(name, one) for one in excludes)
        if path.is_file() and fnmatch.fnmatch(name, pattern) and not excluded:
            target = Path(dst, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def _check_min_cppstd(recipe, least):
    standard = recipe.settings.compiler.cppstd.removeprefix("gnu")
    if int(standard) < least:
        raise ConanInvalidConfiguration(f"needs C++{least}, and this is C++{standard}")


class Version(tuple):
    def __new__(cls, text):
        return super().__new__(cls, map(int, str(text).split(".")))

    def __lt__(self, other):
        return tuple(self) < tuple(Version(other))


def load(path):
    """The class of a recipe."""
    modules = {
        "conan": {"ConanFile": ConanFile},
        "conan.errors": {"ConanInvalidConfiguration": ConanInvalidConfiguration},
        "conan.tools": {},
        "conan.tools.build": {"check_min_cppstd": _check_min_cppstd, "can_run": lambda _: True},
        "conan.tools.cmake": {"CMake": CMake, "CMakeDeps": CMakeDeps, "cmake_layout": lambda _: 0,
                              "CMakeToolchain": CMakeToolchain},
        "conan.tools.files": {"copy": _copy, "rmdir": lambda _, name: shutil.rmtree(name),
                              "load": lambda _, name: Path(name).read_text(encoding="utf-8")},
        "conan.tools.scm": {"Version": Version},
    }
    before = {name: sys.modules.get(name) for name in modules}
    try:
        for name, members in modules.items():
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__dict__.update(members)
        spec = importlib.util.spec_from_file_location(path.parent.name + "_recipe", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        for name, one in before.items():
            sys.modules.pop(name)
            if one is not None:
                sys.modules[name] = one
    return next(one for one in vars(module).values()
                if isinstance(one, type) and issubclass(one, ConanFile) and one is not ConanFile)


def write_targets(recipe, folder):
    """The package as a program finds it: from what package_info() says alone."""
    lines = ["include(CMakeFindDependencyMacro)", "find_dependency(Threads)"]
    if any("boost::headers" in one.requires for one in recipe.cpp_info.components.values()):
        lines.append("find_dependency(Boost)")
    names = {name: one.properties["cmake_target_name"]
             for name, one in recipe.cpp_info.components.items()}
    for name, one in recipe.cpp_info.components.items():
        links = [f"{recipe.package_folder}/lib/lib{lib}{'.so' if recipe.options.shared else '.a'}"
                 for lib in one.libs]
        links += [*(names.get(other, other.replace("boost", "Boost")) for other in one.requires),
                  *one.system_libs]
        flags = "".join(
            f';$<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,{kind}>:{flag}>'
            for kind, all_flags in (("EXECUTABLE", one.exelinkflags),
                                    ("SHARED_LIBRARY", one.sharedlinkflags),
                                    ("MODULE_LIBRARY", one.sharedlinkflags))
            for flag in all_flags)
        lines += [f"add_library({names[name]} INTERFACE IMPORTED)",
                  f"set_target_properties({names[name]} PROPERTIES",
                  f'  INTERFACE_INCLUDE_DIRECTORIES "{recipe.package_folder}/include"',
                  f'  INTERFACE_LINK_LIBRARIES "{";".join(links)}"',
                  f'  INTERFACE_LINK_OPTIONS "{flags.removeprefix(";")}")']
    folder.mkdir(parents=True, exist_ok=True)
    name = recipe.cpp_info.properties["cmake_file_name"]
    (folder / f"{name}Config.cmake").write_text("\n".join(lines) + "\n", encoding="utf-8")
