/**
 * The prefix of all keys of a bus. It is also their hash tag, so that scripts and transactions may use them
 * together.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";

/** The default prefix. */
const DEFAULT_PREFIX = "atlast";

/** The longest prefix: far below the 32 KB that a key may have, and short enough to be read. */
const MAX_PREFIX_LENGTH = 100;

/**
 * The beginning of all keys, such as `{atlast}:`.
 *
 * @throws {AtlastError} `invalid_option` when the prefix cannot be part of a key: braces would change the
 * hash tag, and some consoles drop spaces.
 */
export function keyBase(prefix: string = DEFAULT_PREFIX): string {
  if (!/^[A-Za-z0-9_.:-]+$/.test(prefix) || prefix.length > MAX_PREFIX_LENGTH) {
    throw new AtlastError(
      "invalid_option",
      `Cannot use key prefix ${JSON.stringify(prefix.slice(0, 60))}: want 1 to ` +
        `${MAX_PREFIX_LENGTH} letters, digits, "_", "-", "." and ":", without braces and spaces`,
    );
  }
  return `{${prefix}}:`;
}
