// Light or dark: as the system says, unless the reader says otherwise.

import { useLayoutEffect, useState } from "preact/hooks";

export function useTheme(): [isDark: boolean, toggle: () => void] {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const [chosen, setChosen] = useState<boolean | null>(null);
  const [isSystemDark, setSystemDark] = useState(system.matches);
  useLayoutEffect(() => {
    const onChange = (): void => setSystemDark(system.matches);
    system.addEventListener("change", onChange);
    return () => system.removeEventListener("change", onChange);
  }, []);
  const isDark = chosen ?? isSystemDark;
  // At once, and not in an effect: what is drawn by parts of the page reads its colours there.
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  return [isDark, () => setChosen(!isDark)];
}
