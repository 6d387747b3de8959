// Reads a page of results: the documents of docs/bench-format.md with the pictures made of them.

import {
  asArray, asNumber, asNumbers, asObject, asOneOf, asText, asTexts, listOr, namedNumbers,
  textOr, Unreadable,
} from "./check";
import { readPicture } from "./read_pictures";
import {
  differences, statuses, type Against, type Change, type EnvironmentLine, type Interval,
  type Named, type Result, type ResultRow, type Results,
} from "./results";

const knownFormat = 1;
const rowLists = ["benchmarks", "quantities", "unmeasured"] as const;

function readInterval(value: unknown, where: string): Interval {
  const [low, high, ...more] = asNumbers(value, where);
  if (low === undefined || high === undefined || more.length > 0 || low > high) {
    throw new Unreadable(`${where} is no interval: a lower and an upper number belong there`);
  }
  return { low, high };
}

function readParts(value: unknown, where: string): Named[] {
  if (value === undefined) return [];
  return Object.entries(asObject(value, where)).map(([name, part]) => {
    const { median } = asObject(part, `${where}.${name}`);
    return { name, value: asNumber(median, `${where}.${name}.median`) };
  });
}

function readAgainst(value: unknown, where: string): Against | null {
  if (value === undefined) return null;
  const against = asObject(value, where);
  return {
    mechanism: asText(against.mechanism, `${where}.mechanism`),
    ratio: against.ratio === undefined ? null : asNumber(against.ratio, `${where}.ratio`),
    interval: against.interval === undefined ? null
      : readInterval(against.interval, `${where}.interval`),
    test: against.p === undefined ? null : {
      p: asNumber(against.p, `${where}.p`),
      difference: asOneOf(against.difference, differences, "a difference", `${where}.difference`),
    },
  };
}

function readRow(value: unknown, where: string): ResultRow {
  const row = asObject(value, where);
  const text = (name: string): string => asText(row[name], `${where}.${name}`);
  const samples = row.samples === undefined ? [] : asNumbers(row.samples, `${where}.samples`);
  const status = asOneOf(row.status, statuses, "an end of a row", `${where}.status`);
  if (status === "measured" && row.median === undefined) {
    throw new Unreadable(`${where} was measured, and has no median`);
  }
  return {
    name: text("name"), experiment: text("experiment"), workload: text("workload"),
    mechanism: text("mechanism"), unit: text("unit"), status, samples,
    sample: textOr(row.sample, "", `${where}.sample`),
    reason: textOr(row.reason, "", `${where}.reason`),
    median: row.median === undefined ? null : asNumber(row.median, `${where}.median`),
    interval: row.interval === undefined ? null
      : readInterval(row.interval, `${where}.interval`),
    percentiles: namedNumbers(row.percentiles, `${where}.percentiles`),
    against: readAgainst(row.against, `${where}.against`),
    atMost: row.at_most === undefined ? null : asNumber(row.at_most, `${where}.at_most`),
    isMet: row.is_met === true,
    parts: readParts(row.parts, `${where}.parts`),
    counts: namedNumbers(row.counts, `${where}.counts`),
    warnings: row.warnings === undefined ? [] : asTexts(row.warnings, `${where}.warnings`),
  };
}

/** Objects in objects become lines; a list is a line. */
export function linesOf(value: unknown, name: string): EnvironmentLine[] {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, inner]) =>
      linesOf(inner, name === "" ? key : `${name}: ${key}`));
  }
  const text = Array.isArray(value) ? value.map(String).join(" ") : String(value);
  return [{ name, text }];
}

/** Whether so many samples can be told apart at all: if all of one side are below the other's, the
 * rank test gives 2 by the number of ways in which they can lie. */
export function areEnough(ours: number, theirs: number): boolean {
  let ways = 1;
  for (let i = 1; i <= Math.min(ours, theirs) && ways < 1e6; ++i) {
    ways = (ways * (ours + theirs - i + 1)) / i;
  }
  return 2 / ways < 0.05;
}

/** "No difference" of too few samples says nothing. */
function noteTooFew(rows: readonly ResultRow[]): void {
  const keyOf = (row: ResultRow, mechanism: string): string =>
    JSON.stringify([row.experiment, row.workload, row.unit, mechanism]);
  const counts = new Map(rows.map((row) => [keyOf(row, row.mechanism), row.samples.length]));
  for (const row of rows) {
    const theirs = row.against === null ? undefined : counts.get(keyOf(row, row.against.mechanism));
    if (row.against?.test && theirs !== undefined && !areEnough(row.samples.length, theirs)) {
      row.against.test.isEnough = false;
    }
  }
}

function readResult(value: unknown, where: string): Result {
  const result = asObject(value, where);
  const document = asObject(result.document, `${where}.document`);
  const context = asObject(document.context, `${where}.document.context`);
  const inside = `${where}.document.context.cow_bench`;
  const bench = asObject(context.cow_bench, inside);
  if (bench.format !== knownFormat) {
    throw new Unreadable(`${inside}.format is ${String(bench.format)}, and this page knows ` +
      `format ${knownFormat} only: the result is of another libcow`);
  }
  const { cow_bench: _, ...machine } = context;
  const { environment, noise, warnings, format: __, ...run } = bench;
  const samplesOut = (of: unknown): unknown => (typeof of === "object" && of !== null
    ? Object.fromEntries(Object.entries(of).filter(([name]) => name !== "samples")) : of);
  const rows = rowLists.flatMap((name) => listOr(document[name], `${where}.document.${name}`,
    (row, at) => ({ row: readRow(row, at), place: asObject(row, at).family_index })));
  // The lists are of one run: its order is that of all of them together.
  rows.sort((a, b) => Number(a.place ?? 0) - Number(b.place ?? 0));
  noteTooFew(rows.map(({ row }) => row));
  return {
    label: asText(result.label, `${where}.label`),
    environment: [...linesOf(run, ""), ...linesOf(environment ?? {}, ""), ...linesOf(machine, ""),
      ...linesOf(samplesOut(noise ?? {}), "noise")],
    warnings: warnings === undefined ? [] : asTexts(warnings, `${inside}.warnings`),
    rows: rows.map(({ row }) => row),
  };
}

function readChange(value: unknown, where: string): Change {
  const change = asObject(value, where);
  const number = (name: string): number => asNumber(change[name], `${where}.${name}`);
  return {
    name: asText(change.name, `${where}.name`),
    before: number("before"), after: number("after"), ratio: number("ratio"), p: number("p"),
    unit: textOr(change.unit, "ns", `${where}.unit`),
    interval: readInterval(change.interval, `${where}.interval`),
    difference: asOneOf(change.difference, differences, "a difference", `${where}.difference`),
  };
}

export function readResults(document: Record<string, unknown>): Results {
  const results = asArray(document.results, "results").map((result, i) =>
    readResult(result, `results[${i}]`));
  if (results.length === 0) throw new Unreadable("the document has no result in it");
  return {
    title: asText(document.title, "title"),
    advice: document.advice === undefined ? [] : asTexts(document.advice, "advice"),
    detailedAdvice: document.detailed_advice === undefined ? []
      : asTexts(document.detailed_advice, "detailed_advice"),
    notes: document.notes === undefined ? [] : asTexts(document.notes, "notes"),
    results,
    pictures: listOr(document.pictures, "pictures", (picture, where) =>
      readPicture(picture, results.length, where)),
    changes: listOr(document.changes, "changes", readChange),
    missing: document.missing === undefined ? [] : asTexts(document.missing, "missing"),
  };
}
