"""The headers of this machine as a package of Conan, where no repository of packages is reached:
conan create . --name xxhash|boost --version …"""
import os

from conan import ConanFile

WHAT = {"xxhash": "xxhash.h", "boost": "boost"}


class SystemHeaders(ConanFile):
    package_type = "header-library"
    options = {"header_only": [True, False]}
    default_options = {"header_only": True}

    def package(self):
        what = WHAT[self.name]
        os.makedirs(os.path.join(self.package_folder, "include"))
        os.symlink(f"/usr/include/{what}", os.path.join(self.package_folder, "include", what))

    def package_info(self):
        self.cpp_info.libdirs = self.cpp_info.bindirs = []
        if self.name == "boost":
            self.cpp_info.set_property("cmake_file_name", "Boost")
            headers = self.cpp_info.components["headers"]
            headers.set_property("cmake_target_name", "Boost::headers")
            headers.libdirs = headers.bindirs = []
