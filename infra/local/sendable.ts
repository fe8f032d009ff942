// Which messages a local queue can take, and why not the others.
import type { OutgoingMessage } from '../provider.ts'
import { LOCAL_LIMITS } from './limits.ts'

const MAX_UTF8_BYTES_PER_UNIT = 3 // of a UTF-16 code unit

/** Indexes of what can be sent, and of what cannot with the reason. */
export function sortOut(messages: readonly OutgoingMessage[]): { good: number[]; bad: [index: number, why: string][] } {
  const good: number[] = []
  const bad: [number, string][] = []
  for (const [index, { body }] of messages.entries()) {
    const why = whyUnsendable(body)
    if (why === undefined) good.push(index)
    else bad.push([index, why])
  }
  return { good, bad }
}

function whyUnsendable(body: string): string | undefined {
  if (body.includes('\0')) return 'its body contains U+0000, which a message cannot carry.'
  if (body.length * MAX_UTF8_BYTES_PER_UNIT <= LOCAL_LIMITS.maxBodyBytes) return undefined
  const bytes = Buffer.byteLength(body)
  if (bytes <= LOCAL_LIMITS.maxBodyBytes) return undefined
  return `its body has ${bytes} bytes and the limit is ${LOCAL_LIMITS.maxBodyBytes}.`
}
