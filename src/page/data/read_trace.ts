// Reads the trace of a program, as `cow report` writes it. Fields that mean nothing to an event may
// be left out of it.

import { asArray, asCount, asObject, asText, numberOr, textOr, Unreadable } from "./check";
import {
  entryLooks, eventKinds, type Counts, type EntryLook, type EntryRun, type EventKind, type Trace,
  type TraceEvent,
} from "./types";

// A damaged number must not take all memory. A terabyte of pages of 4 KiB; regions can be larger.
const mostPages = 2 ** 28;
const tooMany = `and a region is shown here up to page ${mostPages} only`;

function readRun(value: unknown, where: string): EntryRun {
  const run = asArray(value, where);
  const count = (i: number): number => asCount(run[i], `${where}[${i}]`);
  const look = asText(run[5], `${where}[5]`);
  if (!(entryLooks as readonly string[]).includes(look)) {
    throw new Unreadable(`${where} is '${look}', an entry that this page does not know`);
  }
  if (count(1) + count(2) > mostPages) {
    throw new Unreadable(`${where} goes up to page ${count(1) + count(2)}, ${tooMany}`);
  }
  return [count(0), count(1), count(2), count(3), count(4), look as EntryLook];
}

function readCounts(value: unknown, where: string): Counts | null {
  if (value === undefined || value === null) return null;
  const counts = asObject(value, where);
  return {
    frames: asCount(counts.frames, `${where}.frames`),
    writable: asCount(counts.writable, `${where}.writable`),
    shared: asCount(counts.shared, `${where}.shared`),
  };
}

function readParts(value: unknown, where: string): Record<string, number> {
  if (value === undefined || value === null) return {};
  const parts: Record<string, number> = {};
  for (const [name, ns] of Object.entries(asObject(value, where))) {
    parts[name] = asCount(ns, `${where}.${name}`);
  }
  return parts;
}

function readKind(value: unknown, where: string): EventKind {
  const kind = asText(value, where);
  if ((eventKinds as readonly string[]).includes(kind)) return kind as EventKind;
  throw new Unreadable(`${where} is '${kind}', a kind of event that this page does not know: ` +
    "the trace is of a newer libcow");
}

function readEvent(value: unknown, where: string): TraceEvent {
  const event = asObject(value, where);
  const count = (name: string): number => {
    const number = numberOr(event[name], 0, `${where}.${name}`);
    return asCount(number, `${where}.${name}`);
  };
  const text = (name: string): string => textOr(event[name], "", `${where}.${name}`);
  const entries = event.entries === undefined ? [] : asArray(event.entries, `${where}.entries`);
  if (count("pages") > mostPages) {
    throw new Unreadable(`${where}.pages is ${count("pages")}, ${tooMany}`);
  }
  return {
    number: count("number"),
    ns: count("ns"),
    pid: count("pid"),
    tid: count("tid"),
    kind: readKind(event.kind, `${where}.kind`),
    family: count("family"),
    space: count("space"),
    other: count("other"),
    page: count("page"),
    pages: count("pages"),
    copied: count("copied"),
    address: text("address"),
    instruction_pointer: text("instruction_pointer"),
    error_code: text("error_code"),
    parts_ns: readParts(event.parts_ns, `${where}.parts_ns`),
    whole_ns: count("whole_ns"),
    entries: entries.map((run, i) => readRun(run, `${where}.entries[${i}]`)),
    writable_after: event.writable_after === undefined ? null : count("writable_after"),
    after: readCounts(event.after, `${where}.after`),
    title: text("title"),
    sentence: text("sentence"),
  };
}

export function readTrace(document: Record<string, unknown>): Trace {
  const about = asObject(document.trace, "trace");
  const events = asArray(document.events, "events");
  if (events.length === 0) {
    throw new Unreadable("the trace has no events: the program made no region, or was not traced");
  }
  const text = (name: string): string => textOr(about[name], "", `trace.${name}`);
  const number = (name: string): number => numberOr(about[name], 0, `trace.${name}`);
  return {
    about: {
      of: text("of"),
      pid: number("pid"),
      started: text("started"),
      kernel: text("kernel"),
      architecture: text("architecture"),
      page_bytes: number("page_bytes"),
      lost: number("lost"),
      cut_off: number("cut_off"),
      unfinished: number("unfinished"),
      unreadable: number("unreadable"),
      misfits: number("misfits"),
    },
    events: events.map((event, i) => readEvent(event, `events[${i}]`)),
  };
}
