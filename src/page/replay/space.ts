// A region or a snapshot as the replay knows it: what each of its pages shows.

import { Chunk, chunkPages, zeroChunk } from "./chunk";

/** Pages that the kernel may write to until the lease ends. */
export interface Lease {
  readonly first: number;
  readonly count: number;
}

export interface SpaceFacts {
  readonly number: number;
  readonly isSnapshot: boolean;
  readonly address: string;
  readonly pages: number;
}

export class Space {
  constructor(
    readonly facts: SpaceFacts,
    public chunks: readonly Chunk[],
    public leases: readonly Lease[] = [],
  ) {}

  /** For a moment that is kept. Lists are replaced and never changed, so that they are shared. */
  copy(): Space {
    return new Space(this.facts, this.chunks, this.leases);
  }

  entry(page: number): number {
    return this.chunks[Math.floor(page / chunkPages)]?.entries[page % chunkPages] ?? 0;
  }

  isLeased(page: number): boolean {
    return this.leases.some((lease) => lease.first <= page && page < lease.first + lease.count);
  }

  get writable(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.writable, 0);
  }
}

export function zeroChunks(pages: number): Chunk[] {
  return new Array<Chunk>(Math.ceil(pages / chunkPages)).fill(zeroChunk);
}
