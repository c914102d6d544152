/**
 * Pulls messages from a transport that does not push them.
 *
 * @module
 */
import type { Receiver } from "../../core/ports/transport.ts";
import type { PullResult } from "../../core/ports/pull.ts";
import { pullResult } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";
import type { Subscriptions } from "../settings/subscriptions.ts";
import { unlessAborted } from "../async/deadline.ts";
import { Wake } from "./wake_signal.ts";

/** How many messages of each name a running bus fetches at once. */
const PULL_BATCH = 100;
/** How long a loop rests after something came, in milliseconds; twice as long after each pull that brought nothing. */
const FIRST_REST_MS = 100;
/** When a transport that failed is asked again, in milliseconds. */
const FAILED_REST_MS = 5_000;

const NOTHING: PullResult = { received: 0, more: false, nextAtMs: null };

/** Fetches messages for a bus, where its transport wants that. */
export class Puller<Tx> {
  /** What wakes its loop. */
  readonly wake: Wake;
  readonly #settings: Settings<Tx>;
  readonly #subscriptions: Subscriptions<Tx>;
  readonly #signal: AbortSignal;
  #loop: Promise<void> = Promise.resolve();

  /** Makes a puller; `signal` aborts what it waits for when the bus stops. */
  constructor(settings: Settings<Tx>, subscriptions: Subscriptions<Tx>, signal: AbortSignal) {
    this.wake = new Wake(settings.clock);
    this.#settings = settings;
    this.#subscriptions = subscriptions;
    this.#signal = signal;
  }

  /**
   * Fetches once, up to `limit` messages of each name. Never rejects: an error is observed, and the
   * transport asked again after a rest.
   */
  async pull(limit: number, deliver: Receiver["deliver"]): Promise<PullResult> {
    const { transport, clock, observe } = this.#settings;
    const { patterns } = this.#subscriptions;
    if (transport.pull === undefined || patterns.length === 0) return NOTHING;
    const signal = this.#signal;
    try {
      const request = { patterns, limit, nowMs: clock.now(), signal };
      const taking: Receiver["deliver"] = async (messages) => {
        try {
          return await deliver(messages, { publisherLearns: false });
        } catch (error) {
          // The transport may keep what it is told where others can read it, so it is told no more than that.
          observe({ kind: "error", during: "deliver", error });
          throw error;
        }
      };
      // A transport that does not heed the signal must not keep the bus from stopping.
      const pulled = await unlessAborted(
        async () => await transport.pull?.(request, taking),
        signal,
      );
      return pulled === undefined ? NOTHING : pullResult(pulled);
    } catch (error) {
      observe({ kind: "error", during: "pull", error });
      return { ...NOTHING, nextAtMs: clock.now() + FAILED_REST_MS };
    }
  }

  /** Starts its loop, which ends once `stopped` says so and it is woken. */
  start(deliver: Receiver["deliver"], stopped: () => boolean): void {
    if (this.#settings.transport.pull !== undefined) this.#loop = this.#run(deliver, stopped);
  }

  /** Wakes the loop to its end, and waits for it. */
  async drain(): Promise<void> {
    this.wake.now();
    await this.#loop;
  }

  async #run(deliver: Receiver["deliver"], stopped: () => boolean): Promise<void> {
    const { clock, pullMs } = this.#settings;
    let restMs = Math.min(FIRST_REST_MS, pullMs);
    while (!stopped()) {
      const { received, more, nextAtMs } = await this.pull(PULL_BATCH, deliver);
      if (stopped()) return;
      restMs = Math.min(received > 0 ? FIRST_REST_MS : restMs * 2, pullMs);
      // One that says "more" and brings nothing must not keep the process busy.
      if (more && received > 0) continue;
      await this.wake.sleep(Math.min(clock.now() + restMs, nextAtMs ?? Infinity));
    }
  }
}
