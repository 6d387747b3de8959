// A heat map in a few shades: a path for each, however many cells there are.

import type { JSX } from "preact";
import type { HeatPicture } from "../data/results";
import { quantityText } from "../show/units";
import type { Place, Spot } from "./spots";

const shades = 6;

interface Shade {
  path: string;
  low: number;
  high: number;
}

/** By the logarithm: a few cells have most. */
function shadesOf(picture: HeatPicture): Shade[] {
  const most = picture.cells.reduce((high, [, , value]) => Math.max(high, value), 0);
  const found = Array.from({ length: shades }, (): Shade & { parts: string[] } =>
    ({ path: "", parts: [], low: Infinity, high: 0 }));
  for (const [x, y, value] of picture.cells) {
    if (value <= 0) continue;
    const part = Math.log1p(value) / Math.log1p(most);
    const shade = found[Math.min(shades - 1, Math.floor(part * shades))] as Shade & {
      parts: string[];
    };
    // The first row lies on top, as in the SVG: time runs downwards.
    shade.parts.push(`M${x} ${y}h1v1h-1z`);
    shade.low = Math.min(shade.low, value);
    shade.high = Math.max(shade.high, value);
  }
  return found.map(({ parts, low, high }) => ({ path: parts.join(""), low, high }));
}

const strength = (shade: number): number => 0.2 + (0.8 * (shade + 1)) / shades;

function Pointed({ at }: { at: [number, number] }): JSX.Element {
  return <rect class="pointed" x={at[0]} y={at[1]} width={1} height={1} />;
}

export function HeatView(props: {
  picture: HeatPicture; spots: readonly Spot[][]; place: Place | null;
  onPlace: (place: Place | null) => void;
}): JSX.Element {
  const { picture, spots, place } = props;
  const { x, y } = picture;
  const all = shadesOf(picture);
  const onPointer = (event: JSX.TargetedPointerEvent<SVGSVGElement>): void => {
    const frame = event.currentTarget.getBoundingClientRect();
    const column = Math.floor(((event.clientX - frame.left) / frame.width) * x.count);
    const row = Math.floor(((event.clientY - frame.top) / frame.height) * y.count);
    const index = spots[row]?.findIndex((spot) => spot.at === column) ?? -1;
    props.onPlace(index === -1 ? null : { row, index });
  };
  const at = place === null ? undefined : spots[place.row]?.[place.index]?.at;
  return (
    <div class="result-heat" aria-hidden="true">
      <p class="axis-title">{y.title}</p>
      <svg viewBox={`0 0 ${x.count} ${y.count}`} preserveAspectRatio="none"
        onPointerMove={onPointer} onPointerDown={onPointer}>
        <rect class="ground" width={x.count} height={y.count} />
        {all.map((shade, i) => shade.path !== "" && (
          <path key={i} d={shade.path} class="heat-shade" opacity={strength(i)} />
        ))}
        {place !== null && at !== undefined && <Pointed at={[at, place.row]} />}
      </svg>
      <p class="axis-title end">{x.title}</p>
      <ul class="result-legend">
        {all.map((shade, i) => shade.path !== "" && (
          <li key={i}>
            <svg class="key" viewBox="0 0 1 1">
              <rect class="heat-shade" width={1} height={1} opacity={strength(i)} />
            </svg>
            {shade.low === shade.high ? quantityText(shade.low, picture.unit)
              : `${quantityText(shade.low, picture.unit)} to ` +
                quantityText(shade.high, picture.unit)}
          </li>
        ))}
      </ul>
    </div>
  );
}
