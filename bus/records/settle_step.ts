/**
 * Writes settlement steps. A step is a settlement and the records that are added if it applies. A
 * step is atomic: on a store with transactions it is written within one, on others in
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
const MAX_JOINED = 500;
/** How many requests are in flight at once. Steps that come meanwhile share the next request. */
const MAX_REQUESTS = 2;

/** A step that shares a transaction with others. */
interface JoinedStep {
  readonly step: SettleStep;
  readonly check: (added: readonly AddResult[]) => void;
}

/** Thrown to roll back a transaction of several steps, because one of them cannot be written. */
class NotAllSteps extends Error {}

/** Writes steps to one box of a store. */
export class StepSettler<Tx> {
  readonly #store: Store<Tx>;
  readonly #box: Box;
  readonly #clock: Clock;
  readonly #write: ((steps: readonly SettleStep[]) => Promise<StepEnd[]>) | null;
  readonly #inStore: ((step: SettleStep) => Promise<StepEnd>) | null;
  readonly #inTransaction: (joined: JoinedStep) => Promise<StepEnd>;
  readonly #joined: (settlement: Settlement) => Promise<boolean>;

  constructor(store: Store<Tx>, box: Box, clock: Clock) {
    const { transactions, atomicSettleAndAdd } = store.capabilities;
    this.#store = store;
    this.#box = box;
    this.#clock = clock;
    this.#joined = this.#sharing((settlements) => store.settle(box, settlements));
    this.#inTransaction = this.#sharing((steps) => this.#writeAll(steps));
    this.#write = transactions || !atomicSettleAndAdd
      ? null
      : async (steps) => [...await store.settleAndAdd?.(box, steps, clock.now()) ?? []];
    this.#inStore = this.#write === null ? null : this.#sharing(this.#write);
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

  /** Settles outside a transaction, all in one call of the store. Returns whether each settlement applied. */
  async batch(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    if (this.#write === null) return await this.#store.settle(this.#box, settlements);
    const steps = settlements.map((settlement): SettleStep => ({
      settlement,
      box: this.#box,
      records: [],
    }));
    return (await this.#write(steps)).map((end) => end !== null);
  }

  /**
   * Writes a step outside a transaction of the caller. Concurrent steps without records share a statement; others share
   * a transaction, or a call of the store.
   *
   * @param check Called with the results of adding the records. On a store with transactions nothing is written if it
   * throws.
   */
  async alone(
    step: SettleStep,
    check: (added: readonly AddResult[]) => void = () => {},
  ): Promise<StepEnd> {
    if (this.#inStore !== null) {
      const end = await this.#inStore(step);
      if (end !== null) check(end);
      return end;
    }
    if (step.records.length > 0) return await this.#inTransaction({ step, check });
    return await this.#joined(step.settlement) ? [] : null;
  }

  /**
   * Writes a step as the last of a transaction. The caller rolls back when the result is null.
   *
   * @throws {AtlastError} `lease_lost`, here or at the end of the transaction, from a store with
   * that capability.
   */
  async within(tx: Tx, step: SettleStep): Promise<StepEnd> {
    const { deferredSettle } = this.#store.capabilities;
    if (this.#inStore !== null) return await this.#inStore(step);
    if (deferredSettle) {
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

  /** Writes steps in one transaction. */
  #writeAll(joined: readonly JoinedStep[]): Promise<StepEnd[]> {
    return this.#store.transaction(async (tx) => {
      const settlements = joined.map(({ step }) => step.settlement);
      const applied = await this.#store.settle(this.#box, settlements, tx);
      const ends = joined.map((_, i): AddResult[] | null => applied[i] === true ? [] : null);
      for (const box of ["outbox", "inbox"] as const) {
        const rows = joined.flatMap(({ step }, i) => {
          const end = ends[i];
          if (end === null || end === undefined || step.box !== box) return [];
          return step.records.map((record) => ({ record, end }));
        });
        if (rows.length === 0) continue;
        const records = rows.map(({ record }) => record);
        const added = await this.#store.add(box, records, this.#clock.now(), tx);
        rows.forEach(({ end }, i) => end.push(added[i] as AddResult));
      }
      joined.forEach(({ check }, i) => {
        const end = ends[i];
        if (end === null || end === undefined) return;
        try {
          check(end);
        } catch (error) {
          throw joined.length === 1 ? error : new NotAllSteps();
        }
      });
      return ends;
    }, { isOwn: true });
  }

  /**
   * Joins concurrent calls of the store. If the store refuses a call because of one item, each is written apart.
   */
  #sharing<Item, Result>(
    write: (items: Item[]) => Promise<Result[]>,
  ): (item: Item) => Promise<Result> {
    return batcher({
      run: write,
      maxItems: MAX_JOINED,
      maxRuns: MAX_REQUESTS,
      clock: this.#clock,
      divides: (error) =>
        error instanceof NotAllSteps || this.#store.hints?.failureOf?.(error) === "refused",
    });
  }
}
