// What can be pointed at in a picture, with the pointer or by keys: rows of spots, each with the
// words for it. A row is a curve, a series of bars or a line of a heat map.

import type {
  BarsPicture, CountedAxis, HeatPicture, HistogramPicture, LinesPicture, Origin, ResultPicture,
  Results,
} from "../data/results";
import { counted } from "../show/text";
import { intervalText, numberText, quantityText } from "../show/units";

export interface Spot {
  /** Where along the row: rows are entered at the nearest. */
  at: number;
  origin: Origin;
  words: () => string;
}

export interface Place {
  row: number;
  index: number;
}

/** Of all counts, in percent. */
export function shareOf(counts: readonly number[], i: number): number {
  const all = counts.reduce((sum, count) => sum + count, 0);
  return all === 0 ? 0 : (100 * (counts[i] ?? 0)) / all;
}

const within = (low: number | null, high: number | null, unit: string): string =>
  (low === null || high === null ? "" : ` (${intervalText(low, high, unit)})`);

const titled = (title: string, value: string): string =>
  (title === "" ? value : `${title} ${value}`);

function linesSpots(picture: LinesPicture): Spot[][] {
  return picture.series.map((series) => series.points.map((point) => ({
    at: point.x, origin: { result: series.result, row: point.row },
    words: () => `${series.title}: ${quantityText(point.y, picture.y.unit)}` +
      `${within(point.low, point.high, picture.y.unit)} at ` +
      titled(picture.x.title, quantityText(point.x, picture.x.unit)),
  })));
}

function barsSpots(picture: BarsPicture): Spot[][] {
  return picture.series.map((series) => series.points.map((point) => ({
    at: point.category, origin: { result: series.result, row: point.row },
    words: () => `${picture.categories[point.category]}, ${series.title}: ` +
      quantityText(point.y, picture.y.unit) + within(point.low, point.high, picture.y.unit),
  })));
}

function histogramSpots(picture: HistogramPicture): Spot[][] {
  return picture.series.map((series) => series.counts.map((count, i) => {
    const part = shareOf(series.counts, i);
    const [low, high] = [series.edges[i] ?? 0, series.edges[i + 1] ?? 0];
    return {
      at: low, origin: { result: series.result, row: series.row },
      words: () => `${series.title}: ${counted(count, "sample")} ` +
        `(${quantityText(part, "%")}) of ${intervalText(low, high, picture.x.unit)}`,
    };
  }));
}

/** Which part of an axis a cell is: "time, downwards: 4.2 ms to 8.4 ms". */
export function cellText(cell: number, { title, unit, count, span }: CountedAxis): string {
  if (span === null) return titled(title, numberText(cell));
  const at = (edge: number): number => (unit === "" ? Math.round : Number)(edge * span / count);
  const [low, high] = [at(cell), at(cell + 1)];
  return `${title}: ${unit === "" && high <= low + 1 ? numberText(low)
    : intervalText(low, unit === "" ? high - 1 : high, unit)}`;
}

function heatSpots(picture: HeatPicture): Spot[][] {
  const rows: Spot[][] = Array.from({ length: picture.y.count }, () => []);
  for (const [x, y, value] of picture.cells) {
    rows[y]?.push({ at: x, origin: { result: 0, row: null },
      words: () => `${titled(picture.value, quantityText(value, picture.unit))} at ` +
        `${cellText(x, picture.x)}; ${cellText(y, picture.y)}` });
  }
  for (const row of rows) row.sort((a, b) => a.at - b.at);
  return rows;
}

export function spotsOf(picture: ResultPicture): Spot[][] {
  switch (picture.kind) {
    case "lines": return linesSpots(picture);
    case "histogram": return histogramSpots(picture);
    case "heat": return heatSpots(picture);
    default: return barsSpots(picture);
  }
}

function nearest(row: readonly Spot[], at: number): number {
  let best = 0;
  row.forEach((spot, i) => {
    if (Math.abs(spot.at - at) < Math.abs((row[best] as Spot).at - at)) best = i;
  });
  return best;
}

/** Where a key leads, or null if it leads nowhere: then it is left to the browser. */
export function movedBy(key: string, place: Place | null, spots: readonly Spot[][]): Place | null {
  const first = spots.findIndex((row) => row.length > 0);
  if (first === -1 || !/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(key)) return null;
  if (place === null) return { row: first, index: 0 };
  const row = spots[place.row] as Spot[];
  switch (key) {
    case "ArrowLeft": return { ...place, index: Math.max(0, place.index - 1) };
    case "ArrowRight": return { ...place, index: Math.min(row.length - 1, place.index + 1) };
    case "Home": return { ...place, index: 0 };
    case "End": return { ...place, index: row.length - 1 };
    default: {
      const step = key === "ArrowDown" ? 1 : -1;
      let other = place.row + step;
      while (spots[other]?.length === 0) other += step;
      const target = spots[other];
      if (target === undefined) return place;
      return { row: other, index: nearest(target, row[place.index]?.at ?? 0) };
    }
  }
}

/** Every sample of what a spot is of, and its unit. */
export function samplesAt(results: Results, origin: Origin):
  { samples: number[]; unit: string } | null {
  if (origin.row === null) return null;
  const row = results.results[origin.result]?.rows.find((one) => one.name === origin.row);
  return row === undefined ? null : { samples: row.samples, unit: row.unit };
}
