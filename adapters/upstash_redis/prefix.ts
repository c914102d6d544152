/**
 * The prefix of all keys of a bus. It is also their hash tag, so that scripts and transactions may use them
 * together.
 *
 * @module
 */
import { aTextLike } from "../../core/check_options.ts";

/** The default prefix. */
const DEFAULT_PREFIX = "atlast";

/** At most 100 characters: far below the 32 KB that a key may have, and short enough to be read. */
const PREFIX = aTextLike({
  pattern: /^[A-Za-z0-9_.:-]{1,100}$/,
  words: `1 to 100 letters, digits, "_", "-", "." and ":", without braces and spaces`,
});

/**
 * The beginning of all keys, such as `{atlast}:`.
 *
 * @throws {AtlastError} `invalid_option` when the prefix cannot be part of a key: braces would change the
 * hash tag, and some consoles drop spaces.
 */
export function keyBase(prefix: string = DEFAULT_PREFIX): string {
  PREFIX("key prefix", prefix, "use");
  return `{${prefix}}:`;
}
