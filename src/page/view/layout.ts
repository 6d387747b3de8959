// Where everything of the picture goes. Worked out along two axes, `along` the pages and `across`
// the regions: on a wide screen pages run to the right, on a narrow one downwards.
// Lengths are in units of which 16 are a letter's height of plain text.

import type { FrameId, RegionRow } from "../data/types";
import type { Picture } from "../show/show";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Line {
  readonly frame: FrameId;
  readonly path: string;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly isUpright: boolean;
  readonly pageLabels: readonly { readonly page: number; readonly x: number; readonly y: number }[];
  readonly regionLabels: readonly { readonly x: number; readonly y: number }[];
  /** Of each region, its pages. */
  readonly cells: readonly (readonly Box[])[];
  readonly frames: readonly Box[];
  readonly frameLabel: { readonly x: number; readonly y: number };
  readonly ownersLabel: { readonly x: number; readonly y: number };
  readonly lines: readonly Line[];
}

interface Sizes {
  labelsAlong: number;  ///< before the first page
  labelsAcross: number;  ///< before the first region
  pagePitch: number;
  pageLength: number;
  regionPitch: number;
  regionDepth: number;
  framePitch: number;
  frameLength: number;
  frameDepth: number;
  lane: number;
  alongEnd: number;
  acrossEnd: number;
}

export const frameKey = (frame: FrameId): string => `${frame[0]}:${frame[1]}`;

/** The page in question among those that the region shows, or -1. */
export function markedIndex(picture: Picture, region: RegionRow): number {
  if (picture.mark === null) return -1;
  const index = picture.mark.page - region.first_page;
  return index >= 0 && index < region.shown.length ? index : -1;
}

const clamp = (value: number, low: number, high: number): number =>
  Math.max(low, Math.min(high, value));

function wideSizes(width: number, pages: number, regions: number, frames: number): Sizes {
  const labelsAlong = 62;
  const room = width - labelsAlong;
  const pagePitch = Math.min(112, (room - 2) / pages);
  const regionDepth = regions > 4 ? 30 : regions > 2 ? 38 : 46;
  return {
    labelsAlong, labelsAcross: 24, pagePitch, pageLength: pagePitch - clamp(pagePitch / 4, 12, 22),
    regionPitch: regionDepth + 12, regionDepth,
    framePitch: Math.min(pagePitch, room / frames), frameLength: 0, frameDepth: 48,
    lane: 9, alongEnd: width, acrossEnd: 0,
  };
}

function uprightSizes(
  width: number, pages: number, regions: number, frames: number, lastPage: number,
): Sizes {
  const labelsAcross = 9 * Math.max(2, String(lastPage).length) + 6;
  const frameDepth = regions > 3 ? 66 : 84;
  const band = regions > 3 ? 30 : 43;
  const regionPitch = Math.min(84, (width - labelsAcross - band - frameDepth) / regions);
  const pagePitch = 48;
  const alongEnd = 28 + pagePitch * Math.max(pages, frames * 0.7);
  return {
    labelsAlong: 28, labelsAcross, pagePitch, pageLength: 32,
    regionPitch, regionDepth: regionPitch - 6,
    framePitch: Math.min(pagePitch, (alongEnd - 28) / frames), frameLength: 0, frameDepth,
    lane: 5, alongEnd, acrossEnd: width,
  };
}

/** A path of straight pieces between points given along and across. */
function pathOf(points: readonly (readonly [number, number])[], isUpright: boolean): string {
  return points.map(([along, across], i) => {
    const [x, y] = isUpright ? [across, along] : [along, across];
    return `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
  }).join("");
}

interface Lane {
  frame: FrameId;
  index: number;  ///< of its frame among those drawn
  rows: number[];
  page: number;
}

function lanesOf(picture: Picture): Lane[] {
  const lanes: Lane[] = [];
  picture.regions.forEach((region, row) => {
    const page = markedIndex(picture, region);
    const frame = page === -1 ? null : region.shown[page]?.frame ?? null;
    if (frame === null) return;
    const known = lanes.find((lane) => frameKey(lane.frame) === frameKey(frame));
    if (known !== undefined) {
      known.rows.push(row);
      return;
    }
    const index = picture.frames.findIndex((box) => frameKey(box.frame) === frameKey(frame));
    if (index !== -1) lanes.push({ frame, index, rows: [row], page });
  });
  return lanes;
}

/** The order in which lines turn towards their frames so that they cross least: they are few. */
function turnsOf(routes: readonly (readonly [from: number, to: number])[]): number[] {
  const within = (value: number, [a, b]: readonly [number, number]): boolean =>
    Math.min(a, b) < value && value < Math.max(a, b);
  const crossings = (turns: readonly number[]): number => {
    let count = 0;
    routes.forEach((route, i) => routes.forEach((other, k) => {
      const [ti, tk] = [turns[i] ?? 0, turns[k] ?? 0];
      if (tk > ti && within(other[0], route)) ++count;
      if (tk < ti && within(other[1], route)) ++count;
    }));
    return count;
  };
  let best = routes.map((_, i) => i);
  const visit = (turns: number[], left: number[]): void => {
    if (left.length === 0 && crossings(turns) < crossings(best)) best = turns;
    left.forEach((turn) => visit([...turns, turn], left.filter((other) => other !== turn)));
  };
  if (routes.length <= 5) visit([], best);
  return best;
}

export function layoutOf(picture: Picture, width: number): Layout {
  const isUpright = width < 500;
  const regions = Math.max(1, picture.regions.length);
  const pages = Math.max(1, ...picture.regions.map((region) => region.shown.length));
  // Some room from the start, so that frames stay where they are when others come.
  const places = Math.max(picture.frames.length, pages + 2);
  const firstPage = picture.regions[0]?.first_page ?? 0;
  const sizes = isUpright ? uprightSizes(width, pages, regions, places, firstPage + pages - 1)
    : wideSizes(width, pages, regions, places);
  sizes.frameLength = sizes.framePitch - clamp(sizes.framePitch / 6, 4, 14);

  const box = (along: number, across: number, length: number, depth: number): Box =>
    isUpright ? { x: across, y: along, width: depth, height: length }
      : { x: along, y: across, width: length, height: depth };
  const point = (along: number, across: number): { x: number; y: number } =>
    isUpright ? { x: across, y: along } : { x: along, y: across };

  const pageAt = (i: number): number => sizes.labelsAlong + i * sizes.pagePitch;
  const regionAt = (row: number): number => sizes.labelsAcross + row * sizes.regionPitch;
  const frameAt = (i: number): number => sizes.labelsAlong + i * sizes.framePitch;
  const bandAt = regionAt(picture.regions.length) - (isUpright ? 0 : 4);
  const lanes = lanesOf(picture);
  const framesAt = isUpright ? width - sizes.frameDepth - 2
    : bandAt + sizes.lane * (Math.min(3, Math.max(2, picture.regions.length)) + 1) + 14;

  const gap = sizes.pagePitch - sizes.pageLength;
  const laneAt = (lane: number, page: number): number => pageAt(page) + sizes.pageLength +
    gap - ((lane + 1) * gap) / (lanes.length + 1);
  const targetOf = (lane: Lane): number => frameAt(lane.index) + sizes.frameLength / 2;
  const turns = turnsOf(lanes.map((lane, i) => [laneAt(i, lane.page), targetOf(lane)] as const));
  const lines = lanes.map((lane, i): Line => {
    const turn = bandAt + (turns[i] ?? 0) * sizes.lane + 3;
    const along = laneAt(i, lane.page);
    const middles = lane.rows.map((row) => regionAt(row) + sizes.regionDepth / 2);
    const side = pageAt(lane.page) + sizes.pageLength;
    const stubs = middles.map((across) => pathOf([[side, across], [along, across]], isUpright));
    const trunk = pathOf([[along, Math.min(...middles)], [along, turn], [targetOf(lane), turn],
      [targetOf(lane), framesAt]], isUpright);
    return { frame: lane.frame, path: [...stubs, trunk].join("") };
  });

  const acrossEnd = framesAt + sizes.frameDepth + 2;
  return {
    width,
    height: isUpright ? sizes.alongEnd : acrossEnd,
    isUpright,
    pageLabels: Array.from({ length: pages }, (_, i) => ({
      page: firstPage + i,
      ...point(pageAt(i) + sizes.pageLength / 2,
        isUpright ? (sizes.labelsAcross - 6) / 2 : 12),
    })),
    regionLabels: picture.regions.map((_, row) =>
      point(isUpright ? 14 : 2, regionAt(row) + sizes.regionDepth / 2)),
    cells: picture.regions.map((region, row) => region.shown.map((_, i) =>
      box(pageAt(i), regionAt(row), sizes.pageLength, sizes.regionDepth))),
    frames: picture.frames.map((_, i) =>
      box(frameAt(i), framesAt, sizes.frameLength, sizes.frameDepth)),
    frameLabel: isUpright ? { x: framesAt + sizes.frameDepth * 0.3, y: 14 }
      : { x: 2, y: framesAt + sizes.frameDepth * 0.3 },
    ownersLabel: isUpright ? { x: framesAt + sizes.frameDepth * 0.78, y: 14 }
      : { x: 2, y: framesAt + sizes.frameDepth * 0.76 },
    lines,
  };
}
