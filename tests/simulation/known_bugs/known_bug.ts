/**
 * A bug that is put in on purpose, to see whether the simulation finds it.
 *
 * @module
 */

/** A change of one file of the source. */
export interface Edit {
  /** The file, as a path in the repository. */
  readonly file: string;
  /** The text to replace, which the file has exactly once. */
  readonly find: string;
  /** What takes its place. */
  readonly replace: string;
}

/** A bug. */
export interface KnownBug {
  /** A short name, for the table. */
  readonly name: string;
  /** What is wrong, in one sentence. */
  readonly wrong: string;
  /** The changes that make it. */
  readonly edits: readonly Edit[];
  /** The simulation finds it within so many seeds from 1 on. */
  readonly within: number;
}

/**
 * The text of a file after an edit.
 *
 * @throws {Error} If the file has the text not once: the source has changed, and the bug must be put in anew.
 */
export function edited(text: string, { file, find, replace }: Edit): string {
  const [before, after, more] = text.split(find);
  if (find !== "" && before !== undefined && after !== undefined && more === undefined) {
    return before + replace + after;
  }
  throw new Error(
    `Cannot put a bug into ${file}: got ${
      text.split(find).length - 1
    } times the text to replace, want it ` +
      `once: ${JSON.stringify(find)}`,
  );
}
