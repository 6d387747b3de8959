// The keys. Those of `cow demo` do the same here, and so do a presenter's remote control's.

import { useLayoutEffect } from "preact/hooks";
import type { Move } from "./player";

export interface KeyActions {
  go: (move: Move) => void;
  otherShow: (by: 1 | -1) => void;
  toggleHelp: () => void;
  closeHelp: () => void;
  toggleTheme: () => void;
}

export const keyTable: readonly (readonly [keys: string, what: string])[] = [
  ["space, →, Enter, Page Down", "the next step"],
  ["←, Backspace, Page Up", "the step before"],
  ["Home, End", "the first step, the last one"],
  ["n, p", "the next fault, the one before"],
  ["a", "the answer, where something is asked"],
  ["r", "run by itself, or stop"],
  ["[, ]", "the chapter before, the next one"],
  ["q", "questions, or none"],
  ["d", "dark or light"],
  ["?", "these keys"],
];

const moves: Readonly<Record<string, Move>> = {
  " ": { to: "next" }, ArrowRight: { to: "next" }, Enter: { to: "next" },
  PageDown: { to: "next" }, ArrowLeft: { to: "back" }, Backspace: { to: "back" },
  PageUp: { to: "back" }, Home: { to: "first" }, End: { to: "last" }, n: { to: "next fault" },
  p: { to: "previous fault" }, a: { to: "answer" }, r: { to: "play or pause" },
  q: { to: "questions or none" },
};

// What has the focus keeps the keys that it understands itself.
function belongsToFocus(key: string, target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  if (target.matches("select, input:not([type=range])")) return true;
  if (target.matches("input[type=range]")) return /^(Arrow|Home|End|Page)/.test(key);
  if (target.matches("button, a")) return key === " " || key === "Enter";
  return target.matches("[tabindex]") && /^Arrow/.test(key);
}

export function useKeys(actions: KeyActions): void {
  // A layout effect, here and in the other parts: nothing that is pressed meets an older picture.
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "Escape") {
        actions.closeHelp();
        return;
      }
      const isHelpOpen = document.querySelector("dialog[open]") !== null;
      if (belongsToFocus(event.key, event.target) || (isHelpOpen && event.key !== "?")) return;
      const move = moves[event.key];
      if (move !== undefined) actions.go(move);
      else if (event.key === "[") actions.otherShow(-1);
      else if (event.key === "]") actions.otherShow(1);
      else if (event.key === "?") actions.toggleHelp();
      else if (event.key === "d") actions.toggleTheme();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [actions]);
}
