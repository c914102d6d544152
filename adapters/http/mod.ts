/**
 * Messages over HTTP: a transport that sends them in signed requests, and the verifier for the service that
 * receives them.
 *
 * @module
 */
export { httpCheckBack, type HttpCheckBackOptions } from "./check_back.ts";
export {
  DEFAULT_MAX_BATCH,
  DEFAULT_TIMEOUT_MS,
  httpTransport,
  type HttpTransportOptions,
} from "./http_transport.ts";
export { verifySignature, type VerifySignatureOptions } from "../../http/signature.ts";
export type { HttpDestination } from "./destinations.ts";
export type { HttpRoute, HttpRoutes, HttpTarget } from "./routes.ts";
export type { HttpAnswers, HttpFormat } from "./target.ts";
export type { Fetch } from "../../http/post.ts";
export type { RequestToVerify, Verify, VerifyRefusal, VerifyResult } from "../../core/wire/wire.ts";
export type { Principal, PrincipalKind } from "../../core/principal.ts";
export type { Message, MessageBody, MessageHeaders } from "../../core/message/message.ts";
export type { AbortSignalLike, Clock, HeaderReader } from "../../core/ports/platform.ts";
export type {
  DeliveryResult,
  Receiver,
  SendResult,
  Transport,
  TransportCapabilities,
} from "../../core/ports/transport.ts";
