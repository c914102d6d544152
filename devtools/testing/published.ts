/**
 * Reads what was published, decoded as its subscribers get it, and asserts on it.
 *
 * @module
 */
import { aFlag } from "../../core/check_options.ts";
import type { BodyOutput, Contract, Schema } from "../../core/message/contract.ts";
import { checkContract } from "../../core/message/contract.ts";
import { HEADER } from "../../core/message/headers.ts";
import type { Message, MessageHeaders } from "../../core/message/message.ts";
import { decodeBody } from "../../bus/publish/body_codec.ts";
import { matchesPart, type PartOf } from "./part_of.ts";

/** A message that was published. */
export interface PublishedMessage<Body = unknown> {
  /** Its id. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** Its body, as a subscriber gets it. Without a contract it is what the JSON says. */
  readonly body: Body;
  /** Its headers. */
  readonly headers: MessageHeaders;
  /** For how many milliseconds its delivery was delayed. */
  readonly delayMs: number;
  /** After how many milliseconds it is not delivered any more; null for no deadline. */
  readonly deadlineMs: number | null;
  /** The name under which its replies are published; null for none. */
  readonly callback: string | null;
  /** The name of its failure callback; null for none. */
  readonly failureCallback: string | null;
}

/**
 * Which of the published messages: a part of the body, whose fields must be equal, or a function that returns whether
 * it is the one.
 */
export type Expected<Body> = PartOf<Body> | ((message: PublishedMessage<Body>) => boolean);

/** What was published, and assertions on it. */
export interface Publications {
  /**
   * Returns the messages of a contract that were published, in their order, with typed bodies.
   *
   * @throws {ContractError} When one of them does not fit the contract.
   */
  published<C extends Contract>(contract: C): Promise<PublishedMessage<BodyOutput<C>>[]>;
  /** Returns all messages that were published, in their order. */
  published(): Promise<PublishedMessage[]>;
  /**
   * Returns the first message of a contract that was published and is as expected.
   *
   * @throws {Error} If there is none. Its text lists what was published.
   * @throws {AtlastError} `invalid_option` if the function returns neither true nor false, such as a promise.
   */
  assertPublished<C extends Contract>(
    contract: C,
    expected?: Expected<BodyOutput<C>>,
  ): Promise<PublishedMessage<BodyOutput<C>>>;
  /**
   * Asserts that no message of a contract was published, or none that is as expected.
   *
   * @throws {Error} If there is one. Its text lists what was published.
   * @throws {AtlastError} `invalid_option` as `assertPublished`.
   */
  assertNotPublished<C extends Contract>(
    contract: C,
    expected?: Expected<BodyOutput<C>>,
  ): Promise<void>;
}

/** A message as it was stored or recorded. */
export interface PublishedSource {
  readonly message: Message;
  /** In Unix milliseconds. */
  readonly deadlineMs: number | null;
}

/** How many messages an error shows. */
const MAX_SHOWN = 20;
/** The longest body in an error, in characters. */
const MAX_BODY = 200;

/** The schema of a message without a contract. */
const ANY_BODY: Schema = {
  "~standard": { version: 1, vendor: "atlast", validate: (value) => ({ value }) },
};

/** Makes the publications of a source: all of a name, or of every name. */
export function publicationsOf(
  read: (name?: string) => Promise<readonly PublishedSource[]>,
): Publications {
  async function published<C extends Contract>(
    contract?: C,
  ): Promise<PublishedMessage<BodyOutput<C>>[]> {
    if (contract !== undefined) checkContract(contract, "read what was published with");
    const sources = await read(contract?.name);
    return await Promise.all(sources.map(async (source) => ({
      ...publishedOf(source),
      body: await decodeBody(contract?.body ?? ANY_BODY, source.message) as BodyOutput<C>,
    })));
  }

  async function matching<C extends Contract>(
    contract: C,
    expected: Expected<BodyOutput<C>> | undefined,
  ): Promise<PublishedMessage<BodyOutput<C>>[]> {
    // Undefined, as of a wrong import, would stand for all messages.
    checkContract(contract, "assert on what was published with");
    const messages = await published(contract);
    if (expected === undefined) return messages;
    if (typeof expected !== "function") {
      return messages.filter(({ body }) => matchesPart(body, expected));
    }
    const isExpected = expected as (message: PublishedMessage<BodyOutput<C>>) => boolean;
    return messages.filter((message) => {
      const answer = isExpected(message);
      // A promise, which is true in a condition, would make every message the expected one.
      aFlag("what the function returned", answer, "assert with");
      return answer;
    });
  }

  async function fail(what: string): Promise<never> {
    throw new Error(`${what}\n${listed(await read())}`);
  }

  return {
    published,
    async assertPublished(contract, expected) {
      const [first] = await matching(contract, expected);
      return first ?? await fail(
        `"${contract.name}"${textOf(expected)} was not published, want it published.`,
      );
    },
    async assertNotPublished(contract, expected) {
      const { length } = await matching(contract, expected);
      if (length === 0) return;
      const times = length === 1 ? "once" : `${length} times`;
      await fail(`"${contract.name}"${textOf(expected)} was published ${times}, want it never.`);
    },
  };
}

function publishedOf({ message, deadlineMs }: PublishedSource): Omit<PublishedMessage, "body"> {
  const { id, name, headers, sentAtMs } = message;
  return {
    id,
    name,
    headers,
    delayMs: Number(headers[HEADER.delayTime] ?? 0),
    deadlineMs: deadlineMs === null ? null : deadlineMs - sentAtMs,
    callback: headers[HEADER.callbackName] ?? null,
    failureCallback: headers[HEADER.failureCallbackName] ?? null,
  };
}

function textOf(expected: unknown): string {
  if (expected === undefined) return "";
  return typeof expected === "function" ? " that is as expected" : ` with ${short(expected)}`;
}

function listed(sources: readonly PublishedSource[]): string {
  if (sources.length === 0) return "Nothing was published.";
  const lines = sources.slice(0, MAX_SHOWN).map(({ message }, i) => {
    const { id, name, body } = message;
    const text = typeof body === "string" ? clipped(body) : `${body.length} bytes`;
    return `  ${i + 1}. ${name} ${text} (id "${id}")`;
  });
  if (sources.length > MAX_SHOWN) lines.push(`  … and ${sources.length - MAX_SHOWN} more`);
  return ["Published:", ...lines].join("\n");
}

function short(value: unknown): string {
  const plain = (_key: string, each: unknown) => typeof each === "bigint" ? `${each}n` : each;
  return clipped(JSON.stringify(value, plain) ?? String(value));
}

function clipped(text: string): string {
  return text.length > MAX_BODY ? `${text.slice(0, MAX_BODY)}…` : text;
}
