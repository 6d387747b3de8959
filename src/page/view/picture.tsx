// Regions as rows of pages, frames with their owners, lines between them, and the same in words.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";
import { looks, type FrameId, type Look, type PageCell } from "../data/types";
import type { Picture } from "../show/show";
import { classOf, counted, frameText, letterOf, meaningOf } from "../show/text";
import { frameKey, layoutOf, markedIndex, type Box, type Layout } from "./layout";

const firstFileOf = (picture: Picture): number => picture.frames[0]?.frame[0] ?? 0;

/** Where a page's frame and letter go: side by side, or one above the other in a narrow box. */
function textsIn(box: Box, frame: string): {
  number: { x: number; y: number }; letter: { x: number; y: number }; size: number;
} {
  const isNarrow = box.width < 46;
  const room = isNarrow ? box.width - 4 : box.width - 21;
  const size = Math.min(isNarrow ? 15 : 20, room / (Math.max(2, frame.length) * 0.62));
  const [middle, centre] = [box.y + box.height / 2, box.x + box.width / 2];
  return isNarrow
    ? { number: { x: centre, y: box.y + box.height * 0.3 },
      letter: { x: centre, y: box.y + box.height * 0.74 }, size }
    : { number: { x: centre - 7.5, y: middle }, letter: { x: box.x + box.width - 9, y: middle },
      size };
}

function Cell(props: {
  cell: PageCell; box: Box; region: string; page: number; file: number; isMarked: boolean;
  isAloof: boolean;
}): JSX.Element {
  const { cell, box, isMarked } = props;
  const frame = cell.frame === null ? "–" : frameText(cell.frame, props.file);
  const classes = ["page", classOf(cell.state), isMarked ? "marked" : "",
    props.isAloof ? "aloof" : ""];
  const { number, letter, size } = textsIn(box, frame);
  return (
    <g class={classes.join(" ").trim()} data-region={props.region} data-page={props.page}
      data-state={cell.state} data-frame={cell.frame === null ? "" : frameKey(cell.frame)}>
      <rect x={box.x} y={box.y} width={box.width} height={box.height} rx={4} />
      {cell.state !== "unmapped" && (
        <>
          <text class="number" {...number} font-size={size}>{frame}</text>
          <text class="letter" {...letter} font-size={14}>{letterOf(cell.state)}</text>
        </>
      )}
    </g>
  );
}

function Frame(props: {
  frame: FrameId; owners: number; box: Box; file: number; isUpright: boolean; isInFocus: boolean;
}): JSX.Element {
  const { box, owners, isUpright } = props;
  const number = frameText(props.frame, props.file);
  const [nx, ny] = isUpright ? [0.3, 0.5] : [0.5, 0.3];
  const [ox, oy] = isUpright ? [0.78, 0.5] : [0.5, 0.76];
  const room = isUpright ? box.width * 0.5 : box.width - 4;
  const size = Math.min(18, room / (Math.max(2, number.length) * 0.6));
  return (
    <g class={`frame owners-${Math.min(owners, 2)}${props.isInFocus ? " in-focus" : ""}`}
      data-frame={frameKey(props.frame)} data-owners={owners}>
      <rect x={box.x} y={box.y} width={box.width} height={box.height} rx={4} />
      <text class="number" x={box.x + box.width * nx} y={box.y + box.height * ny}
        font-size={size}>{number}</text>
      <text class="owners" x={box.x + box.width * ox} y={box.y + box.height * oy}
        font-size={Math.min(17, size)}>{owners}</text>
    </g>
  );
}

function Regions({ picture, layout }: { picture: Picture; layout: Layout }): JSX.Element {
  const file = firstFileOf(picture);
  return (
    <>
      {layout.pageLabels.map(({ page, x, y }) => (
        <text class="axis" key={page} x={x} y={y}>{page}</text>
      ))}
      {picture.regions.map((region, row) => {
        const label = layout.regionLabels[row];
        const marked = markedIndex(picture, region);
        const isMarked = picture.mark?.region === region.name;
        const room = layout.isUpright ? (layout.cells[row]?.[0]?.width ?? 0) * 1.45 : 88;
        return (
          <g key={region.name}>
            <text class={`name${isMarked ? " marked" : ""}${layout.isUpright ? " upright" : ""}`}
              x={label?.x} y={label?.y} font-size={Math.min(17, room / region.name.length)}>
              {region.name}
            </text>
            {region.shown.map((cell, i) => {
              const box = layout.cells[row]?.[i];
              return box !== undefined && (
                <Cell key={i} cell={cell} box={box} region={region.name} file={file}
                  page={region.first_page + i} isMarked={isMarked && marked === i}
                  isAloof={marked !== -1 && marked !== i} />
              );
            })}
          </g>
        );
      })}
    </>
  );
}

/** What the picture shows, in a sentence. */
export function inWords(picture: Picture): string {
  if (picture.regions.length === 0) return "";
  const names = picture.regions.map((region) => region.name).join(", ");
  const marked = picture.regions.find((region) => region.name === picture.mark?.region);
  const cell = marked?.shown[markedIndex(picture, marked)];
  if (picture.mark === null || cell === undefined) {
    return `Pages of ${names}, and ${counted(picture.frames.length, "frame")}.`;
  }
  const file = firstFileOf(picture);
  const shows = cell.frame === null ? "no frame" : `frame ${frameText(cell.frame, file)}`;
  const owners = picture.frames.find((box) =>
    cell.frame !== null && frameKey(box.frame) === frameKey(cell.frame))?.owners;
  return `Pages of ${names}. In question is page ${picture.mark.page} of ${picture.mark.region}: ` +
    `${cell.state}, with ${shows}` +
    `${owners === undefined ? "" : `, which has ${counted(owners, "owner")}`}.`;
}

/** The picture for those who do not see it. */
function AsTable({ picture }: { picture: Picture }): JSX.Element {
  const file = firstFileOf(picture);
  return (
    <div class="unseen">
      <table>
        <caption>Regions and what their pages show</caption>
        <tbody>
          {picture.regions.map((region) => (
            <tr key={region.name}>
              <th scope="row">{region.name}</th>
              {region.shown.map((cell, i) => (
                <td key={i}>
                  {`page ${region.first_page + i}: ${cell.state}`}
                  {cell.frame !== null && `, frame ${frameText(cell.frame, file)}`}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <ul aria-label="Frames and their owners">
        {picture.frames.map(({ frame, owners }) => (
          <li key={frameKey(frame)}>
            {`frame ${frameText(frame, file)}: ${counted(owners, "owner")}`}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Legend({ picture }: { picture: Picture }): JSX.Element {
  const there = new Set<Look>(
    picture.regions.flatMap((region) => region.shown.map((cell) => cell.state)));
  return (
    <ul class="legend" aria-label="Letters and colours">
      {looks.filter((look) => there.has(look) && look !== "unmapped").map((look) => (
        <li key={look}>
          <span class={`key ${classOf(look)}`}>{letterOf(look)}</span>
          <span>{look === "private" ? "private, writable" : look}</span>
          <span class="unseen">{`: ${meaningOf(look)}`}</span>
        </li>
      ))}
    </ul>
  );
}

/** The width of an element, in the picture's units. */
function useWidth(fixed: number | undefined): [{ current: HTMLElement | null }, number] {
  const element = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(fixed ?? 960);
  useLayoutEffect(() => {
    const watched = element.current;
    if (watched === null || fixed !== undefined) return undefined;
    const measure = (): void => {
      const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
      if (watched.clientWidth > 0) setWidth((watched.clientWidth / root) * 16);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(watched);
    return () => observer.disconnect();
  }, [fixed]);
  return [element, width];
}

/** `width` where it is not that of the element: on paper. */
export function MemoryPicture(props: { picture: Picture; width?: number }): JSX.Element {
  const { picture } = props;
  const [element, width] = useWidth(props.width);
  const layout = layoutOf(picture, width);
  const focus = new Set(layout.lines.map((line) => frameKey(line.frame)));
  const file = firstFileOf(picture);
  const axis = `axis label${layout.isUpright ? " upright" : ""}`;
  return (
    <figure class="memory" ref={element}>
      <svg viewBox={`0 0 ${layout.width} ${layout.height}`} role="img"
        aria-label={inWords(picture)}>
        <Regions picture={picture} layout={layout} />
        <text class={axis} {...layout.frameLabel}>frame</text>
        <text class={axis} {...layout.ownersLabel}>{layout.isUpright ? "own." : "owners"}</text>
        {layout.lines.map((line, i) => (
          <path key={frameKey(line.frame)} class={`line line-${i % 3}`} d={line.path}
            data-frame={frameKey(line.frame)} />
        ))}
        {picture.frames.map(({ frame, owners }, i) => {
          const box = layout.frames[i];
          return box !== undefined && (
            <Frame key={frameKey(frame)} frame={frame} owners={owners} box={box} file={file}
              isUpright={layout.isUpright} isInFocus={focus.has(frameKey(frame))} />
          );
        })}
      </svg>
      <figcaption>
        <Legend picture={picture} />
        {picture.framesLeftOut > 0 && (
          <p class="aside">{`${counted(picture.framesLeftOut, "more frame")} not drawn`}</p>
        )}
        <AsTable picture={picture} />
      </figcaption>
    </figure>
  );
}
