// Where in which chapter one is, and how one gets elsewhere.

import { useLayoutEffect, useReducer } from "preact/hooks";
import type { Show } from "../show/show";

export interface Place {
  readonly show: number;
  readonly step: number;
  /** Of each show, the last step that has been seen. */
  readonly seen: readonly number[];
  readonly isAnswered: boolean;
  readonly isPlaying: boolean;
  readonly pace: number;
  readonly asks: boolean;
}

export type Move =
  | { to: "step"; step: number }
  | { to: "next" | "back" | "first" | "last" | "next fault" | "previous fault" }
  | { to: "show"; show: number; step?: number }
  | { to: "answer" | "play or pause" | "questions or none" }
  | { to: "pace"; seconds: number };

export const paces = [0.5, 1, 2, 4, 8, 15];

function nextStep(show: Show, place: Place, by: 1 | -1): number {
  let step = place.step + by;
  while (!place.asks && step > 0 && step < show.length - 1 && show.asksAt(step)) step += by;
  return step;
}

function stepOf(show: Show, place: Place, to: Move["to"]): number {
  switch (to) {
    case "next": return nextStep(show, place, 1);
    case "back": return nextStep(show, place, -1);
    case "first": return 0;
    case "last": return show.length - 1;
    case "next fault": return show.faults.find((step) => step > place.step) ?? place.step;
    case "previous fault":
      return [...show.faults].reverse().find((step) => step < place.step) ?? place.step;
    default: return place.step;
  }
}

export function moved(shows: readonly Show[], place: Place, move: Move): Place {
  const goTo = (index: number, wanted: number): Place => {
    const show = shows[index];
    if (show === undefined) return place;
    const step = Math.max(0, Math.min(show.length - 1, wanted));
    if (index === place.show && step === place.step) return place;
    const seen = place.seen.slice();
    seen[index] = Math.max(seen[index] ?? 0, step);
    return { ...place, show: index, step, seen, isAnswered: false };
  };
  switch (move.to) {
    case "answer": return { ...place, isAnswered: true };
    case "play or pause": return { ...place, isPlaying: !place.isPlaying };
    case "questions or none": return { ...place, asks: !place.asks };
    case "pace": return { ...place, pace: move.seconds };
    case "show": return goTo(move.show, move.step ?? 0);
    case "step": return goTo(place.show, move.step);
    default: {
      const show = shows[place.show];
      return show === undefined ? place : goTo(place.show, stepOf(show, place, move.to));
    }
  }
}

/** `#one-store/5`: a step can be linked to, and a page that is loaded again is as it was. */
export function placeIn(hash: string, shows: readonly Show[]): { show: number; step: number } {
  const [name, number] = decodeURIComponent(hash.replace(/^#/, "")).split("/");
  const show = shows.findIndex((candidate) => candidate.name === name);
  const step = Number.parseInt(number ?? "1", 10) - 1;
  const length = shows[Math.max(0, show)]?.length ?? 1;
  return { show: Math.max(0, show),
    step: show === -1 || Number.isNaN(step) ? 0 : Math.max(0, Math.min(length - 1, step)) };
}

export function usePlayer(shows: readonly Show[]): [Place, (move: Move) => void] {
  const [place, go] = useReducer<Place, Move>(
    (now, move) => moved(shows, now, move),
    { ...placeIn(location.hash, shows), seen: [], isAnswered: false, isPlaying: false, pace: 4,
      asks: true });
  const show = shows[place.show];
  const isAtEnd = show === undefined || place.step === show.length - 1;

  useLayoutEffect(() => {
    history.replaceState(null, "", `#${show?.name ?? ""}/${place.step + 1}`);
  }, [show, place.step]);

  useLayoutEffect(() => {
    const onHash = (): void => go({ to: "show", ...placeIn(location.hash, shows) });
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, [shows]);

  useLayoutEffect(() => {
    if (!place.isPlaying) return undefined;
    if (isAtEnd) {
      go({ to: "play or pause" });
      return undefined;
    }
    const timer = setTimeout(() => go({ to: "next" }), place.pace * 1000);
    return () => clearTimeout(timer);
  }, [place.isPlaying, place.pace, place.step, place.show, isAtEnd]);

  return [place, go];
}
