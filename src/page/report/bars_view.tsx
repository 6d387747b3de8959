// Bars, one under the other: their names have room on a narrow screen, too. A stack is one bar of
// several parts. On a logarithmic axis, which has no zero to begin at, a bar is a point.

import type { JSX } from "preact";
import type { BarPoint, BarSeries, BarsPicture } from "../data/results";
import { fitsScale, placeOn, rangeOf, tickText, ticksOf } from "../show/ticks";
import { quantityText } from "../show/units";
import { markerPath, pieceClass, type Looks } from "./looks";
import type { Place } from "./spots";

interface Props {
  picture: BarsPicture;
  looks: Looks;
  place: Place | null;
  onPlace: (place: Place | null) => void;
}

interface Bar {
  point: BarPoint;
  series: BarSeries;
  place: Place;
}

function barsIn(picture: BarsPicture, category: number): Bar[] {
  return picture.series.flatMap((series, row) => series.points.flatMap((point, index) =>
    (point.category === category ? [{ point, series, place: { row, index } }] : [])));
}

const percent = (part: number): string => `${Math.min(1, Math.max(0, part)) * 100}%`;
const isSame = (a: Place, b: Place | null): boolean =>
  b !== null && a.row === b.row && a.index === b.index;

/** A bar in each category: it has the category's name, as the series' would be everywhere. */
const isAlone = (picture: BarsPicture): boolean =>
  picture.kind === "bars" && picture.series.length === 1;

type Range = readonly [number, number];

function OneBar(props: Props & { bar: Bar; range: Range }): JSX.Element {
  const { picture, looks, bar, range } = props;
  const { point, series } = bar;
  const look = looks(picture, series.name, series.result);
  const at = (value: number): number => (fitsScale(value, picture.y.scale)
    ? placeOn(value, range, picture.y.scale) : 0);
  const zero = picture.y.scale === "log" ? 0 : at(0);
  const [from, to] = [Math.min(zero, at(point.y)), Math.max(zero, at(point.y))];
  const drawn = picture.y.scale === "log"
    ? <svg class={`bar-point series-${look.colour}${look.isSecond ? " second" : ""}`}
      viewBox="-1.3 -1.3 2.6 2.6" style={{ left: percent(at(point.y)) }}>
      <path d={markerPath(look)} />
    </svg>
    : <span class={`bar series-${look.colour}${look.isSecond ? " second" : ""}`}
      style={{ left: percent(from), width: percent(to - from) }} />;
  return (
    <div class={`bar-row${isSame(bar.place, props.place) ? " pointed" : ""}`}
      onPointerMove={() => props.onPlace(bar.place)}
      onPointerDown={() => props.onPlace(bar.place)}>
      <span class="bar-name">
        {isAlone(picture) ? picture.categories[point.category] : series.title}
      </span>
      <span class="bar-ground">
        {drawn}
        {point.low !== null && point.high !== null && (
          <span class="whisker" style={{ left: percent(at(point.low)),
            width: percent(at(point.high) - at(point.low)) }} />
        )}
      </span>
      <span class="bar-value">{quantityText(point.y, picture.y.unit)}</span>
    </div>
  );
}

function StackedBar(props: Props & { bars: Bar[]; range: Range }): JSX.Element {
  const { picture, looks } = props;
  const whole = props.bars.reduce((sum, bar) => sum + bar.point.y, 0);
  let from = 0;
  return (
    <div class="bar-row stacked">
      <span class="bar-ground">
        {props.bars.map((bar, i) => {
          const look = looks(picture, bar.series.name, bar.series.result);
          const left = from;
          const width = Math.max(0, bar.point.y) / props.range[1];
          from += width;
          return (
            <span key={i} style={{ left: percent(left), width: percent(width) }}
              class={`bar piece ${pieceClass(look)}` +
                `${isSame(bar.place, props.place) ? " pointed" : ""}`}
              onPointerMove={() => props.onPlace(bar.place)}
              onPointerDown={() => props.onPlace(bar.place)} />
          );
        })}
      </span>
      <span class="bar-value">{quantityText(whole, picture.y.unit)}</span>
    </div>
  );
}

function Scale({ picture, range }: { picture: BarsPicture; range: Range }): JSX.Element {
  return (
    <div class={`bar-row bar-scale${picture.kind === "stack" ? " stacked" : ""}`}>
      {picture.kind !== "stack" && <span class="bar-name" />}
      <span class="bar-ground">
        {ticksOf(range, picture.y, 5).map((tick) => (
          <span key={tick} class="bar-tick"
            style={{ left: percent(placeOn(tick, range, picture.y.scale)) }}>
            {tickText(tick, picture.y)}
          </span>
        ))}
      </span>
      <span class="bar-value" />
    </div>
  );
}

function rangeFor(picture: BarsPicture): Range {
  const points = picture.series.flatMap((series) => series.points);
  if (picture.kind === "stack") {
    const sums = picture.categories.map((_, category) => points.reduce((sum, point) =>
      (point.category === category ? sum + Math.max(0, point.y) : sum), 0));
    return rangeOf(sums, "linear", true);
  }
  return rangeOf(points.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y]),
    picture.y.scale, true);
}

export function BarsView(props: Props): JSX.Element {
  // Parts add up on a linear axis only.
  const picture: BarsPicture = props.picture.kind === "stack"
    ? { ...props.picture, y: { ...props.picture.y, scale: "linear" } } : props.picture;
  const range = rangeFor(picture);
  return (
    <div class="bars" aria-hidden="true">
      {picture.categories.map((category, i) => (
        <div key={i} class="bar-group">
          {!isAlone(picture) && <p class="bar-category">{category}</p>}
          {picture.kind === "stack"
            ? <StackedBar {...props} picture={picture} bars={barsIn(picture, i)} range={range} />
            : barsIn(picture, i).map((bar) => (
              <OneBar key={bar.place.row} {...props} picture={picture} bar={bar} range={range} />
            ))}
        </div>
      ))}
      <Scale picture={picture} range={range} />
    </div>
  );
}
