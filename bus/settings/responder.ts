/**
 * The name under which this service replies. The ids of its replies are derived from it, so that the replies of
 * two services to one message have different ids.
 *
 * @module
 */
import type { Store } from "../../core/ports/store.ts";

/** Provides the name under which a bus sends replies and failure callbacks. */
export class Responder {
  readonly #store: Pick<Store, "serviceId">;
  #name: string | null;

  /**
   * Creates a responder.
   *
   * @param service The name; undefined for the random id that the store keeps.
   */
  constructor(service: string | undefined, store: Pick<Store, "serviceId">) {
    this.#name = service ?? null;
    this.#store = store;
  }

  /** Whether the name is known without a call to the store. */
  get isKnown(): boolean {
    return this.#name !== null;
  }

  /**
   * The name. Reads it from the store once. Call it before a transaction begins: on a store with a
   * single connection, a read within the transaction would deadlock.
   */
  async name(): Promise<string> {
    return this.#name ??= await this.#store.serviceId();
  }
}
