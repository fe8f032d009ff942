// The bytes of one version of an object in Cloud Storage, from any byte on, as they are stored. Not by the SDK, whose streams
// warn of a leak for each; nor by fetch, which would unpack what is stored compressed, so that places in it meant nothing.
import { type IncomingMessage, get as plainGet } from 'node:http'
import { get as secureGet } from 'node:https'
import { GcpError } from './failure.ts'

const SILENCE_MS = 60_000

interface BytesRequest {
  /** Of the service, without a slash at its end. */
  readonly endpoint: string
  readonly token: string
  readonly bucket: string
  readonly key: string
  readonly generation: string
  readonly fromByte: number
}

/** Rejects with a GcpError for a refusal: of status 404 if that version is gone. */
export async function* readBytes(request: BytesRequest): AsyncGenerator<Uint8Array> {
  const { endpoint, token, bucket, key, generation, fromByte } = request
  const path = `/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(key)}`
  const response = await answer(new URL(`${endpoint}${path}?alt=media&generation=${generation}`), {
    authorization: `Bearer ${token}`,
    'accept-encoding': 'gzip',
    ...(fromByte > 0 && { range: `bytes=${fromByte}-` }),
  })
  const { statusCode: status = 0, headers } = response
  const there = fromByte === 0 || headers['content-range']?.startsWith(`bytes ${fromByte}-`)
  if (status >= 200 && status < 300 && there) return yield* response
  response.destroy()
  throw new GcpError(there ? `HTTP ${status}` : `it cannot go on at byte ${fromByte}`, { status, reason: '' })
}

function answer(url: URL, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
  const send = url.protocol === 'http:' ? plainGet : secureGet
  return new Promise((resolve, reject) => {
    const request = send(url, { headers })
    request.setTimeout(SILENCE_MS, () => void request.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} s`)))
    request.once('response', resolve)
    request.on('error', reject)
  })
}
