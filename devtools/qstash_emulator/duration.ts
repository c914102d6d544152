/**
 * Durations as QStash and its destinations write them: `10s`, `1d10h30m`, `6m5.5s`.
 *
 * @module
 */

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A day, in milliseconds. */
export const DAY_MS: number = 86_400_000;

/** Reads a duration as milliseconds; undefined for any other text. A number needs its unit. */
export function durationMs(text: string): number | undefined {
  let read = 0;
  let ms = 0;
  for (const [part, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    read += part.length;
    ms += Number(count) * UNIT_MS[unit!]!;
  }
  return read > 0 && read === text.length ? ms : undefined;
}
