/**
 * Half messages for a service without a bus: a small client of the service that keeps them.
 *
 * @module
 */
export { type Client, createClient } from "./client.ts";
export { type ClientOptions } from "./client_options.ts";
export { CLIENT_RETRY } from "./options.ts";
export type { Fetch } from "../http/post.ts";
export type { HalfMessageOptions } from "../bus/api/bus.ts";
export type { HalfStatus } from "../core/ports/half_keeper.ts";
export type { HalfMessage, HalfOutcome } from "../bus/api/half_message.ts";
