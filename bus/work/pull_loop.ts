/**
 * Pulls messages from a transport that does not push them: in a loop on a running bus, once in each
 * round of a tick.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { DeliveryResult, Receiver } from "../../core/ports/transport.ts";
import type { PullResult } from "../../core/ports/pull.ts";
import { pullResult } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";
import type { Subscriptions } from "../settings/subscriptions.ts";
import { unlessAborted } from "../async/deadline.ts";
import { Wake } from "./wake_signal.ts";

/** How many messages of each name a running bus fetches at once. */
const PULL_BATCH = 100;
/**
 * How long the loop rests after a pull that returned messages, in milliseconds. Each empty pull
 * doubles the rest.
 */
const FIRST_REST_MS = 100;
/** How long after a failed pull the next one follows, in milliseconds. */
const FAILED_REST_MS = 5_000;

const STOPPING: DeliveryResult = {
  kind: "refused",
  reason: "The bus is stopping",
  code: "stopping",
};
const NOTHING: PullResult = { received: 0, more: false, nextAtMs: null };

/** Pulls messages for a bus whose transport has `pull`. */
export class Puller<Tx> {
  /** What wakes its loop. */
  readonly wake: Wake;
  readonly #settings: Settings<Tx>;
  readonly #subscriptions: Subscriptions<Tx>;
  readonly #signal: AbortSignal;
  /** Aborts a pull that only waits for messages when the bus begins to stop. */
  readonly #draining = new AbortController();
  #deliveries = 0;
  #loop: Promise<void> = Promise.resolve();

  /** Creates a puller; `signal` aborts a pull when the bus stops. */
  constructor(settings: Settings<Tx>, subscriptions: Subscriptions<Tx>, signal: AbortSignal) {
    this.wake = new Wake(settings.clock);
    this.#settings = settings;
    this.#subscriptions = subscriptions;
    this.#signal = signal;
  }

  /**
   * Pulls once, up to `limit` messages of each name. Never rejects: an error is observed, and the
   * next pull follows after a rest.
   */
  async pull(limit: number, deliver: Receiver["deliver"]): Promise<PullResult> {
    const { transport, clock, observe } = this.#settings;
    const { patterns } = this.#subscriptions;
    if (transport.pull === undefined || patterns.length === 0) return NOTHING;
    const signal = AbortSignal.any([this.#signal, this.#draining.signal]);
    try {
      const request = { patterns, limit, nowMs: clock.now(), signal };
      const taking: Receiver["deliver"] = async (messages) => {
        // This pull is no longer awaited: its messages stay in the transport.
        if (signal.aborted) return messages.map(() => STOPPING);
        this.#deliveries += 1;
        try {
          return await deliver(messages, { publisherLearns: false });
        } catch (error) {
          // The transport may store the error where others can read it, so it gets one without
          // details.
          observe({ kind: "error", during: "deliver", error });
          throw error;
        } finally {
          this.#deliveries -= 1;
        }
      };
      // The bus must be able to stop even if the transport ignores the signal.
      const pulled = await unlessAborted(
        async () => await transport.pull?.(request, taking),
        signal,
      );
      return pulled === undefined ? NOTHING : pullResult(pulled);
    } catch (error) {
      if (this.#draining.signal.aborted) return NOTHING;
      observe({ kind: "error", during: "pull", error });
      return { ...NOTHING, nextAtMs: clock.now() + FAILED_REST_MS };
    }
  }

  /** Starts the loop. It ends once `stopped` returns true and it is woken. */
  start(deliver: Receiver["deliver"], stopped: () => boolean): void {
    if (this.#settings.transport.pull !== undefined) this.#loop = this.#run(deliver, stopped);
  }

  /**
   * Wakes the loop so that it ends, and waits for the end. A pull that is delivering messages ends
   * first; one that waits for messages is aborted.
   */
  async drain(): Promise<void> {
    if (this.#deliveries === 0) {
      this.#draining.abort(new AtlastError("stopped", "The bus is stopping"));
    }
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
      // A transport that reports more messages but returns none must not make this loop spin.
      if (more && received > 0) continue;
      await this.wake.sleep(Math.min(clock.now() + restMs, nextAtMs ?? Infinity));
    }
  }
}
