"""Filters of system calls (seccomp) for a program that is about to be started.

install() is for subprocess's preexec_fn: the process has the filter from then on, and so has what
it becomes.
"""
import ctypes
import errno
import platform
import struct

# Numbers of x86-64 and arm64.
NUMBERS = {
    "memfd_create": (319, 279), "ftruncate": (77, 46), "fcntl": (72, 25), "statx": (332, 291),
    "fstat": (5, 80), "lseek": (8, 62), "mmap": (9, 222), "munmap": (11, 215),
    "mprotect": (10, 226), "madvise": (28, 233), "msync": (26, 227), "mincore": (27, 232),
    "pwrite64": (18, 68), "pwritev": (296, 70), "pread64": (17, 67), "fallocate": (285, 47),
    "futex": (202, 98), "rt_sigaction": (13, 134), "rt_sigreturn": (15, 139),
    "rt_sigprocmask": (14, 135), "nanosleep": (35, 101), "getrandom": (318, 278),
    "userfaultfd": (323, 282), "ioctl": (16, 29), "clone": (56, 220), "prctl": (157, 167),
    "perf_event_open": (298, 241), "getrlimit": (97, 163), "sigaltstack": (131, 132),
    "personality": (135, 92), "poll": (7, 73), "dup2": (33, 24), "alarm": (37, 103),
    "sysinfo": (99, 179), "sched_getaffinity": (204, 123), "uname": (63, 160),
}
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2
ACTIONS = {"EPERM": ERRNO | errno.EPERM, "ENOSYS": ERRNO | errno.ENOSYS, "kill": KILL_PROCESS}


def is_possible():
    return platform.machine() in MACHINES


def number_of(name):
    return NUMBERS[name][MACHINES[platform.machine()][0]]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def program(name, action, argument=None):
    """A classic BPF program that refuses `name`; `argument`: (index, bits), of which one is set."""
    def instruction(code, value, if_true=0, if_false=0):
        return struct.pack("HBBI", code, if_true, if_false, value)

    lines = [instruction(LOAD, 4), instruction(EQUAL, MACHINES[platform.machine()][1], 1, 0),
             instruction(RETURN, ALLOW), instruction(LOAD, 0)]
    if argument is None:
        lines.append(instruction(EQUAL, number_of(name), 0, 1))
    else:
        index, bits = argument
        lines += [instruction(EQUAL, number_of(name), 0, 3), instruction(LOAD, 16 + 8 * index),
                  instruction(ANY_BIT, bits, 0, 1)]
    lines += [instruction(RETURN, ACTIONS[action]), instruction(RETURN, ALLOW)]
    return b"".join(lines), len(lines)


def installer(name, action, argument=None):
    """What installs the filter; all that can be done before is done here."""
    code, count = program(name, action, argument)
    buffer = ctypes.create_string_buffer(code, len(code))
    filters = _Program(count, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)

    def install():
        assert buffer is not None  # it is to live as long as this
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
        if libc.prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.byref(filters), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")
    return install
