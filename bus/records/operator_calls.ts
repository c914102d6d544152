/**
 * The methods of a bus that change single records by hand.
 *
 * @module
 */
import type { SqlClient } from "../../core/ports/platform.ts";
import type { WhichMessage } from "../api/bus.ts";
import type { Cancellation } from "../api/cancellation.ts";
import { HalfCalls } from "../half/half_calls.ts";
import { moveOf, retryOf, sendNowOf, transactionOf } from "../settings/call_options.ts";
import type { Settings } from "../settings/settings.ts";
import { cancel, type ClaimedToSend } from "./cancel.ts";
import type { Move, Moved, Orphans } from "../api/orphans.ts";
import type { OrphanWatch } from "../work/orphans.ts";
import { moveToGroup } from "./move_to_group.ts";
import { retry } from "./retry_by_hand.ts";
import { sendNow } from "./send_now.ts";
import type { Target } from "./target.ts";

/** The part of a bus that operators call; see `Bus` for what each call does. */
export abstract class OperatorCalls<Tx, BusinessTx> extends HalfCalls<Tx, BusinessTx> {
  protected abstract readonly settings: Settings<Tx>;
  /** The records that this process has claimed for sending. */
  protected abstract readonly claimedToSend: ClaimedToSend;

  protected abstract readonly orphanWatch: OrphanWatch<Tx>;

  /** Called after records were made due. */
  protected abstract madeDue(target: Target): void;

  async cancel(id: string, options?: { readonly tx?: Tx | SqlClient }): Promise<Cancellation> {
    const tx = transactionOf(options);
    return await this.publisher.runIn(tx, async () => {
      const joined = tx === undefined ? tx : this.publisher.joining(tx);
      return await this.calls.during(() => cancel(this.settings, this.claimedToSend, id, joined));
    });
  }

  async sendNow(message: WhichMessage | string): Promise<void> {
    const which = sendNowOf(message);
    await this.calls.during(async () => {
      await sendNow(this.settings, which);
      this.madeDue({ ...which, name: null });
    });
  }

  async moveToGroup(move: Move): Promise<Moved> {
    const checked = moveOf(move);
    return await this.calls.during(async () => {
      const moved = await moveToGroup(this.settings, checked);
      this.madeDue({ box: "inbox", group: checked.to, name: null });
      return moved;
    });
  }

  async orphans(): Promise<readonly Orphans[]> {
    return await this.calls.during(async () => {
      await this.settings.store.ready();
      return await this.orphanWatch.look();
    });
  }

  async retry(
    message: WhichMessage,
    options?: { readonly force?: boolean },
  ): Promise<void> {
    const { box, id, group, force } = retryOf(message, options);
    await this.calls.during(async () => {
      await retry(this.settings, box, { id, group }, force);
      this.madeDue({ box, group, name: null });
    });
  }
}
