/**
 * What happens, told in few lines: events of one kind that come close together share one.
 *
 * @module
 */
import type { ServiceEvent, ServiceName } from "./service_event.ts";
import type { Style, Terminal } from "./terminal.ts";

/** How often what came together is told, in milliseconds. */
const TOLD_EVERY_MS = 1_500;
/** How many orders a line names. */
const MAX_NAMED = 6;
const BAR_WIDTH = 24;

type Kind = ServiceEvent["kind"] | "placed";

/** A line: whose it is, and how it tells of each kind of event, of one and of many. */
interface Line {
  readonly style: Style;
  readonly who: string;
  readonly tells: Partial<Record<Kind, readonly [one: string, many: string]>>;
  /** Whether it names the orders. */
  readonly names?: true;
}

const LINES: readonly Line[] = [
  { style: "green", who: "customers", tells: { placed: ["order placed", "orders placed"] } },
  {
    style: "yellow",
    who: "transport",
    tells: {
      lost: ["request lost", "requests lost"],
      answer_lost: ["answer lost", "answers lost"],
      doubled: ["message sent twice", "messages sent twice"],
      unreachable: ["sent in vain, to be sent again", "sent in vain, to be sent again"],
    },
  },
  {
    style: "magenta",
    who: "handlers",
    tells: {
      crashed_before: ["crashed before its writes", "crashed before their writes"],
      crashed_after: [
        "crashed after its writes, rolled back",
        "crashed after their writes, rolled back",
      ],
      crashed_kept: [
        "crashed after its writes, which the next attempt finds",
        "crashed after their writes, which the next attempt finds",
      ],
    },
  },
  {
    style: "yellow",
    who: "bank",
    tells: {
      rolled_back: ["payment failed, rolled back", "payments failed, rolled back"],
      unheard: [
        "payment's outcome did not reach the store",
        "payments' outcomes did not reach the store",
      ],
    },
  },
  {
    style: "cyan",
    who: "check-back",
    tells: {
      found_taken: ["payment was taken: confirmed", "payments were taken: confirmed"],
      found_aborted: [
        "payment was not and can no more be taken: cancelled",
        "payments were not and can no more be taken: cancelled",
      ],
    },
    names: true,
  },
  {
    style: "cyan",
    who: "inboxes",
    tells: {
      redelivered: [
        "message came again: known by its id, not applied again",
        "messages came again: known by their ids, not applied again",
      ],
    },
  },
  {
    style: "red",
    who: "inventory",
    tells: {
      gave_up: [
        "message failed for good: orders is told",
        "messages failed for good: orders is told",
      ],
    },
    names: true,
  },
  {
    style: "blue",
    who: "orders",
    tells: {
      short: ["compensated: not enough in stock", "compensated: not enough in stock"],
      stuck: ["compensated: inventory gave up on it", "compensated: inventory gave up on them"],
      returned: [
        "compensated: cannot be paid, goods returned",
        "compensated: cannot be paid, goods returned",
      ],
    },
    names: true,
  },
];

/** Gathers events and tells them. */
export class Story {
  readonly #terminal: Terminal;
  readonly #planned: number;
  readonly #seen: Partial<Record<Kind, number>> = {};
  #gathered: { kind: Kind; order: number | null }[] = [];
  #timer: ReturnType<typeof setTimeout>;
  #ended = false;

  /** Begins to tell of a run of so many orders. */
  constructor(terminal: Terminal, planned: number) {
    this.#terminal = terminal;
    this.#planned = planned;
    this.#timer = setTimeout(() => this.#tell(), TOLD_EVERY_MS);
  }

  /** How many messages came again so far. */
  get redelivered(): number {
    return this.#seen.redelivered ?? 0;
  }

  /** A service told of an event. */
  event(service: ServiceName, event: ServiceEvent): void {
    if (event.kind === "error") this.#terminal.happened("red", service, event.text);
    this.#gather(event.kind, "order" in event ? event.order : null);
  }

  /** A customer placed an order. */
  placed(): void {
    this.#gather("placed", null);
  }

  /** Something worth a line of its own; what was gathered comes before it. */
  moment(style: Style, who: string, text: string): void {
    this.#tell();
    this.#terminal.happened(style, who, this.#terminal.paint("bold", text));
  }

  /** Tells what is left; from now on only what is worth a line of its own is told. */
  end(): void {
    this.#tell();
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#terminal.live("");
  }

  #gather(kind: Kind, order: number | null): void {
    if (this.#ended) return;
    this.#seen[kind] = (this.#seen[kind] ?? 0) + 1;
    this.#gathered.push({ kind, order });
    this.#showProgress();
  }

  #tell(): void {
    const gathered = this.#gathered;
    this.#gathered = [];
    for (const { style, who, tells, names } of LINES) {
      const own = gathered.filter(({ kind }) => kind in tells);
      const parts = Object.entries(tells).map(([kind, [one, many]]) => {
        const count = own.filter((event) => event.kind === kind).length;
        return count === 0 ? "" : `${count} ${count === 1 ? one : many}`;
      }).filter((part) => part !== "");
      if (parts.length === 0) continue;
      const orders = own.map(({ order }) => order).filter((order) => order !== null);
      this.#terminal.happened(style, who, parts.join(", ") + (names ? this.#named(orders) : ""));
    }
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(() => this.#tell(), TOLD_EVERY_MS);
  }

  #named(orders: readonly number[]): string {
    if (orders.length === 0) return "";
    const more = orders.length > MAX_NAMED ? ", …" : "";
    return this.#terminal.paint("dim", `  (${orders.slice(0, MAX_NAMED).join(", ")}${more})`);
  }

  #showProgress(): void {
    const { placed = 0, succeeded = 0, short = 0, stuck = 0, returned = 0 } = this.#seen;
    const compensated = short + stuck + returned;
    const done = Math.round(BAR_WIDTH * (succeeded + compensated) / this.#planned);
    const rest = this.#terminal.paint("dim", "─".repeat(Math.max(0, BAR_WIDTH - done)));
    this.#terminal.live(
      `        ${"━".repeat(done)}${rest}  ${placed}/${this.#planned} placed, ` +
        `${succeeded} succeeded, ${compensated} compensated`,
    );
  }
}
