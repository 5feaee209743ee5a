/** Lists: filter, sort, cut into pages. Every list carries `meta`, also one that was asked for by name. */
import { apiErrors } from '../api-error.js';
import { labApiDefaults } from '../defaults.js';
import { type LabelTest, parseSelector } from './label-selector.js';
import type { Outcome } from './route.js';

export interface ListRules<T> {
  /** Fields that may be sorted by; without any, `sort` is ignored because clients send it everywhere. */
  sort?: readonly (keyof T & string)[];
  /** Query keys that must equal a field; a repeated key means "any of". */
  filters?: Readonly<Record<string, (row: T) => string | number | null>>;
  /** Labels of a row, where the resource can be selected by them. */
  labels?: (row: T) => Readonly<Record<string, string>>;
}

export function listed<T extends object>(
  query: URLSearchParams,
  key: string,
  rows: readonly T[],
  rules: ListRules<T> = {},
): Outcome {
  const wanted = rows.filter((row) => matches(row, query, rules)).filter(selected(query, rules));
  return paged(query, key, sorted(wanted, query, rules.sort ?? []));
}

function matches<T>(row: T, query: URLSearchParams, rules: ListRules<T>): boolean {
  return Object.entries(rules.filters ?? {}).every(([key, read]) => {
    const values = query.getAll(key);
    return values.length === 0 || values.includes(String(read(row) ?? ''));
  });
}

function selected<T>(query: URLSearchParams, rules: ListRules<T>): (row: T) => boolean {
  const selector = query.get('label_selector');
  const labels = rules.labels;
  if (!labels || selector === null || selector === '') return () => true;
  const test: LabelTest = parseSelector(selector);
  return (row) => test(labels(row));
}

function sorted<T extends object>(
  rows: readonly T[],
  query: URLSearchParams,
  fields: readonly (keyof T & string)[],
): readonly T[] {
  if (fields.length === 0) return rows;
  const orders = query
    .getAll('sort')
    .flatMap((value) => value.split(','))
    .map((value) => {
      const [name = '', direction = 'asc'] = value.split(':');
      const field = fields.find((candidate) => candidate === name);
      if (!field || !['asc', 'desc'].includes(direction)) {
        throw apiErrors.invalid([{ name: 'sort', messages: [`cannot sort by '${value.slice(0, 80)}'`] }]);
      }
      return { field, sign: direction === 'desc' ? -1 : 1 };
    });
  return rows.toSorted((a, b) => {
    for (const { field, sign } of orders) {
      const order = compare(a[field], b[field]);
      if (order !== 0) return order * sign;
    }
    return 0;
  });
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [left, right] = [String(a ?? ''), String(b ?? '')];
  return left < right ? -1 : left > right ? 1 : 0;
}

function paged<T>(query: URLSearchParams, key: string, rows: readonly T[]): Outcome {
  const page = positive(query, 'page', 1);
  const perPage = Math.min(positive(query, 'per_page', labApiDefaults.perPage), labApiDefaults.maxPerPage);
  const last = Math.max(1, Math.ceil(rows.length / perPage));
  const pagination = {
    page,
    per_page: perPage,
    previous_page: page > 1 ? page - 1 : null,
    next_page: page < last ? page + 1 : null,
    last_page: last,
    total_entries: rows.length,
  };
  return {
    status: 200,
    body: { [key]: rows.slice((page - 1) * perPage, page * perPage), meta: { pagination } },
    pages: { prev: pagination.previous_page, next: pagination.next_page, last },
  };
}

function positive(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name);
  if (text === null || text === '') return fallback;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw apiErrors.invalid([{ name, messages: ['must be a number from 1 on'] }]);
}
