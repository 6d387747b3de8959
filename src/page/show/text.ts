// Numbers as people read them.

import type { FrameId, Look } from "../data/types";

export function timeText(ns: number): string {
  if (ns < 1000) return `${ns} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(1)} ms`;
  return `${(ns / 1e9).toFixed(2)} s`;
}

export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-GB")} ${noun}${count === 1 ? "" : "s"}`;
}

/** As /proc/self/maps has it, without the page's zeros. Of physical pages the last digits. */
export function frameText(frame: FrameId, firstFile: number): string {
  const [file, number] = frame;
  const text = (file === 0 ? number % 0x1000 : number).toString(16);
  return file === firstFile ? text : `+${text}`;
}

const letters: Readonly<Record<Look, string>> = {
  unmapped: "", zero: "z", shared: "s", "sole owner": "o", private: "w", leased: "l", kept: "k",
};
export const letterOf = (look: Look): string => letters[look];

const meanings: Readonly<Record<Look, string>> = {
  unmapped: "not mapped",
  zero: "read-only, no frame yet",
  shared: "read-only: others show the same frame",
  "sole owner": "read-only, though nobody else shows the frame",
  private: "writable: a frame of its own",
  leased: "writable, and stays so for the kernel",
  kept: "a snapshot’s, kept as it is",
};
export const meaningOf = (look: Look): string => meanings[look];

/** For names of classes. */
export const classOf = (look: Look): string => `look-${look.replace(" ", "-")}`;
