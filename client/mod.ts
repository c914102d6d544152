/**
 * Half messages for a service that does not embed the bus: a small client of the service that keeps them.
 *
 * @module
 */
export { type Client, type ClientOptions, createClient } from "./client.ts";
export { CLIENT_RETRY } from "./options.ts";
export type { Fetch } from "../core/http/post.ts";
export type { HalfOptions } from "../core/bus/bus.ts";
export type { HalfStatus } from "../core/bus/half_keeper.ts";
export type { HalfMessage, HalfOutcome } from "../core/bus/half_message.ts";
