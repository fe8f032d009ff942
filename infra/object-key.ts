// Where the objects of jobs lie in a bucket, on any cloud: below one prefix, under plain names.

/** Of all that is written: a lifecycle rule or a policy can name it. */
export const OBJECT_PREFIX = 'cloud-tasks/'

/** The same for the same key, and different for different ones. */
export function objectKey(key: string): string {
  return OBJECT_PREFIX + key.split('/').map(encodeSegment).join('/')
}

/** A plain name for any text: proxies and clients shorten `a//b` and `a/../b`. */
function encodeSegment(segment: string): string {
  return segment === '' || /^\.+$/.test(segment) ? `%${segment}` : encodeURIComponent(segment)
}
