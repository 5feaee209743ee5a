/** Waits for a condition with a deadline; the last thing seen is in the error. */
export async function until<T>(
  what: string,
  limitMs: number,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`not in ${limitMs} ms: ${what} (last: ${String(last)})`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}
