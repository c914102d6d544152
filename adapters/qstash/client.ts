/**
 * The official client, and how the adapter creates it.
 *
 * @module
 */
import { Client } from "@upstash/qstash";
import { anything, type OptionCheck, withMethods } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { checkedUrl } from "../../http/url.ts";

/** The part of the official `Client` of `@upstash/qstash` that is used. */
export interface QstashClient {
  /** Publishes one message. */
  publish(request: never): Promise<unknown>;
  /** Publishes many. */
  batch(requests: never): Promise<unknown[]>;
  /** Dead-lettered messages of QStash. */
  readonly dlq: {
    /** Lists them. */
    listMessages(options: never): Promise<{ readonly messages: readonly { dlqId: string }[] }>;
    /** Has them delivered again. */
    retry(dlqIds: never): Promise<unknown>;
  };
  /** Schedules: messages that are sent repeatedly. */
  readonly schedules: {
    /** Creates one, or replaces the one with its id. */
    create(request: never): Promise<unknown>;
    /** Reads one. */
    get(scheduleId: string): Promise<unknown>;
  };
}

/** How to reach QStash: with the official client, or with a token to create one. */
export interface QstashAccess {
  /** An instance of the official client. */
  readonly client?: QstashClient;
  /** The token, from the QStash console; instead of a client. */
  readonly token?: string;
  /**
   * The URL of QStash.
   *
   * @default "https://qstash.upstash.io"
   */
  readonly baseUrl?: string | URL;
}

/** The checks of these options, which are checked where they are read. */
export const QSTASH_ACCESS: Readonly<Record<keyof QstashAccess, OptionCheck>> = {
  client: anything,
  token: anything,
  baseUrl: anything,
};

/** The URL of QStash in its first region. */
export const QSTASH_URL = "https://qstash.upstash.io";

/**
 * The client of the options, or a new one. A new one gets every option explicitly, so that no environment
 * variable is used, and does not retry, because the outbox does.
 *
 * @throws {AtlastError} `invalid_option`, which never shows the token.
 */
export function clientOf({ client, token, baseUrl = QSTASH_URL }: QstashAccess): QstashClient {
  if (client !== undefined) {
    withMethods("publish", "batch")("client", client, "use");
    if (token === undefined) return client;
    throw new AtlastError("invalid_option", "Cannot use client and token: want one of them");
  }
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    throw new AtlastError(
      "invalid_option",
      "Cannot reach QStash without client or token: want the token as its console shows it",
    );
  }
  return new Client({
    token,
    baseUrl: checkedUrl(baseUrl, "the option baseUrl").replace(/\/$/, ""),
    devMode: false,
    enableTelemetry: false,
    retry: false,
  });
}
