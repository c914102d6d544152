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

/** How many messages are put into the inbox in one statement. */
const MAX_BATCH = 1_000;

/** What {@linkcode sharedStoreTransport} takes. */
export interface SharedStoreTransportOptions {
  /**
   * The groups that take messages of a name in other processes, such as workers beside an API. What the
   * buses of this process subscribe to need not be named.
   */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
}

/**
 * Makes a transport for subscribers that use the publisher's own store, in this process or another. A
 * message is one record in the inbox of each group, added in the publisher's transaction, where another
 * transport needs a record in the outbox and one in the inbox. What follows from that: a message that is
 * published is delivered, so `cancel` does not find it, unless it is delayed; and `retry` of a publish,
 * which is for sending, says nothing. On a store without transactions it goes by the outbox all the same.
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
    // A URL is nothing that a group of this store could be.
    return headers[HEADER.destination] === undefined && this.groupsHere(name) !== null;
  }

  groupsHere(name: string): readonly string[] | null {
    const groups = new Set(this.#groups.get(name));
    for (const receiver of this.#receivers) {
      for (const group of receiver.groupsOf?.(name) ?? []) groups.add(group);
    }
    return groups.size === 0 ? null : [...groups];
  }

  /** A bus has what it can route here stored, and never sends it. */
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
