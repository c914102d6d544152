/**
 * Checks the options that the stores and fences of all SQL databases have.
 *
 * @module
 */
import { aFlag, aNumber, MILLISECONDS, type OptionTable } from "../../core/check_options.ts";
import { quotedSchema } from "./schema_name.ts";
import { aStatementTimeout } from "./statement_timeout.ts";

/** The options of each of them. */
export const SQL_OPTIONS: OptionTable = {
  schema: (_option, value) => void quotedSchema(value as string),
  migrate: aFlag,
  statementTimeoutMs: aStatementTimeout,
};

/** The options of a store on a server. */
export const STORE_OPTIONS: OptionTable = { ...SQL_OPTIONS, wakeIntervalMs: aNumber(MILLISECONDS) };

/** The options of a fence on a server. */
export const FENCE_OPTIONS: OptionTable = {
  ...SQL_OPTIONS,
  waitMs: aNumber({ unit: "milliseconds", least: 1, most: 60_000 }),
};
