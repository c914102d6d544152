/**
 * The schema that holds Atlast's tables.
 *
 * @module
 */
import { aTextLike } from "../../core/check_options.ts";

/** The schema when the user names none. */
export const DEFAULT_SCHEMA = "atlast";

/** At most 63 characters: Postgres truncates longer names, so two long names could become equal. */
const SCHEMA = aTextLike({
  pattern: /^[a-z_][a-z0-9_]{0,62}$/,
  words: `1 to 63 lower-case letters, digits or "_", not starting with a digit`,
});

/**
 * The quoted name of a schema.
 *
 * @throws {AtlastError} `invalid_option` when it is not a plain lower-case name.
 */
export function quotedSchema(schema: string): string {
  SCHEMA("schema", schema, "use");
  return `"${schema}"`;
}
