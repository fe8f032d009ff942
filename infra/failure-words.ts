// What the sentences about failures of clouds have in common.

/** Of Node: the name of a host is not known. */
export const UNRESOLVED_CODES: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN'])
/** Of Node: there is no way to the host, or no answer from it. */
export const NETWORK_CODES: ReadonlySet<string> = new Set([
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
])

const MAX_SAID_CHARS = 400

/** What a service said, with its code where the words do not name it, short enough for a sentence. */
export function saidWords(words: string, code: string): string {
  const plain = words.replaceAll(/\s+/g, ' ').replace(/[\s.]+$/, '')
  const text = code === '' || plain.includes(code) ? plain : plain === '' ? code : `${code}: ${plain}`
  return text === '' ? 'it gave no reason' : text.slice(0, MAX_SAID_CHARS)
}

export function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
