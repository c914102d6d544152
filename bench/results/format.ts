/**
 * Formats numbers for the report, the chart and the documentation.
 *
 * @module
 */

/** A number rounded to three digits, or to a whole number from 100 on. */
export function formatNumber(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}
