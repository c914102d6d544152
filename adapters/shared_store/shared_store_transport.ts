/**
 * The transport for subscribers that use the publisher's own store.
 *
 * @module
 */
import { HEADER } from "../../core/message/headers.ts";
import { MAX_BODY_BYTES, type Message, type MessageHeaders } from "../../core/message/message.ts";
import { checkName } from "../../core/message/name.ts";
import { receiversAfterClose } from "../../core/ports/receivers.ts";
import type {
  Receiver,
  SendResult,
  Transport,
  TransportCapabilities,
} from "../../core/ports/transport.ts";

/** How many messages are added to the inbox in one statement. */
const MAX_BATCH = 1_000;

/** What {@linkcode sharedStoreTransport} takes. */
export interface SharedStoreTransportOptions {
  /**
   * The groups of other processes that take messages of a name, such as the workers of an API. Subscribers of
   * this process need not be listed.
   */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
}

/**
 * Makes a transport for subscribers that use the publisher's own store, in this process or another. A message
 * is one record in the inbox of each group, added in the publisher's transaction, where another transport
 * needs a record in the outbox and one in the inbox. So a published message is already in the inbox, and
 * `cancel` finds it only while it is delayed. The option `retry` of a publish, which is for sending, has no
 * effect. On a store without transactions a message goes through the outbox.
 *
 * @example
 * ```ts ignore
 * const transport = sharedStoreTransport({ groups: { "order.placed": ["inventory", "mail"] } });
 * const bus = createBus({ store: postgresStore(sql), transport });
 * ```
 * @throws {AtlastError} `invalid_name`.
 */
export function sharedStoreTransport(options: SharedStoreTransportOptions = {}): Transport {
  return new SharedStoreTransport(options.groups ?? {});
}

class SharedStoreTransport implements Transport {
  readonly capabilities: TransportCapabilities = {
    maxBatch: MAX_BATCH,
    maxBodyBytes: MAX_BODY_BYTES,
  };
  readonly #groups: ReadonlyMap<string, readonly string[]>;
  #receivers = new Set<Receiver>();

  constructor(groups: Readonly<Record<string, readonly string[]>>) {
    for (const name of Object.keys(groups)) checkName(name);
    this.#groups = new Map(Object.entries(groups));
  }

  attach(receiver: Receiver): void {
    this.#receivers.add(receiver);
  }

  routes(name: string, headers: MessageHeaders = {}): boolean {
    // A group of this store has no URL.
    return headers[HEADER.destination] === undefined && this.groupsHere(name) !== null;
  }

  groupsHere(name: string): readonly string[] | null {
    const groups = new Set(this.#groups.get(name));
    for (const receiver of this.#receivers) {
      for (const group of receiver.groupsOf?.(name) ?? []) groups.add(group);
    }
    return groups.size === 0 ? null : [...groups];
  }

  /** A bus stores messages that have a route here, and never sends them. */
  send(messages: readonly Message[]): Promise<SendResult[]> {
    return Promise.resolve(messages.map(({ name }) => ({
      kind: "unroutable",
      reason: `Cannot send ${JSON.stringify(name)}: no group is known to take it from this store`,
    })));
  }

  close(receiver?: Receiver): Promise<void> {
    this.#receivers = receiversAfterClose(this.#receivers, receiver);
    return Promise.resolve();
  }
}
