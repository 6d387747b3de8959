// A page table in pieces. A clone shares its original's pieces until one side changes, as the pages
// themselves are shared: a region of 2^18 pages is cloned by copying a thousand references, and
// states of the past cost what changed.

/** Entries in a piece. */
export const chunkPages = 256;

// An entry: the number of its frame, twice, and one more where it may be stored to. 0 is no frame.
export const zeroEntry = 0;
export const entryOf = (frame: number, writable: boolean): number => frame * 2 + (writable ? 1 : 0);
export const frameOf = (entry: number): number => entry >>> 1;
export const isWritable = (entry: number): boolean => (entry & 1) === 1;

export class Chunk {
  refs = 0;
  /** Writable entries. */
  writable = 0;

  /** `age` is the state since which it may be changed where it stands, by its one owner. */
  constructor(readonly entries: Uint32Array, public age: number) {}

  copy(age: number): Chunk {
    const chunk = new Chunk(this.entries.slice(), age);
    chunk.writable = this.writable;
    return chunk;
  }

  /** The same entries for another process. Neither may change them where they stand. */
  twin(): Chunk {
    this.age = neverChanged;
    const chunk = new Chunk(this.entries, neverChanged);
    chunk.writable = this.writable;
    return chunk;
  }
}

const neverChanged = -1;

/** Shown by every part of a region that nothing was stored to. */
export const zeroChunk = new Chunk(new Uint32Array(chunkPages), neverChanged);
