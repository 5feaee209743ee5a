/** Whether etcd refused a call because our certificate's role does not allow it: then neither waiting nor another member helps. */
export function isDenied(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if (/permission denied/.test(at.message) || at.constructor.name === 'EtcdPermissionDeniedError')
      return true;
  return false;
}
