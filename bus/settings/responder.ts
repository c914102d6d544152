/**
 * The name under which this service replies. The ids of its replies are derived from it, so that the replies of
 * two services to one message have different ids.
 *
 * @module
 */
import { checkText, IDENTIFIER } from "../../core/check_text.ts";
import type { Store } from "../../core/ports/store.ts";

/**
 * Checks the name of a service.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkService(service: string): void {
  checkText("the name of a service", service, IDENTIFIER);
}

/** The name under which a bus answers. */
export class Responder {
  readonly #store: Pick<Store, "serviceId">;
  #name: string | null;

  /**
   * Makes a responder.
   *
   * @param service The name; the random id that the store keeps if not given.
   * @throws {AtlastError} `invalid_option`.
   */
  constructor(service: string | undefined, store: Pick<Store, "serviceId">) {
    if (service !== undefined) checkService(service);
    this.#name = service ?? null;
    this.#store = store;
  }

  /** Whether the name is known without asking the store. */
  get isKnown(): boolean {
    return this.#name !== null;
  }

  /**
   * The name. Asks the store once; ask before a transaction begins, because a store with a single connection would
   * wait for itself.
   */
  async name(): Promise<string> {
    return this.#name ??= await this.#store.serviceId();
  }
}
