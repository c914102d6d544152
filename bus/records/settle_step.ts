/**
 * Settles a record and adds its callbacks in one step: in a transaction where the store has them, otherwise in
 * one call of the store.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { AddResult, Settlement, SettleStep, Store } from "../../core/ports/store.ts";
import type { Clock } from "../../core/ports/platform.ts";
import { batcher } from "../async/batcher.ts";

/**
 * The results of adding a step's records; null when its settlement was stale and nothing was added.
 */
export type StepEnd = readonly AddResult[] | null;

/** The most steps in one statement. */
const MAX_JOINED = 100;
/** How many requests are in flight at once. Steps that come meanwhile share the next request. */
const MAX_REQUESTS = 2;

/** Writes steps to one box of a store. */
export class StepSettler<Tx> {
  readonly #store: Store<Tx>;
  readonly #box: Box;
  readonly #clock: Clock;
  readonly #inStore: ((step: SettleStep) => Promise<StepEnd>) | null;
  readonly #joined: (settlement: Settlement) => Promise<boolean>;

  constructor(store: Store<Tx>, box: Box, clock: Clock) {
    this.#store = store;
    this.#box = box;
    this.#clock = clock;
    this.#joined = batcher({
      run: (settlements) => store.settle(box, settlements),
      maxItems: MAX_JOINED,
      maxRuns: MAX_REQUESTS,
      now: () => clock.now(),
    });
    this.#inStore = store.capabilities.transactions || !store.capabilities.atomicSettleAndAdd
      ? null
      : batcher({
        run: (steps) => store.settleAndAdd?.(box, steps, clock.now()) ?? Promise.resolve([]),
        maxItems: MAX_JOINED,
        maxRuns: MAX_REQUESTS,
        now: () => clock.now(),
      });
  }

  /**
   * Settles outside a transaction. Concurrent calls share a statement. Returns whether each
   * settlement applied.
   */
  async all(settlements: readonly Settlement[]): Promise<boolean[]> {
    return await Promise.all(
      settlements.map(async (settlement) =>
        await this.alone({ settlement, box: this.#box, records: [] }) !== null
      ),
    );
  }

  /**
   * Writes a step on its own, in a transaction or one call of the store. A step without records
   * shares a statement with concurrent calls.
   */
  async alone(step: SettleStep): Promise<StepEnd> {
    if (this.#inStore !== null) return await this.#inStore(step);
    if (step.records.length === 0) return await this.#joined(step.settlement) ? [] : null;
    return await this.#store.transaction(async (tx) => {
      const [applied] = await this.#store.settle(this.#box, [step.settlement], tx);
      if (applied !== true) return null;
      return await this.#add(step, tx);
    }, { isOwn: true });
  }

  /**
   * Writes a step as the last of a transaction. The caller rolls back when the result is null.
   *
   * @throws {AtlastError} `lease_lost`, here or at the end of the transaction, from a store with
   * that capability.
   */
  async within(tx: Tx, step: SettleStep): Promise<StepEnd> {
    if (this.#inStore !== null) return await this.#inStore(step);
    if (this.#store.capabilities.deferredSettle) {
      const [added] = await Promise.all([
        this.#add(step, tx),
        this.#store.settleAsLast?.(this.#box, [step.settlement], tx),
      ]);
      return added;
    }
    const [[applied], added] = await Promise.all([
      this.#store.settle(this.#box, [step.settlement], tx),
      this.#add(step, tx),
    ]);
    return applied === true ? added : null;
  }

  async #add({ box, records }: SettleStep, tx: Tx): Promise<AddResult[]> {
    return records.length === 0 ? [] : await this.#store.add(box, records, this.#clock.now(), tx);
  }
}
