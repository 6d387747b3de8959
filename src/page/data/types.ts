// The documents that a page is given, as `cow demo --json` and `cow report` write them.

import type { Results } from "./results";

/** What a page is to the region that shows it. */
export const looks = [
  "unmapped", "zero", "shared", "sole owner", "private", "leased", "kept",
] as const;
export type Look = (typeof looks)[number];

/** Which frame: the file that it is a page of, and its place in it. */
export type FrameId = readonly [file: number, number: number];

export interface PageCell {
  state: Look;
  frame: FrameId | null;
}

export interface RegionRow {
  name: string;
  address: number;
  pages: number;
  first_page: number;
  shown: PageCell[];
}

export interface FrameBox {
  frame: FrameId;
  owners: number;
}

export interface Fact {
  name: string;
  value: string;
}

export interface TimedPart {
  name: string;
  ns: number;
  now: boolean;
}

export interface Question {
  text: string;
  answer: string;
}

export interface Mark {
  region: string;
  page: number;
}

export interface Mapping {
  text: string;
  mark_column: number;
  mark_width: number;
}

export interface Step {
  focus: string;
  title: string;
  sentence: string;
  facts: Fact[];
  times: TimedPart[];
  table: string[];
  question: Question | null;
  answered: Question | null;
  mark: Mark | null;
  mapping: Mapping | null;
  regions: RegionRow[];
  frames: FrameBox[];
}

export interface Chapter {
  chapter: string;
  title: string;
  steps: Step[];
}

export const eventKinds = [
  "region_made", "region_gone", "snapshot_made", "snapshot_gone", "fault", "restored",
  "discarded", "lease_begun", "lease_ended", "merged", "collected", "process_forked",
  "process_begun",
] as const;
export type EventKind = (typeof eventKinds)[number];

export const entryLooks = ["zero", "read_only", "writable"] as const;
export type EntryLook = (typeof entryLooks)[number];

/** A run of entries of a page table: consecutive pages, consecutive slots of one file. */
export type EntryRun = readonly [
  space: number, first: number, count: number, file: number, slot: number, look: EntryLook,
];

export interface Counts {
  frames: number;
  writable: number;
  shared: number;
}

export interface TraceEvent {
  number: number;
  ns: number;
  pid: number;
  tid: number;
  kind: EventKind;
  family: number;
  space: number;
  other: number;
  page: number;
  pages: number;
  copied: number;
  address: string;
  instruction_pointer: string;
  error_code: string;
  parts_ns: Record<string, number>;
  whole_ns: number;
  entries: EntryRun[];
  writable_after: number | null;
  after: Counts | null;
  title: string;
  sentence: string;
}

export interface TraceAbout {
  of: string;
  pid: number;
  started: string;
  kernel: string;
  architecture: string;
  page_bytes: number;
  lost: number;
  cut_off: number;
  unfinished: number;
  unreadable: number;
  misfits: number;
}

export interface Trace {
  about: TraceAbout;
  events: TraceEvent[];
}

/** A page of a folder of pages, in its table of contents. */
export interface PageLink {
  file: string;
  title: string;
  about: string;
}

export type Input =
  | { kind: "chapters"; chapters: Chapter[]; contents: string | null }
  | { kind: "trace"; trace: Trace }
  | { kind: "contents"; pages: PageLink[] }
  | { kind: "results"; results: Results };
