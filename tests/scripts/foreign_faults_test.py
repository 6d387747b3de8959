#!/usr/bin/env python3
"""Compares what a program sees of faults and signals with libcow and without.

usage: foreign_faults_test.py [an emulator and its arguments] <cow_foreign_probe>
       <cow_foreign_control>

Both programs cause the same faults and send themselves the same signals, over many earlier actions
for SIGSEGV (tests/foreign/probe.cpp). All they report must be alike: what each handler was given,
what it saw of errno, of the signal mask and of the alternate stack, what was left afterwards, and
how the process ended. An emulator is slow: then each kind runs with some of the actions.

Documented limits, where no library can do what the kernel would have done, and which are therefore
not among the cases:
- libcow's handler needs room on a stack. When a thread without an alternate stack overflows its
  own, and no handler is installed, the process dies by SIGSEGV as ever, but si_code is SI_KERNEL.
- libcow's handler runs on the alternate stack where there is one, and so do the handlers it calls,
  also those without SA_ONSTACK.
- A SIGSEGV that is sent and ignored still ends system calls that no handler lets restart, such as
  nanosleep(2) and pause(2).
- A SIGSEGV that is ignored is the default again after exec(2), where libcow's handler was.
- When a process queues to itself a SIGSEGV that says it is a fault (si_code > 0), and has no
  handler for it, libcow puts the default action back and waits for an instruction to fault again.
"""
import concurrent.futures
import itertools
import subprocess
import sys

FLAGS = ("nodefer", "resethand", "onstack", "restart")
PLAIN = ["plain", "plain+nodefer", "plain+resethand", "plain+onstack", "plain+mask"]
SIGINFO = ["siginfo" + "".join("+" + flag for flag in flags)
           for count in range(len(FLAGS) + 1) for flags in itertools.combinations(FLAGS, count)]
MASKED = ["siginfo+mask", "siginfo+nodefer+mask", "siginfo+resethand+onstack+mask"]
ALL = ["default", "ignore", *PLAIN, *SIGINFO, *MASKED]
SOME = ["default", "ignore", "plain", "siginfo+onstack", "siginfo+nodefer+resethand+mask"]
FEWEST_KINDS = 24
MORE_ATTEMPTS = 3  # an emulator now and then dies of a signal itself, with libcow or without


EMULATOR_STDERR = "stderr: qemu: uncaught target signal"  # it says so whenever its program dies


def is_limit_of_emulator(kind, disposition):
    """What qemu-user 7.2 itself dies of, at times, or never ends, with no libcow in its program:
    above all a SIGSEGV that comes from outside while it runs code of its own."""
    return (kind in ("queued_copy_of_fault", "timer", "to_another_thread", "from_another_process",
                     "sent_during_read")
            or (kind, disposition) == ("past_end_of_file", "ignore"))


def is_limit(kind, disposition):
    # Reset, the second signal finds no handler.
    return kind == "queued_copy_of_fault" and (disposition in ("default", "ignore") or
                                               "resethand" in disposition)


def kinds_of(command):
    run = subprocess.run([*command, "--kinds"], stdin=subprocess.DEVNULL, capture_output=True,
                         text=True, timeout=300, check=True)
    return run.stdout.split()


def blocks(output):
    """{case: [lines about it]}"""
    result = {}
    lines = []
    for line in output.splitlines():
        if line.startswith("== "):
            lines = result.setdefault(line[3:], [])
        else:
            lines.append(line)
    return result


def run_both(commands, cases):
    """What each of the two commands says about each case; they run side by side."""
    def run(command):
        return subprocess.run(command, input="".join(case + "\n" for case in cases),
                              capture_output=True, text=True, errors="replace", timeout=1200,
                              check=False)
    with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(run, commands))


def complaints_about_run(name, run, cases):
    result = []
    if run.returncode != 0:
        result.append(f"{name}: the program ended with {run.returncode}")
    if run.stderr:
        result.append(f"{name}: it wrote to stderr: {run.stderr!r}")
    seen = blocks(run.stdout)
    for case in cases:
        lines = seen.get(case, [])
        if not any(line.startswith(("killed", "exited")) for line in lines):
            result.append(f"{name}, {case}: nothing is known of its end")
        result += [f"{name}, {case}: its {line}" for line in lines
                   if line.startswith("stderr: ") and not line.startswith(EMULATOR_STDERR)]
    return result


def complaint_about_control(case, lines):
    """The comparison means something only if the signals come, and have the effect they should."""
    kind, disposition = case.split()
    died = any(line.startswith("killed by signal") for line in lines)
    handled = any(line.startswith("handler ") for line in lines)
    if disposition == "default" and not died:
        return f"{case}: the default action did not end the process"
    if disposition not in ("default", "ignore") and not died and not handled:
        return f"{case}: the signal did not come"
    if disposition in ("default", "ignore") and handled:
        return f"{case}: a handler ran"
    if "no thread" in lines or "no pipe" in lines or "no timer" in lines:
        return f"{case}: the signal could not be caused"
    if "killed by signal 14, core dumped 0" in lines:
        return f"{case}: it took too long"
    return None


def difference(case, without, having):
    for before, after in itertools.zip_longest(without, having, fillvalue="nothing more"):
        if before != after:
            return f"{case}: without libcow '{before}', with it '{after}'"
    return None


def compare(commands, is_emulated):
    """(complaints, number of cases, whether deaths were traced)"""
    with_kinds, without_kinds = (kinds_of(command) for command in commands)
    if with_kinds != without_kinds:
        return ["the two programs know different kinds"], 0, False
    if len(with_kinds) < FEWEST_KINDS:
        return [f"there are only {len(with_kinds)} kinds"], 0, False
    cases = [f"{kind} {disposition}" for kind in with_kinds
             for disposition in (SOME if is_emulated else ALL) if not is_limit(kind, disposition)
             and not (is_emulated and is_limit_of_emulator(kind, disposition))]

    complaints, bad_cases, traced = complaints_about(commands, cases)
    for _ in range(MORE_ATTEMPTS if is_emulated else 0):
        if not bad_cases:
            break
        complaints, bad_cases, _ = complaints_about(commands, bad_cases)
    return complaints, len(cases), traced


def complaints_about(commands, cases):
    """(complaints, the cases they are about, whether deaths were traced)"""
    runs = run_both(commands, cases)
    complaints = []
    for name, run in zip(("with libcow", "without libcow"), runs):
        complaints += complaints_about_run(name, run, cases)
    bad_cases = list(cases) if complaints else []
    having, without = (blocks(run.stdout) for run in runs)
    for case in cases:
        found = list(filter(None, [
            complaint_about_control(case, without.get(case, [])),
            difference(case, without.get(case, []), having.get(case, []))]))
        complaints += found
        if found and case not in bad_cases:
            bad_cases.append(case)
    traced = not any("not traced" in lines for lines in without.values())
    return complaints, bad_cases, traced


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    emulator = sys.argv[1:-2]
    commands = [[*emulator, program] for program in sys.argv[-2:]]
    complaints, count, traced = compare(commands, bool(emulator))
    for complaint in complaints:
        print(complaint)
    if not traced:
        print("skipped: ptrace is refused here, so of a death only the signal was compared")
    print(f"foreign_faults: {count} cases, {len(complaints)} errors")
    return 1 if complaints or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
