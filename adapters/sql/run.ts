/**
 * Runs one statement.
 *
 * @module
 */
import type { Value } from "./column_values.ts";

/**
 * Runs one statement and returns its rows, each as its values in the order of the select list. Column names
 * are not used, because options of the user's client, such as `postgres.camel`, may change them.
 */
export type Run = (text: string, params: readonly Value[]) => Promise<readonly unknown[][]>;
