/**
 * The law of duplicates: a sequence of equal tokens may occur only once. If the same code occurs twice, a
 * later change may reach only one of the two. Comments, white space, imports and trailing commas do not
 * count.
 *
 * @module
 */
import { tokenize } from "@jscpd/tokenizer";

/** How many equal tokens in a row are a duplicate. */
export const MIN_TOKENS = 50;

/** A sequence of tokens that occurs twice. */
export interface Duplicate {
  /** Its first and its second occurrence. */
  readonly places: readonly [Place, Place];
  /** How many tokens are equal. */
  readonly tokens: number;
}

/** Lines of a file. */
export interface Place {
  readonly path: string;
  readonly firstLine: number;
  readonly lastLine: number;
}

/** An allowed duplicate. */
export interface Exception {
  /** Its two files; the same one twice for a duplicate inside one file. */
  readonly paths: readonly [string, string];
  /** Why the code is better apart. */
  readonly reason: string;
}

/** The allowed duplicates, one for each entry. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    paths: ["bus/api/bus.ts", "client/client.ts"],
    reason:
      "Two public interfaces declare `prepare` and `transact`, and each documents its own errors; neither is a kind of the other",
  },
  {
    paths: ["bus/half/half_calls.ts", "client/client.ts"],
    reason:
      "The signatures of `prepare` and `transact`, which the classes behind those interfaces must repeat; what they do differs",
  },
];

/** A token and its position; between two files there is a token with a unique `id`. */
interface Token {
  readonly id: number;
  readonly path: string;
  readonly line: number;
}

const IMPORT = /^(?:import|export)(?: type)? (?:[^;"'`]*? from )?"[^"\n]+"(?: with \{[^}]*\})?;$/gm;

/**
 * Finds the duplicates in files. For code with many occurrences it reports the first one with each other one.
 *
 * @param files The text of each file by its path.
 */
export function findDuplicates(files: ReadonlyMap<string, string>): Duplicate[] {
  const tokens = readTokens(files);
  const windows = numberWindows(tokens.map(({ id }) => id));
  const firstOf = new Map<number, number>();
  const duplicates: Duplicate[] = [];
  let isInside = (_first: number, _again: number): boolean => false;
  for (const [again, window] of windows.entries()) {
    const first = firstOf.get(window);
    if (first === undefined) {
      firstOf.set(window, again);
    } else if (!isInside(first, again)) {
      const length = equalLength(tokens, first, again);
      duplicates.push({
        places: [placeOf(tokens, first, length), placeOf(tokens, again, length)],
        tokens: length,
      });
      isInside = (f, a) => a - f === again - first && a < again + length;
    }
  }
  return duplicates;
}

/** Returns the duplicates that no exception allows, and the exceptions that allow none. */
export function judgeDuplicates(
  duplicates: readonly Duplicate[],
  exceptions: readonly Exception[],
): { readonly refused: Duplicate[]; readonly unused: Exception[] } {
  const unused = [...exceptions];
  const refused = duplicates.filter(({ places }) => {
    const found = pairOf(places.map(({ path }) => path));
    const index = unused.findIndex(({ paths }) => pairOf(paths) === found);
    if (index >= 0) unused.splice(index, 1);
    return index < 0;
  });
  return { refused, unused };
}

function pairOf(paths: readonly string[]): string {
  return [...paths].sort().join(" and ");
}

function readTokens(files: ReadonlyMap<string, string>): Token[] {
  const ids = new Map<string, number>();
  const numberOf = (text: string): number => {
    const id = ids.get(text) ?? ids.size;
    ids.set(text, id);
    return id;
  };
  return [...files].flatMap(([path, text]) => [
    ...countedTokens(text).map(({ value, line }) => ({ id: numberOf(value), path, line })),
    { id: numberOf(`the end of ${path}`), path, line: 0 },
  ]);
}

function countedTokens(text: string): { readonly value: string; readonly line: number }[] {
  const code = text.replace(IMPORT, (statement) => statement.replace(/[^\n]/g, ""));
  return tokenize(code, "typescript")
    .filter(({ type, value }) => type !== "comment" && value.trim() !== "")
    .map(({ value, loc }) => ({ value, line: loc?.start.line ?? 0 }))
    .filter(({ value }, i, all) => value !== "," || !/^[)\]}>]/.test(all[i + 1]?.value ?? ""));
}

/**
 * Numbers the windows of `MIN_TOKENS` tokens, so that two have one number exactly if all their tokens are
 * equal: the number of a window is made of those of its two parts.
 */
function numberWindows(ids: readonly number[]): number[] {
  let numbers = [...ids];
  for (let width = 1; width < MIN_TOKENS;) {
    const step = Math.min(width, MIN_TOKENS - width);
    const known = new Map<number, number>();
    numbers = numbers.slice(0, -step).map((left, i) => {
      const pair = left * ids.length + (numbers[i + step] ?? 0);
      const number = known.get(pair) ?? known.size;
      known.set(pair, number);
      return number;
    });
    width += step;
  }
  return numbers;
}

function equalLength(tokens: readonly Token[], first: number, again: number): number {
  let length = MIN_TOKENS;
  while (tokens[again + length] && tokens[first + length]?.id === tokens[again + length]?.id) {
    length++;
  }
  return length;
}

function placeOf(tokens: readonly Token[], start: number, length: number): Place {
  const { path = "", line: firstLine = 0 } = tokens[start] ?? {};
  return { path, firstLine, lastLine: tokens[start + length - 1]?.line ?? firstLine };
}
