/**
 * Arrays as text in Postgres's own notation.
 *
 * A JavaScript array as a parameter needs the driver to know the server's array types, which it does
 * not behind a pooler (`fetch_types: false`), and every driver encodes arrays in its own way. A text
 * parameter with a cast in the statement, `$1::text::text[]`, works with all of them.
 *
 * @module
 */

/** An array of numbers, for `$1::text::bigint[]`. Fractions are rounded up: times are whole milliseconds. */
export function numberArray(values: readonly (number | null)[]): string {
  return `{${values.map((value) => value === null ? "null" : Math.ceil(value)).join(",")}}`;
}

/** An array of booleans, for `$1::text::boolean[]`. */
export function booleanArray(values: readonly boolean[]): string {
  return `{${values.join(",")}}`;
}

/** An array of texts, for `$1::text::text[]`. */
export function textArray(values: readonly (string | null)[]): string {
  return `{${values.map(element).join(",")}}`;
}

function element(value: string | null): string {
  return value === null ? "null" : `"${value.replace(/["\\]/g, "\\$&")}"`;
}
