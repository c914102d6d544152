/**
 * A stream in memory, which must be pulled: each group gets every message once it was sent, and keeps
 * those that nobody has taken yet.
 *
 * @module
 */
import { copyOfMessage, MAX_BODY_BYTES, type Message } from "../../core/message/message.ts";
import { matchesName } from "../../core/message/name.ts";
import type { AbortSignalLike } from "../../core/ports/platform.ts";
import type {
  DeliveryResult,
  Receiver,
  SendResult,
  Transport,
} from "../../core/ports/transport.ts";
import type { PullRequest, PullResult } from "../../core/ports/pull.ts";

interface Entry {
  readonly message: Message;
  /** When it may be fetched, in Unix milliseconds. */
  dueAtMs: number;
}

/** How long one who has fetched a message may take before others get it, in milliseconds. */
export const MIN_IDLE_MS = 30_000;

/** The server of the stream. */
export class FakeStream {
  readonly #groups: ReadonlyMap<string, Set<Entry>>;
  readonly #names: ReadonlySet<string> | undefined;
  /** What a group will never take, and why, by id. */
  readonly parked: Map<string, string> = new Map();

  /** Makes a stream for these groups, that carries these names; all if not given. */
  constructor(groups: readonly string[], names?: readonly string[]) {
    this.#groups = new Map(groups.map((group) => [group, new Set()]));
    this.#names = names && new Set(names);
  }

  /** What a group has not taken yet. */
  left(group: string): Message[] {
    return [...this.#groups.get(group) ?? []].map(({ message }) => message);
  }

  /** The transport of a process of this group. */
  transport(group: string): Transport {
    const own = this.#groups.get(group);
    if (own === undefined) throw new Error(`no group ${group}`);
    return {
      capabilities: { maxBatch: 100, maxBodyBytes: MAX_BODY_BYTES },
      routes: (name) => this.#carries(name),
      send: (messages, signal) => Promise.resolve(this.#send(messages, signal)),
      pull: (request, deliver) => pull(own, this.parked, request, deliver),
      close: () => Promise.resolve(),
    };
  }

  #carries(name: string): boolean {
    return this.#names?.has(name) ?? true;
  }

  #send(messages: readonly Message[], signal: AbortSignalLike): SendResult[] {
    if (signal.aborted) throw signal.reason;
    return messages.map((message) => {
      if (!this.#carries(message.name)) return { kind: "unroutable", reason: "no such stream" };
      for (const entries of this.#groups.values()) {
        entries.add({ message: copyOfMessage(message), dueAtMs: 0 });
      }
      return { kind: "sent" };
    });
  }
}

async function pull(
  entries: Set<Entry>,
  parked: Map<string, string>,
  { patterns, limit, nowMs, signal }: PullRequest,
  deliver: Receiver["deliver"],
): Promise<PullResult> {
  const due = [...entries].filter(({ message, dueAtMs }) =>
    dueAtMs <= nowMs && patterns.some((pattern) => matchesName(pattern, message.name))
  );
  const fetched = due.slice(0, limit);
  for (const entry of fetched) entry.dueAtMs = nowMs + MIN_IDLE_MS;
  const results = fetched.length === 0
    ? []
    : await answers(deliver(fetched.map(({ message }) => message)), signal);
  let received = 0;
  fetched.forEach((entry, i) => {
    const result = results[i];
    if (result?.kind === "accepted" || result?.kind === "handled" || result?.kind === "failed") {
      received += 1;
      entries.delete(entry);
    } else if (result?.kind === "rejected") {
      parked.set(entry.message.id, result.reason);
      entries.delete(entry);
    } else {
      entry.dueAtMs = nowMs + ((result?.kind === "refused" ? result.retryAfterMs : null) ?? 1_000);
    }
  });
  const next = Math.min(...[...entries].map(({ dueAtMs }) => dueAtMs).filter((at) => at > nowMs));
  return {
    received,
    more: due.length > fetched.length,
    nextAtMs: Number.isFinite(next) ? next : null,
  };
}

/** What a receiver says, or nothing when it throws or the signal comes first. */
async function answers(
  delivered: Promise<DeliveryResult[]>,
  signal: AbortSignalLike,
): Promise<DeliveryResult[]> {
  let stop: () => void = () => {};
  const aborted = new Promise<DeliveryResult[]>((resolve) => {
    stop = () => resolve([]);
    signal.addEventListener("abort", stop, { once: true });
  });
  if (signal.aborted) stop();
  try {
    return await Promise.race([delivered.catch(() => []), aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
