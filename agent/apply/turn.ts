/** One piece of work at a time, in the order asked for: preparing and applying never run beside each other. */
export class Turn {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs the work when everything before it has ended; its end is the caller's to look at. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  }
}
