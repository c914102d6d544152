/**
 * Makes messages due early when their destination can be reached again: the option `resumeOnRecovery`.
 * The dispatcher calls it with the results of each batch.
 *
 * @module
 */
import { transition } from "../../core/lifecycle/lifecycle.ts";
import {
  type WaitingPage,
  type WaitingRecord,
  waitsFor,
} from "../../core/lifecycle/unreachable.ts";
import type { Settlement } from "../../core/ports/store.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { SendResult } from "../../core/ports/transport.ts";
import { policyOf, type Settings } from "../settings/settings.ts";

/** The least time between two looks after a recovery, in milliseconds. */
const RESUME_PAUSE_MS = 1_000;
/** How often to look while messages are sent, for those that failed in another process, in milliseconds. */
const LOOK_PAUSE_MS = 30_000;
/** How many waiting records one page covers, and how many pages one look. */
const PAGE = 1_000;
const MAX_PAGES = 20;
/** The most destinations whose state is known. */
const MAX_DESTINATIONS = 10_000;

/** Notices that destinations can be reached again. */
export class Resumption<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #resumed: () => void;
  /** Destinations whose last message was sent, and until when their records are paced, in Unix milliseconds. */
  readonly #reached = new Map<string, number>();
  #isReached = false;
  #lookedAtMs = -Infinity;

  /** Creates it; `resumed` is called after records were made due. */
  constructor(settings: Settings<Tx>, resumed: () => void) {
    this.#settings = settings;
    this.#resumed = resumed;
  }

  /** Notes the results of a batch, and makes records due whose destination was reached. Never rejects. */
  async noted(
    batch: readonly Pick<StoredRecord, "message">[],
    results: readonly (SendResult | undefined)[],
  ): Promise<void> {
    const { clock, observe, resumePerSecond, store } = this.#settings;
    if (resumePerSecond === null || store.hints?.findUnreachable === undefined) return;
    try {
      const hasSent = this.#note(batch, results);
      if (!hasSent) return;
      const pauseMs = this.#isReached ? RESUME_PAUSE_MS : LOOK_PAUSE_MS;
      if (clock.now() - this.#lookedAtMs < pauseMs) return;
      this.#lookedAtMs = clock.now();
      this.#isReached = false;
      if (await this.#resume(resumePerSecond) > 0) this.#resumed();
    } catch (error) {
      // The records are tried when they are due anyway.
      observe({ kind: "error", during: "resume", error });
    }
  }

  /** Notes which destinations were reached; returns whether any was. */
  #note(
    batch: readonly Pick<StoredRecord, "message">[],
    results: readonly (SendResult | undefined)[],
  ): boolean {
    const { transport } = this.#settings;
    const names = new Set<string>();
    let hasSent = false;
    batch.forEach(({ message: { name, headers } }, i) => {
      const result = results[i];
      if (result?.kind === "failed" && result.unreachable !== undefined) {
        this.#reached.delete(result.unreachable);
      }
      if (result?.kind !== "sent") return;
      hasSent = true;
      const to = `${name}\n${headers["atlast-destination"] ?? ""}`;
      if (names.has(to)) return;
      names.add(to);
      for (const key of transport.destinations?.(name, headers) ?? []) {
        if (this.#reached.has(key) || this.#reached.size >= MAX_DESTINATIONS) continue;
        this.#reached.set(key, -Infinity);
        this.#isReached = true;
      }
    });
    return hasSent;
  }

  /** Makes the records due that wait for a destination which was reached; returns how many. */
  async #resume(perSecond: number): Promise<number> {
    const { store, clock } = this.#settings;
    let afterMs: number | null = clock.now();
    let resumed = 0;
    for (let page = 0; page < MAX_PAGES && afterMs !== null; page++) {
      const found: WaitingPage | undefined = await store.hints?.findUnreachable?.(afterMs, PAGE);
      if (found === undefined) break;
      const settlements = found.records.flatMap((record) => this.#settlement(record, perSecond));
      if (settlements.length > 0) {
        const applied = await store.settle("outbox", settlements);
        resumed += applied.filter((each) => each === true).length;
      }
      afterMs = found.lookedToMs;
    }
    return resumed;
  }

  #settlement(record: WaitingRecord, perSecond: number): Settlement[] {
    const waiting = waitsFor(record);
    const pacedMs = waiting === null ? undefined : this.#reached.get(waiting.to);
    if (waiting === null || pacedMs === undefined) return [];
    const nowMs = this.#settings.clock.now();
    const atMs = Math.max(nowMs, pacedMs);
    if (Math.max(atMs, waiting.fromMs ?? 0) >= record.dueAtMs) return [];
    this.#reached.set(waiting.to, atMs + 1_000 / perSecond);
    const { id, group, epoch, reason } = record;
    const event = { kind: "resume", atMs, reason } as const;
    const standing = { ...record, box: "outbox" } as const;
    const policy = policyOf(this.#settings, { box: "outbox", retry: null });
    const patch = transition(standing, event, policy, nowMs, 0);
    // It applies only if the record is as it was found, and nobody has claimed it since.
    return [{ key: { id, group }, epoch, guard: "anyone while free", from: "scheduled", patch }];
  }
}
