/**
 * Arrays as text parameters.
 *
 * A JavaScript array as a parameter needs the driver to know the server's array types, which it does
 * not behind a pooler (`fetch_types: false`), and every driver encodes arrays in its own way. A text
 * parameter with a cast in the statement, `$1::text::text[]`, works with all of them.
 *
 * @module
 */

/** Control characters for the end of an element, and for an element that is null. */
const SEPARATOR = "\x1f";
const NULL = "\x1e";

/** The last arguments of `string_to_array` for a text that {@linkcode textArray} joined. */
export const SEPARATOR_SQL = "chr(31), chr(30)";

/** An array of numbers, for `::bigint[]`. Fractions are rounded up: times are whole milliseconds. */
export function numberArray(values: readonly (number | null)[]): string {
  return `{${values.map((value) => value === null ? "null" : Math.ceil(value)).join(",")}}`;
}

/** An array of booleans, for `::boolean[]`. */
export function booleanArray(values: readonly (boolean | null)[]): string {
  return `{${values.map(String).join(",")}}`;
}

/**
 * An array of texts: joined by separators for `string_to_array`. If a text contains a separator, or there are
 * fewer than two texts, it uses Postgres's own notation for `::text[]`. That notation quotes every `"` of a
 * JSON body, which costs client and server several times as much.
 */
export function textArray(values: readonly (string | null)[]): { text: string; joined: boolean } {
  const joined = values.length > 1 && values.every(isPlain);
  if (!joined) return { text: textLiteral(values), joined };
  const texts = values.includes(null) ? values.map((value) => value ?? NULL) : values;
  return { text: texts.join(SEPARATOR), joined };
}

/** An array of texts in Postgres's own notation, for `::text[]`. */
export function textLiteral(values: readonly (string | null)[]): string {
  return `{${values.map(element).join(",")}}`;
}

function isPlain(value: string | null): boolean {
  return value === null || !(value.includes(SEPARATOR) || value.includes(NULL));
}

function element(value: string | null): string {
  return value === null ? "null" : `"${value.replace(/["\\]/g, "\\$&")}"`;
}
