/**
 * The content of `inbox_memory.json`, which `bench/inbox_memory.ts` writes.
 *
 * @module
 */

/** What it costs to remember a handled message after its record is pruned. */
export interface InboxMemoryResults {
  readonly machine: string;
  /** How many messages are remembered. */
  readonly keys: number;
  readonly rememberDays: number;
  readonly postgres: {
    readonly version: string;
    readonly heapBytesPerKey: number;
    readonly keyIndexBytesPerKey: number;
    readonly arrivalIndexBytesPerKey: number;
    /** The median time that it takes to receive late messages. */
    readonly addUnlessKnownMs: number;
  };
  readonly redis: {
    readonly version: string;
    readonly bytesPerKey: number;
    readonly billedToRemember: { readonly records: number; readonly commands: number };
    readonly billedToAddUnlessKnown: {
      readonly records: number;
      readonly buckets: number;
      readonly commands: number;
    };
  };
}
