// What one replays with: the same as the keys, for a mouse, a finger or a screen reader.

import type { JSX } from "preact";
import type { Show } from "../show/show";
import { paces, type Move, type Place } from "./player";

// A list of all 65,536 events would take a browser seconds: then it has those near by.
const mostChoices = 400;

function choicesNear(steps: readonly number[], step: number): number[] {
  if (steps.length <= mostChoices) return [...steps];
  const after = steps.findIndex((candidate) => candidate >= step);
  const middle = after === -1 ? steps.length : after;
  const from = Math.max(0, Math.min(steps.length - mostChoices, middle - mostChoices / 2));
  return steps.slice(from, from + mostChoices);
}

function Choice(props: {
  label: string; hint: string; steps: readonly number[]; show: Show; step: number;
  onGo: (move: Move) => void;
}): JSX.Element {
  const choices = choicesNear(props.steps, props.step);
  const isThere = choices.includes(props.step);
  return (
    <label class="choice">
      <span class="unseen">{props.label}</span>
      <select value={isThere ? String(props.step) : ""} disabled={choices.length === 0}
        onChange={(event) => props.onGo({ to: "step", step: Number(event.currentTarget.value) })}>
        {!isThere && <option value="" disabled selected>{props.hint}</option>}
        {choices.map((step) => (
          <option key={step} value={step}>{`${step + 1}. ${props.show.titleOf(step)}`}</option>
        ))}
      </select>
    </label>
  );
}

function Buttons({ place, show, onGo }: {
  place: Place; show: Show; onGo: (move: Move) => void;
}): JSX.Element {
  const isFirst = place.step === 0;
  const isLast = place.step === show.length - 1;
  return (
    <div class="buttons">
      <button type="button" aria-label={`Back one ${show.unit}`} disabled={isFirst}
        onClick={() => onGo({ to: "back" })}>◀</button>
      <button type="button" aria-label={place.isPlaying ? "Pause" : "Play"} disabled={isLast}
        onClick={() => onGo({ to: "play or pause" })}>{place.isPlaying ? "❚❚" : "▶▶"}</button>
      <button type="button" aria-label={`Forward one ${show.unit}`} disabled={isLast}
        onClick={() => onGo({ to: "next" })}>▶</button>
    </div>
  );
}

export function Controls({ place, show, onGo }: {
  place: Place; show: Show; onGo: (move: Move) => void;
}): JSX.Element {
  const all = Array.from({ length: show.length }, (_, i) => i);
  return (
    <nav class="controls" aria-label="Replay">
      <Buttons place={place} show={show} onGo={onGo} />
      <input type="range" class="scrub" min={1} max={show.length} step={1} value={place.step + 1}
        aria-label={`Which ${show.unit}`}
        aria-valuetext={`${place.step + 1} of ${show.length}: ${show.titleOf(place.step)}`}
        onInput={(event) => onGo({ to: "step", step: Number(event.currentTarget.value) - 1 })} />
      <Choice label="Faults" hint={show.faults.length === 0 ? "no faults" : "faults…"}
        steps={show.faults} show={show} step={place.step} onGo={onGo} />
      <Choice label={`All ${show.unit}s`} hint={`${show.unit}s…`} steps={all} show={show}
        step={place.step} onGo={onGo} />
      <label class="choice pace">
        <span class="unseen">Seconds for each {show.unit}</span>
        <select value={String(place.pace)} onChange={(event) =>
          onGo({ to: "pace", seconds: Number(event.currentTarget.value) })}>
          {paces.map((pace) => <option key={pace} value={pace}>{`${pace} s`}</option>)}
        </select>
      </label>
    </nav>
  );
}
