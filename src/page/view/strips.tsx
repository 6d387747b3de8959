// All pages of a family's spaces, each in a strip of stretches that are coloured by what is in
// them.

import type { JSX } from "preact";
import { looks, type Look } from "../data/types";
import type { Mix, Strip } from "../show/show";
import { classOf, counted } from "../show/text";

const width = 1024;
const height = 30;

const isSame = (a: Mix, b: Mix): boolean => {
  const total = (mix: Mix): number => looks.reduce((sum, look) => sum + (mix[look] ?? 0), 0);
  const [ta, tb] = [total(a), total(b)];
  return looks.every((look) => (a[look] ?? 0) * tb === (b[look] ?? 0) * ta);
};

/** Neighbours of the same mix are one. */
function joined(mixes: readonly Mix[]): { mix: Mix; from: number; to: number }[] {
  const parts: { mix: Mix; from: number; to: number }[] = [];
  mixes.forEach((mix, i) => {
    const last = parts[parts.length - 1];
    if (last !== undefined && isSame(last.mix, mix)) last.to = i + 1;
    else parts.push({ mix, from: i, to: i + 1 });
  });
  return parts;
}

function Stretch(props: { mix: Mix; x: number; width: number }): JSX.Element {
  const total = looks.reduce((sum, look) => sum + (props.mix[look] ?? 0), 0);
  let y = 0;
  return (
    <>
      {looks.filter((look) => (props.mix[look] ?? 0) > 0).map((look) => {
        const part = ((props.mix[look] ?? 0) / total) * height;
        const top = y;
        y += part;
        return <rect key={look} class={classOf(look)} x={props.x} y={top} width={props.width}
          height={part} />;
      })}
    </>
  );
}

function totals(mixes: readonly Mix[]): string {
  const sums = new Map<Look, number>();
  for (const mix of mixes) {
    for (const look of looks) sums.set(look, (sums.get(look) ?? 0) + (mix[look] ?? 0));
  }
  return looks.filter((look) => (sums.get(look) ?? 0) > 0)
    .map((look) => `${(sums.get(look) ?? 0).toLocaleString("en-GB")} ${look}`).join(", ");
}

function StripRow({ strip }: { strip: Strip }): JSX.Element {
  const one = width / strip.mixes.length;
  const label = `${counted(strip.pages, "page")} of ${strip.name}: ${totals(strip.mixes)}`;
  return (
    <li class={strip.isMarked ? "marked" : ""} data-strip={strip.name}>
      <span class="name" aria-hidden="true">{strip.name}</span>
      <svg viewBox={`0 -4 ${width} ${height + 8}`} preserveAspectRatio="none" role="img"
        aria-label={label}>
        <title>{label}</title>
        {joined(strip.mixes).map(({ mix, from, to }) => (
          <Stretch key={from} mix={mix} x={from * one} width={(to - from) * one} />
        ))}
        {strip.window !== null && (
          <rect class="window" x={strip.window[0] * width - 2} y={-3} height={height + 6}
            width={Math.max(6, (strip.window[1] - strip.window[0]) * width + 4)} />
        )}
      </svg>
    </li>
  );
}

export function Strips(props: { strips: readonly Strip[]; leftOut: number }): JSX.Element | null {
  if (props.strips.length === 0) return null;
  return (
    <section class="strips" aria-label="All pages">
      <h3>
        All pages{" "}
        <span class="aside">R: region, S: snapshot; the box is what is drawn above</span>
      </h3>
      <ul>{props.strips.map((strip) => <StripRow key={strip.name} strip={strip} />)}</ul>
      {props.leftOut > 0 && (
        <p class="aside">{`${counted(props.leftOut, "more region")} or snapshots not drawn`}</p>
      )}
    </section>
  );
}
