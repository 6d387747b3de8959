// What a value of a document must be, or why it cannot be shown.

/** Its message is a sentence that says what cannot be read. */
export class Unreadable extends Error {}

function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

export function asObject(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Unreadable(`${where} is ${kindOf(value)} where an object belongs`);
}

export function asArray(value: unknown, where: string): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw new Unreadable(`${where} is ${kindOf(value)} where a list belongs`);
}

export function asText(value: unknown, where: string): string {
  if (typeof value === "string") return value;
  throw new Unreadable(`${where} is ${kindOf(value)} where a text belongs`);
}

export function asNumber(value: unknown, where: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new Unreadable(`${where} is ${kindOf(value)} where a number belongs`);
}

/** A field that a document leaves out where it means nothing. */
export function numberOr(value: unknown, otherwise: number, where: string): number {
  return value === undefined || value === null ? otherwise : asNumber(value, where);
}

export function textOr(value: unknown, otherwise: string, where: string): string {
  return value === undefined || value === null ? otherwise : asText(value, where);
}

/** An index or a count: what typed arrays are indexed by. */
export function asCount(value: unknown, where: string): number {
  const number = asNumber(value, where);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Unreadable(`${where} is ${number}, which is no count`);
}

/** A number of many: its place is put into words only where it is none. */
export function asNumbers(value: unknown, where: string): number[] {
  return asArray(value, where).map((number, i) =>
    (typeof number === "number" && Number.isFinite(number) ? number
      : asNumber(number, `${where}[${i}]`)));
}

export function asTexts(value: unknown, where: string): string[] {
  return asArray(value, where).map((text, i) => asText(text, `${where}[${i}]`));
}

export function listOr<T>(value: unknown, where: string,
  read: (item: unknown, where: string) => T): T[] {
  return value === undefined ? []
    : asArray(value, where).map((item, i) => read(item, `${where}[${i}]`));
}

/** One of a few words. `what` says what it is that this page may not know. */
export function asOneOf<T extends string>(value: unknown, known: readonly T[], what: string,
  where: string): T {
  const word = asText(value, where);
  if ((known as readonly string[]).includes(word)) return word as T;
  throw new Unreadable(`${where} is '${word}', ${what} that this page does not know`);
}

/** Numbers by name, where there are any. */
export function namedNumbers(value: unknown, where: string): { name: string; value: number }[] {
  if (value === undefined) return [];
  return Object.entries(asObject(value, where)).map(([name, number]) =>
    ({ name, value: asNumber(number, `${where}.${name}`) }));
}
