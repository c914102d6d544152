/**
 * `verify` compares the outboxes, inboxes and fences of services, and reports what does not fit: for operators, after a
 * restore or a failover.
 *
 * @module
 */
export { type Verification, verify } from "./verify.ts";
export type { Finding, FindingKind, FindingProblem } from "./finding.ts";
export type { NotJudged, VerifySummary } from "./summary.ts";
export type {
  ReadableFence,
  ReadableStore,
  Subscription,
  VerifiedService,
  VerifyOptions,
} from "./verify_options.ts";
