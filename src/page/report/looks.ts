// How a series is told apart: by colour, dash and marker, the same for a name in all pictures.

import type { ResultPicture, Results } from "../data/results";

export interface Look {
  colour: number;
  /** In widths of the line; none: drawn through. */
  dash: readonly number[];
  marker: number;
  /** Of the second of two results: its markers are hollow, its lines thinner. */
  isSecond: boolean;
}

const colours = 10;
const dashes: readonly (readonly number[])[] = [
  [], [5, 2], [1.5, 1.5], [7, 2, 1.5, 2], [3, 2], [7, 2, 1.5, 2, 1.5, 2], [10, 3], [1, 3],
];

// Paths in a square of 2 by 2 around the origin.
const markers: readonly string[] = [
  "M-0.9 0a0.9 0.9 0 1 0 1.8 0a0.9 0.9 0 1 0-1.8 0z",
  "M-0.8-0.8h1.6v1.6h-1.6z",
  "M0-1.1L1.05 0.8h-2.1z",
  "M0-1.15L1.15 0L0 1.15L-1.15 0z",
  "M0 1.1L-1.05-0.8h2.1z",
  "M-0.35-1h0.7v0.65h0.65v0.7h-0.65v0.65h-0.7v-0.65h-0.65v-0.7h0.65z",
  "M0-1.1L1.05-0.25L0.65 1h-1.3L-1.05-0.25z",
  "M-1-0.5h2v1h-2z",
  "M-0.5-1h1v2h-1z",
  "M-1-1L0-0.4L1-1L0.4 0L1 1L0 0.4L-1 1L-0.4 0z",
  "M-1.1 0L0.8-1.05v2.1z",
];

export const markerPath = (look: Look): string => markers[look.marker % markers.length] as string;

export const colourName = (look: Look): string => `--series-${look.colour}`;

/** Of a part of a stack: its colour, and a hatching. */
export const pieceClass = (look: Look): string =>
  `series-${look.colour} hatch-${look.marker % 4}`;

export type Looks = (picture: ResultPicture, name: string, result: number) => Look;

/** Parts of a whole have colours of their own: they are of no mechanism. */
export function looksOf(results: Results): Looks {
  const known = { parts: new Map<string, number>(), names: new Map<string, number>() };
  const mapOf = (picture: ResultPicture): Map<string, number> =>
    (picture.kind === "stack" ? known.parts : known.names);
  for (const picture of results.pictures) {
    if (picture.kind === "heat") continue;
    const map = mapOf(picture);
    for (const { name } of picture.series) if (!map.has(name)) map.set(name, map.size);
  }
  return (picture, name, result) => {
    const index = mapOf(picture).get(name) ?? 0;
    return { colour: index % colours, dash: dashes[index % dashes.length] ?? [],
      marker: index % markers.length, isSecond: result % 2 === 1 };
  };
}
