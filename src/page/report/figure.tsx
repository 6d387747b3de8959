// A picture with all that belongs to it: its title, what it shows in words, a legend, what is
// pointed at with its samples, and its data as a table.

import { useMemo, useState } from "preact/hooks";
import type { JSX } from "preact";
import type { ResultPicture, Results } from "../data/results";
import { counted } from "../show/text";
import { BarsView } from "./bars_view";
import { chartSpec } from "./chart_spec";
import { ChartView } from "./chart_view";
import { HeatView } from "./heat_view";
import { markerPath, pieceClass, type Look, type Looks } from "./looks";
import { Percentiles, PictureTable } from "./picture_table";
import { SampleStrip } from "./samples";
import { movedBy, samplesAt, spotsOf, type Place, type Spot } from "./spots";
import { Disclosure } from "./table";

function Key({ kind, look }: { kind: ResultPicture["kind"]; look: Look }): JSX.Element {
  if (kind === "stack") return <span class={`key bar piece ${pieceClass(look)}`} />;
  const second = look.isSecond ? " second" : "";
  return (
    <svg class={`key series-${look.colour}${second}`} viewBox="0 0 40 16">
      <path class="key-line" d="M1 8h38" stroke-width={look.isSecond ? 1.8 : 2.8}
        stroke-dasharray={look.dash.map((part) => part * (look.isSecond ? 1.8 : 2.8)).join(" ")} />
      {kind === "lines" && <path class="key-marker" transform="translate(20 8) scale(6)"
        d={markerPath(look)} />}
    </svg>
  );
}

function Legend({ picture, looks }: { picture: ResultPicture; looks: Looks }): JSX.Element | null {
  // Bars have their names beside them; a heat map has its shades below it.
  if (picture.kind === "heat" || picture.kind === "bars") return null;
  // A part is the same in every result.
  const names = picture.series.map(({ name }) => name);
  const shown = picture.kind === "stack"
    ? picture.series.filter(({ name }, i) => names.indexOf(name) === i) : picture.series;
  return (
    <ul class="result-legend">
      {shown.map((series, i) => (
        <li key={i}>
          <Key kind={picture.kind} look={looks(picture, series.name, series.result)} />
          {series.title}
        </li>
      ))}
    </ul>
  );
}

/** Below the picture, where it covers nothing; its room is kept, so that nothing moves. */
function Readout(props: {
  results: Results; spot: Spot | null; hasSamples: boolean;
}): JSX.Element {
  const { spot } = props;
  const found = spot === null ? null : samplesAt(props.results, spot.origin);
  return (
    <div class={`readout${props.hasSamples ? " with-samples" : ""}`}>
      <p aria-live="polite">{spot === null ? "" : spot.words()}</p>
      {found !== null && <SampleStrip samples={found.samples} unit={found.unit} />}
    </div>
  );
}

function Drawing(props: {
  picture: ResultPicture; looks: Looks; spots: Spot[][]; place: Place | null; isDark: boolean;
  isPaper: boolean; onPlace: (place: Place | null) => void;
}): JSX.Element {
  const { picture, looks, place, onPlace } = props;
  const spec = useMemo(() => chartSpec(picture, looks), [picture, looks]);
  if (picture.kind === "heat") {
    return <HeatView picture={picture} spots={props.spots} place={place} onPlace={onPlace} />;
  }
  if (spec === null || picture.kind === "bars" || picture.kind === "stack") {
    return picture.kind === "bars" || picture.kind === "stack"
      ? <BarsView picture={picture} looks={looks} place={place} onPlace={onPlace} /> : <></>;
  }
  const axis = (title: string, scale: string): string =>
    `${title}${scale === "log" ? ", logarithmic" : ""}`;
  return (
    <>
      <p class="axis-title" aria-hidden="true">{axis(spec.y.title, spec.y.scale)}</p>
      <ChartView spec={spec} place={place} isDark={props.isDark} isPaper={props.isPaper}
        onPlace={onPlace} />
      <p class="axis-title end" aria-hidden="true">{axis(spec.x.title, spec.x.scale)}</p>
      {spec.leftOut > 0 && (
        <p class="aside">
          {`${counted(spec.leftOut, "point")} at zero or below: a logarithmic axis has no place ` +
            "for that; the table has it"}
        </p>
      )}
    </>
  );
}

export function Figure(props: {
  picture: ResultPicture; results: Results; looks: Looks; isDark: boolean; isPaper: boolean;
}): JSX.Element {
  const { picture, isPaper } = props;
  const [place, setPlace] = useState<Place | null>(null);
  const spots = useMemo(() => spotsOf(picture), [picture]);
  const hasSamples = spots.some((row) => row.some((spot) => spot.origin.row !== null));
  const onKey = (event: JSX.TargetedKeyboardEvent<HTMLDivElement>): void => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const next = event.key === "Escape" ? null : movedBy(event.key, place, spots);
    if (next === null && event.key !== "Escape") return;
    setPlace(next);
    event.preventDefault();
  };
  const reach = isPaper ? {} : { tabIndex: 0, onKeyDown: onKey };
  return (
    <figure class={`picture kind-${picture.kind}`} data-picture={picture.id}
      id={`${isPaper ? "paper-" : ""}picture-${picture.id}`}>
      <div class="framed">
        <div>
          <h2>{picture.title}</h2>
          <p class="what">{picture.what}</p>
        </div>
        <Legend picture={picture} looks={props.looks} />
        <div class="drawing" role="application" aria-roledescription="picture"
          aria-label={`${picture.title}: ${picture.what}`} {...reach}>
          <Drawing {...props} spots={spots} place={place} onPlace={setPlace} />
        </div>
      </div>
      {!isPaper && <Readout results={props.results} hasSamples={hasSamples}
        spot={place === null ? null : spots[place.row]?.[place.index] ?? null} />}
      <Percentiles picture={picture} isPaper={isPaper} />
      <Disclosure summary="show as table" isPaper={isPaper} class="as-table">
        {() => <PictureTable picture={picture} isPaper={isPaper} />}
      </Disclosure>
    </figure>
  );
}
