// The keys, over the page.

import { useLayoutEffect, useRef } from "preact/hooks";
import type { JSX } from "preact";
import { keyTable } from "./keys";

export function Help({ isOpen, onClose }: {
  isOpen: boolean; onClose: () => void;
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  // Before the next key: what is pressed then belongs to the dialog.
  useLayoutEffect(() => {
    if (isOpen && !dialog.current?.open) dialog.current?.showModal();
    if (!isOpen && dialog.current?.open) dialog.current.close();
  }, [isOpen]);
  return (
    <dialog ref={dialog} aria-labelledby="help-title" onClose={onClose}>
      <h2 id="help-title">Keys</h2>
      <dl class="keys">
        {keyTable.map(([keys, what]) => (
          <div key={keys}>
            <dt>{keys}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="aside">
        A step has an address of its own: copy it from the browser to link to it. On paper each
        step is a page.
      </p>
      <button type="button" onClick={onClose}>close</button>
    </dialog>
  );
}
