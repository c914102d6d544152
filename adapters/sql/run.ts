/**
 * Runs one statement.
 *
 * @module
 */
import type { Value } from "./column_values.ts";

/**
 * Runs one statement and gives its rows, each as its values in the order of the select list: names
 * may be changed by what the user set on the client, such as `postgres.camel`.
 */
export type Run = (text: string, params: readonly Value[]) => Promise<readonly unknown[][]>;
