/**
 * Reading records for people: lists and counts.
 *
 * @module
 */
import type { Box, State } from "../lifecycle/lifecycle.ts";
import type { RecordKey } from "./record.ts";

/** Which records to list. */
export interface ListQuery {
  /** On which side. */
  readonly box: Box;
  /** Only in these states; all when not given. */
  readonly states?: readonly State[];
  /** Only with this name; all when not given. */
  readonly name?: string;
  /** Only of this group; all when not given. */
  readonly group?: string;
  /** How many at the most. */
  readonly limit: number;
  /** The last record of the page before; not given for the first page. */
  readonly after?: { readonly createdAtMs: number; readonly key: RecordKey };
}

/** How many records a side has in each state. */
export type StateCounts = Readonly<Record<State, number>>;
