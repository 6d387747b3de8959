// A made-up page of results, as `cow report` would write it: every kind of picture, rows of every
// status, one or two results.

import { randomNumbers } from "./naive";

const mechanisms = ["eager", "handler", "fork", "userfaultfd-thread"] as const;
const titles: Record<string, string> = {
  eager: "eager copy", handler: "libcow, its own handler", fork: "fork()",
  "userfaultfd-thread": "userfaultfd, answered by a second thread",
};
const shares = [0.1, 0.5, 1, 2, 5, 10, 25, 50, 100];

type Row = Record<string, any>;

function median(sorted: readonly number[]): number {
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] as number
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function madeUpRow(experiment: string, workload: string, mechanism: string,
  samples: readonly number[], more: Row = {}): Row {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] as number;
  return {
    name: `${experiment}/${workload}/${mechanism}`, experiment, workload, mechanism,
    parameters: { bytes: 2 ** 26 }, unit: "ns", sample: "a clone and the stores",
    status: "measured", reason: "", samples, median: median(sorted), interval: [at(0.4), at(0.6)],
    percentiles: { p50: median(sorted), p90: at(0.9) }, warnings: [], ...more,
  };
}

const without = (experiment: string, workload: string, mechanism: string, status: string,
  reason: string): Row => ({ name: `${experiment}/${workload}/${mechanism}`, experiment, workload,
  mechanism, parameters: {}, unit: "ns", sample: "a fault", status, reason, samples: [],
  warnings: [] });

function context(all: Row[], kernel: string): Row {
  const rows = all.map((row, i): Row => ({ ...row, family_index: i }));
  return {
    context: {
      date: "2026-11-29T15:00:00+00:00", host_name: "made-up", num_cpus: 2, load_avg: [0.1, 0.2],
      library_build_type: "release",
      cow_bench: {
        format: 1, program: "cow bench", arguments: ["--full"], full: true, quick: false,
        complete: true, duration_s: 51.2,
        libcow: { version: "0.9.0", commit: "4f1c0de", modified: false },
        environment: { kernel, processor: "Made-up 9000", page_bytes: 65536,
          huge_pages: { enabled: "madvise", shmem_enabled: "never" } },
        noise: { samples: [100, 101, 99], median: 100, spread: 0.012 },
        warnings: ["The load was 1.4 before the first measurement."],
      },
    },
    benchmarks: rows.filter((row) => row.status === "measured" && row.unit === "ns"),
    quantities: rows.filter((row) => row.status === "measured" && row.unit !== "ns"),
    unmeasured: rows.filter((row) => row.status !== "measured"),
  };
}

/** Of a second result, a row in three is as it was, one is faster and one slower. */
const factors = [1, 0.8, 1.3];

function shareRows(random: (below: number) => number, result: number): Row[] {
  return shares.flatMap((share, s) => mechanisms.map((mechanism, m) => {
    const factor = result === 0 ? 1 : factors[(s * mechanisms.length + m) % 3] as number;
    const base = mechanism === "eager" ? 9e6 : share * 2e5 *
      (mechanism === "handler" ? 1.3 : mechanism === "fork" ? 1 : 3.1) + 4e4;
    const samples = Array.from({ length: 30 }, () =>
      Math.round(base * factor * (0.95 + random(1000) / 10000)));
    const isSame = mechanism === "fork";
    return madeUpRow("share", `${share} % of 64 MiB, random`, mechanism, samples,
      mechanism === "eager" ? {} : { against: { mechanism: "eager", ratio: base / 9e6,
        interval: [base / 9.2e6, base / 8.8e6], p: isSame ? 0.41 : 0.00001,
        difference: isSame ? "none" : base < 9e6 ? "less" : "more" },
      ...(mechanism === "handler" ? { at_most: 1, is_met: base < 9e6 } : {}) });
  }));
}

const pointOf = (row: Row): Row =>
  ({ y: row.median, low: row.interval[0], high: row.interval[1], row: row.name });

function sharePicture(all: readonly Row[][]): Row {
  return {
    id: "share-random", title: "Time over the share written, random pages", kind: "lines",
    what: "The time for a clone and the stores, over the share of the pages that are written.",
    x: { title: "share written", unit: "%", scale: "log" },
    y: { title: "time", unit: "ns", scale: "log" },
    series: all.flatMap((rows, result) => mechanisms.map((name) => ({
      name, result, title: (titles[name] ?? name) + (all.length > 1 ? `, ${"AB"[result]}` : ""),
      points: rows.filter((row) => row.mechanism === name && row.experiment === "share")
        .map((row, i) => ({ x: shares[i], ...pointOf(row) })),
    }))),
    marks: [{ x: 34, text: "libcow = eager: 34 %" }, { x: 44, text: "fork() = eager: 44 %" }],
  };
}

function otherPictures(faults: readonly Row[], random: (below: number) => number): Row[] {
  const threads = [1, 2, 4, 8];
  const categories = ["10 stores a round", "100 stores a round", "1,000 stores a round"];
  const edges = Array.from({ length: 41 }, (_, i) => 400 * 1.15 ** i);
  return [
    { id: "size", title: "Clone by size", kind: "lines", what: "A clone over the region's size.",
      x: { title: "size", unit: "MiB", scale: "log" }, y: { title: "time", unit: "ns",
        scale: "log" },
      series: [{ name: "eager", title: titles.eager, result: 0,
        points: [16, 18, 20, 22, 24, 26, 28, 30].map((power) =>
          ({ x: 2 ** (power - 20), y: 2 ** power * 0.21 })) },
      { name: "handler", title: titles.handler, result: 0, points: [16, 20, 24, 30].map((power) =>
        ({ x: 2 ** (power - 20), y: 9000 + power * 100, low: 8000, high: 13000 })) }],
      marks: ["handler = eager", "kernel = eager", "fork = eager", "handler = fork"].map(
        (text, i) => ({ x: 0.07 * 6 ** i, text: `${text}: ${(0.07 * 6 ** i).toFixed(2)} MiB` })) },
    { id: "threads", title: "Stores by threads", kind: "lines", what: "Stores of several threads.",
      x: { title: "threads", unit: "", scale: "linear" }, y: { title: "time of a store",
        unit: "ns", scale: "linear" },
      series: mechanisms.slice(1).map((name, m) => ({ name, title: titles[name], result: 0,
        points: threads.map((x) => ({ x, y: 700 * (m + 1) * (1 + x * 0.3),
          low: 650 * (m + 1) * (1 + x * 0.3), high: 800 * (m + 1) * (1 + x * 0.3) })) })) },
    { id: "rounds", title: "Rounds of snapshot and write", kind: "bars",
      what: "The time of a round, a bar for each mechanism.",
      x: { title: "stores in a round", categories }, y: { title: "time of a round", unit: "ns",
        scale: "linear" },
      series: mechanisms.map((name, m) => ({ name, title: titles[name], result: 0,
        points: categories.map((_, category) => ({ category, y: (m + 1) * (category + 1) * 81234,
          low: (m + 1) * (category + 1) * 78000, high: (m + 1) * (category + 1) * 86000 }))
          .filter((_, i) => m !== 3 || i < 2) })) },
    { id: "rollback", title: "Rollback, on a logarithmic axis", kind: "bars",
      what: "The time of a rollback: points, as a logarithmic axis has no zero.",
      x: { title: "", categories: categories.slice(0, 2) },
      y: { title: "time", unit: "ns", scale: "log" },
      series: mechanisms.slice(0, 2).map((name, m) => ({ name, title: titles[name], result: 0,
        points: [0, 1].map((category) => ({ category, y: 10 ** (4 + m * 2 + category),
          low: 0.8 * 10 ** (4 + m * 2 + category),
          high: 1.3 * 10 ** (4 + m * 2 + category) })) })) },
    { id: "anatomy", title: "What a fault is made of", kind: "stack",
      what: "The parts of a fault, in the order of time.",
      x: { title: "mechanism", categories: ["libcow, its own handler", "userfaultfd", "mprotect"] },
      y: { title: "time", unit: "ns", scale: "linear" },
      series: ["delivery", "lookup", "allocate", "copy", "map", "return"].map((name, part) => ({
        name, title: name, result: 0, points: [0, 1, 2].filter((category) => part !== 1 ||
          category === 0).map((category) => ({ category,
          y: 120 * (part + 1) + 90 * category })) })) },
    { id: "latency", title: "Latency of a single fault", kind: "histogram",
      what: "How many faults took how long.",
      x: { title: "time of a fault", unit: "ns", scale: "log" }, y: { title: "faults", unit: "" },
      series: faults.map((row, s) => ({ name: row.mechanism, title: titles[row.mechanism],
        result: 0, row: row.name, edges,
        counts: edges.slice(1).map((_, i) => random(4) +
          Math.round(900 * Math.exp(-(((i - 8 - s * 7) / 4) ** 2)))),
        percentiles: { p50: 1234 * (s + 1), p90: 2100 * (s + 1), p99: 6300 * (s + 1),
          "p99.9": 31000 * (s + 1) } })) },
    { id: "heat", title: "What the traced program wrote when", kind: "heat",
      what: "Pages written, over the pages and the time.",
      x: { title: "stretch of time", count: 60 }, y: { title: "stretch of pages", count: 24 },
      value: "pages", cells: Array.from({ length: 500 }, (_, i) => [i % 60,
        (i * 7) % 24, 1 + random(3) ** 4]) },
  ];
}

/** All rows of a result, in its order. */
export const rowsOf = (document: Row): Row[] =>
  [...document.benchmarks, ...document.quantities, ...document.unmeasured]
    .sort((a, b) => a.family_index - b.family_index);

/** `results` is 1 or 2. */
export function madeUpResults(results = 1): Row {
  const random = randomNumbers(11);
  const faults = ["handler", "userfaultfd-thread"].map((mechanism, i) =>
    madeUpRow("faults", "a page of 64 MiB", mechanism, Array.from({ length: 2000 }, () =>
      900 * (i + 1) + random(800) + (random(50) === 0 ? random(40000) : 0)),
    { counts: { page_faults: 2000, tlb_flushes: 12 },
      parts: { delivery: { median: 410, samples: [400, 410, 420] },
        copy: { median: 300, samples: [290, 300, 310] } } }));
  const all = Array.from({ length: results }, (_, i) => shareRows(random, i));
  const rest = [...faults,
    without("faults", "a page of 64 MiB", "kernel", "skipped",
      "This kernel has no PAGEMAP_SCAN: it is older than 6.7."),
    without("faults", "a page of 64 MiB", "mprotect", "failed",
      "mprotect: Cannot allocate memory. Raise vm.max_map_count."),
    madeUpRow("granules", "2 MiB granules", "handler", [500000, 3e6, 510000], {
      warnings: ["3 samples are too few to tell anything apart."] }),
    madeUpRow("granules", "2 MiB granules, what is left", "handler", [0, 2 ** 21, 2 ** 21], {
      unit: "bytes", against: { mechanism: "kernel" } }),
    madeUpRow("granules", "2 MiB granules, what was written", "handler", [4, 4, 5], {
      unit: "faults", against: { mechanism: "kernel", p: 0.02, difference: "more" } })];
  const changes = results < 2 ? [] : (all[0] as Row[]).map((row, i) => {
    const other = all[1]?.[i] as Row;
    const isSeen = factors[i % 3] !== 1;
    return { name: row.name, before: row.median, after: other.median, unit: "ns",
      ratio: other.median / row.median, interval: [0.9 * other.median / row.median,
        1.1 * other.median / row.median], p: isSeen ? 0.0004 : 0.3,
      difference: !isSeen ? "none" : other.median > row.median ? "more" : "less" };
  });
  const others = otherPictures(faults, random);
  for (const picture of results < 2 ? [] : others.filter(({ kind }) => kind === "stack")) {
    picture.x.categories = ["A", "B"].flatMap((label) => picture.x.categories.map(
      (category: string) => `${label}: ${category}`));
    picture.series = [...picture.series, ...picture.series.map((series: Row) => ({ ...series,
      result: 1, points: series.points.map((point: Row) =>
        ({ ...point, category: point.category + 3 })) }))];
  }
  return {
    kind: "results", title: results > 1 ? "cow bench: before.json and after.json"
      : "cow bench on made-up",
    advice: ["Up to 34 % of the pages written, libcow's handler is cheaper than an eager copy.",
      "For rollback, take libcow: it is 8 times as fast as fork()."],
    detailed_advice: ["For snapshots with stores to 10 pages between them, take libcow.",
      "For a clone of 1 MiB, no difference seen."],
    notes: results > 1 ? ["The environments differ: kernel (6.1.0 and 6.8.0)."] : [],
    results: all.map((rows, i) => ({ label: `${"AB"[i]}: ${i === 0 ? "before" : "after"}.json`,
      document: context(i === 0 ? [...rows, ...rest] : rows, i === 0 ? "6.1.0" : "6.8.0") })),
    pictures: [sharePicture(all), ...others],
    changes, missing: results > 1 ? rest.map((row) => row.name) : [],
  };
}
