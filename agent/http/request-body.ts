// Reads a request's body: bounded one by one and all together, so that no client can fill the memory.
import type { IncomingMessage } from 'node:http'
import { parseExactJson } from '../../core/exact-json.ts'
import { HttpFailure, unavailable } from './http-failure.ts'

export interface BodyReader {
  /** The JSON of the body; {} if there is none. Numbers keep every digit. */
  read(request: IncomingMessage): Promise<unknown>
}

const MAX_TOTAL_BODIES = 8 // of the longest, at one time
const MAX_THROWN_AWAY_BYTES = 4 * 1024 ** 2

export function openBodyReader({ maxBytes }: { readonly maxBytes: number }): BodyReader {
  let heldBytes = 0
  return {
    async read(request) {
      const encoding = request.headers['content-encoding']
      if (encoding !== undefined && encoding !== 'identity')
        throw new HttpFailure(415, 'unsupported_encoding', 'A compressed body is not taken: send it as it is.')
      const declared = Number(request.headers['content-length'] ?? 0)
      if (declared > maxBytes) throw tooLarge(request, maxBytes)
      let bytes = 0
      let refused = false
      try {
        const chunks = await new Promise<Buffer[]>((resolve, reject) => {
          const some: Buffer[] = []
          const refuse = (failure: HttpFailure) => {
            refused = true
            reject(failure)
          }
          request.on('data', (chunk: Buffer) => {
            if (refused) return
            bytes += chunk.length
            heldBytes += chunk.length
            if (bytes > maxBytes) refuse(tooLarge(request, maxBytes))
            else if (heldBytes > maxBytes * MAX_TOTAL_BODIES) refuse(unavailable('Too many long requests.', undefined))
            else some.push(chunk)
          })
          request.once('end', () => resolve(some))
          request.once('close', () => {
            if (!request.complete) reject(new HttpFailure(400, 'bad_request', 'The request ended early.'))
          })
        })
        return parsed(chunks)
      } finally {
        heldBytes -= bytes
      }
    },
  }
}

function parsed(chunks: readonly Buffer[]): unknown {
  const [first] = chunks
  if (first === undefined) return {}
  const bytes = chunks.length === 1 ? first : Buffer.concat(chunks)
  try {
    return parseExactJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new HttpFailure(400, 'bad_request', `The body is not JSON: ${error.message}.`)
    if (error instanceof TypeError) throw new HttpFailure(400, 'bad_request', 'The body is not UTF-8.')
    throw error
  }
}

/** The rest is read and thrown away, within bounds: a client that is still writing can then read the answer. */
function tooLarge(request: IncomingMessage, maxBytes: number): HttpFailure {
  let more = 0
  request.on('data', (chunk: Buffer) => {
    more += chunk.length
    if (more > maxBytes + MAX_THROWN_AWAY_BYTES) request.destroy()
  })
  return new HttpFailure(413, 'too_large', `The body is longer than ${maxBytes} bytes.`)
}
