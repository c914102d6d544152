/**
 * Where the keys of a bus are: all under one prefix, which is their hash tag too, so that scripts and
 * transactions may touch them together.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";

/** The prefix of keys for which none was given. */
export const DEFAULT_PREFIX = "atlast";

/** The longest prefix: far below the 32 KB that a key may have, and short enough to be read. */
const MAX_PREFIX_LENGTH = 100;

/** Makes a key from its parts, such as `{atlast}:stream:order.placed`. */
export type Keys = (...parts: readonly string[]) => string;

/**
 * The keys under a prefix.
 *
 * @throws {AtlastError} `invalid_option` when the prefix is no part of a key: braces would make another hash
 * tag of it, and spaces are lost on the way to some consoles.
 */
export function keysUnder(prefix: string = DEFAULT_PREFIX): Keys {
  if (!/^[A-Za-z0-9_.:-]+$/.test(prefix) || prefix.length > MAX_PREFIX_LENGTH) {
    throw new AtlastError(
      "invalid_option",
      `Cannot use ${JSON.stringify(prefix.slice(0, 60))} as a prefix of keys: want 1 to ` +
        `${MAX_PREFIX_LENGTH} letters, digits, "_", "-", "." and ":"`,
    );
  }
  return (...parts) => `{${prefix}}:${parts.join(":")}`;
}
