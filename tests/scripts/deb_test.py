#!/usr/bin/env python3
"""The Debian packages and the archive of the sources that `./run deb` makes: Debian's rules
(lintian), a minimal Debian in which they are installed, used and purged, and the same bytes from a
second build of the commit, elsewhere.

usage: deb_test.py [--made FOLDER]

Without --made, `./run deb` makes them first. The minimal Debian needs root, debootstrap and the
package server that this machine has; without them the packages are unpacked and used from there.
The second build takes the libraries alone (COW_DEB_TEST_ALL=1: the program as well).
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "deb-test"
VERSION = ".".join(re.findall(r"#define COW_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)",
                              (ROOT / "include/cow/version.hpp").read_text(encoding="utf-8")))
RUNTIME = f"libcow{VERSION.rpartition('.')[0]}"
PACKAGES = (RUNTIME, "libcow-dev", "libcow-tool", "python3-cow")
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
MADE = ROOT / "build" / "packages"
OURS = re.compile(r"/((lib|python3-)?cow)([-./\d]|$)")  # of the names of files


def run(*command, check=True, **options):
    """Its output; a failure ends the test with it."""
    environment = {**os.environ, **QUIET, **options.pop("env", {})}
    result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors="replace", check=False, env=environment, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {result.returncode}\n"
                             f"{result.stdout[-6000:]}")
    return result.stdout


def made(package):
    """The file of a package."""
    found = list(MADE.glob(f"{package}_*.deb"))
    assert len(found) == 1, f"{MADE}: {package}: {found}"
    return found[0]


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


class Rules(unittest.TestCase):
    """What Debian asks of packages."""

    def test_lintian_finds_neither_an_error_nor_a_warning(self):
        if not shutil.which("lintian"):
            self.skipTest("lintian is not installed")
        told = run("lintian", "--allow-root", "--tag-display-limit", "0", *MADE.glob("*.deb"),
                   check=False)
        print(told, end="")
        self.assertNotRegex(told, r"(?m)^[EW]: |internal error")

    def test_every_package_has_its_place_and_is_bound_to_the_others_as_debian_asks(self):
        fields = {name: dict(re.findall(r"^([\w-]+): (.*)$", run("dpkg-deb", "-f", made(name)),
                                        re.M)) for name in PACKAGES}
        version = fields[RUNTIME]["Version"]
        self.assertEqual([fields[name]["Section"] for name in PACKAGES],
                         ["libs", "libdevel", "utils", "python"])
        self.assertRegex(fields[RUNTIME]["Depends"], r"libc6 .*libstdc\+\+6")
        for name in ("libcow-dev", "libcow-tool"):
            self.assertIn(f"{RUNTIME} (= {version})", fields[name]["Depends"])
        self.assertIn("libncursesw6", fields["libcow-tool"]["Depends"])
        self.assertIn("libboost-dev", fields["libcow-dev"]["Recommends"])
        self.assertIn(RUNTIME, fields["python3-cow"]["Depends"])
        self.assertEqual(fields["python3-cow"]["Architecture"], "all")

    def test_the_page_of_the_manual_names_every_command_of_the_program(self):
        tree = fresh(WORK / "manual")
        for name in (RUNTIME, "libcow-tool"):
            run("dpkg-deb", "-x", made(name), tree)
        lib = next(tree.glob(f"usr/lib/*/libcow.so.{VERSION}")).parent
        told = run(tree / "usr/bin/cow", "--help", env={"LD_LIBRARY_PATH": str(lib)})
        commands = re.findall(r"^  (\w+) ", told.partition("Subcommands:")[2], re.M)
        page = run("gzip", "-dc", tree / "usr/share/man/man1/cow.1.gz")
        self.assertGreater(len(commands), 3)
        self.assertEqual(sorted(commands), sorted(re.findall(r"^\.TP\n\.B (\w+)$", page.partition(
            ".SH COMMANDS")[2].partition(".SH EXIT")[0], re.M)))


class Users(unittest.TestCase):
    """Who uses the packages, with the packages unpacked on this machine."""

    def setUp(self):
        self.tree = fresh(WORK / "unpacked")
        for name in PACKAGES:
            run("dpkg-deb", "-x", made(name), self.tree)
        self.lib = next(self.tree.glob("usr/lib/*/libcow.a")).parent
        self.loads = {"LD_LIBRARY_PATH": str(self.lib)}

    def test_the_program_and_the_python_package_work_with_the_shared_library(self):
        cow = self.tree / "usr/bin/cow"
        self.assertRegex(run(cow, "--version", env=self.loads), f"^cow {VERSION}\\b")
        self.assertIn("The handler", run(cow, "demo", "--plain", env=self.loads))
        python = {**self.loads, "PYTHONPATH": str(self.tree / "usr/lib/python3/dist-packages")}
        for name in ("checkpoints", "workers"):
            run("python3", "-B", self.tree / f"usr/share/doc/python3-cow/examples/{name}.py",
                env=python)

    def test_the_bills_of_materials_hold(self):
        bills = sorted(self.tree.glob("usr/share/doc/*/*.spdx.json"))
        self.assertEqual([bill.parent.name for bill in bills], ["libcow-dev", "libcow-tool"])
        print(run("python3", "-B", ROOT / "tests/scripts/sbom_test.py", *bills))

    def test_cmake_and_pkg_config_find_either_library(self):
        path = {"PKG_CONFIG_PATH": str(self.lib / "pkgconfig"), **self.loads}
        for source, words in (("main.cpp", ("g++", "-std=c++20")), ("main.c", ("gcc",))):
            flags = run("pkg-config", "--cflags", "--libs", "libcow", env=path).split()
            run(*words, ROOT / "tests/consumer" / source, *flags, "-o", WORK / "program")
            run(WORK / "program", env=path)
        for kind in ("static", "shared"):
            build = fresh(WORK / f"cmake-{kind}")
            run("cmake", "-S", ROOT / "tests/consumer", "-B", build, "-G", "Ninja",
                "-DCONSUMER_READS=ON", f"-DCONSUMER_COMPONENTS={kind}",
                f"-DCMAKE_PREFIX_PATH={self.tree}/usr", f"-Dlibcow_DIR={self.lib}/cmake/libcow")
            run("ninja", "-C", build, "consumer", "consumer_reads")
            run(build / "consumer")
            run(build / "consumer_reads")


class Minimal(unittest.TestCase):
    """A Debian with nothing but what every Debian has."""

    # What the package manager itself writes, whatever is installed.
    ITS_OWN = re.compile(r"^/(var/(lib/(apt|dpkg)|cache|log)|tmp|proc|sys|dev|run)/")

    @classmethod
    def setUpClass(cls):
        cls.root = None
        if os.geteuid() != 0 or not shutil.which("debootstrap"):
            raise unittest.SkipTest("a minimal Debian is made by root, with debootstrap")
        server = cls.server()
        cls.root = Path(tempfile.mkdtemp(prefix="cow-deb-"))
        cls.addClassCleanup(cls.clean)
        cls.root.chmod(0o755)
        told = run("debootstrap", "--variant=minbase", server[1], cls.root, server[0], check=False)
        if not (cls.root / "usr/bin/apt-get").exists() or (cls.root / "debootstrap").exists():
            raise unittest.SkipTest("debootstrap cannot make one here: "
                                    + " ".join(told.strip().splitlines()[-1:]))
        (cls.root / "etc/dpkg/dpkg.cfg.d/fast").write_text("force-unsafe-io\n", encoding="utf-8")
        for words in (("proc", "-t", "proc"), ("dev", "--bind"), ("dev/shm", "-t", "tmpfs")):
            source = "/dev" if words[0] == "dev" else "none"
            run("mount", *words[1:], source, cls.root / words[0])
        shutil.copy("/etc/resolv.conf", cls.root / "etc/resolv.conf")
        (cls.root / "debs").mkdir()
        for name in PACKAGES:
            shutil.copy(made(name), cls.root / "debs")
        cls.inside("apt-get", "update", "-q")

    @classmethod
    def clean(cls):
        for name in ("dev/shm", "dev", "proc"):
            subprocess.run(("umount", cls.root / name), check=False, stderr=subprocess.DEVNULL)
        if str(cls.root) not in Path("/proc/mounts").read_text(encoding="utf-8"):
            shutil.rmtree(cls.root)

    @staticmethod
    def server():
        """(address, name of the release): what this machine itself was installed from."""
        release = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text("utf-8"),
                            re.M)[1]
        lines = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)",
                    "Created-By: Packages")
        for line in lines.splitlines():
            words = line.split()
            if words[1:] == [release, "main"]:
                return words[0], release
        raise unittest.SkipTest(f"this machine has no package server for {release}")

    @classmethod
    def inside(cls, *command, **options):
        return run("chroot", cls.root, *command, **options)

    def install(self, *names):
        self.inside("apt-get", "install", "-y", "-q", "--no-install-recommends", *names)

    def files(self):
        found = run("find", self.root, "-xdev", "-printf", "/%P\n").splitlines()
        return {name for name in found if not self.ITS_OWN.search(name)}

    def debs(self, *names):
        return ["./debs/" + made(name).name for name in names]

    def test_the_program_and_the_python_package_work_and_leave_nothing(self):
        before = self.files()
        users = (RUNTIME, "libcow-tool", "python3-cow")
        self.install(*self.debs(*users))
        self.assertFalse((self.root / "usr/bin/gcc").exists())
        self.assertIn(f"libcow.so.{VERSION.rpartition('.')[0]} ", self.inside("ldconfig", "-p"))
        self.assertRegex(self.inside("cow", "--version"), f"^cow {VERSION}\\b")
        self.assertIn("The handler", self.inside("cow", "demo", "--plain"))
        for name in ("checkpoints", "workers"):
            self.inside("python3", f"/usr/share/doc/python3-cow/examples/{name}.py")
        self.assertGreater(len(list(filter(OURS.search, self.files() - before))), 25)
        self.purge(*users)
        self.assertEqual(sorted(self.files() ^ before), [])
        self.assertNotIn("libcow", self.inside("ldconfig", "-p"))

    # After the other, by its name: compilers stay.
    def test_with_a_compiler_programs_are_built_and_run_and_nothing_is_left_of_us(self):
        before = self.files()
        self.install(*self.debs(RUNTIME, "libcow-dev"), "g++", "cmake", "ninja-build", "pkg-config")
        shutil.copytree(ROOT / "tests/consumer", self.root / "tmp/consumer")
        self.inside("sh", "-ec", """cd /tmp
            g++ -std=c++20 consumer/main.cpp $(pkg-config --cflags --libs libcow) -o shared
            gcc consumer/main.c $(pkg-config --cflags --libs libcow) -o c
            g++ -std=c++20 consumer/main.cpp -l:libcow.a -o static
            ./shared && ./c && ./static && ldd shared | grep libcow && ! ldd static | grep libcow
            for kind in static shared; do
              cmake -S consumer -B $kind-build -G Ninja -DCONSUMER_COMPONENTS=$kind
              ninja -C $kind-build consumer && $kind-build/consumer
            done""")
        self.purge(RUNTIME, "libcow-dev")
        # The packages of compilers may leave something of theirs.
        self.assertEqual(list(filter(OURS.search, self.files() - before)), [])

    def purge(self, *packages):
        self.inside("apt-get", "purge", "-y", "-q", *packages)
        self.inside("apt-get", "autoremove", "-y", "-q", "--purge")


class Reproducible(unittest.TestCase):
    """A second build of what is here, in another folder, under other circumstances."""

    def test_a_second_build_elsewhere_gives_the_same_bytes(self):
        elsewhere = Path(tempfile.mkdtemp(prefix="cow-elsewhere-"))
        self.addCleanup(shutil.rmtree, elsewhere)
        tree = elsewhere / "another" / "name of it"
        git = ("git", "-c", "safe.directory=*")
        run(*git, "clone", "-q", ROOT, tree, preexec_fn=lambda: os.umask(0o077))
        changed = run(*git, "-C", ROOT, "status", "--porcelain", "--untracked-files=no")
        self.assertEqual(changed, "", "commit first: what is compared is a commit")
        other = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C", "HOME": str(elsewhere),
                 "COW_BUILD_FOLDER": str(tree / "build")}
        what = [] if os.environ.get("COW_DEB_TEST_ALL") else ["libraries"]
        run(tree / "run", "deb", *what, env=other, preexec_fn=lambda: os.umask(0o077))
        again = sorted((tree / "build/packages").iterdir())
        self.assertGreaterEqual(len(again), 5)
        for path in again:
            here = MADE / path.name
            sums = [run("sha256sum", file).split()[0] for file in (here, path)]
            print(f"{sums[0]}  {path.name}\n{sums[1]}  the second")
            self.assertEqual(*sums, path.name)


def main():
    global MADE
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--made", type=Path)
    arguments, others = parser.parse_known_args()
    if arguments.made is None:
        print(run(ROOT / "run", "deb", env={"COW_BUILD_FOLDER": str(ROOT / "build")}), flush=True)
    else:
        MADE = arguments.made.resolve(strict=True)
    WORK.mkdir(parents=True, exist_ok=True)
    unittest.main(argv=[sys.argv[0], *others], verbosity=2)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    main()
