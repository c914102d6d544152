/**
 * The loops of a running bus: sending, handling, cleaning up.
 *
 * @module
 */
import type { StoredRecord } from "../ports.ts";
import type { Consumer } from "./consumer.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Janitor } from "./janitor.ts";
import type { Settings } from "./options.ts";
import { runLoop } from "./runner.ts";
import type { Wake } from "./wake.ts";
import type { WorkQueue } from "./work_queue.ts";

/** How many inbox messages are claimed at once; no more wait for a place in a group than that. */
export const HELD_BY_GROUP = 200;
/** Clean-up that failed is tried again after this share of its period. */
const CLEAN_UP_RETRIES = 60;

/** What the loops work with. */
export interface LoopsParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly dispatcher: Dispatcher<Tx>;
  readonly consumer: Consumer<Tx>;
  readonly janitor: Janitor<Tx>;
  readonly outgoing: WorkQueue<StoredRecord>;
  readonly incoming: WorkQueue<StoredRecord>;
  readonly outboxWake: Wake;
  readonly inboxWake: Wake;
  readonly janitorWake: Wake;
  /** How often work is looked for that nobody told of, in milliseconds; Infinity for never. */
  readonly pollMs: number;
  /** Aborts what is under way when draining takes too long. */
  readonly signal: AbortSignal;
  /** Whether the bus no longer runs. */
  readonly stopped: () => boolean;
}

/** Runs all loops until the bus no longer runs. Never rejects. */
export async function runLoops<Tx>(parts: LoopsParts<Tx>): Promise<void> {
  await Promise.all([sendInLoop(parts), handleInLoop(parts), cleanUpInLoop(parts)]);
}

function sendInLoop<Tx>(parts: LoopsParts<Tx>): Promise<void> {
  const { settings, dispatcher, pollMs, signal, stopped } = parts;
  const { store, clock, batchSize } = settings;
  return runLoop(
    settings,
    {
      name: "dispatch",
      queue: parts.outgoing,
      wake: parts.outboxWake,
      batchSize: () => batchSize,
      claim: (limit) => dispatcher.claim("fresh", limit),
      suspect: async () => (await dispatcher.round("suspect", signal)).claimed > 0,
      nextDueAt: () => store.nextDueAt("outbox", clock.now()),
    },
    pollMs,
    stopped,
  );
}

function handleInLoop<Tx>(parts: LoopsParts<Tx>): Promise<void> {
  const { settings, consumer, incoming, pollMs, stopped } = parts;
  const { store, clock } = settings;
  // One suspect at a time: if it kills this process, it must not take other suspects with it each time.
  let suspect: StoredRecord | undefined;
  return runLoop(
    settings,
    {
      name: "consume",
      queue: incoming,
      wake: parts.inboxWake,
      batchSize: () => consumer.claimSize(HELD_BY_GROUP),
      claim: (limit) => consumer.claim("fresh", limit),
      suspect: async () => {
        if (suspect !== undefined && incoming.holds(suspect)) return false;
        [suspect] = await consumer.claim("suspect", 1);
        if (suspect === undefined) return false;
        incoming.push(suspect);
        return true;
      },
      nextDueAt: async () => {
        const groups = consumer.groupsWithRoom();
        return groups.length === 0 ? null : await store.nextDueAt("inbox", clock.now(), groups);
      },
    },
    pollMs,
    stopped,
  );
}

async function cleanUpInLoop<Tx>(parts: LoopsParts<Tx>): Promise<void> {
  const { settings, janitor, janitorWake, stopped } = parts;
  const { clock, observe, pruneEveryMs } = settings;
  while (!stopped()) {
    try {
      await janitor.run(Infinity);
    } catch (error) {
      observe({ kind: "error", during: "clean-up", error });
    }
    if (stopped()) return;
    const retryAtMs = clock.now() + pruneEveryMs / CLEAN_UP_RETRIES;
    await janitorWake.sleep(Math.max(janitor.nextMs, retryAtMs));
  }
}
