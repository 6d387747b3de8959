// A trace, event by event, to any moment and back. Going back starts from a moment that was kept
// and goes forward from there: what is kept shares all that did not change.

import type { Counts, Trace, TraceEvent } from "../data/types";
import { Family } from "./family";
import { FrameNumbers } from "./frame_numbers";
import { Space } from "./space";

/** From one kept moment to the next. */
const stride = 256;

/** By number. */
type Families = ReadonlyMap<number, Family>;

interface Kept {
  /** Of each process, of each of its families. */
  readonly spaces: ReadonlyMap<number, ReadonlyMap<number, readonly Space[]>>;
  readonly forked: ReadonlyMap<number, Families>;
}

export class Replay {
  /** Events that have happened. */
  position = 0;
  // Families and spaces have numbers of their own in each process.
  private processes = new Map<number, Map<number, Family>>();
  // What a child begins with, from the moment at which its parent forked.
  private forked = new Map<number, Families>();
  private readonly parents = new Map<number, number>();
  private readonly kept: Kept[] = [];
  private readonly numbers = new FrameNumbers();
  // Pieces older than this belong to a moment that was kept.
  private age = 0;

  constructor(private readonly trace: Trace) {
    for (const event of trace.events) {
      if (event.kind === "process_forked") this.parents.set(event.other, event.pid);
    }
    this.keep();
  }

  get frames(): FrameNumbers {
    return this.numbers;
  }

  family(pid: number, number: number): Family {
    const families = this.familiesOf(pid);
    let family = families.get(number);
    if (family === undefined) {
      family = new Family(this.numbers);
      families.set(number, family);
    }
    return family;
  }

  /** To the moment after so many events. */
  seek(position: number): void {
    const target = Math.max(0, Math.min(position, this.trace.events.length));
    const from = Math.min(Math.floor(target / stride), this.kept.length - 1);
    if (target < this.position || from * stride > this.position) this.goBackTo(from);
    while (this.position < target) {
      const event = this.trace.events[this.position];
      if (event !== undefined) this.apply(event);
      ++this.position;
      if (this.position === this.kept.length * stride) this.keep();
    }
  }

  /** What the program counted after the last event, and what the replay did; null: the same. */
  disagreement(): { counted: Counts; replayed: Counts } | null {
    const event = this.trace.events[this.position - 1];
    if (event === undefined || event.after === null) return null;
    const replayed = this.family(event.pid, event.family).counts;
    const { frames, writable, shared } = event.after;
    const agrees = frames === replayed.frames && writable === replayed.writable &&
      shared === replayed.shared;
    return agrees ? null : { counted: event.after, replayed };
  }

  private familiesOf(pid: number): Map<number, Family> {
    let families = this.processes.get(pid);
    if (families === undefined) {
      families = new Map();
      this.processes.set(pid, families);
    }
    return families;
  }

  private keep(): void {
    const spaces = new Map<number, ReadonlyMap<number, readonly Space[]>>();
    for (const [pid, families] of this.processes) {
      spaces.set(pid, new Map([...families].map(([number, family]) =>
        [number, [...family.spaces.values()].map((space) => space.copy())])));
    }
    this.kept.push({ spaces, forked: new Map(this.forked) });
    ++this.age;
  }

  private goBackTo(index: number): void {
    const moment = this.kept[index];
    if (moment === undefined) return;
    this.processes = new Map();
    for (const [pid, families] of moment.spaces) {
      for (const [number, spaces] of families) {
        const family = this.family(pid, number);
        for (const space of spaces) family.spaces.set(space.facts.number, space.copy());
        family.countAgain();
      }
    }
    this.forked = new Map(moment.forked);
    this.position = index * stride;
    ++this.age;
  }

  private apply(event: TraceEvent): void {
    if (event.kind === "process_begun") this.beginProcess(event);
    const family = this.family(event.pid, event.family);
    const space = family.spaces.get(event.space);
    const other = family.spaces.get(event.other);
    switch (event.kind) {
      case "region_made":
      case "snapshot_made":
        this.make(event, family, other);
        break;
      case "region_gone":
      case "snapshot_gone":
        family.drop(event.space);
        break;
      case "restored":
        if (space !== undefined && other !== undefined) family.restore(space, other, this.age);
        break;
      case "lease_begun":
        if (space !== undefined) {
          space.leases = [...space.leases, { first: event.page, count: event.pages }];
        }
        break;
      case "lease_ended":
        if (space !== undefined) this.endLease(space, event);
        break;
      default:  // the entries of the others say all that they did
        break;
    }
    this.applyEntries(event);
    // What pages became read-only for is that the child shows them, too.
    if (event.kind === "process_forked") this.forked.set(event.other, this.twinsOf(event.pid));
  }

  // They may be of several families: where a process forks, of all.
  private applyEntries(event: TraceEvent): void {
    const families = this.familiesOf(event.pid);
    for (const run of event.entries) {
      for (const family of families.values()) {
        const space = family.spaces.get(run[0]);
        if (space !== undefined) family.set(space, run, this.age);
      }
    }
  }

  private make(event: TraceEvent, family: Family, other: Space | undefined): void {
    family.make({
      number: event.space,
      isSnapshot: event.kind === "snapshot_made",
      address: event.address,
      pages: other?.facts.pages ?? event.pages,
    }, other, this.age);
  }

  private endLease(space: Space, event: TraceEvent): void {
    const index = space.leases.findIndex((lease) =>
      lease.first === event.page && lease.count === event.pages);
    space.leases = space.leases.filter((_, i) => i !== index);
  }

  private twinsOf(pid: number): Families {
    const twins = new Map<number, Family>();
    for (const [number, family] of this.familiesOf(pid)) twins.set(number, family.twin());
    return twins;
  }

  // The parent's event may come before this one or after it. Nothing is stored to between the fork
  // and whichever of them is first. An earlier process may have had the same number: what it had
  // went with it.
  private beginProcess(event: TraceEvent): void {
    const parent = this.parents.get(event.pid) ?? event.other;  // 0: there is none to go by
    const begun = this.forked.get(event.pid) ?? this.familiesOf(parent);
    const own = new Map<number, Family>();
    for (const [number, family] of begun) own.set(number, family.twin());
    this.processes.set(event.pid, own);
    this.forked.delete(event.pid);
  }
}
