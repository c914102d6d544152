/**
 * The option `sharedStore`: which groups take a message from the store of this bus, so that it is stored in their
 * inbox and not sent.
 *
 * @module
 */
import { optionError } from "../../core/check_option.ts";
import { anything, isRecord, nested } from "../../core/check_options.ts";
import { checkText, IDENTIFIER } from "../../core/check_text.ts";
import { AtlastError } from "../../core/errors.ts";
import { HEADER } from "../../core/message/headers.ts";
import type { MessageHeaders } from "../../core/message/message.ts";
import { checkName } from "../../core/message/name.ts";
import type { Transport } from "../../core/ports/transport.ts";
import type { SharedStoreOptions } from "../api/shared_store_options.ts";
import { hasRoute } from "./check_answers.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** Finds the groups that use the store of this bus. */
export class SharedStore<Tx> {
  readonly #groups: ReadonlyMap<string, readonly string[]>;
  readonly #subscriptions: Subscriptions<Tx>;

  constructor({ groups = {} }: SharedStoreOptions, subscriptions: Subscriptions<Tx>) {
    this.#groups = new Map(Object.entries(groups));
    this.#subscriptions = subscriptions;
  }

  /**
   * The groups that take a message with this name and these headers from the store; null when none does. A message
   * to a destination of its own is for the transport.
   */
  groupsOf(name: string, headers: MessageHeaders): readonly string[] | null {
    if (headers[HEADER.destination] !== undefined) return null;
    const groups = new Set([
      ...this.#groups.get(name) ?? [],
      ...this.#subscriptions.of(name).keys(),
    ]);
    return groups.size === 0 ? null : [...groups];
  }
}

/**
 * Reads the option `sharedStore`; null when it is off.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`.
 */
export function sharedStoreOf<Tx>(
  option: boolean | SharedStoreOptions | undefined,
  subscriptions: Subscriptions<Tx>,
): SharedStore<Tx> | null {
  if (option === undefined || option === false) return null;
  const options: SharedStoreOptions = option === true ? {} : option;
  checkGroups(options);
  return new SharedStore(options, subscriptions);
}

/** The routes of a bus: the groups that use its store, and what its transport sends. */
export function routingOf<Tx>(
  transport: Transport,
  sharedStore: SharedStore<Tx> | null,
): Pick<Transport, "routes"> {
  if (sharedStore === null) return transport;
  return {
    routes: (name, headers = {}) =>
      sharedStore.groupsOf(name, headers) !== null || hasRoute(transport, name, headers),
  };
}

function checkGroups(options: SharedStoreOptions): void {
  const { groups = {} }: { groups?: unknown } = isRecord(options) ? options : { groups: null };
  if (!isRecord(groups)) {
    throw new AtlastError(
      "invalid_option",
      "Cannot make a bus with this sharedStore: want true, or { groups } with lists of groups by message name",
    );
  }
  nested({ groups: anything })("sharedStore", options, "make a bus with");
  for (const [name, list] of Object.entries(groups)) {
    checkName(name);
    const option = `sharedStore.groups[${JSON.stringify(name)}]`;
    if (!Array.isArray(list)) {
      throw optionError("make a bus with", option, list, "a list of groups");
    }
    for (const group of list) checkText("a group", group, IDENTIFIER);
  }
}
