/**
 * What differs between stores. The bus reads it here, and never from the presence of a method.
 *
 * @module
 */

/** What a store can do. */
export interface StoreCapabilities {
  /**
   * Whether a handler's writes, its inbox mark and its reply can commit together: the store has `Store.findMany`, and
   * `Store.transaction` runs one. If false, the effect of a handler that dies between its work and its mark may happen
   * twice.
   */
  readonly transactions: boolean;
  /** Whether records outlive the process. */
  readonly durable: boolean;
  /**
   * Whether other processes can add to the store, so that a bus must look for work it did not make.
   */
  readonly shared: boolean;
  /**
   * Whether a settlement and what goes with it can be one atomic step without a transaction: the store has
   * `Store.settleAndAdd` and `Store.addAll`. The bus uses it where `transactions` is false.
   *
   * @default false
   */
  readonly atomicSettleAndAdd?: boolean;
  /**
   * Whether a transaction can end with settlements whose answers are not waited for: the store has
   * `Store.settleAsLast`.
   *
   * @default false
   */
  readonly deferredSettle?: boolean;
  /**
   * Whether a transaction can begin when it is first used, so that handlers that do not use it cost none: the store has
   * `Store.transactionOnUse`.
   *
   * @default false
   */
  readonly lazyTransactions?: boolean;
  /**
   * Whether processes that use the store learn of new work in it: the store has `Store.notify` and
   * `Store.listen`. Without it a bus polls.
   *
   * @default false
   */
  readonly notifications?: boolean;
}
