// The page on paper: each step is a sheet. Of a long trace, the sheets from the present event on.

import { render, type JSX } from "preact";
import type { Show } from "../show/show";
import { MemoryPicture } from "./picture";
import { placeIn } from "./player";
import { Strips } from "./strips";
import { MapsLine, Table, Words } from "./words";

const mostSheets = 120;
const width = 640;

function Sheet({ show, step }: { show: Show; step: number }): JSX.Element {
  const moment = show.at(step);
  const hasPicture = moment.picture.regions.length > 0;
  return (
    <article class={`sheet${hasPicture ? "" : " words-alone"}`}>
      <header>
        <p>{show.title}</p>
        <p>{`${show.unit} ${step + 1} of ${show.length}`}</p>
      </header>
      {hasPicture && <MemoryPicture picture={moment.picture} width={width} />}
      <Words moment={moment} asks isAnswered={false} onAnswer={() => undefined} />
      <div class="below">
        <Table lines={moment.table} />
        <MapsLine mapping={moment.mapping} />
        <Strips strips={moment.strips} leftOut={moment.stripsLeftOut} />
      </div>
    </article>
  );
}

/** Sheets are there while the page is printed: they would be many elements for nothing. */
export function printOn(paper: HTMLElement, shows: readonly Show[]): void {
  addEventListener("beforeprint", () => {
    const place = placeIn(location.hash, shows);
    const show = shows[place.show] as Show;
    const from = show.length <= mostSheets ? 0 : Math.min(place.step, show.length - mostSheets);
    const steps = Array.from({ length: Math.min(mostSheets, show.length) }, (_, i) => from + i);
    render(<>{steps.map((step) => <Sheet key={step} show={show} step={step} />)}</>, paper);
  });
  addEventListener("afterprint", () => render(null, paper));
}
