/** Checks of JSON that came from a file: small, because a validation library would be a third of the agent. */
import { Problem } from '../shared/errors.js';

export type Json = Record<string, unknown>;

/** A reader of one object that knows where it came from; each method throws `daemon.config` naming file and key. */
export class Reader {
  constructor(
    private readonly value: Json,
    private readonly where: string,
  ) {}

  static parse(text: string, where: string): Reader {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      throw Problem.from(cause, 'daemon.config', { where });
    }
    return Reader.of(json, where);
  }

  private static of(value: unknown, where: string): Reader {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return new Reader(value as Json, where);
    throw new Problem('daemon.config', 'A configuration file is not valid', {
      where,
      reason: 'not an object',
    });
  }

  fail(key: string, reason: string): never {
    throw new Problem('daemon.config', 'A configuration file is not valid', {
      where: `${this.where}: ${key}`,
      reason,
    });
  }

  string(key: string, fallback?: string): string {
    const value = this.value[key] ?? fallback;
    return typeof value === 'string' && value !== '' ? value : this.fail(key, 'not a text');
  }

  /** A text that may be empty or absent. */
  text(key: string): string {
    const value = this.value[key] ?? '';
    return typeof value === 'string' ? value : this.fail(key, 'not a text');
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.value[key] ?? fallback;
    return typeof value === 'boolean' ? value : this.fail(key, 'not true or false');
  }

  integer(key: string, min: number, max: number, fallback?: number): number {
    const value = this.value[key] ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    return this.fail(key, `not a whole number from ${min} to ${max}`);
  }

  oneOf<T extends string>(key: string, values: readonly T[], fallback?: T): T {
    const value = (this.value[key] ?? fallback) as T;
    return values.includes(value) ? value : this.fail(key, `not one of ${values.join(', ')}`);
  }

  strings(key: string): string[] {
    const value = this.value[key];
    if (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string'))
      return value;
    return this.fail(key, 'not a list of texts');
  }

  /** A list that may be empty or absent. */
  texts(key: string): string[] {
    const value = this.value[key] ?? [];
    return Array.isArray(value) && value.length === 0 ? [] : this.strings(key);
  }

  object(key: string): Reader {
    return Reader.of(this.value[key], `${this.where}: ${key}`);
  }

  raw(): Json {
    return this.value;
  }
}
