/** The last lines of a terminal, drawn again in place while other lines scroll by above them. */

const csi = '\u001b[';

export class LiveArea {
  private lines: readonly string[] = [];

  /** `write` is told all of a change at once, so that nothing flickers. */
  constructor(private readonly write: (text: string) => void) {}

  /** Lines must not be wider than the terminal, nor more than it is high. */
  draw(lines: readonly string[]): void {
    this.write(`${this.toTop()}${lines.map((line) => `${line}${csi}K\n`).join('')}${csi}J`);
    this.lines = lines;
  }

  /** Puts a line above. */
  print(line: string): void {
    const again = this.lines;
    this.write(`${this.toTop()}${csi}J${line}\n`);
    this.lines = [];
    if (again.length > 0) this.draw(again);
  }

  erase(): void {
    if (this.lines.length > 0) this.write(`${this.toTop()}${csi}J`);
    this.lines = [];
  }

  /** Leaves the lines where they are; what is drawn next comes below. */
  keep(): void {
    this.lines = [];
  }

  private toTop(): string {
    return this.lines.length > 0 ? `${csi}${this.lines.length}A\r` : '';
  }
}
