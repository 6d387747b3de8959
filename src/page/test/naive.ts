// A second, plain replay to hold the page's against: a list of pages for each space, copied where
// the page shares pieces, and every count taken anew. It also makes up programs: random events with
// the counts that libcow would have recorded.

import type { Counts, EntryLook, EntryRun, Trace, TraceEvent } from "../data/types";

export interface PlainPage {
  frame: string;  ///< "file:slot", or "" for none
  writable: boolean;
}
export interface PlainSpace {
  isSnapshot: boolean;
  pages: PlainPage[];
}
export type PlainFamily = Map<number, PlainSpace>;

const copyOf = (pages: readonly PlainPage[], writable?: boolean): PlainPage[] =>
  pages.map((page) => ({ frame: page.frame, writable: writable ?? page.writable }));

export function plainCounts(family: PlainFamily): Counts {
  const owners = new Map<string, number>();
  let writable = 0;
  for (const space of family.values()) {
    for (const page of space.pages) {
      if (page.writable) ++writable;
      if (page.frame !== "") owners.set(page.frame, (owners.get(page.frame) ?? 0) + 1);
    }
  }
  const shared = [...owners.values()].filter((count) => count > 1).length;
  return { frames: owners.size, writable, shared };
}

/** The families of all processes, by pid and number. */
export class PlainReplay {
  families = new Map<string, PlainFamily>();

  family(pid: number, number: number): PlainFamily {
    const key = `${pid}/${number}`;
    const family = this.families.get(key) ?? new Map<number, PlainSpace>();
    this.families.set(key, family);
    return family;
  }

  apply(event: TraceEvent): void {
    if (event.kind === "process_begun") this.begin(event);
    const family = this.family(event.pid, event.family);
    const other = family.get(event.other);
    if (event.kind === "region_made" || event.kind === "snapshot_made") {
      if (other !== undefined) other.pages = copyOf(other.pages, false);
      family.set(event.space, {
        isSnapshot: event.kind === "snapshot_made",
        pages: other === undefined
          ? Array.from({ length: event.pages }, () => ({ frame: "", writable: false }))
          : copyOf(other.pages),
      });
    }
    if (event.kind.endsWith("_gone")) family.delete(event.space);
    const space = family.get(event.space);
    if (event.kind === "restored" && space !== undefined && other !== undefined) {
      space.pages = copyOf(other.pages, false);
    }
    for (const run of event.entries) this.set(family, run);
  }

  private set(family: PlainFamily, run: EntryRun): void {
    const [number, first, count, file, slot, look] = run;
    const pages = family.get(number)?.pages ?? [];
    for (let i = 0; i < count; ++i) {
      pages[first + i] = look === "zero" ? { frame: "", writable: false }
        : { frame: `${file}:${slot + i}`, writable: look === "writable" };
    }
  }

  private begin(event: TraceEvent): void {
    for (const [key, family] of [...this.families]) {
      const [pid, number] = key.split("/").map(Number);
      if (pid !== event.other || number === undefined) continue;
      const copy: PlainFamily = new Map();
      for (const [name, space] of family) {
        copy.set(name, { isSnapshot: space.isSnapshot, pages: copyOf(space.pages) });
      }
      this.families.set(`${event.pid}/${number}`, copy);
    }
  }
}

/** Random numbers that a seed repeats. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function eventOf(fields: Partial<TraceEvent> & Pick<TraceEvent, "kind">): TraceEvent {
  return {
    number: 0, ns: 0, pid: 100, tid: 100, family: 1, space: 0, other: 0, page: 0, pages: 0,
    copied: 0, address: "", instruction_pointer: "", error_code: "", parts_ns: {}, whole_ns: 0,
    entries: [], writable_after: null, after: null, title: "", sentence: "", ...fields,
  };
}

/** A program that does this and that with regions of so many pages, and forks once. */
export class MadeUpProgram {
  readonly events: TraceEvent[] = [];
  readonly plain = new PlainReplay();
  private nextSpace = 1;
  private nextSlot = 0;
  private readonly pids = [100];

  constructor(private readonly pages: number, private readonly random: (below: number) => number) {}

  run(length: number): Trace {
    this.add({ kind: "region_made", space: this.nextSpace++, pages: this.pages });
    while (this.events.length < length) this.step();
    return {
      about: { of: "/usr/bin/made-up", pid: 100, started: "2026-11-29T10:30:00Z", kernel: "6.1",
        architecture: "x86-64", page_bytes: 4096, lost: 0, cut_off: 0, unfinished: 0,
        unreadable: 0, misfits: 0 },
      events: this.events,
    };
  }

  private step(): void {
    const pid = this.pick(this.pids);
    const family = this.plain.family(pid, 1);
    const regions = [...family].filter(([, space]) => !space.isSnapshot).map(([name]) => name);
    const snapshots = [...family].filter(([, space]) => space.isSnapshot).map(([name]) => name);
    const what = this.random(20);
    if (regions.length === 0) {
      this.add({ kind: "region_made", pid, space: this.nextSpace++, pages: this.pages });
    } else if (what < 12) {
      this.store(pid, this.pick(regions));
    } else if (what === 12 && regions.length < 5) {
      this.add({ kind: "region_made", pid, space: this.nextSpace++, other: this.pick(regions) });
    } else if (what < 15 && snapshots.length < 5) {
      this.add({ kind: "snapshot_made", pid, space: this.nextSpace++, other: this.pick(regions) });
    } else if (what === 15 && snapshots.length > 0) {
      const [space, other] = [this.pick(regions), this.pick(snapshots)];
      this.add({ kind: "restored", pid, space, other });
    } else if (what === 16 && snapshots.length > 0) {
      this.add({ kind: "snapshot_gone", pid, space: this.pick(snapshots) });
    } else if (what === 17 && regions.length > 1) {
      this.add({ kind: "region_gone", pid, space: this.pick(regions) });
    } else if (what === 18) {
      this.discard(pid, this.pick(regions));
    } else if (what === 19 && this.pids.length < 3 && this.events.length > 40) {
      this.fork(pid);
    }
  }

  private store(pid: number, space: number): void {
    const first = this.random(this.pages);
    const count = Math.min(1 + this.random(3), this.pages - first);
    const entries: EntryRun[] = [];
    let copied = 0;
    for (let page = first; page < first + count; ++page) {
      const [frame, look] = this.frameFor(pid, space, page);
      if (look !== null) ++copied;
      const [file, slot] = frame.split(":").map(Number);
      entries.push([space, page, 1, file ?? 0, slot ?? 0, "writable" as EntryLook]);
    }
    this.add({ kind: "fault", pid, space, page: first, pages: count, copied, entries,
      error_code: "0x7", parts_ns: { locate: 900, allocate: 2000, copy: 700, map: 1400 },
      whole_ns: 6000 });
  }

  // Its own frame if nobody else shows it, else a new one.
  private frameFor(pid: number, space: number, page: number): [string, "new" | null] {
    const family = this.plain.family(pid, 1);
    const frame = family.get(space)?.pages[page]?.frame ?? "";
    const owners = [...family.values()].filter((other) => other.pages[page]?.frame === frame);
    if (frame !== "" && owners.length === 1) return [frame, null];
    return [`${this.pids.indexOf(pid) + 1}:${(this.nextSlot += 1 + this.random(2))}`, "new"];
  }

  private discard(pid: number, space: number): void {
    const page = this.random(this.pages);
    const pages = Math.min(1 + this.random(this.pages), this.pages - page);
    this.add({ kind: "discarded", pid, space, page, pages,
      entries: [[space, page, pages, 0, 0, "zero"]] });
  }

  private fork(parent: number): void {
    const child = 100 + this.pids.length;
    const events: [TraceEvent["kind"], number, number][] = [
      ["process_forked", parent, child], ["process_begun", child, parent],
    ];
    if (this.random(2) === 0) events.reverse();
    for (const [kind, pid, other] of events) this.add({ kind, pid, tid: pid, other });
    this.pids.push(child);
  }

  private add(fields: Partial<TraceEvent> & Pick<TraceEvent, "kind">): void {
    const number = this.events.length + 1;
    const event = eventOf({ number, ns: number * 10_000, title: `${fields.kind} ${number}`,
      sentence: `Event ${number} of a program that was made up.`, ...fields });
    this.plain.apply(event);
    event.after = plainCounts(this.plain.family(event.pid, event.family));
    this.events.push(event);
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.random(list.length)] as T;
  }
}
