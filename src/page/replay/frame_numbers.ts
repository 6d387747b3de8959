// Frames are named by a file and a slot of it; here each has a small number of its own, from 1, so
// that an entry is one integer. Numbers are for good, whatever moment is shown.

import type { FrameId } from "../data/types";

export class FrameNumbers {
  private readonly known = new Map<number, Map<number, number>>();
  private readonly ids: FrameId[] = [[0, 0]];

  get size(): number {
    return this.ids.length;
  }

  numberOf(file: number, slot: number): number {
    let slots = this.known.get(file);
    if (slots === undefined) {
      slots = new Map();
      this.known.set(file, slots);
    }
    let number = slots.get(slot);
    if (number === undefined) {
      number = this.ids.length;
      this.ids.push([file, slot]);
      slots.set(slot, number);
    }
    return number;
  }

  idOf(number: number): FrameId {
    return this.ids[number] ?? [0, 0];
  }
}
