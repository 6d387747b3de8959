"""Made-up results of `cow bench`, in the form of docs/bench-format.md, for tests of their readers.

What is derived is plain: the interval is from the least to the largest sample.
"""
import statistics

MIB = 1 << 20


def row(experiment, workload, mechanism, samples, against=None, **more):
    """A measured row; `against` is another row."""
    median = statistics.median(samples)
    name = f"{experiment}/{workload}/{mechanism}"
    made = {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 1,
            "repetition_index": 0, "threads": 1, "iterations": len(samples),
            "real_time": median, "cpu_time": median, "time_unit": "ns",
            "experiment": experiment, "workload": workload, "mechanism": mechanism,
            "parameters": {}, "unit": "ns", "sample": "what was done", "status": "measured",
            "reason": "", "samples": samples, "median": median,
            "interval": [min(samples), max(samples)],
            "percentiles": {"p50": median}, "warnings": []}
    made.update(more)
    if against is not None:
        ratio = median / against["median"]
        apart = max(samples) < min(against["samples"]) or min(samples) > max(against["samples"])
        made["against"] = {"mechanism": against["mechanism"], "ratio": ratio,
                           "interval": [ratio * 0.9, ratio * 1.1], "p": 0.001 if apart else 0.5,
                           "difference": "none" if not apart else
                                         "less" if ratio < 1 else "more"}
        if "at_most" in made:
            made["is_met"] = ratio <= made["at_most"]
    return made


def skipped(experiment, workload, mechanism, reason, **more):
    name = f"{experiment}/{workload}/{mechanism}"
    return {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 1,
            "repetition_index": 0, "threads": 1, "iterations": 0, "error_occurred": True,
            "error_message": reason, "experiment": experiment, "workload": workload,
            "mechanism": mechanism, "parameters": {}, "unit": "ns", "sample": "what was done",
            "status": "skipped", "reason": reason, "samples": [], "warnings": [], **more}


def around(median, spread=0.02):
    """Eleven samples around their median."""
    return [median * (1 + spread * (i - 5) / 5) for i in (3, 8, 0, 5, 10, 1, 6, 2, 9, 4, 7)]


def shares(pattern="random", lazy_each=20e6, factor=1.0):
    """Lazy copies cost by the share, eager ones do not: they cross at 12.5 %."""
    rows = []
    for share in (0.001, 0.01, 0.1, 0.5, 1.0):
        workload = f"{share * 100:g} % of 64 MiB, {pattern}"
        parameters = {"bytes": 64 * MIB, "pages": 16384, "share": share, "pattern": pattern,
                      "stores": round(16384 * share)}
        eager = row("share", workload, "eager", around(lazy_each * factor), parameters=parameters)
        rows += [eager,
                 row("share", workload, "handler", around(lazy_each * share * 8 * factor), eager,
                     parameters=parameters),
                 row("share", workload, "fork", around((2e6 + lazy_each * share * 2) * factor),
                     eager, parameters=parameters),
                 skipped("share", workload, "kernel", "This kernel is older than 6.7.",
                         parameters=parameters)]
    return rows


def rounds(experiment="rounds", pages="others"):
    rows = []
    for stores in (10, 100, 1000, 10000):
        workload = f"{stores:,} {pages} pages of 64 MiB"
        parameters = {"bytes": 64 * MIB, "stores": stores, "pattern": "random",
                      "same_pages": pages == "same"}
        fork = row(experiment, workload, "fork", around(4e6 + 2500 * stores),
                   parameters=parameters)
        rows += [fork, row(experiment, workload, "handler", around(20e3 + 6000 * stores), fork,
                           parameters=parameters)]
    return rows


def anatomy():
    rows = []
    for others in (0, 1):
        for mechanism, scale in (("handler", 1), ("fork", 0.2)):
            parts = {"delivery": 2200, "lookup": 200, "allocate": 1600, "copy": 1900,
                     "map": 5600 + 2000 * others, "return": 2500}
            parts = {name: {"median": ns * scale, "samples": around(ns * scale)}
                     for name, ns in parts.items()}
            whole = sum(part["median"] for part in parts.values())
            rows.append(row("anatomy", f"a first store taken apart, {others} others", mechanism,
                            around(whole), parts=parts, parameters={"others": others}))
    return rows


def faults():
    edges = [1000 * 1.25 ** i for i in range(21)]
    rows = []
    for mechanism, first in (("handler", 6), ("fork", 1)):
        counts = [0] * 20
        for i, count in enumerate((20, 700, 400, 60, 15, 5)):
            counts[first + i] = count
        samples = [edges[i] for i, count in enumerate(counts) for _ in range(count)]
        rows.append(row("faults", "first stores, random pages", mechanism, samples,
                        histogram={"edges": edges, "counts": counts},
                        percentiles={"p50": edges[first + 1], "p90": edges[first + 2],
                                     "p99": edges[first + 4], "p99.9": edges[first + 5]}))
    return rows


def targets():
    rows = []
    for name, ours, theirs, at_most in (("lazy clone of 1 GiB", 62.5e3, 20.9e6, 1 / 300),
                                        ("one write fault, random pages", 16.1e3, 2.4e3, 4)):
        other = row("targets", name, f"fork(), {name}", around(theirs))
        rows += [other, row("targets", name, f"libcow, {name}", around(ours), other,
                            at_most=at_most)]
    return rows


def document(rows, **more):
    """A whole result; quantities are told by their unit."""
    own = {"format": 1, "program": "cow bench", "arguments": [], "full": False, "quick": False,
           "complete": True, "duration_s": 51.2,
           "libcow": {"version": "0.9.0", "commit": "4f1c0a7", "modified": False},
           "environment": {"kernel": "Linux 6.18.1 #1 SMP", "processor": "AMD EPYC", "cores": 2,
                           "page_bytes": 4096,
                           "build": {"compiler": "GCC 12.2", "type": "Release"}},
           "noise": {"samples": [1.0, 1.01], "median": 1.005, "spread": 0.01}, "warnings": []}
    own.update(more)
    for index, made in enumerate(rows):
        made["family_index"] = index
    measured = [made for made in rows if made["status"] == "measured"]
    return {"context": {"date": "2026-11-29T15:00:00+00:00", "host_name": "a", "executable": "cow",
                        "num_cpus": 2, "library_build_type": "release", "cow_bench": own},
            "benchmarks": [made for made in measured if made["unit"] == "ns"],
            "quantities": [made for made in measured if made["unit"] != "ns"],
            "unmeasured": [made for made in rows if made["status"] != "measured"]}


def everything(factor=1.0):
    return document(shares(factor=factor) + shares("sequential", 5e6) + rounds() +
                    rounds("rollback", "same") + faults() + anatomy() + targets())
