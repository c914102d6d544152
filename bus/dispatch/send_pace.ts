/**
 * How many messages a bus claims for sending: what it is about to send, so that other instances get the rest.
 *
 * @module
 */
import { WorkPace, type WorkTime } from "../records/work_pace.ts";
import type { Settings } from "../settings/settings.ts";

/** How many calls send at once. */
export const SENDS_AT_ONCE = 2;
/** How many batches are claimed at most: those being sent, and as many waiting. */
const CLAIMED_BATCHES = 4;
/** All sends share one pace. */
const SENDS = "";

/** Measures how fast the sends of a bus are. */
export class SendPace<Tx> {
  readonly #pace: WorkPace;
  readonly #batchSize: number;
  readonly #least: number;

  constructor({ clock, batchSize, transport }: Settings<Tx>) {
    this.#pace = new WorkPace(clock, () => SENDS_AT_ONCE);
    this.#batchSize = batchSize;
    this.#least = Math.min(batchSize, transport.capabilities.maxBatch);
  }

  /** Begins to measure a call that sends `count` messages. */
  begin(count: number): WorkTime {
    return this.#pace.begin(SENDS, count);
  }

  /** How many messages go to one call: whole batches of the transport for a short time, at least one. */
  get runSize(): number {
    const size = this.#ahead / SENDS_AT_ONCE;
    if (size >= this.#batchSize) return this.#batchSize;
    return Math.min(this.#batchSize, Math.max(1, Math.ceil(size / this.#least)) * this.#least);
  }

  /** How many messages are claimed at most: one call of each that sends at once, and what waits for them. */
  get capacity(): number {
    const { runSize } = this;
    return SENDS_AT_ONCE * runSize + Math.floor(this.#ahead / runSize) * runSize;
  }

  /** Whether fewer are claimed than quick sends would allow. */
  get isSlow(): boolean {
    return this.capacity < CLAIMED_BATCHES * this.#batchSize;
  }

  /** How many may wait; none before the first measurement. */
  get #ahead(): number {
    const most = (CLAIMED_BATCHES - SENDS_AT_ONCE) * this.#batchSize;
    return this.#pace.lookAhead(SENDS, most, 0);
  }
}
