// The replay of a trace against a plain one (test/naive.ts), forward, back, and by leaps.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readInput } from "../../data/read";
import type { Trace, TraceEvent } from "../../data/types";
import { frameOf, isWritable } from "../../replay/chunk";
import { Replay } from "../../replay/replay";
import { MadeUpProgram, PlainReplay, randomNumbers } from "../naive";

/** All that the page's replay has for one family, in the plain one's words. */
function stateOf(replay: Replay, pid: number, family: number): string {
  const spaces = [...replay.family(pid, family).spaces].sort(([a], [b]) => a - b);
  return JSON.stringify(spaces.map(([number, space]) =>
    [number, Array.from({ length: space.facts.pages }, (_, page) => {
      const entry = space.entry(page);
      const frame = frameOf(entry) === 0 ? "" : replay.frames.idOf(frameOf(entry)).join(":");
      return `${frame}${isWritable(entry) ? "w" : ""}`;
    })]));
}

function plainStateOf(plain: PlainReplay, pid: number, family: number): string {
  const spaces = [...plain.family(pid, family)].sort(([a], [b]) => a - b);
  return JSON.stringify(spaces.map(([number, space]) =>
    [number, space.pages.map((page) => `${page.frame}${page.writable ? "w" : ""}`)]));
}

function plainStates(trace: Trace): string[] {
  const plain = new PlainReplay();
  return trace.events.map((event) => {
    plain.apply(event);
    return plainStateOf(plain, event.pid, event.family);
  });
}

function checkAt(replay: Replay, trace: Trace, states: readonly string[], index: number): void {
  replay.seek(index + 1);
  const event = trace.events[index] as TraceEvent;
  assert.equal(stateOf(replay, event.pid, event.family), states[index], `after event ${index + 1}`);
  assert.equal(replay.disagreement(), null, `counts after event ${index + 1}`);
}

for (const [pages, length, seed] of [[5, 900, 1], [300, 700, 2], [1000, 600, 3]] as const) {
  test(`random events on ${pages} pages: the same states forward, back and by leaps`, () => {
    const random = randomNumbers(seed);
    const trace = new MadeUpProgram(pages, random).run(length);
    const states = plainStates(trace);
    const replay = new Replay(trace);
    assert.ok(new Set(trace.events.map((event) => event.pid)).size > 1, "it never forked");
    for (let i = 0; i < trace.events.length; ++i) checkAt(replay, trace, states, i);
    for (let i = trace.events.length - 1; i >= 0; --i) checkAt(replay, trace, states, i);
    for (let leap = 0; leap < 200; ++leap) {
      checkAt(replay, trace, states, random(trace.events.length));
    }
  });
}

// recorded_trace.json is of a program that runs through everything: regions, clones, snapshots,
// restores, a child process, a lease. Another one may be named.
for (const file of ["test/recorded_trace.json", process.env.COW_TRACE_JSON ?? ""]) {
  const name = `${file || "COW_TRACE_JSON"}: as many frames as the program had`;
  test(name, { skip: file === "" }, () => {
    const input = readInput(readFileSync(file, "utf8"));
    assert.ok(input.kind === "trace");
    const { events } = input.trace;
    const replay = new Replay(input.trace);
    const check = (i: number): void => {
      replay.seek(i + 1);
      const event = events[i] as TraceEvent;
      assert.equal(replay.disagreement(), null, `event ${event.number}`);
      const space = replay.family(event.pid, event.family).spaces.get(event.space);
      if (event.writable_after === null || space === undefined) return;
      assert.equal(space.writable, event.writable_after, `event ${event.number}`);
    };
    assert.ok(events.filter((event) => event.after !== null).length > 20);
    events.forEach((_, i) => check(i));
    [...events.keys()].reverse().forEach(check);
  });
}

test("counts that do not agree are noticed", () => {
  const trace = new MadeUpProgram(20, randomNumbers(7)).run(300);
  const lost = trace.events.findIndex((event) => event.kind === "fault" && event.copied > 0);
  const events = trace.events.filter((_, i) => i !== lost);
  const replay = new Replay({ ...trace, events });
  replay.seek(lost + 1);
  const doubts = events.map((_, i) => {
    replay.seek(i + 1);
    return replay.disagreement() !== null;
  });
  assert.ok(doubts.slice(lost).some((doubt) => doubt), "nobody noticed the lost event");
  assert.ok(!doubts.slice(0, lost).some((doubt) => doubt), "noticed before anything was lost");
});

test("a clone of a region of 2^18 pages shares its pieces", () => {
  const pages = 2 ** 18;
  const made = new MadeUpProgram(1, randomNumbers(1)).run(1).events[0] as TraceEvent;
  const events: TraceEvent[] = [
    { ...made, pages, after: null, entries: [[1, 0, pages, 1, 0, "writable"]] },
  ];
  for (let i = 0; i < 3000; ++i) {
    const space = 2 + i;
    events.push({ ...made, kind: "snapshot_made", space, other: 1, after: null });
    if (i > 0) events.push({ ...made, kind: "snapshot_gone", space: space - 1, after: null });
  }
  const replay = new Replay({ about: new MadeUpProgram(1, randomNumbers(1)).run(1).about, events });
  replay.seek(events.length);
  const family = replay.family(100, 1);
  assert.deepEqual(family.counts, { frames: pages, writable: 0, shared: pages });
  assert.equal(family.spaces.size, 2);
  assert.equal(family.spaces.get(1)?.chunks[7], family.spaces.get(3001)?.chunks[7]);
  replay.seek(1);
  assert.deepEqual(family === replay.family(100, 1), false);
  assert.deepEqual(replay.family(100, 1).counts, { frames: pages, writable: pages, shared: 0 });
});

test("a process that has an earlier one's pid begins without what that one had", () => {
  const made = new MadeUpProgram(1, randomNumbers(1)).run(1).events[0] as TraceEvent;
  const process = { ...made, family: 0, space: 0, after: null, entries: [] };
  const child = (): TraceEvent[] => [
    { ...process, kind: "process_forked", other: 200 },
    { ...process, kind: "process_begun", pid: 200, other: made.pid },
  ];
  const events: TraceEvent[] = [
    ...child(), { ...made, pid: 200, family: 7, space: 7, after: null },
    { ...made, after: null }, ...child(),
  ];
  const replay = new Replay({ about: new MadeUpProgram(1, randomNumbers(1)).run(1).about, events });
  replay.seek(3);
  assert.equal(replay.family(200, 7).spaces.size, 1);
  replay.seek(events.length);
  assert.equal(replay.family(200, 7).spaces.size, 0);
  assert.equal(replay.family(200, made.family).spaces.size, 1);
});
