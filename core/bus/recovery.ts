/**
 * Recovery: asks what became of the business operations of half messages whose outcome never arrived.
 *
 * @module
 */
import { type CheckAnswer, decideCheck } from "../checkback.ts";
import { AtlastError } from "../errors.ts";
import { HEADER } from "../headers.ts";
import type { CheckBack, StoredRecord } from "../ports.ts";
import { eventFor } from "./half_keeper.ts";
import { policyOf, type Settings } from "./options.ts";
import { decide, report, settlementOf } from "./settling.ts";
import { timeLimit } from "./time_limit.ts";

/** Asks, and settles by what it is told. */
export class Recovery<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #confirmed: () => void;

  /** Makes a recovery; `confirmed` is told when a message is there to be sent. */
  constructor(settings: Settings<Tx>, confirmed: () => void) {
    this.#settings = settings;
    this.#confirmed = confirmed;
  }

  /** Whether this bus has anyone to ask; if not, half messages are left to one that has. */
  get canAsk(): boolean {
    const { fence, checkBacks } = this.#settings;
    return fence !== undefined || checkBacks.size > 0;
  }

  /** Claims half messages whose next check is due. */
  async claim(limit: number): Promise<StoredRecord[]> {
    if (!this.canAsk) return [];
    const { store, clock, leaseMs } = this.#settings;
    const nowMs = clock.now();
    return await store.claim({
      box: "outbox",
      limit,
      nowMs,
      leaseUntilMs: nowMs + leaseMs,
      kind: "half",
    });
  }

  /** Checks one claimed half message. */
  async check(record: StoredRecord, signal: AbortSignal): Promise<void> {
    const { store, clock, check, random, observe } = this.#settings;
    const answer = await this.#ask(record, signal);
    // That this bus broke the question off says nothing about the active side.
    if (answer === "unreachable" && signal.aborted) return await this.release(record);
    const event = decideCheck(
      { ...record, sentAtMs: record.message.sentAtMs },
      answer,
      check,
      clock.now(),
      random(),
    );
    const full = event.kind === "confirm" ? eventFor(record, "confirm") : event;
    const decision = decide(this.#settings, record, full, policyOf(this.#settings, record));
    const [applied] = await store.settle("outbox", [settlementOf(decision)]).catch((error) => {
      // If only the answer was lost, nobody comes by again: better an alarm too many than none.
      if (event.kind === "park") report(observe, decision, true);
      throw error;
    });
    report(observe, decision, applied === true);
    if (applied === true && event.kind === "confirm") this.#confirmed();
  }

  /** Gives back a half message that was not asked about. */
  async release(record: StoredRecord): Promise<void> {
    const { clock, observe } = this.#settings;
    const decision = decide(this.#settings, record, {
      kind: "ask_again",
      atMs: clock.now(),
      checks: record.checks,
      unreachable: record.unreachable,
      reason: record.reason ?? "Given back before it was asked about",
    }, policyOf(this.#settings, record));
    const [applied] = await this.#settings.store.settle("outbox", [settlementOf(decision)]);
    report(observe, decision, applied === true);
  }

  async #ask(record: StoredRecord, signal: AbortSignal): Promise<CheckAnswer> {
    const { clock, checkTimeoutMs, observe } = this.#settings;
    const limit = timeLimit(
      clock,
      checkTimeoutMs,
      signal,
      () =>
        new AtlastError("timeout", `The active side did not answer within ${checkTimeoutMs} ms`),
    );
    try {
      const { id, epoch, message } = record;
      const side = message.headers[HEADER.activeSide];
      const question = { id, name: message.name, epoch, ...(side === undefined ? {} : { side }) };
      const checkBack = this.#checkBackOf(side);
      return await limit.race(() => checkBack.ask(question, limit.signal));
    } catch (error) {
      observe({ kind: "error", during: "check-back", error });
      return "unreachable";
    } finally {
      limit.end();
    }
  }

  #checkBackOf(side: string | undefined): CheckBack {
    const { fence, checkBacks } = this.#settings;
    const found = side === undefined ? fence : checkBacks.get(side);
    if (found !== undefined) return found;
    throw new AtlastError(
      "no_route",
      side === undefined
        ? "Cannot ask for the outcome of a half message: want a fence in the options of the bus"
        : `Cannot ask active side "${side}": want it among the checkBacks of the bus`,
    );
  }
}
