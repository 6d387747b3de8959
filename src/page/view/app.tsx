// The page as a whole.

import { useMemo, useState } from "preact/hooks";
import type { JSX } from "preact";
import type { Show } from "../show/show";
import { Controls } from "./controls";
import { HeatMap } from "./heat_map";
import { Help } from "./help";
import { useKeys } from "./keys";
import { MemoryPicture } from "./picture";
import { usePlayer, type Move, type Place } from "./player";
import { Strips } from "./strips";
import { useTheme } from "./theme";
import { MapsLine, Table, Words } from "./words";

function Header(props: {
  shows: readonly Show[]; show: Show; place: Place; contents: string | null; isDark: boolean;
  onGo: (move: Move) => void; onTheme: () => void; onHelp: () => void;
}): JSX.Element {
  const { shows, show, place } = props;
  return (
    <header>
      <h1>{show.title}</h1>
      {shows.length > 1 && (
        <label class="choice">
          <span class="unseen">Chapter</span>
          <select value={String(place.show)} onChange={(event) =>
            props.onGo({ to: "show", show: Number(event.currentTarget.value) })}>
            {shows.map((other, i) => <option key={i} value={i}>{other.title}</option>)}
          </select>
        </label>
      )}
      <p class="place">{`${show.unit} ${place.step + 1} of ${show.length}`}</p>
      <div class="tools">
        {props.contents !== null && <a href={props.contents}>contents</a>}
        {show.hidesWhatComes && (
          <button type="button" aria-pressed={place.asks}
            onClick={() => props.onGo({ to: "questions or none" })}>questions</button>
        )}
        <button type="button" aria-pressed={props.isDark} onClick={props.onTheme}>dark</button>
        <button type="button" aria-label="Help: the keys" onClick={props.onHelp}>?</button>
      </div>
    </header>
  );
}

function About({ show }: { show: Show }): JSX.Element | null {
  if (show.facts.length === 0 && show.notices.length === 0) return null;
  return (
    <section class="about" aria-label="The trace">
      {show.notices.map((notice) => <p key={notice} class="doubt">{notice}</p>)}
      <dl class="facts">
        {show.facts.map((fact) => (
          <div key={fact.name}><dt>{fact.name}</dt><dd>{fact.value}</dd></div>
        ))}
      </dl>
    </section>
  );
}

export function App({ shows, contents }: {
  shows: readonly Show[]; contents: string | null;
}): JSX.Element {
  const [place, go] = usePlayer(shows);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [isDark, toggleTheme] = useTheme();
  const show = shows[place.show] as Show;
  const moment = useMemo(() => show.at(place.step), [show, place.step]);
  const actions = useMemo(() => ({
    go,
    otherShow: (by: 1 | -1) => go({ to: "show", show: place.show + by }),
    toggleHelp: () => setHelpOpen((isOpen) => !isOpen),
    closeHelp: () => setHelpOpen(false),
    toggleTheme,
  }), [place.show, isDark]);
  useKeys(actions);
  const hasPicture = moment.picture.regions.length > 0;
  const hasTable = moment.table.length > 0;
  const seen = show.hidesWhatComes ? Math.max(place.seen[place.show] ?? 0, place.step)
    : show.length;
  return (
    <>
      <Header shows={shows} show={show} place={place} contents={contents} isDark={isDark}
        onGo={go} onTheme={toggleTheme} onHelp={() => setHelpOpen(true)} />
      <main class={hasPicture ? "with-picture" : `words-alone${hasTable ? " with-table" : ""}`}
        data-show={show.name} data-step={place.step}>
        <Words moment={moment} asks={place.asks} isAnswered={place.isAnswered}
          onAnswer={() => go({ to: "answer" })} />
        {hasPicture && <MemoryPicture picture={moment.picture} />}
        <div class="beside">
          <Table lines={moment.table} />
          <MapsLine mapping={moment.mapping} />
          <Strips strips={moment.strips} leftOut={moment.stripsLeftOut} />
          <HeatMap heat={show.heat} unit={show.unit} step={place.step} seen={seen}
            isWhole={!show.hidesWhatComes} onGo={(step) => go({ to: "step", step })} />
        </div>
        <div class="below"><About show={show} /></div>
      </main>
      <Controls place={place} show={show} onGo={go} />
      <Help isOpen={isHelpOpen} onClose={() => setHelpOpen(false)} />
    </>
  );
}
