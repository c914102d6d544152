/**
 * Checks the options that the stores and fences of all SQL databases have.
 *
 * @module
 */
import { aFlag, type OptionTable } from "../../core/check_options.ts";
import { quotedSchema } from "./schema_name.ts";
import { aStatementTimeout } from "./statement_timeout.ts";

/** The options of each of them. */
export const SQL_OPTIONS: OptionTable = {
  schema: (_option, value) => void quotedSchema(value as string),
  migrate: aFlag,
  statementTimeoutMs: aStatementTimeout,
};
