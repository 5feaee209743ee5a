/** An answer with an error envelope. Messages are the real API's where tools are known to match on them. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: object | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }

  toBody(): { error: { code: string; message: string; details: object | null } } {
    return { error: { code: this.code, message: this.message, details: this.details } };
  }
}

export interface FieldFault {
  name: string;
  messages: readonly string[];
}

export const apiErrors = {
  unauthorized: () => new ApiError(401, 'unauthorized', 'unable to authenticate'),
  readonly: () => new ApiError(401, 'token_readonly', 'token is only allowed to perform GET requests'),
  json: () => new ApiError(400, 'json_error', 'unable to parse JSON body'),
  method: () => new ApiError(405, 'method_not_allowed', 'method not allowed'),
  path: () => new ApiError(404, 'not_found', 'path not found'),
  notFound: (noun: string, id: string | number) =>
    new ApiError(404, 'not_found', `${noun} with ID '${id}' not found`),
  gone: (what: string, anchor: string) =>
    new ApiError(410, 'deprecated_api_endpoint', `${what} has been removed`, {
      announcement: `https://docs.hetzner.cloud/changelog#${anchor}`,
    }),
  invalid: (fields: readonly FieldFault[]) =>
    new ApiError(
      422,
      'invalid_input',
      `invalid input in field${fields.length > 1 ? 's' : ''} ${fields.map((f) => `'${f.name}'`).join(', ')}`,
      { fields },
    ),
  /** Like `invalid` for one field, with the message tools look for. */
  invalidAs: (message: string, field: string) =>
    new ApiError(422, 'invalid_input', message, { fields: [{ name: field, messages: [message] }] }),
  taken: (message: string, field = 'name') =>
    new ApiError(409, 'uniqueness_error', message, { fields: [{ name: field }] }),
  limit: (message: string, limit: string) =>
    new ApiError(403, 'resource_limit_exceeded', message, { limits: [{ name: limit }] }),
  locked: (noun: string) => new ApiError(423, 'locked', `cannot perform operation because ${noun} is locked`),
  protected: (noun: string) => new ApiError(423, 'protected', `${noun} deletion is protected`),
  groupFull: (id: number, members: number) =>
    new ApiError(
      422,
      'placement_group_member_limit_reached',
      `placement group with ID ${id} contains already ${members} servers`,
    ),
  unsupported: (what: string) =>
    new ApiError(422, 'unsupported_error', `${what} is not part of the lab API (docs/reference/lab-api.md)`),
  rateLimit: (limit: number) =>
    new ApiError(429, 'rate_limit_exceeded', `limit of ${limit} requests per hour reached`),
} as const;
