// What a chart of lines or a histogram draws, put into one form for both.

import type { Axis, HistogramPicture, LinesPicture, ResultPicture } from "../data/results";
import { fitsScale, rangeOf } from "../show/ticks";
import type { Look, Looks } from "./looks";
import { shareOf } from "./spots";

export interface Curve {
  look: Look;
  xs: number[];
  ys: number[];
  lows: (number | null)[];
  highs: (number | null)[];
  /** Of each point, its place among the points of the document. */
  places: number[];
}

export interface ChartSpec {
  x: Axis;
  y: Axis;
  xRange: readonly [number, number];
  yRange: readonly [number, number];
  isStepped: boolean;
  curves: Curve[];
  marks: { x: number; text: string }[];
  /** Thin lines without words: percentiles, in the colour of their series. */
  rules: { x: number; look: Look; series: number }[];
  /** Points at zero or below, which a logarithmic axis has no place for. */
  leftOut: number;
}

function linesSpec(picture: LinesPicture, looks: Looks): ChartSpec {
  let leftOut = 0;
  const curves = picture.series.map((series): Curve => {
    const curve: Curve = { look: looks(picture, series.name, series.result), xs: [], ys: [],
      lows: [], highs: [], places: [] };
    series.points.forEach((point, i) => {
      if (!fitsScale(point.x, picture.x.scale) || !fitsScale(point.y, picture.y.scale)) {
        ++leftOut;
        return;
      }
      curve.xs.push(point.x);
      curve.ys.push(point.y);
      curve.lows.push(point.low);
      curve.highs.push(point.high);
      curve.places.push(i);
    });
    return curve;
  });
  const marks = picture.marks.filter((mark) => fitsScale(mark.x, picture.x.scale));
  const xs = [...curves.flatMap((curve) => curve.xs), ...marks.map((mark) => mark.x)];
  const ys = curves.flatMap((curve) => [...curve.ys, ...[...curve.lows, ...curve.highs].filter(
    (value): value is number => value !== null)]);
  return {
    x: picture.x, y: picture.y, isStepped: false, curves, leftOut, rules: [],
    xRange: rangeOf(xs, picture.x.scale, false), yRange: rangeOf(ys, picture.y.scale, true),
    marks: [...marks].sort((a, b) => a.x - b.x),
  };
}

function histogramSpec(picture: HistogramPicture, looks: Looks): ChartSpec {
  // A bar from the bottom needs one: counts have a linear axis.
  const y: Axis = { ...picture.y, scale: "linear" };
  const curves = picture.series.map((series): Curve => {
    const from = series.edges.findIndex((edge) => fitsScale(edge, picture.x.scale));
    const xs = from === -1 ? [] : series.edges.slice(from);
    return {
      look: looks(picture, series.name, series.result), xs,
      // The last edge ends the last step.
      ys: xs.map((_, i) => (y.unit === "%" ? shareOf(series.counts, from + i)
        : series.counts[from + i] ?? 0)),
      lows: xs.map(() => null), highs: xs.map(() => null), places: xs.map((_, i) => from + i),
    };
  });
  const rules = picture.series.flatMap((series, i) => series.percentiles
    .filter(({ value }) => fitsScale(value, picture.x.scale))
    .map(({ value }) => ({ x: value, look: (curves[i] as Curve).look, series: i })));
  const xs = [...curves.flatMap((curve) => curve.xs), ...rules.map((rule) => rule.x)];
  return {
    x: picture.x, y, isStepped: true, curves, marks: [], rules, leftOut: 0,
    xRange: rangeOf(xs, picture.x.scale, false),
    yRange: rangeOf(curves.flatMap((curve) => curve.ys), "linear", true),
  };
}

/** Of the series that is pointed at, or of the only one: the lines of all are a fence. */
export function shownRules(spec: ChartSpec, pointed: number | null): ChartSpec["rules"] {
  const focus = spec.curves.length === 1 ? 0 : pointed;
  return spec.rules.filter(({ series }) => series === focus);
}

export function chartSpec(picture: ResultPicture, looks: Looks): ChartSpec | null {
  if (picture.kind === "lines") return linesSpec(picture, looks);
  return picture.kind === "histogram" ? histogramSpec(picture, looks) : null;
}
