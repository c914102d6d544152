/**
 * Points at which a test holds work up, and learns that it got there.
 *
 * @module
 */

/** A door that is shut until it is opened, and counts who stands before it. */
export class Gate {
  #open: () => void = () => {};
  readonly #opened: Promise<void>;
  #arrived = 0;
  readonly #watchers: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor() {
    this.#opened = new Promise((resolve) => this.#open = resolve);
  }

  /** How many came to it, gone through or not. */
  get arrived(): number {
    return this.#arrived;
  }

  /** Waits until it is open. */
  async pass(): Promise<void> {
    this.#arrived += 1;
    for (const { count, resolve } of this.#watchers) if (this.#arrived >= count) resolve();
    await this.#opened;
  }

  /** Resolves when `count` have come. */
  async reached(count = 1): Promise<void> {
    if (this.#arrived >= count) return;
    await new Promise<void>((resolve) => this.#watchers.push({ count, resolve }));
  }

  /** Lets all through, now and later. */
  open(): void {
    this.#open();
  }
}

/** Lets everything run that needs no clock: for tests that show that something does not happen. */
export async function quiet(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}
