// What the page shows, whether it was recorded state by state or is replayed from events.

import type {
  Fact, FrameBox, Look, Mapping, Mark, Question, RegionRow, TimedPart,
} from "../data/types";

export interface Picture {
  readonly regions: readonly RegionRow[];
  readonly frames: readonly FrameBox[];
  /** Frames of these regions that there was no room for. */
  readonly framesLeftOut: number;
  readonly mark: Mark | null;
}

/** How many pages of a stretch look how. */
export type Mix = Readonly<Partial<Record<Look, number>>>;

/** All pages of a region in a row of stretches. */
export interface Strip {
  readonly name: string;
  readonly pages: number;
  readonly mixes: readonly Mix[];
  /** The pages that the picture shows: from and to, as parts of the whole. */
  readonly window: readonly [from: number, to: number] | null;
  readonly isMarked: boolean;
}

export interface Moment {
  readonly title: string;
  readonly sentence: string;
  readonly facts: readonly Fact[];
  readonly times: readonly TimedPart[];
  readonly table: readonly string[];
  readonly question: Question | null;
  readonly answered: Question | null;
  readonly mapping: Mapping | null;
  readonly picture: Picture;
  readonly strips: readonly Strip[];
  readonly stripsLeftOut: number;
  /** Why the picture may be wrong. */
  readonly doubt: string | null;
}

/** What was copied when: stretches of pages by stretches of time. */
export interface Heat {
  readonly rows: readonly { readonly label: string; readonly title: string }[];
  readonly columns: number;
  /** Pages copied, row by row. */
  readonly copied: Uint32Array;
  /** Pages made writable without a copy. */
  readonly taken: Uint32Array;
  /** The step in which a cell's first page was copied or taken. */
  readonly steps: Int32Array;
  columnOf(step: number): number;
}

export interface Show {
  readonly name: string;
  readonly title: string;
  /** `step` or `event`. */
  readonly unit: string;
  readonly length: number;
  /** Whether what lies ahead is hidden until it has been seen. */
  readonly hidesWhatComes: boolean;
  readonly facts: readonly Fact[];
  readonly notices: readonly string[];
  readonly faults: readonly number[];
  readonly heat: Heat;
  at(step: number): Moment;
  titleOf(step: number): string;
  asksAt(step: number): boolean;
}
