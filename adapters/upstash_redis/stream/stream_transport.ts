/**
 * The transport over Redis Streams.
 *
 * What Upstash bills for it:
 *
 * | what | billed |
 * |---|---|
 * | `send`, for each message | 1 |
 * | messages without a stream, for all of one `send` together | 1 more |
 * | the first message of a name that some group takes by a pattern | 2 more |
 * | `pull`, of all streams together, with something or with nothing | 1 |
 * | acknowledging what came, for each stream | 1 |
 * | the first `pull` of a process, which asks whose turn it is | 1 more |
 * | looking for what the dead left behind, once in `takeOverEveryMs` for the whole group | 1, and 1 a stream |
 * | a pattern among the subscriptions, once a minute and process | 2 |
 * | trimming and removing consumers, once in `pruneEveryMs` for the whole group | 1, and about 3 a stream |
 *
 * There is one stream for each name that a group takes, from when a subscriber of it has first fetched, and one for
 * what was put back by hand. A message of a name that no group takes is unroutable: it makes no stream. At a batch of
 * 50 that makes 1.04 commands for a message. What is sent twice, because the client's first request had
 * effect and its answer was lost, is in the stream twice with the same id, and the inbox takes it once.
 *
 * @module
 */
import { checkText, IDENTIFIER } from "../../../core/check_text.ts";
import { HEADER } from "../../../core/message/headers.ts";
import {
  MAX_BODY_BYTES,
  type Message,
  type MessageHeaders,
} from "../../../core/message/message.ts";
import type { AbortSignalLike } from "../../../core/ports/platform.ts";
import type {
  Receiver,
  SendResult,
  Transport,
  TransportCapabilities,
} from "../../../core/ports/transport.ts";
import type { PullRequest, PullResult } from "../../../core/ports/pull.ts";
import { settingsOf, type StreamSettings, type UpstashStreamTransportOptions } from "./options.ts";
import { type ParkedMessage, Parking } from "./parking.ts";
import { Pull } from "./pull.ts";
import { removeGroup } from "./remove_group.ts";
import { carries, send } from "./send.ts";

/** How many messages one call takes: what one pipeline comfortably carries. */
const MAX_BATCH = 500;

/** The transport over Redis Streams. */
export interface UpstashStreamTransport extends Transport {
  /** Fetches what has come for this group; see {@linkcode PullRequest}. */
  pull(request: PullRequest, deliver: Receiver["deliver"]): Promise<PullResult>;
  /** What this group has set aside, in no order: up to about `limit`, 100 if not given. */
  parked(limit?: number): Promise<ParkedMessage[]>;
  /**
   * Puts back what was set aside, by its place: this group, and no other, gets it again. With `force` it takes what it
   * refused as `too_old_to_deduplicate`.
   *
   * @throws {AtlastError} `not_found`.
   */
  requeue(parkedId: string, options?: { readonly force?: boolean }): Promise<void>;
  /** Drops what was set aside for good; false when it is not there. */
  discard(parkedId: string): Promise<boolean>;
  /**
   * Removes a group that will never fetch again: streams are kept for it as long as it is there. Everything
   * that it has not fetched is lost to it, and what it set aside is deleted. A stream of which it was the last group
   * is deleted: from then on its name is unroutable, until a group takes it again.
   */
  removeGroup(group: string): Promise<void>;
}

/**
 * Makes a transport over Redis Streams at Upstash: one stream for each name, one consumer group for each
 * service. Nothing blocks and nothing runs by itself: a bus fetches in its `tick`, or now and then once it is
 * started.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`.
 */
export function upstashStreamTransport(
  options: UpstashStreamTransportOptions,
): UpstashStreamTransport {
  return new StreamTransport(settingsOf(options));
}

class StreamTransport implements UpstashStreamTransport {
  readonly capabilities: TransportCapabilities = {
    maxBatch: MAX_BATCH,
    maxBodyBytes: MAX_BODY_BYTES,
  };
  readonly #settings: StreamSettings;
  readonly #parking: Parking;
  readonly #pull: Pull;

  constructor(settings: StreamSettings) {
    this.#settings = settings;
    this.#parking = new Parking(settings);
    this.#pull = new Pull(settings, this.#parking);
  }

  routes(name: string, headers: MessageHeaders = {}): boolean {
    // A URL is no stream.
    return headers[HEADER.destination] === undefined && carries(this.#settings, name);
  }

  async send(messages: readonly Message[], signal: AbortSignalLike): Promise<SendResult[]> {
    return await send(this.#settings, messages, signal);
  }

  async pull(request: PullRequest, deliver: Receiver["deliver"]): Promise<PullResult> {
    return await this.#pull.run(request, deliver);
  }

  async parked(limit: number = 100): Promise<ParkedMessage[]> {
    return await this.#parking.list(limit);
  }

  async requeue(
    parkedId: string,
    { force = false }: { readonly force?: boolean } = {},
  ): Promise<void> {
    await this.#parking.requeue(parkedId, force);
  }

  async discard(parkedId: string): Promise<boolean> {
    return await this.#parking.discard(parkedId);
  }

  async removeGroup(group: string): Promise<void> {
    checkText("a group", group, IDENTIFIER);
    await removeGroup(this.#settings, group);
  }

  /** There is nothing to give back: what this process holds, others take over. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
