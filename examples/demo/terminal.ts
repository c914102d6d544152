/**
 * Writing to the terminal: lines, colours, and one live line at the bottom where there is a terminal.
 *
 * @module
 */

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 };

/** A colour or weight. */
export type Style = keyof typeof CODES;

/** Where the demo prints. */
export class Terminal {
  readonly #isTerminal = Deno.stdout.isTerminal();
  readonly #hasColour = this.#isTerminal && !Deno.noColor && Deno.env.get("TERM") !== "dumb";
  readonly #startedAtMs = performance.now();
  #live = "";

  /** Text in a colour, where there are colours. */
  paint(style: Style, text: string): string {
    return this.#hasColour ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
  }

  /** Prints a line; the live line stays below it. */
  line(text = ""): void {
    this.#write(`${this.#clear()}${text}\n${this.#live}`);
  }

  /** Prints what happened, with the time since the start and who it happened to. */
  happened(style: Style, who: string, text: string): void {
    const seconds = ((performance.now() - this.#startedAtMs) / 1000).toFixed(1).padStart(5);
    this.line(`${this.paint("dim", `${seconds}s`)}  ${this.paint(style, who.padEnd(10))}  ${text}`);
  }

  /** Replaces the live line; the empty text takes it away. Nothing where there is no terminal. */
  live(text: string): void {
    if (!this.#isTerminal || text === this.#live) return;
    const clear = this.#clear();
    this.#live = text;
    this.#write(`${clear}${text}`);
  }

  /** The live line has no line break, so that it can be written over. */
  #clear(): string {
    return this.#live === "" ? "" : "\r\x1b[2K";
  }

  #write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  }
}
