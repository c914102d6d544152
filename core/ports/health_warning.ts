/**
 * What an operator should mend although the bus works.
 *
 * @module
 */

/** A warning of `health()`. It names no host, user, message or body. */
export interface HealthWarning {
  /** Its kind, such as `autovacuum_off`, for alerts. */
  readonly code: string;
  /** What is wrong and what to do, for an operator. */
  readonly message: string;
}
