/**
 * The schema that holds Atlast's tables.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";

/** The schema when the user names none. */
export const DEFAULT_SCHEMA = "atlast";

/** Postgres truncates longer names, so two long names could become equal. */
const MAX_NAME_LENGTH = 63;

/**
 * The quoted name of a schema.
 *
 * @throws {AtlastError} `invalid_option` when it is not a plain lower-case name.
 */
export function quotedSchema(schema: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new AtlastError(
      "invalid_option",
      `Cannot use schema ${JSON.stringify(schema)}: want 1 to ${MAX_NAME_LENGTH} lower-case ` +
        `letters, digits or "_", not starting with a digit`,
    );
  }
  return `"${schema}"`;
}
