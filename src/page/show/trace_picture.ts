// The neighbourhood of the page in question, drawn like a chapter, and all pages of its family in
// stretches.

import type { FrameBox, FrameId, Look, PageCell, RegionRow, TraceEvent } from "../data/types";
import { chunkPages, frameOf, isWritable, zeroChunk, zeroEntry } from "../replay/chunk";
import type { Family } from "../replay/family";
import type { FrameNumbers } from "../replay/frame_numbers";
import type { Space } from "../replay/space";
import type { Mix, Picture, Strip } from "./show";

export const pagesShown = 8;
const mostRows = 5;
const mostFrames = 14;
const mostStrips = 8;
const stretches = 128;

export const nameOf = (space: Space): string =>
  `${space.facts.isSnapshot ? "S" : "R"}${space.facts.number}`;

function lookOf(family: Family, space: Space, page: number, entry: number): Look {
  if (isWritable(entry)) {
    return space.leases.length > 0 && space.isLeased(page) ? "leased" : "private";
  }
  if (entry === zeroEntry) return "zero";
  if (space.facts.isSnapshot) return "kept";
  return family.isShared(frameOf(entry)) ? "shared" : "sole owner";
}

/** Those that matter to the event first, but in the order in which they were made. */
function chosen(family: Family, event: TraceEvent, page: number, most: number): Space[] {
  const all = [...family.spaces.values()];
  const frame = frameOf(family.spaces.get(event.space)?.entry(page) ?? 0);
  const rank = (space: Space): number => {
    if (space.facts.number === event.space) return 0;
    if (space.facts.number === event.other) return 1;
    return frame !== 0 && frameOf(space.entry(page)) === frame ? 2 : 3;
  };
  const first = all
    .map((space) => ({ space, rank: rank(space) }))
    .sort((a, b) => a.rank - b.rank || b.space.facts.number - a.space.facts.number)
    .slice(0, most)
    .map(({ space }) => space);
  return first.sort((a, b) => a.facts.number - b.facts.number);
}

function framesOf(
  family: Family, numbers: FrameNumbers, spaces: readonly Space[], first: number, marked: number,
): { frames: FrameBox[]; leftOut: number } {
  const pages = new Map<number, number>();
  const add = (page: number): void => {
    for (const space of spaces) {
      const frame = frameOf(space.entry(page));
      if (frame !== 0 && !pages.has(frame)) pages.set(frame, page);
    }
  };
  add(marked);  // these at any rate
  for (let page = first; page < first + pagesShown; ++page) add(page);
  const frames = [...pages].slice(0, mostFrames)
    .map(([frame, page]) => ({
      frame: numbers.idOf(frame), owners: family.ownersAt(page, frame),
    }))
    .sort((a, b) => a.frame[0] - b.frame[0] || a.frame[1] - b.frame[1]);
  return { frames, leftOut: Math.max(0, pages.size - mostFrames) };
}

export function pictureOf(
  family: Family, numbers: FrameNumbers, event: TraceEvent, page: number,
): Picture {
  const spaces = chosen(family, event, page, mostRows);
  const first = Math.floor(page / pagesShown) * pagesShown;
  const regions = spaces.map((space): RegionRow => {
    const shown: PageCell[] = [];
    const end = Math.min(first + pagesShown, space.facts.pages);
    for (let i = first; i < end; ++i) {
      const entry = space.entry(i);
      const frame: FrameId | null = entry === zeroEntry ? null : numbers.idOf(frameOf(entry));
      shown.push({ state: lookOf(family, space, i, entry), frame });
    }
    return { name: nameOf(space), address: 0, pages: space.facts.pages, first_page: first, shown };
  });
  const { frames, leftOut } = framesOf(family, numbers, spaces, first, page);
  const marked = family.spaces.get(event.space);
  return { regions, frames, framesLeftOut: leftOut,
    mark: marked === undefined ? null : { region: nameOf(marked), page } };
}

/** Leases are not looked at: they are few pages, and these writable. */
function mixOf(family: Family, space: Space, first: number, end: number): Mix {
  const counts = { zero: 0, writable: 0, shared: 0, sole: 0 };
  for (let page = first; page < end;) {
    const index = Math.floor(page / chunkPages);
    const from = page - index * chunkPages;
    const to = Math.min(chunkPages, end - index * chunkPages);
    family.countLooks(space.chunks[index] ?? zeroChunk, from, to, counts);
    page += to - from;
  }
  const { zero, writable, shared, sole } = counts;
  return space.facts.isSnapshot ? { zero, private: writable, kept: shared + sole }
    : { zero, private: writable, shared, "sole owner": sole };
}

export function stripsOf(
  family: Family, event: TraceEvent, page: number,
): { strips: Strip[]; leftOut: number } {
  const spaces = chosen(family, event, page, mostStrips);
  const first = Math.floor(page / pagesShown) * pagesShown;
  const strips = spaces.map((space): Strip => {
    const pages = space.facts.pages;
    const count = Math.min(stretches, pages);
    const mixes: Mix[] = [];
    for (let i = 0; i < count; ++i) {
      const from = Math.floor((i * pages) / count);
      mixes.push(mixOf(family, space, from, Math.floor(((i + 1) * pages) / count)));
    }
    return { name: nameOf(space), pages, mixes, isMarked: space.facts.number === event.space,
      window: first < pages ? [first / pages, Math.min(pages, first + pagesShown) / pages] : null };
  });
  return { strips, leftOut: family.spaces.size - strips.length };
}
