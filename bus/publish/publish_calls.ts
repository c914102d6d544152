/**
 * The methods of a bus that publish.
 *
 * @module
 */
import type { BodyInput, Contract, ReplyInput } from "../../core/message/contract.ts";
import { isRecord } from "../../core/check_options.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import type { InFlight } from "../async/in_flight.ts";
import { mustNotBeStopped, type Phase } from "../run_state.ts";
import type { Publisher } from "./publisher.ts";
import type { PublishOptions } from "../api/publish_options.ts";
import type { RawMessage, RawOptions } from "../api/raw_message.ts";
import type { Receipt } from "../api/publish_options.ts";

/** The part of a bus that hands messages to {@linkcode Publisher}; see `Bus` for what each call does. */
export abstract class PublishCalls<Tx> {
  protected abstract readonly publisher: Publisher<Tx>;
  protected abstract readonly calls: InFlight;
  protected abstract readonly phase: Phase;

  publish<C extends Contract>(
    contract: C,
    body: BodyInput<C>,
    options: PublishOptions<Tx, ReplyInput<C>> = {},
  ): Promise<Receipt> {
    return this.#publishing(options, (joined) => this.publisher.publish(contract, body, joined));
  }

  publishMany<C extends Contract>(
    contract: C,
    bodies: readonly BodyInput<C>[],
    options: Omit<PublishOptions<Tx, ReplyInput<C>>, "id"> & { readonly ids?: readonly string[] } =
      {},
  ): Promise<Receipt[]> {
    return this.#publishing(
      options,
      (joined) => this.publisher.publishMany(contract, bodies, joined),
    );
  }

  publishRaw(message: RawMessage, options: RawOptions<Tx> = {}): Promise<Receipt> {
    return this.#publishing(options, (joined) => this.publisher.publishRaw(message, joined));
  }

  /** Adds a publish to its transaction when it is called, before it is stored. */
  #publishing<Options extends { readonly tx?: Tx | SqlClient }, Result>(
    options: Options,
    publish: (joined: Options) => Promise<Result>,
  ): Promise<Result> {
    // The options are checked further on, where the publish may reject.
    const tx = isRecord(options) ? options.tx : undefined;
    return this.publisher.runIn(tx ?? undefined, async () => {
      mustNotBeStopped(this.phase, "publish");
      const joined = tx === undefined || tx === null
        ? options
        : { ...options, tx: this.publisher.joining(tx) };
      return await this.calls.during(() => publish(joined));
    });
  }
}
