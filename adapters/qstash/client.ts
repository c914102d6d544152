/**
 * The official client, and how the adapter creates it.
 *
 * @module
 */
import { Client } from "@upstash/qstash";
import { AtlastError } from "../../core/errors.ts";
import { checkedUrl } from "../../http/url.ts";

/** The part of the official `Client` of `@upstash/qstash` that is used; the client itself fits. */
export interface QstashClient {
  /** Publishes one message. */
  publish(request: never): Promise<unknown>;
  /** Publishes many. */
  batch(requests: never): Promise<unknown[]>;
  /** Messages that QStash has given up. */
  readonly dlq: {
    /** Lists them. */
    listMessages(options: never): Promise<{ readonly messages: readonly { dlqId: string }[] }>;
    /** Has them delivered again. */
    retry(dlqIds: never): Promise<unknown>;
  };
  /** Messages that come again and again. */
  readonly schedules: {
    /** Makes one, in the place of the one with its id. */
    create(request: never): Promise<unknown>;
    /** Reads one. */
    get(scheduleId: string): Promise<unknown>;
  };
}

/** How QStash is reached: with the official client, or a token to make one with. */
export interface QstashAccess {
  /** The official client, as you made it. */
  readonly client?: QstashClient;
  /** The token, from the QStash console; for those who bring no client. */
  readonly token?: string;
  /**
   * Where QStash is.
   *
   * @default "https://qstash.upstash.io"
   */
  readonly baseUrl?: string | URL;
}

/** Where QStash is, in its first region. */
export const QSTASH_URL = "https://qstash.upstash.io";

/**
 * The client that the options bring or ask for. Everything is said, so that no environment variable says
 * something else. It does not try again by itself: the outbox does.
 *
 * @throws {AtlastError} `invalid_option`, which never shows the token.
 */
export function clientOf({ client, token, baseUrl = QSTASH_URL }: QstashAccess): QstashClient {
  if (client !== undefined) {
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
