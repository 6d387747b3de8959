// Reads the pictures of a page of results. What refers to something must find it: a category, a
// result, an edge for every count.

import {
  asArray, asCount, asNumber, asNumbers, asObject, asOneOf, asText, asTexts, listOr,
  namedNumbers, textOr, Unreadable,
} from "./check";
import {
  scales, type Axis, type BarPoint, type BarSeries, type BarsPicture, type CountedAxis,
  type HeatPicture, type HistogramPicture, type HistogramSeries, type LineSeries,
  type LinesPicture, type Point, type ResultPicture,
} from "./results";

const kinds = ["lines", "bars", "stack", "histogram", "heat"] as const;

// A damaged number must not take all memory.
const mostCells = 2 ** 20;

type Fields = Record<string, unknown>;

function readAxis(value: unknown, otherwise: Axis, where: string): Axis {
  if (value === undefined) return otherwise;
  const axis = asObject(value, where);
  return {
    title: textOr(axis.title, otherwise.title, `${where}.title`),
    unit: textOr(axis.unit, otherwise.unit, `${where}.unit`),
    scale: axis.scale === undefined ? otherwise.scale
      : asOneOf(axis.scale, scales, "a scale", `${where}.scale`),
    ...(axis.whole === true ? { isWhole: true } : {}),
  };
}

const plain: Axis = { title: "", unit: "", scale: "linear" };

function optionalNumber(value: unknown, where: string): number | null {
  return value === undefined ? null : asNumber(value, where);
}

function readSeries(value: unknown, results: number, where: string): Fields & {
  named: { name: string; title: string; result: number };
} {
  const series = asObject(value, where);
  const name = asText(series.name, `${where}.name`);
  const result = series.result === undefined ? 0 : asCount(series.result, `${where}.result`);
  if (result >= results) {
    throw new Unreadable(`${where} is of result ${result}, and the document has ${results}`);
  }
  const title = textOr(series.title, name, `${where}.title`);
  return { ...series, named: { name, title, result } };
}

const rowOf = (point: Fields, where: string): string | null =>
  (point.row === undefined ? null : asText(point.row, `${where}.row`));

function readPoint(value: unknown, where: string): Point {
  const point = asObject(value, where);
  return {
    x: asNumber(point.x, `${where}.x`), y: asNumber(point.y, `${where}.y`),
    low: optionalNumber(point.low, `${where}.low`),
    high: optionalNumber(point.high, `${where}.high`), row: rowOf(point, where),
  };
}

function readLines(picture: Fields, results: number, where: string): Omit<LinesPicture, Base> {
  return {
    kind: "lines",
    x: readAxis(picture.x, plain, `${where}.x`),
    y: readAxis(picture.y, plain, `${where}.y`),
    series: listOr(picture.series, `${where}.series`, (value, at): LineSeries => {
      const series = readSeries(value, results, at);
      const points = asArray(series.points, `${at}.points`).map((point, i) =>
        readPoint(point, `${at}.points[${i}]`));
      return { ...series.named, points: points.sort((a, b) => a.x - b.x) };
    }),
    marks: listOr(picture.marks, `${where}.marks`, (value, at) => {
      const mark = asObject(value, at);
      return { x: asNumber(mark.x, `${at}.x`), text: asText(mark.text, `${at}.text`) };
    }),
  };
}

function readBarPoint(value: unknown, categories: number, where: string): BarPoint {
  const point = asObject(value, where);
  const category = asCount(point.category, `${where}.category`);
  if (category >= categories) {
    throw new Unreadable(`${where} is in category ${category}, and there are ${categories}`);
  }
  return {
    category, y: asNumber(point.y, `${where}.y`),
    low: optionalNumber(point.low, `${where}.low`),
    high: optionalNumber(point.high, `${where}.high`), row: rowOf(point, where),
  };
}

function readBars(picture: Fields, kind: "bars" | "stack", results: number,
  where: string): Omit<BarsPicture, Base> {
  const x = asObject(picture.x, `${where}.x`);
  const categories = asTexts(x.categories, `${where}.x.categories`);
  return {
    kind, categories,
    categoryTitle: textOr(x.title, "", `${where}.x.title`),
    y: readAxis(picture.y, plain, `${where}.y`),
    series: listOr(picture.series, `${where}.series`, (value, at): BarSeries => {
      const series = readSeries(value, results, at);
      return { ...series.named, points: asArray(series.points, `${at}.points`).map((point, i) =>
        readBarPoint(point, categories.length, `${at}.points[${i}]`)) };
    }),
  };
}

function readHistogram(picture: Fields, results: number,
  where: string): Omit<HistogramPicture, Base> {
  return {
    kind: "histogram",
    x: readAxis(picture.x, { title: "time", unit: "ns", scale: "log" }, `${where}.x`),
    y: readAxis(picture.y, { title: "samples", unit: "", scale: "linear" }, `${where}.y`),
    series: listOr(picture.series, `${where}.series`, (value, at): HistogramSeries => {
      const series = readSeries(value, results, at);
      const edges = asNumbers(series.edges, `${at}.edges`);
      const counts = asNumbers(series.counts, `${at}.counts`);
      if (edges.length !== counts.length + 1 || edges.some((edge, i) =>
        i > 0 && edge <= (edges[i - 1] as number))) {
        throw new Unreadable(`${at} has ${edges.length} edges for ${counts.length} counts: one ` +
          "edge more than counts belongs there, each above the one before");
      }
      return { ...series.named, edges, counts, row: rowOf(series, at),
        percentiles: namedNumbers(series.percentiles, `${at}.percentiles`) };
    }),
  };
}

function readCountedAxis(value: unknown, where: string): CountedAxis {
  const axis = asObject(value, where);
  return { title: textOr(axis.title, "", `${where}.title`),
    unit: textOr(axis.unit, "", `${where}.unit`), count: asCount(axis.count, `${where}.count`),
    span: optionalNumber(axis.span, `${where}.span`) };
}

function readHeat(picture: Fields, where: string): Omit<HeatPicture, Base> {
  const x = readCountedAxis(picture.x, `${where}.x`);
  const y = readCountedAxis(picture.y, `${where}.y`);
  if (x.count === 0 || y.count === 0 || x.count * y.count > mostCells) {
    throw new Unreadable(`${where} has ${x.count} by ${y.count} cells, and a heat map is shown ` +
      `here with up to ${mostCells}`);
  }
  return {
    kind: "heat", x, y,
    value: textOr(picture.value, "", `${where}.value`),
    unit: textOr(picture.unit, "", `${where}.unit`),
    cells: asArray(picture.cells, `${where}.cells`).map((cell, i) => {
      const at = `${where}.cells[${i}]`;
      const list = asArray(cell, at);
      const column = asCount(list[0], `${at}[0]`);
      const row = asCount(list[1], `${at}[1]`);
      if (column >= x.count || row >= y.count) {
        throw new Unreadable(`${at} lies at ${column}, ${row}, outside ${x.count} by ${y.count}`);
      }
      return [column, row, asNumber(list[2], `${at}[2]`)];
    }),
  };
}

type Base = "id" | "title" | "what";

export function readPicture(value: unknown, results: number, where: string): ResultPicture {
  const picture = asObject(value, where);
  const kind = asOneOf(picture.kind, kinds, "a kind of picture", `${where}.kind`);
  const base = {
    id: asText(picture.id, `${where}.id`), title: asText(picture.title, `${where}.title`),
    what: asText(picture.what, `${where}.what`),
  };
  switch (kind) {
    case "lines": return { ...base, ...readLines(picture, results, where) };
    case "histogram": return { ...base, ...readHistogram(picture, results, where) };
    case "heat": return { ...base, ...readHeat(picture, where) };
    default: return { ...base, ...readBars(picture, kind, results, where) };
  }
}
