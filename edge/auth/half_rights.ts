/**
 * Checks what a principal may do with the half messages of this keeper.
 *
 * @module
 */
import { isRecord } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { HEADER } from "../../core/message/headers.ts";
import type { Message } from "../../core/message/message.ts";
import { checkPattern, matchesName } from "../../core/message/name.ts";
import type { Principal } from "../../core/principal.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import { Refusal } from "../http/status.ts";

/** Names or patterns of names: one list for all participants, or one for each. */
export type HalfNames =
  | readonly string[]
  | Readonly<Record<string, readonly string[]>>;

/** The rights of principals, by a list of names. */
export class HalfRights {
  readonly #names: HalfNames | undefined;

  /**
   * Creates the rights from the list.
   *
   * @throws {AtlastError} `invalid_name` for an invalid pattern, `invalid_option` for an invalid
   * list.
   */
  constructor(names: HalfNames | undefined) {
    this.#names = names;
    if (names === undefined) return;
    const lists: readonly unknown[] = isOne(names)
      ? [names]
      : isRecord(names)
      ? Object.values(names)
      : [null];
    for (const list of lists) {
      if (!Array.isArray(list)) {
        throw new AtlastError(
          "invalid_option",
          `Cannot use names of half messages: want a list such as ["order.*"], or one for each participant`,
        );
      }
      list.forEach(checkPattern);
    }
  }

  /**
   * Refuses a principal that may not act for a participant.
   *
   * @throws {Refusal} 403.
   */
  checkParticipant({ kind, name }: Principal, participant: string): void {
    if (kind === "service" || (kind === "participant" && name === participant)) return;
    throw forbidden(
      kind === "participant"
        ? `touch half messages of "${participant}": want those of "${name}"`
        : `touch half messages: want a principal that is a participant, or one of our own services`,
    );
  }

  /**
   * Refuses a half message that a principal may not prepare here.
   *
   * @throws {Refusal} 403.
   */
  checkDraft(principal: Principal, { name, headers }: Message): void {
    const participant = headers[HEADER.participant] ?? "";
    this.checkParticipant(principal, participant);
    const isOwn = principal.kind === "service";
    const patterns = this.#patternsOf(participant);
    if (patterns === undefined ? !isOwn : !isListed(patterns, name)) {
      throw forbidden(`prepare "${name}": it is not open to participant "${participant}" here`);
    }
    if (isOwn) return;
    // The reply is sent with our routes and keys.
    for (const header of [HEADER.callbackName, HEADER.failureCallbackName]) {
      const callback = headers[header] ?? "";
      if (callback !== "" && !isListed(principal.callbackNames ?? [], callback)) {
        throw forbidden(`ask for callback "${callback}": it is not open to "${participant}" here`);
      }
    }
    if (headers[HEADER.destination] !== undefined) {
      throw forbidden(`choose a destination: want a message that goes where its name does`);
    }
  }

  /**
   * Runs an operation on a message. For a participant, messages of others appear not to exist. Our
   * own services get `forbidden` instead: a service that has changed its participant name must not
   * conclude that the message is gone.
   *
   * @throws {AtlastError} `not_found` in place of `forbidden`.
   */
  async concealing<Result>(
    { kind }: Principal,
    id: string,
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      const isOthers = hasCode(error, "forbidden");
      if (!isOthers || kind === "service") throw error;
      throw new AtlastError(
        "not_found",
        `Cannot find half message "${id}": there is none such here`,
      );
    }
  }

  #patternsOf(participant: string): readonly string[] | undefined {
    const names = this.#names;
    if (names === undefined || isOne(names)) return names;
    return Object.hasOwn(names, participant) ? names[participant] : [];
  }
}

function isListed(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => matchesName(pattern, name));
}

function isOne(names: HalfNames): names is readonly string[] {
  return Array.isArray(names);
}

function forbidden(what: string): Refusal {
  return new Refusal(403, "forbidden", `Cannot ${what}`);
}
