/**
 * One attempt to deliver: the request, and its result.
 *
 * @module
 */
import { readBytes } from "../../http/read_body.ts";
import { toBase64 } from "../../core/wire/base64.ts";
import type { Account } from "./account.ts";
import { toHeaders } from "./headers.ts";
import type { AttemptResult, MessageRecord } from "./records.ts";
import type { Signer } from "./signer.ts";

/** The request of an attempt. It is signed anew, because an earlier signature may have expired. */
export async function deliveryRequest(
  account: Account,
  signer: Signer,
  message: MessageRecord,
  signal: AbortSignal,
): Promise<Request> {
  const { settings } = account;
  const headers = toHeaders(message.config.header);
  const signature = await signer.sign({
    key: account.keys.current,
    url: message.url,
    body: message.body,
    tokenId: account.newId("jwt"),
    nowMs: account.now(),
    notBefore: settings.assume.notBeforeClaim,
  });
  // Set last, so that no message can set its own.
  headers.set("User-Agent", "Upstash-QStash");
  headers.set("Upstash-Signature", signature);
  headers.set("Upstash-Message-Id", message.id);
  headers.set("Upstash-Retried", String(message.retried));
  headers.set("Upstash-Caller-Ip", message.config.callerIp);
  headers.set("Upstash-Region", settings.region);
  setOrDelete(headers, "Upstash-Schedule-Id", message.scheduleId);
  setOrDelete(headers, "Upstash-Topic-Name", message.topicName);
  const { method } = message.config;
  // fetch allows no body with GET.
  const body = method === "GET" ? null : message.body;
  const url = withoutCredentials(message.url, headers);
  return new Request(url, { method, headers, body, signal, redirect: "manual" });
}

/** Sends a request when it is its turn. Never throws: a missing answer is a result too. */
export async function sendRequest(
  account: Account,
  turn: Promise<Request>,
  signal: AbortSignal,
  onSetOut: () => void,
): Promise<AttemptResult> {
  const { fetch, limits } = account.settings;
  const ended = new Promise<never>((_, reject) => {
    const end = () => reject(new Error("ended"));
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
  ended.catch(() => {});
  try {
    // An app in this process may ignore the signal, so its answer is not awaited after the time limit.
    const request = await turn;
    const answer = (async () => await fetch(request))();
    onSetOut();
    const response = await Promise.race([answer, ended]);
    // The body of an answer, up to the plan's limit for messages.
    const read = readBytes(response.body, limits.maxMessageBytes, { truncates: true });
    const bytes = await Promise.race([read, ended]) ?? new Uint8Array();
    // An unread rest would keep the connection open.
    await response.body?.cancel().catch(() => {});
    return { status: response.status, headers: response.headers, body: bytes };
  } catch {
    return noAnswer(account, signal.aborted ? "request timed out" : "destination not reached");
  }
}

/** The result of an attempt without an answer. */
export function noAnswer(account: Account, error: string): AttemptResult {
  return {
    status: account.settings.assume.noAnswerStatus,
    headers: new Headers(),
    body: new Uint8Array(),
    error,
  };
}

/** Whether an answer says not to try again. */
export function isNonRetryable({ status, headers }: AttemptResult): boolean {
  return status === 489 && headers.get("upstash-nonretryable-error")?.toLowerCase() === "true";
}

/** The URL of a request without user information; Go, and so QStash, converts that to a header. */
function withoutCredentials(text: string, headers: Headers): string {
  const url = new URL(text);
  if (url.username === "" && url.password === "") return text;
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  if (!headers.has("authorization")) {
    headers.set("authorization", `Basic ${toBase64(new TextEncoder().encode(user))}`);
  }
  url.username = "";
  url.password = "";
  return url.toString();
}

function setOrDelete(headers: Headers, name: string, value: string | undefined): void {
  if (value === undefined) headers.delete(name);
  else headers.set(name, value);
}
