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
 * | acknowledging, for each stream | 1 |
 * | the first `pull` of a process, which checks whose turn it is | 1 more |
 * | looking for entries of dead processes, once in `takeOverEveryMs` for the whole group | 1, and 1 a stream
 * |
 * | a pattern among the subscriptions, once a minute and process | 2 |
 * | trimming and removing consumers, once in `pruneEveryMs` for the whole group | 1, and about 3 a stream |
 *
 * There is one stream for each name that a group takes, created at the first fetch of a subscriber, and one
 * for requeued messages. A message of a name that no group takes is unroutable and creates no stream. In
 * batches of 50 a message costs 1.04 commands. A message that is sent twice, because the first answer was
 * lost, is in the stream twice with the same id, and the inbox takes it once.
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

/** How many messages one call takes: a number that fits well into one pipeline. */
const MAX_BATCH = 500;

/** The transport over Redis Streams. */
export interface UpstashStreamTransport extends Transport {
  /** Fetches new messages of this group; see {@linkcode PullRequest}. */
  pull(request: PullRequest, deliver: Receiver["deliver"]): Promise<PullResult>;
  /** The parked messages of this group, in no order: up to about `limit`, by default 100. */
  parked(limit?: number): Promise<ParkedMessage[]>;
  /**
   * Requeues a parked message, by its id: this group, and no other, gets it again. With `force` it accepts a
   * message that it refused as `too_old_to_deduplicate`.
   *
   * @throws {AtlastError} `not_found`.
   */
  requeue(parkedId: string, options?: { readonly force?: boolean }): Promise<void>;
  /** Deletes a parked message; false when it does not exist. */
  discard(parkedId: string): Promise<boolean>;
  /**
   * Removes a group that will never fetch again; until then, entries are kept for it. It loses everything
   * that it has not fetched, and its parked messages are deleted. Streams without another group are deleted:
   * their names are unroutable until a group takes them again.
   */
  removeGroup(group: string): Promise<void>;
}

/**
 * Makes a transport over Redis Streams at Upstash: one stream for each name, one consumer group for each
 * service. The transport makes no blocking calls and has no background work: a bus fetches in `tick`, or
 * periodically while it runs.
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
    // A URL has no stream.
    return headers[HEADER.destination] === undefined && carries(this.#settings, name);
  }

  async send(messages: readonly Message[], signal: AbortSignalLike): Promise<SendResult[]> {
    return await send(this.#settings, messages, signal);
  }

  async pull(request: PullRequest, deliver: Receiver["deliver"]): Promise<PullResult> {
    return await this.#pull.run(request, deliver);
  }

  async ready(): Promise<void> {
    await this.#settings.redis.exec(["PING"]);
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

  /** There is nothing to release: other processes take over the pending entries of this one. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
