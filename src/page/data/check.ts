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
