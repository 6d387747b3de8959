// A page of results: what is read of a document, and that what cannot be shown is refused in a
// sentence.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Unreadable } from "../../data/check";
import { readInput } from "../../data/read";
import type { Axis, ResultPicture, Results } from "../../data/results";
import { areEnough, linesOf } from "../../data/read_results";
import { chartSpec, shownRules, type ChartSpec } from "../../report/chart_spec";
import { looksOf } from "../../report/looks";
import { cellText, movedBy, spotsOf, type Place } from "../../report/spots";
import { ticksOf } from "../../show/ticks";
import { madeUpResults, rowsOf } from "../results";

function read(document: unknown): Results {
  const input = readInput(JSON.stringify(document));
  assert.equal(input.kind, "results");
  return (input as { results: Results }).results;
}

/** The made-up document with one thing in it changed. */
function changed(change: (document: any) => void): unknown {
  const document = madeUpResults(2);
  change(document);
  return document;
}
const firstRow = (document: any): any => document.results[0].document.benchmarks[0];
const picture = (document: any, kind: string): any =>
  document.pictures.find((one: any) => one.kind === kind);

const refused: readonly [what: string, document: unknown, says: RegExp][] = [
  ["no result", changed((d) => (d.results = [])), /no result in it/],
  ["no title", changed((d) => delete d.title), /^title is missing/],
  ["another format", changed((d) => (d.results[1].document.context.cow_bench.format = 2)),
    /format is 2, and this page knows format 1 only/],
  ["a result of another program", changed((d) => delete d.results[0].document.context.cow_bench),
    /results\[0\]\.document\.context\.cow_bench is missing/],
  ["a status from later", changed((d) => (firstRow(d).status = "guessed")), /'guessed'/],
  ["measured without a median", changed((d) => delete firstRow(d).median), /no median/],
  ["half an interval", changed((d) => (firstRow(d).interval = [1])), /no interval/],
  ["a sample that is no number", changed((d) => (firstRow(d).samples[3] = null)),
    /benchmarks\[0\]\.samples\[3\] is null/],
  ["an unknown kind of picture", changed((d) => (d.pictures[0].kind = "pie")), /'pie'/],
  ["an unknown scale", changed((d) => (d.pictures[0].x.scale = "cubic")), /'cubic'/],
  ["a point without y", changed((d) => delete picture(d, "lines").series[0].points[1].y),
    /points\[1\]\.y is missing/],
  ["a bar in no category", changed((d) => (picture(d, "bars").series[0].points[0].category = 9)),
    /category 9, and there are 3/],
  ["a series of no result", changed((d) => (picture(d, "stack").series[0].result = 2)),
    /of result 2, and the document has 2/],
  ["a count without an edge", changed((d) => picture(d, "histogram").series[0].edges.pop()),
    /40 edges for 40 counts/],
  ["a cell outside the heat map", changed((d) => (picture(d, "heat").cells[0][1] = 24)),
    /outside 60 by 24/],
  ["a heat map without end", changed((d) => (picture(d, "heat").x.count = 1e9)), /is shown here/],
  ["an unknown difference", changed((d) => (d.changes[0].difference = "equal")), /'equal'/],
];

for (const [what, document, says] of refused) {
  test(`results, ${what}: said in a sentence`, () => {
    assert.throws(() => read(document), (error) =>
      error instanceof Unreadable && says.test(error.message));
  });
}

test("every row, sample and point of the document is read", () => {
  const document = madeUpResults(2);
  const results = read(document);
  assert.deepEqual(results.results.map(({ rows }) => rows.map((row) => [row.name, row.median,
    row.samples])), document.results.map((result: any) => rowsOf(result.document).map(
    (row) => [row.name, row.median ?? null, row.samples])));
  assert.deepEqual(results.pictures.map(({ id, kind }) => [id, kind]),
    document.pictures.map(({ id, kind }: any) => [id, kind]));
  assert.equal(results.changes.length, document.changes.length);
});

test("a comparison without a ratio, or with what was not measured, is read", () => {
  const rows = read(madeUpResults()).results[0]?.rows ?? [];
  const of = (workload: string): unknown => rows.find((row) => row.workload.endsWith(workload))
    ?.against;
  assert.deepEqual(of("what is left"),
    { mechanism: "kernel", ratio: null, interval: null, test: null });
  assert.deepEqual(of("what was written"), { mechanism: "kernel", ratio: null, interval: null,
    test: { p: 0.02, difference: "more" } });
});

test("an environment in depth is lines with the names above them", () => {
  assert.deepEqual(linesOf({ a: 1, b: { c: "x", d: { e: true } }, f: [1, 2] }, ""), [
    { name: "a", text: "1" }, { name: "b: c", text: "x" }, { name: "b: d: e", text: "true" },
    { name: "f", text: "1 2" },
  ]);
});

test("the arrow keys reach every point of every kind of picture", () => {
  for (const one of read(madeUpResults()).pictures) {
    const spots = spotsOf(one);
    const reached = new Set<string>();
    const begin = movedBy("ArrowRight", null, spots) as Place;
    for (let row: Place = begin; ;) {
      let place = movedBy("Home", row, spots) as Place;
      for (let i = 0; i < (spots[row.row] ?? []).length; ++i) {
        reached.add(`${place.row} ${place.index}`);
        place = movedBy("ArrowRight", place, spots) as Place;
      }
      const below = movedBy("ArrowDown", row, spots) as Place;
      if (below.row === row.row) break;
      row = below;
    }
    assert.equal(reached.size, spots.flat().length, one.id);
    assert.equal(movedBy("x", begin, spots), null);
  }
});

test("no two names of a document have the same marker and dash", () => {
  const document = madeUpResults();
  const bars = picture(document, "lines");
  const series = Array.from({ length: 11 }, (_, i) => ({ ...bars.series[0], name: `m${i}` }));
  document.pictures = [{ ...bars, series }, { ...bars, id: "other", series: series.slice(5) }];
  const results = read(document);
  const looks = looksOf(results);
  const [first, second] = results.pictures as [ResultPicture, ResultPicture];
  const seen = new Set(series.map(({ name }) => {
    assert.deepEqual(looks(first, name, 0), looks(second, name, 0));
    const { dash, marker } = looks(first, name, 0);
    return `${dash} ${marker}`;
  }));
  assert.equal(seen.size, 11);
});

test("a histogram has lines of the percentiles of the series that is pointed at alone", () => {
  const results = read(madeUpResults());
  const histogram = results.pictures.find(({ kind }) => kind === "histogram") as ResultPicture;
  const spec = chartSpec(histogram, looksOf(results)) as ChartSpec;
  assert.ok(spec.curves.length > 1);
  assert.deepEqual(shownRules(spec, null), []);
  const rules = shownRules(spec, 1);
  assert.ok(rules.length > 0 && rules.every(({ series }) => series === 1));
});

test("counts of a histogram in percent are shares", () => {
  const document = madeUpResults();
  picture(document, "histogram").y = { title: "share", unit: "%" };
  const results = read(document);
  const one = results.pictures.find(({ kind }) => kind === "histogram") as ResultPicture;
  const curve = chartSpec(one, looksOf(results))?.curves[0];
  const sum = curve?.ys.reduce((all, share) => all + share, 0) ?? 0;
  assert.ok(Math.abs(sum - 100) < 1e-9, String(sum));
});

test("a cell of a heat map is said in the units of its axes", () => {
  const axis = { title: "page", unit: "", count: 4, span: 64 };
  assert.equal(cellText(1, axis), "page: 16 to 31");
  assert.equal(cellText(1, { ...axis, span: 4 }), "page: 1");
  assert.equal(cellText(1, { title: "time", unit: "ns", count: 2, span: 4e6 }),
    "time: 2 to 4 ms");
});

test("an axis of whole numbers has ticks at them alone", () => {
  const axis: Axis = { title: "threads", unit: "", scale: "linear", isWhole: true };
  assert.deepEqual(ticksOf([0.95, 2.05], axis, 12), [1, 2]);
});

test("too few samples are not told apart, as cow has it", () => {
  assert.deepEqual([[3, 3], [4, 4], [1, 100], [2, 8], [645, 645]].map(([ours, theirs]) =>
    areEnough(ours as number, theirs as number)), [false, true, true, true, true]);
});
