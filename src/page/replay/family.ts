// The spaces of one process that may share frames, and how often each frame is shown.
//
// A frame's weight is 0 where nobody shows it, 1 where one space does, and at least 2 where more
// do: the sum, over the pieces that have it, of how many spaces have the piece, two counting as
// many. So a piece is gone through when it gets its first or second owner, and not for any further
// one.

import type { Counts, EntryRun } from "../data/types";
import { Chunk, chunkPages, entryOf, frameOf, isWritable, zeroChunk, zeroEntry } from "./chunk";
import type { FrameNumbers } from "./frame_numbers";
import { Space, type SpaceFacts, zeroChunks } from "./space";

const many = 2;

export interface LookCounts {
  zero: number;
  writable: number;
  shared: number;  ///< read-only, others show the frame
  sole: number;  ///< read-only, nobody else does
}

export class Family {
  readonly spaces = new Map<number, Space>();
  private weights = new Uint32Array(1024);
  private frames = 0;
  private shared = 0;
  private writable = 0;

  constructor(private readonly numbers: FrameNumbers) {}

  get counts(): Counts {
    return { frames: this.frames, writable: this.writable, shared: this.shared };
  }

  isShared(frame: number): boolean {
    return (this.weights[frame] ?? 0) >= many;
  }

  /** Adds how many of a piece's entries are what. */
  countLooks(chunk: Chunk, from: number, to: number, counts: LookCounts): void {
    if (chunk === zeroChunk) {
      counts.zero += to - from;
      return;
    }
    // Two million entries a step in a large family: no calls in here.
    const { entries } = chunk;
    const { weights } = this;
    let [zero, writable, shared] = [0, 0, 0];
    for (let i = from; i < to; ++i) {
      const entry = entries[i] as number;
      if (entry === zeroEntry) ++zero;
      else if ((entry & 1) === 1) ++writable;
      else if ((weights[entry >>> 1] as number) >= many) ++shared;
    }
    counts.zero += zero;
    counts.writable += writable;
    counts.shared += shared;
    counts.sole += to - from - zero - writable - shared;
  }

  /** How many spaces show the frame at this page. A frame is always shown at the same page. */
  ownersAt(page: number, frame: number): number {
    let owners = 0;
    for (const space of this.spaces.values()) {
      if (frameOf(space.entry(page)) === frame) ++owners;
    }
    return owners;
  }

  make(facts: SpaceFacts, shows: Space | undefined, age: number): void {
    this.drop(facts.number);
    if (shows !== undefined) this.makeReadOnly(shows, age);
    const space = new Space(facts, shows === undefined ? zeroChunks(facts.pages) : shows.chunks);
    this.spaces.set(facts.number, space);
    for (const chunk of space.chunks) this.acquire(chunk);
  }

  drop(number: number): void {
    const space = this.spaces.get(number);
    if (space === undefined) return;
    for (const chunk of space.chunks) this.release(chunk);
    this.spaces.delete(number);
  }

  /** `space` shows what `other` does from now on. */
  restore(space: Space, other: Space, age: number): void {
    this.makeReadOnly(other, age);
    other.chunks.forEach((chunk, i) => {
      const before = space.chunks[i];
      if (before === chunk) return;
      this.acquire(chunk);
      if (before !== undefined) this.release(before);
    });
    space.chunks = other.chunks;
  }

  set(space: Space, run: EntryRun, age: number): void {
    const [, first, count, file, slot, look] = run;
    const end = Math.min(first + count, space.facts.pages);
    for (let page = first; page < end;) {
      const index = Math.floor(page / chunkPages);
      const last = Math.min(end, (index + 1) * chunkPages);
      const chunk = this.chunkToChange(space, index, age);
      for (; page < last; ++page) {
        const frame = look === "zero" || file === 0
          ? 0 : this.numbers.numberOf(file, slot + page - first);
        this.put(chunk, page % chunkPages, frame === 0
          ? zeroEntry : entryOf(frame, look === "writable"));
      }
    }
  }

  /** All of it for a child process, or to be kept. */
  twin(): Family {
    const family = new Family(this.numbers);
    const twins = new Map<Chunk, Chunk>([[zeroChunk, zeroChunk]]);
    const twinOf = (chunk: Chunk): Chunk => {
      const known = twins.get(chunk);
      if (known !== undefined) return known;
      const twin = chunk.twin();
      twins.set(chunk, twin);
      return twin;
    };
    for (const [number, space] of this.spaces) {
      family.spaces.set(number, new Space(space.facts, space.chunks.map(twinOf), space.leases));
    }
    family.countAgain();
    return family;
  }

  /** All counts, from the spaces alone. */
  countAgain(): void {
    this.weights.fill(0);
    this.frames = this.shared = this.writable = 0;
    for (const space of this.spaces.values()) {
      for (const chunk of space.chunks) chunk.refs = 0;
    }
    for (const space of this.spaces.values()) {
      for (const chunk of space.chunks) this.acquire(chunk);
    }
  }

  private makeReadOnly(space: Space, age: number): void {
    space.chunks.forEach((chunk, index) => {
      if (chunk.writable === 0) return;
      const changed = this.chunkToChange(space, index, age);
      for (let i = 0; i < chunkPages; ++i) {
        const entry = changed.entries[i] ?? 0;
        if (isWritable(entry)) this.put(changed, i, entryOf(frameOf(entry), false));
      }
    });
  }

  // A piece of this space alone, and of no moment that was kept.
  private chunkToChange(space: Space, index: number, age: number): Chunk {
    const chunk = space.chunks[index] ?? zeroChunk;
    if (chunk.refs === 1 && chunk.age === age) return chunk;
    const changed = chunk.copy(age);
    this.acquire(changed);
    this.release(chunk);
    const chunks = space.chunks.slice();
    chunks[index] = changed;
    space.chunks = chunks;
    return changed;
  }

  private put(chunk: Chunk, index: number, entry: number): void {
    const before = chunk.entries[index] ?? 0;
    chunk.entries[index] = entry;
    const writable = Number(isWritable(entry)) - Number(isWritable(before));
    chunk.writable += writable;
    this.writable += writable;
    if (frameOf(before) === frameOf(entry)) return;
    if (frameOf(entry) !== 0) this.gain(frameOf(entry));
    if (frameOf(before) !== 0) this.lose(frameOf(before));
  }

  private acquire(chunk: Chunk): void {
    if (chunk === zeroChunk) return;
    this.writable += chunk.writable;
    if (++chunk.refs > many) return;
    for (const entry of chunk.entries) if (entry !== zeroEntry) this.gain(frameOf(entry));
  }

  private release(chunk: Chunk): void {
    if (chunk === zeroChunk) return;
    this.writable -= chunk.writable;
    if (--chunk.refs >= many) return;
    for (const entry of chunk.entries) if (entry !== zeroEntry) this.lose(frameOf(entry));
  }

  private gain(frame: number): void {
    if (frame >= this.weights.length) {
      const larger = new Uint32Array(Math.max(frame + 1, this.weights.length * 2));
      larger.set(this.weights);
      this.weights = larger;
    }
    const weight = (this.weights[frame] ?? 0) + 1;
    this.weights[frame] = weight;
    if (weight === 1) ++this.frames;
    if (weight === many) ++this.shared;
  }

  private lose(frame: number): void {
    const weight = (this.weights[frame] ?? 0) - 1;
    this.weights[frame] = weight;
    if (weight === 0) --this.frames;
    if (weight === many - 1) --this.shared;
  }
}
