// Who may use the API. Each key is a user of its own; only the keys' digests are kept.
import { createHash, timingSafeEqual } from 'node:crypto'
import { UserError } from '../../core/errors.ts'

export interface ApiKeys {
  /** The user whose key the `Authorization` header bears; undefined = nobody. Takes the same time whichever key is wrong. */
  userOf(authorization: string | undefined): string | undefined
}

const MIN_KEY_CHARS = 8
const USER_CHARS = 12 // of a digest: enough to tell users apart

/** `name:key`, or `key` alone: then its digest is its name, so that it stays the same user when other keys come and go. */
export function openApiKeys(entries: readonly string[]): ApiKeys {
  const users = entries.map(parseEntry)
  for (const [index, { name }] of users.entries()) {
    if (users.findIndex(user => user.name === name) !== index) {
      throw new UserError(`Two API keys have the name "${name}": give each user a name of its own.`)
    }
  }
  return {
    userOf(authorization) {
      const given = digest(bearerToken(authorization ?? ''))
      let found: string | undefined
      // Every key is compared, and all of it, so that time tells nothing.
      for (const { name, hash } of users) if (timingSafeEqual(hash, given)) found = name
      return found
    },
  }
}

function parseEntry(entry: string): { readonly name: string; readonly hash: Buffer } {
  const colon = entry.indexOf(':')
  const key = entry.slice(colon + 1).trim()
  if (key.length < MIN_KEY_CHARS || /\s/.test(key)) {
    const whose = colon > 0 ? ` of "${entry.slice(0, colon)}"` : ''
    throw new UserError(`An API key${whose} is too short or has spaces: use ${MIN_KEY_CHARS} characters or more.`)
  }
  const hash = digest(key)
  return { name: colon > 0 ? entry.slice(0, colon).trim() : `key-${hash.toString('hex').slice(0, USER_CHARS)}`, hash }
}

function bearerToken(header: string): string {
  return /^Bearer +(\S+) *$/i.exec(header)?.[1] ?? ''
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
